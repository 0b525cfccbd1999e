"""One process: a group of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from h5flow.comm.one_rank import OneRankComm
from h5flow.errors import H5FlowError

if TYPE_CHECKING:
    from h5flow.comm.protocol import Announce

__all__ = ["SerialCommunicator"]


class SerialCommunicator:
    """The group that one process is by itself."""

    name = "serial"
    rank = 0
    size = 1
    local_rank = 0
    local_size = 1
    storage = "single_process"
    are_processes = True

    def __init__(self) -> None:
        self.activity = 0
        self._handle = OneRankComm()

    @property
    def handle(self) -> Any:
        """A one-rank object with mpi4py's methods."""
        return self._handle

    def announce_with(self, announce: Announce | None, /) -> None:
        """Do nothing: a collective of one rank waits for nobody."""

    def exchange(self, message: bytes, /) -> list[bytes]:
        """Return this rank's message as the only one."""
        self.activity += 1
        return [message]

    def send(self, data: Any, rank: int, /) -> None:
        """Refuse: there is nobody to send to.

        Raises
        ------
        H5FlowError
        """
        raise H5FlowError(f"nothing can be sent to rank {rank}: {_ALONE}")

    def receive(self, rank: int, /) -> memoryview:
        """Refuse: there is nobody to receive from.

        Raises
        ------
        H5FlowError
        """
        raise H5FlowError(f"nothing can be received from rank {rank}: {_ALONE}")

    def abort(self, status: int, /) -> NoReturn:
        """End the process."""
        raise SystemExit(status)


_ALONE = "this run has one process, whose rows need no sending"
