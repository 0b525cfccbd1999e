"""Ranks that are threads of this process: for tests of stages, and of what h5flow does on ranks.

Examples
--------
>>> run_on_ranks(3, lambda communicator: communicator.handle.allreduce(communicator.rank))
[3, 3, 3]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from h5flow.comm.announcing import Announcer, announcing
from h5flow.comm.buffers import contiguous_bytes
from h5flow.errors import H5FlowError
from h5flow.testing.ranks_circle import Message, Posted
from h5flow.testing.ranks_group import BrokenGroupError, RankGroup
from h5flow.testing.thread_comm import ThreadComm

if TYPE_CHECKING:
    from h5flow.comm.protocol import Announce

__all__ = ["BrokenGroupError", "RankGroup", "ThreadCommunicator", "run_on_ranks"]

ResultT = TypeVar("ResultT")


class ThreadCommunicator:
    """One rank of a group of threads. Made, and used, in the thread that is that rank.

    `send` returns when the other rank receives, as MPI may do it for any length.

    Parameters
    ----------
    group : RankGroup
    rank : int
    """

    name = "threads"
    storage = "shared_file"
    are_processes = False

    def __init__(self, group: RankGroup, rank: int) -> None:
        self.group = group
        self.rank = self.local_rank = rank
        self.size = self.local_size = group.size
        self.activity = 0
        self._announcer = Announcer()
        self._handle = announcing(ThreadComm, self._announcer)(group, group.public, rank)

    @property
    def handle(self) -> Any:
        """An object with the methods of mpi4py's communicators, which announce themselves."""
        return self._handle

    @property
    def board(self) -> dict[Any, Any]:
        """One dict for all ranks; what they put there is shared, not copied."""
        return self.group.board

    @property
    def exchanges(self) -> int:
        """How many exchanges this rank has begun."""
        return self.group.exchanges[self.rank]

    def announce_with(self, announce: Announce | None, /) -> None:
        """Have every collective of `handle` call this with its name before it starts."""
        self._announcer.announce = announce

    def exchange(self, message: bytes, /) -> list[bytes]:
        """Give this rank's message, return every rank's, in rank order. Collective.

        Raises
        ------
        BrokenGroupError
            A rank has ended, or none can go on.
        """
        self.group.exchanges[self.rank] += 1
        what = f"exchange {self.exchanges}"
        payload = bytes(memoryview(message))
        messages = self.group.meet(self.group.private, self.rank, what, payload)
        self.activity += 1
        return messages

    def send(self, data: Any, rank: int, /) -> None:
        """Send a contiguous buffer (bytes, or a C-contiguous array) to a rank.

        Raises
        ------
        DataError
            It is not contiguous.
        BrokenGroupError
            No rank can go on.
        H5FlowError
            `rank` is this one.
        """
        self._check_other(rank)
        message = Message(self.rank, rank, 0, contiguous_bytes(data).tobytes())
        self.group.send(self.group.private, message, wait=True)
        self.activity += 1

    def receive(self, rank: int, /) -> memoryview:
        """Return the next buffer that a rank has sent here: writable memory of its own.

        Raises
        ------
        BrokenGroupError
            No rank can go on.
        H5FlowError
            `rank` is this one.
        """
        self._check_other(rank)
        posted = Posted(self.rank, rank)
        self.group.post(self.group.private, posted)
        message = self.group.complete(self.group.private, posted, wait=True)
        assert message is not None
        self.activity += 1
        return memoryview(bytearray(message.payload))

    def abort(self, status: int, /) -> NoReturn:
        """Break the group, from any thread: what ranks call next raises, and what they wait in."""
        self.group.break_up(f"rank {self.rank} has ended all with status {status}")
        raise SystemExit(status)

    def _check_other(self, rank: int) -> None:
        if rank == self.rank:
            raise H5FlowError(f"rank {rank} sends to itself, and would wait for itself for ever")


def run_on_ranks(
    size: int, function: Callable[[ThreadCommunicator], ResultT], *, timeout: float = 30.0
) -> list[ResultT]:
    """Call a function on every rank of a group of threads; return the results in rank order.

    Never hangs: where no rank can go on, or time is up, every call that waits raises. Each rank
    sees a copy of the caller's context variables.

    Parameters
    ----------
    size : int
    function : callable
        Called with each rank's `ThreadCommunicator`, in a thread of its own.
    timeout : float
        Seconds.

    Raises
    ------
    BaseException
        What was raised on the lowest rank that failed by itself; its notes tell what happened on
        the others.
    BrokenGroupError
        No rank could go on, or time is up.
    """
    group = RankGroup(size, timeout)
    return group.run(lambda rank: function(ThreadCommunicator(group, rank)))
