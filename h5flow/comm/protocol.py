"""What h5flow asks of a group of processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol, TypeAlias

__all__ = ["Announce", "Communicator"]

Announce: TypeAlias = Callable[[str], None]


class Communicator(Protocol):
    """A group of ranks that can tell each other what they are doing.

    One process is a group of one. All collective work of a run is `exchange`; users' own
    collectives go through `handle`, an object with the methods of ``mpi4py.MPI.Intracomm``. Both
    have messages of their own, so that one never takes those of the other.

    Attributes
    ----------
    name : str
        In the registry.
    rank, size : int
    local_rank, local_size : int
        Among the ranks of the same machine, for choosing a device.
    activity : int
        Number of messages that this rank has sent or received; a watch sees by it that the run
        goes on.
    storage : str
        Name of the storage that fits these ranks.
    are_processes : bool
        Whether each rank is a process of its own, that can be killed, get signals, and stall.
    """

    name: str
    rank: int
    size: int
    local_rank: int
    local_size: int
    activity: int
    storage: str
    are_processes: bool

    @property
    def handle(self) -> Any:
        """What stages see as ``self.comm``."""
        ...

    def announce_with(self, announce: Announce | None, /) -> None:
        """Have every collective of `handle` call this with its name before it starts."""
        ...

    def exchange(self, message: bytes, /) -> list[bytes]:
        """Give this rank's message, return every rank's, in rank order. Collective."""
        ...

    def send(self, data: Any, rank: int, /) -> None:
        """Send a contiguous buffer (bytes, or a C-contiguous array) to a rank."""
        ...

    def receive(self, rank: int, /) -> memoryview:
        """Return the next buffer that a rank has sent here: writable memory of its own."""
        ...

    def abort(self, status: int, /) -> NoReturn:
        """End every rank of the group at once, from any thread."""
        ...
