"""One process: a group of one."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from h5flow.comm.one_rank import OneRankComm

__all__ = ["SerialCommunicator"]

ActT = TypeVar("ActT")


class SerialCommunicator:
    """The group that one process is by itself."""

    name = "serial"
    rank = 0
    size = 1
    local_rank = 0
    local_size = 1

    def __init__(self) -> None:
        self._handle = OneRankComm()

    @property
    def handle(self) -> Any:
        """A one-rank object with mpi4py's methods."""
        return self._handle

    def exchange(self, act: ActT, /) -> list[ActT]:
        """Return this rank's act as the only one."""
        return [act]

    def abort(self, status: int, /) -> NoReturn:
        """End the process."""
        raise SystemExit(status)
