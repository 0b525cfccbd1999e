"""Sending and receiving in a group of one: every message comes from, and goes to, rank 0."""

# ruff: noqa: N802 - names and arguments are mpi4py's

from __future__ import annotations

import operator
import pickle
from typing import Any

from h5flow.comm.buffers import elements
from h5flow.comm.mailbox import Decode, Mailbox, Request, check_rank, decode_into, is_nobody
from h5flow.errors import DataError

__all__ = ["PointToPoint"]


class PointToPoint:
    """Messages to itself. `dest` and `source` are 0; None or MPI's wildcards take any."""

    def __init__(self, name: str = "", *, is_null: bool = False) -> None:
        self._name = name
        self._is_null = is_null
        self._mailbox = Mailbox()

    def send(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send a Python object."""
        self.isend(obj, dest, tag)

    def isend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send a Python object."""
        return self._send(pickle.dumps(obj, pickle.HIGHEST_PROTOCOL), dest, tag)

    def recv(
        self,
        buf: Any = None,
        source: int | None = None,
        tag: int | None = None,
        status: Any = None,
    ) -> Any:
        """Return a Python object that was sent."""
        self._check_alive()
        if is_nobody(source):
            return None
        check_rank(source, "source")
        return self._mailbox.receive(tag, pickle.loads, status)

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
        self.Isend(buf, dest, tag)

    def Isend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send the elements of a buffer."""
        return self._send(elements(buf).tobytes(), dest, tag)

    def Recv(
        self, buf: Any, source: int | None = None, tag: int | None = None, status: Any = None
    ) -> None:
        """Receive elements into a buffer, which may be longer."""
        self._check_alive()
        decode = decode_into(buf)
        if not is_nobody(source):
            check_rank(source, "source")
            self._mailbox.receive(tag, decode, status)

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
        self._check_alive()
        check_rank(source, "source")
        return self._mailbox.probe(tag, status)

    Iprobe = iprobe

    def _send(self, payload: bytes, dest: int, tag: int) -> Request:
        self._check_alive()
        if is_nobody(dest):
            return Request()
        check_rank(operator.index(dest), "destination")
        return self._mailbox.send(tag, payload)

    def _post(self, decode: Decode, source: int | None, tag: int | None) -> Request:
        self._check_alive()
        if is_nobody(source):
            return Request()
        check_rank(source, "source")
        return self._mailbox.post(tag, decode)

    def _check_alive(self) -> None:
        if self._is_null:
            raise DataError(
                "this communicator was freed, or has no ranks",
                advice="Use self.comm, or a duplicate of it that is still in use.",
            )
