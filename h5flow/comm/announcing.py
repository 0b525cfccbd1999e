"""Collectives that tell the other ranks what they are before they start.

A collective hangs where a rank leaves it out. One that is announced first, in an exchange that
every rank comes to, starts only when all ranks want the same one; else it raises.

Announced is what every rank of the communicator has to call. Not announced, and outside of the
guarantee: messages from rank to rank, the start of persistent requests, and the communicators
that `Dup`, `Split` and the like return. A non-blocking collective waits for the announcement of
the other ranks, and for nothing else.
"""

# ruff: noqa: SIM905 - names are read in rows

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from h5flow.errors import H5FlowError

if TYPE_CHECKING:
    from h5flow.comm.protocol import Announce

__all__ = ["COLLECTIVES", "Announcer", "announcing"]

CommT = TypeVar("CommT")

_OBJECTS = "allgather allreduce alltoall barrier bcast exscan gather reduce scan scatter".split()
_BUFFERS = (
    "Allgather Allgatherv Allreduce Alltoall Alltoallv Alltoallw Barrier Bcast Exscan Gather "
    "Gatherv Reduce Reduce_scatter Reduce_scatter_block Scan Scatter Scatterv".split()
)
_GROUPS = (
    "Clone Create Create_cart Create_dist_graph Create_dist_graph_adjacent Create_graph "
    "Create_intercomm Dup Dup_with_info Idup Idup_with_info Split Split_type Shrink Ishrink".split()
)
_OTHERS = "Accept Agree Connect Disconnect Free Iagree Set_info Spawn Spawn_multiple free".split()

#: The methods of ``mpi4py.MPI.Intracomm`` that all ranks of a communicator have to call.
COLLECTIVES = (
    *_OBJECTS,
    *_BUFFERS,
    *(f"I{name.lower()}" for name in _BUFFERS),
    *(f"{name}_init" for name in _BUFFERS),
    *_GROUPS,
    *_OTHERS,
)


class Announcer:
    """What the collectives of one communicator call first.

    It belongs to the thread that makes it: of two threads' collectives, ranks would meet the one
    with the other.

    Attributes
    ----------
    announce : callable or None
        What is called with the name of a collective.
    """

    def __init__(self) -> None:
        self.announce: Announce | None = None
        self._thread = threading.get_ident()

    def __call__(self, name: str) -> None:
        """Announce a collective.

        Raises
        ------
        H5FlowError
            Another thread calls it.
        Exception
            What `announce` raises; the collective is not started.
        """
        if threading.get_ident() != self._thread:
            raise H5FlowError(
                f"self.comm.{name} is called from another thread than the run's",
                advice="Call nothing of self.comm's collectives from threads, or use a "
                "communicator of your own there: self.comm.Dup(), made in init.",
            )
        if self.announce is not None:
            self.announce(name)


def announcing(base: type[CommT], announce: Announce) -> type[CommT]:
    """Return a subclass of a communicator's class whose collectives announce themselves.

    Parameters
    ----------
    base : type
        With methods named as those of ``mpi4py.MPI.Intracomm``.
    announce : callable
        Called with a method's name before it does what it does in `base`; not if it raises.
    """

    def announced(name: str) -> Callable[..., Any]:
        collective: Callable[..., Any] = getattr(base, name)

        @wraps(collective)
        def method(self: Any, *arguments: Any, **named: Any) -> Any:
            announce(name)
            return plain(collective(self, *arguments, **named))

        return method

    def plain(result: Any) -> Any:
        """Return `result`, of class `base` where it is a duplicate of the subclass's object."""
        if isinstance(result, tuple):
            return tuple(plain(item) for item in result)
        return base(result) if isinstance(result, subclass) else result  # type: ignore[call-arg]

    methods = {name: announced(name) for name in COLLECTIVES if hasattr(base, name)}
    subclass = type(f"Announcing{base.__name__}", (base,), {**methods, "__module__": __name__})
    return subclass
