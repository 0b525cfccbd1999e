"""Messages that a single rank sends to itself, and what all messages have in common."""

# ruff: noqa: N802 - names are mpi4py's

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from h5flow.comm.buffers import copy_elements, elements
from h5flow.errors import DataError

__all__ = [
    "Decode",
    "Mailbox",
    "Request",
    "any_or",
    "check_rank",
    "decode_into",
    "fill_status",
    "is_anyone",
    "is_nobody",
]

Decode = Callable[[bytes], Any]


class Request:
    """A message under way, with the methods of ``mpi4py.MPI.Request``."""

    def __init__(self, tag: int | None = None, decode: Decode | None = None) -> None:
        self.tag = tag
        self._decode = decode
        self._is_active = True
        self._is_done = decode is None  # what is sent lies in the mailbox at once
        self._result: Any = None

    def __bool__(self) -> bool:
        return self._is_active

    def deliver(self, tag: int, payload: bytes) -> None:
        """Complete a receive."""
        self.tag, self._is_done = tag, True
        self._result = self._decode(payload) if self._decode else None

    def test(self, status: Any = None) -> tuple[bool, Any]:
        """Return whether the message is through, and what was received."""
        if not self._is_active:
            return True, None
        if not self._is_done:
            return False, None
        self._is_active = False
        fill_status(status, self.tag)
        return True, self._result

    def wait(self, status: Any = None) -> Any:
        """Return what was received.

        Raises
        ------
        DataError
            Nothing was sent, and nobody else is there to send it.
        """
        is_done, result = self.test(status)
        if not is_done:
            raise _would_wait_for_ever(self.tag)
        return result

    def Test(self, status: Any = None) -> bool:
        """Return whether the message is through."""
        return self.test(status)[0]

    def Wait(self, status: Any = None) -> bool:
        """Return True, as `wait` would return."""
        self.wait(status)
        return True

    def Cancel(self) -> None:
        """Receive nothing any more."""
        self._is_active = False

    cancel = Free = Cancel

    def takes(self, tag: int) -> bool:
        """Tell whether this receive waits for a message with that tag."""
        return self._is_active and not self._is_done and self.tag in (None, tag)


class Mailbox:
    """Messages sent and not received, and receives that wait, each in the order of their calls."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, bytes]] = []
        self.waiting: list[Request] = []

    def send(self, tag: int, payload: bytes) -> Request:
        """Hand a message to the first receive that takes it, or keep it."""
        tag = operator.index(tag)
        if tag < 0:
            raise DataError(f"a message cannot have the tag {tag}", advice="Use 0 or more.")
        self.waiting = [request for request in self.waiting if request]
        taker = next((request for request in self.waiting if request.takes(tag)), None)
        if taker is None:
            self.messages.append((tag, payload))
        else:
            self.waiting.remove(taker)
            taker.deliver(tag, payload)
        return Request()

    def receive(self, tag: int | None, decode: Decode, status: Any = None) -> Any:
        """Return the first message with that tag, decoded."""
        position = self.position(any_or(tag))
        if position is None:
            raise _would_wait_for_ever(any_or(tag))
        found, payload = self.messages.pop(position)
        fill_status(status, found)
        return decode(payload)

    def post(self, tag: int | None, decode: Decode) -> Request:
        """Receive the first message with that tag, now or when it is sent."""
        request = Request(any_or(tag), decode)
        position = self.position(request.tag)
        if position is None:
            self.waiting.append(request)
        else:
            request.deliver(*self.messages.pop(position))
        return request

    def probe(self, tag: int | None, status: Any = None) -> bool:
        """Tell whether there is a message with that tag."""
        position = self.position(any_or(tag))
        if position is not None:
            fill_status(status, self.messages[position][0])
        return position is not None

    def position(self, tag: int | None) -> int | None:
        """Return where the first message with that tag is."""
        tags = [found for found, _ in self.messages]
        matching = [at for at, found in enumerate(tags) if tag in (None, found)]
        return matching[0] if matching else None


def decode_into(buffer: Any) -> Decode:
    """Return what puts a message into a buffer."""
    target = elements(buffer, writable=True)

    def decode(payload: bytes) -> None:
        copy_elements(np.frombuffer(payload, "u1"), target)

    return decode


def is_nobody(rank: int | None) -> bool:
    """Tell ``MPI.PROC_NULL``, to and from which nothing is sent."""
    return rank is not None and rank == _constant("PROC_NULL")


def is_anyone(rank: int | None) -> bool:
    """Tell None and ``MPI.ANY_SOURCE``, which stand for every source."""
    return rank is None or rank == _constant("ANY_SOURCE")


def check_rank(rank: int | None, role: str, size: int = 1) -> None:
    """Check that a peer is one of `size` ranks; a source may be anyone.

    Raises
    ------
    DataError
        There is no such rank.
    """
    if role == "source" and is_anyone(rank):
        return
    if rank is None or not 0 <= operator.index(rank) < size:
        there_are = "one process, rank 0" if size == 1 else f"ranks 0 to {size - 1}"
        raise DataError(
            f"there is no rank {rank} to be the {role}: this run has {there_are}",
            advice="Take ranks from range(self.comm.size).",
        )


def fill_status(status: Any, tag: int | None, source: int = 0) -> None:
    """Record sender and tag of a message in an ``MPI.Status``, if one was given."""
    if status is not None:
        status.source, status.tag = source, tag or 0


def any_or(tag: int | None) -> int | None:
    """Return the tag to look for, None for ``MPI.ANY_TAG``, which is negative."""
    return None if tag is None or operator.index(tag) < 0 else operator.index(tag)


def _constant(name: str) -> object:
    """Return a constant of mpi4py, which differs from one MPI to another, if it is in use."""
    return getattr(sys.modules.get("mpi4py.MPI"), name, object())


def _would_wait_for_ever(tag: int | None) -> DataError:
    what = "a message" if tag is None else f"a message with the tag {tag}"
    return DataError(
        f"{what} is waited for that was never sent: this run has one process",
        advice="Send before receiving, or leave out messages where self.comm.size is 1.",
    )
