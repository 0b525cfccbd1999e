"""What h5flow asks of a group of processes."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol, TypeVar

__all__ = ["Communicator"]

ActT = TypeVar("ActT")


class Communicator(Protocol):
    """A group of ranks that can tell each other what they are doing.

    One process is a group of one. All collective work of a run is `exchange`; users' own
    collectives go through `handle`, an object with the methods of ``mpi4py.MPI.Intracomm``.
    """

    name: str
    rank: int
    size: int
    local_rank: int
    local_size: int

    @property
    def handle(self) -> Any:
        """What stages see as ``self.comm``."""
        ...

    def exchange(self, act: ActT, /) -> list[ActT]:
        """Give this rank's act, return every rank's, in rank order. Collective."""
        ...

    def abort(self, status: int, /) -> NoReturn:
        """End every rank of the group at once."""
        ...
