"""Messages from rank to rank, where ranks are threads, with mpi4py's methods.

`send` and `Send` keep a copy and return at once, as MPI does with short messages; `ssend` and
`Ssend` wait for the receiver.
"""

# ruff: noqa: N802 - names and arguments are mpi4py's

from __future__ import annotations

import operator
import pickle
from typing import TYPE_CHECKING, Any

from h5flow.comm.buffers import elements
from h5flow.comm.mailbox import (
    Decode,
    any_or,
    check_rank,
    decode_into,
    fill_status,
    is_anyone,
    is_nobody,
)
from h5flow.errors import DataError
from h5flow.testing.ranks_circle import Circle, Message, Posted

if TYPE_CHECKING:
    from h5flow.testing.ranks_group import RankGroup

__all__ = ["Messages", "Request"]


class Request:
    """A message under way, with the methods of ``mpi4py.MPI.Request``; None has arrived."""

    def __init__(
        self,
        group: RankGroup,
        circle: Circle,
        posted: Posted | None = None,
        decode: Decode | None = None,
    ) -> None:
        self._group, self._circle = group, circle
        self._posted, self._decode = posted, decode

    def __bool__(self) -> bool:
        return self._posted is not None

    def test(self, status: Any = None) -> tuple[bool, Any]:
        """Return whether the message is through, and what was received."""
        return self._finish(status, wait=False)

    def wait(self, status: Any = None) -> Any:
        """Return what was received."""
        return self._finish(status, wait=True)[1]

    def Test(self, status: Any = None) -> bool:
        """Return whether the message is through."""
        return self.test(status)[0]

    def Wait(self, status: Any = None) -> bool:
        """Return True, as `wait` would return."""
        self.wait(status)
        return True

    def Cancel(self) -> None:
        """Receive nothing any more."""
        if self._posted is not None:
            self._group.withdraw(self._circle, self._posted)
        self._posted = None

    cancel = Free = Cancel

    def _finish(self, status: Any, *, wait: bool) -> tuple[bool, Any]:
        if self._posted is None or self._decode is None:
            return True, None
        message = self._group.complete(self._circle, self._posted, wait=wait)
        if message is None:
            return False, None
        self._posted = None
        fill_status(status, message.tag, message.source)
        return True, self._decode(message.payload)


class Messages:
    """One rank's part of a circle, and what it sends and receives there."""

    def __init__(self, group: RankGroup, circle: Circle | None, rank: int) -> None:
        self._group, self._alive, self._rank = group, circle, rank

    @property
    def _circle(self) -> Circle:
        if self._alive is None:
            raise DataError(
                "this communicator was freed, or has no ranks",
                advice="Use self.comm, or a duplicate of it that is still in use.",
            )
        return self._alive

    @property
    def rank(self) -> int:
        """The number of this rank."""
        return self.Get_rank()

    @property
    def size(self) -> int:
        """The number of ranks."""
        return self.Get_size()

    def Get_rank(self) -> int:
        """Return this rank."""
        return self._rank if self._circle else 0

    def Get_size(self) -> int:
        """Return the number of ranks."""
        return self._circle.size

    def send(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send a Python object."""
        self._send(_dump(obj), dest, tag)

    def ssend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send a Python object, and wait until it is received."""
        self._send(_dump(obj), dest, tag, wait=True)

    def isend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send a Python object."""
        return self._send(_dump(obj), dest, tag)

    def recv(
        self,
        buf: Any = None,
        source: int | None = None,
        tag: int | None = None,
        status: Any = None,
    ) -> Any:
        """Return a Python object that was sent."""
        return self.irecv(None, source, tag).wait(status)

    def irecv(self, buf: Any = None, source: int | None = None, tag: int | None = None) -> Request:
        """Receive a Python object, sent before or after."""
        return self._post(pickle.loads, source, tag)

    def sendrecv(
        self,
        sendobj: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int | None = None,
        recvtag: int | None = None,
        status: Any = None,
    ) -> Any:
        """Send a Python object and return one that was sent."""
        self.send(sendobj, dest, sendtag)
        return self.recv(recvbuf, source, recvtag, status)

    def Send(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send the elements of a buffer."""
        self._send(elements(buf).tobytes(), dest, tag)

    def Ssend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send the elements of a buffer, and wait until they are received."""
        self._send(elements(buf).tobytes(), dest, tag, wait=True)

    def Isend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send the elements of a buffer."""
        return self._send(elements(buf).tobytes(), dest, tag)

    def Recv(
        self, buf: Any, source: int | None = None, tag: int | None = None, status: Any = None
    ) -> None:
        """Receive elements into a buffer, which may be longer."""
        self.Irecv(buf, source, tag).wait(status)

    def Irecv(self, buf: Any, source: int | None = None, tag: int | None = None) -> Request:
        """Receive elements into a buffer, sent before or after."""
        return self._post(decode_into(buf), source, tag)

    def Sendrecv(
        self,
        sendbuf: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int | None = None,
        recvtag: int | None = None,
        status: Any = None,
    ) -> None:
        """Send the elements of a buffer and receive some."""
        self.Send(sendbuf, dest, sendtag)
        self.Recv(recvbuf, source, recvtag, status)

    def iprobe(self, source: int | None = None, tag: int | None = None, status: Any = None) -> bool:
        """Tell whether there is a message to receive."""
        return self._probe(source, tag, status, wait=False)

    def probe(self, source: int | None = None, tag: int | None = None, status: Any = None) -> bool:
        """Wait until there is a message to receive."""
        return self._probe(source, tag, status, wait=True)

    Iprobe, Probe = iprobe, probe

    def _send(self, payload: bytes, dest: int, tag: int, *, wait: bool = False) -> Request:
        if not is_nobody(dest):
            check_rank(operator.index(dest), "destination", self.size)
            if operator.index(tag) < 0:
                raise DataError(f"a message cannot have the tag {tag}", advice="Use 0 or more.")
            message = Message(self.rank, dest, tag, payload)
            self._group.send(self._circle, message, wait=wait)
        return Request(self._group, self._circle)

    def _post(self, decode: Decode, source: int | None, tag: int | None) -> Request:
        if is_nobody(source):
            return Request(self._group, self._circle)
        posted = self._wanted(source, tag)
        self._group.post(self._circle, posted)
        return Request(self._group, self._circle, posted, decode)

    def _probe(self, source: int | None, tag: int | None, status: Any, *, wait: bool) -> bool:
        found = self._group.probe(self._circle, self._wanted(source, tag), wait=wait)
        if found is not None:
            fill_status(status, found.tag, found.source)
        return found is not None

    def _wanted(self, source: int | None, tag: int | None) -> Posted:
        check_rank(source, "source", self.size)
        return Posted(self.rank, None if is_anyone(source) else source, any_or(tag))

    def _meet(self, what: str, value: Any = None, root: int | None = None) -> list[Any]:
        where = what if root is None else f"{what} with root {root}"
        return self._group.meet(self._circle, self._rank, where, value)


def _dump(obj: Any) -> bytes:
    return pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)
