"""The communicator of ranks that are threads, with mpi4py's methods for Python objects and groups.

Results are mpi4py's: objects arrive as copies made by pickle. Reductions combine in rank order.
"""

# ruff: noqa: N802 - names and arguments are mpi4py's

from __future__ import annotations

import operator
import pickle
from collections.abc import Iterable
from functools import reduce
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NoReturn

from h5flow.comm.mailbox import check_rank
from h5flow.errors import DataError
from h5flow.testing.ranks_circle import Circle
from h5flow.testing.thread_buffers import BufferCollectives

if TYPE_CHECKING:
    from h5flow.testing.ranks_group import RankGroup

__all__ = ["ThreadComm"]

UNDEFINED = -32766  # MPI.UNDEFINED of MPICH and Open MPI


class ThreadComm(BufferCollectives):
    """Some ranks of a group of threads.

    Parameters
    ----------
    group : RankGroup
    circle : Circle or None
        None for no ranks at all, like ``MPI.COMM_NULL``: false, and every method raises.
    rank : int
        This rank, in the circle.
    """

    is_intra, is_inter = True, False

    def __init__(self, group: RankGroup, circle: Circle | None, rank: int) -> None:
        super().__init__(group, circle, rank)
        self.name = "threads"

    def __bool__(self) -> bool:
        return self._alive is not None

    def Get_name(self) -> str:
        """Return the name of this communicator."""
        return self.name

    def Set_name(self, name: str) -> None:
        """Give this communicator a name."""
        self.name = str(name)

    def Is_intra(self) -> bool:
        """Return True: there is one group."""
        return True

    def Is_inter(self) -> bool:
        """Return False: there is one group."""
        return False

    # Python objects

    def barrier(self) -> None:
        """Wait for all ranks."""
        self._meet("barrier")

    Barrier = barrier

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """Return a copy of the root's `obj`."""
        self._check_root(root)
        return _load(self._meet("bcast", _dump(obj) if self.rank == root else None, root)[root])

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        """Return a copy of every rank's `sendobj` on the root, None on the others."""
        self._check_root(root)
        found = self._meet("gather", _dump(sendobj), root)
        return [_load(item) for item in found] if self.rank == root else None

    def allgather(self, sendobj: Any) -> list[Any]:
        """Return a copy of every rank's `sendobj`."""
        return [_load(item) for item in self._meet("allgather", _dump(sendobj))]

    def scatter(self, sendobj: Iterable[Any] | None, root: int = 0) -> Any:
        """Return a copy of this rank's item of the root's `sendobj`."""
        self._check_root(root)
        items = self._items(sendobj) if self.rank == root else None
        return _load(self._meet("scatter", items, root)[root][self.rank])

    def alltoall(self, sendobj: Iterable[Any] | None) -> list[Any]:
        """Return a copy of this rank's item of every rank's `sendobj`."""
        return [_load(items[self.rank]) for items in self._meet("alltoall", self._items(sendobj))]

    def reduce(self, sendobj: Any, op: Any = None, root: int = 0) -> Any:
        """Return every rank's `sendobj` combined on the root, None on the others."""
        self._check_root(root)
        found = self._meet("reduce", _dump(sendobj), root)
        return reduce(op or operator.add, map(_load, found)) if self.rank == root else None

    def allreduce(self, sendobj: Any, op: Any = None) -> Any:
        """Return every rank's `sendobj` combined."""
        return reduce(op or operator.add, map(_load, self._meet("allreduce", _dump(sendobj))))

    def scan(self, sendobj: Any, op: Any = None) -> Any:
        """Return the `sendobj` of the ranks up to this one combined."""
        found = map(_load, self._meet("scan", _dump(sendobj)))
        return list(accumulate(found, op or operator.add))[self.rank]

    def exscan(self, sendobj: Any, op: Any = None) -> Any:
        """Return the `sendobj` of the ranks below this one combined, None on rank 0."""
        found = map(_load, self._meet("exscan", _dump(sendobj)))
        return [None, *accumulate(found, op or operator.add)][self.rank]

    # groups

    def Dup(self, info: Any = None) -> ThreadComm:
        """Return the same ranks, with meetings and messages of their own."""
        return self._derived("Dup", 0, self.rank)

    Clone = Dup

    def Split(self, color: int = 0, key: int = 0) -> ThreadComm:
        """Return the ranks of the same colour, by key; none for the colour ``MPI.UNDEFINED``."""
        return self._derived("Split", operator.index(color), key)

    def Split_type(self, split_type: int, key: int = 0, info: Any = None) -> ThreadComm:
        """Return the ranks of the same part of the machine: all."""
        return self._derived("Split_type", 0 if split_type != UNDEFINED else UNDEFINED, key)

    def Free(self) -> None:
        """End the use of this communicator on all its ranks."""
        self._meet("Free")
        self._alive = None

    def Abort(self, errorcode: int = 0) -> NoReturn:
        """Break the group."""
        self._group.break_up(f"rank {self.rank} has called Abort({errorcode})")
        raise SystemExit(errorcode)

    def _derived(self, what: str, color: int, key: int) -> ThreadComm:
        found = self._meet(what, (color, key))
        ranks = sorted(
            (rank for rank, (other, _) in enumerate(found) if other == color),
            key=lambda rank: (found[rank][1], rank),
        )
        members = tuple(self._circle.members[rank] for rank in ranks)
        # One circle for all its ranks: what the first of them has made.
        circle = self._meet(what, Circle(members))[ranks[0]]
        place = ranks.index(self.rank)
        return ThreadComm(self._group, None if color == UNDEFINED else circle, place)

    def _check_root(self, root: int) -> None:
        check_rank(operator.index(root), "root", self.size)

    def _items(self, sendobj: Iterable[Any] | None) -> list[bytes]:
        items = [None] * self.size if sendobj is None else list(sendobj)
        if len(items) != self.size:
            raise DataError(
                f"{len(items)} items cannot be given to {self.size} ranks",
                advice="Give one item for each rank: self.comm.size of them.",
            )
        return [_dump(item) for item in items]


def _dump(obj: Any) -> bytes:
    return pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)


def _load(payload: bytes) -> Any:
    return pickle.loads(payload)
