"""Ranks that are threads of one process, and all that they wait for.

A rank that waits says for what. Where every rank that has not ended waits, and nothing that is
waited for is there, no rank will ever go on: the group breaks, and each of them raises. So a
program's end does not depend on how fast its threads are. Time-outs are for what the group cannot
see: loops, and waiting for other things.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from h5flow.errors import H5FlowError
from h5flow.testing.ranks_circle import Circle, Message, Posted

__all__ = ["BrokenGroupError", "RankGroup"]

ResultT = TypeVar("ResultT")

GRACE = 2.0  # seconds for ranks to see that the group is broken


class BrokenGroupError(H5FlowError):
    """A group of ranks cannot go on."""


@dataclass(frozen=True)
class Wait:
    """What a rank waits for, and whether it is there."""

    what: str
    is_over: Callable[[], bool]


class RankGroup:
    """A group of ranks that are threads; for one run.

    Call everything of a rank from the thread that runs its function.

    Parameters
    ----------
    size : int
    timeout : float
        Seconds until the group is broken, whatever its ranks do.

    Attributes
    ----------
    board : dict
        One for all ranks; what they put there is shared, not copied.
    exchanges : list of int
        How many exchanges each rank has begun.
    """

    def __init__(self, size: int, timeout: float = 30.0) -> None:
        self.size = size
        self.timeout = timeout
        self.board: dict[Any, Any] = {}
        self.exchanges = [0] * size
        everyone = tuple(range(size))
        self.private, self.public = Circle(everyone), Circle(everyone)
        self._changed = threading.Condition()
        self._broken: str | None = None
        self._ended: set[int] = set()
        self._waits: dict[int, Wait] = {}
        self._deadline = time.monotonic() + timeout

    def run(self, function: Callable[[int], ResultT]) -> list[ResultT]:
        """Call `function` with every rank, each in a thread of its own; return what it returned.

        Raises
        ------
        BaseException
            What was raised on the lowest rank that failed by itself; its notes tell what
            happened on the others.
        BrokenGroupError
            No rank could go on, or time is up.
        """
        results: dict[int, ResultT] = {}
        errors: dict[int, BaseException] = {}

        def work(rank: int) -> None:
            try:
                results[rank] = function(rank)
            except BaseException as error:
                errors[rank] = error
            finally:
                self._end(rank)

        threads = [
            threading.Thread(
                target=contextvars.copy_context().run,
                args=(work, rank),
                name=f"rank {rank}",
                daemon=True,
            )
            for rank in range(self.size)
        ]
        self._deadline = time.monotonic() + self.timeout
        try:
            for thread in threads:
                thread.start()
            left = self._join(threads)
        except BaseException:  # an interrupt, which comes to the main thread
            self.break_up("it was interrupted")
            raise
        if errors or left:
            time_is_up = BrokenGroupError(f"time is up after {self.timeout} s: {'; '.join(left)}")
            raise _with_notes(errors, left) if errors else time_is_up
        return [results[rank] for rank in range(self.size)]

    def break_up(self, reason: str) -> None:
        """Have every call of every rank raise from now on; from any thread."""
        with self._changed:
            self._break(reason)

    def meet(self, circle: Circle, rank: int, what: str, value: Any) -> list[Any]:
        """Give a value, and return those of all ranks of a circle.

        Raises
        ------
        BrokenGroupError
            The group cannot go on.
        H5FlowError
            Ranks meet for different things.
        """
        with self._changed:
            self._check()
            meeting = circle.arrive(rank, what, value)
            self._changed.notify_all()
            self._wait(circle.members[rank], what, lambda: len(meeting) == circle.size)
        if len({name for name, _ in meeting.values()}) > 1:
            named = ", ".join(f"rank {at} in {meeting[at][0]}" for at in sorted(meeting))
            raise H5FlowError(
                f"ranks are in different collectives: {named}",
                advice="Call the same ones in the same order on every rank.",
            )
        return [meeting[at][1] for at in range(circle.size)]

    def send(self, circle: Circle, message: Message, *, wait: bool) -> None:
        """Send a message, and with `wait` return when it is being received."""
        with self._changed:
            self._check()
            circle.send(message)
            self._changed.notify_all()
            if wait:
                what = f"send to rank {message.destination}"
                self._wait(circle.members[message.source], what, lambda: message.is_taken)

    def post(self, circle: Circle, posted: Posted) -> None:
        """Receive a message, now or when it is sent."""
        with self._changed:
            self._check()
            circle.post(posted)
            self._changed.notify_all()

    def complete(self, circle: Circle, posted: Posted, *, wait: bool) -> Message | None:
        """Return the message that was received, None if there is none yet."""
        with self._changed:
            if wait:
                who = "any rank" if posted.source is None else f"rank {posted.source}"
                member = circle.members[posted.destination]
                self._wait(member, f"receive from {who}", lambda: posted.message is not None)
            else:
                self._check()
            return posted.message

    def withdraw(self, circle: Circle, posted: Posted) -> None:
        """Receive nothing any more."""
        with self._changed:
            circle.withdraw(posted)

    def probe(self, circle: Circle, posted: Posted, *, wait: bool) -> Message | None:
        """Return the message that would be received, without receiving it."""
        with self._changed:
            self._check()
            if wait:
                member = circle.members[posted.destination]
                self._wait(member, "probe", lambda: circle.find(posted) is not None)
            return circle.find(posted)

    def _wait(self, rank: int, what: str, is_over: Callable[[], bool]) -> None:
        self._waits[rank] = Wait(what, is_over)
        try:
            while not is_over():
                self._break_if_stuck()
                self._check()
                if not self._changed.wait(self._deadline - time.monotonic()):
                    self._break(f"time is up after {self.timeout} s")
        finally:
            del self._waits[rank]

    def _break_if_stuck(self) -> None:
        live = set(range(self.size)) - self._ended
        if live <= self._waits.keys() and not any(wait.is_over() for wait in self._waits.values()):
            self._break("no rank can go on")

    def _break(self, reason: str) -> None:
        if self._broken is None:
            where = [f"rank {rank} {self._whereabouts(rank)}" for rank in range(self.size)]
            self._broken = f"the group of ranks is broken: {reason} ({', '.join(where)})"
        self._changed.notify_all()

    def _whereabouts(self, rank: int) -> str:
        if rank in self._ended:
            return "has ended"
        return f"waits in {self._waits[rank].what}" if rank in self._waits else "is at work"

    def _end(self, rank: int) -> None:
        with self._changed:
            self._ended.add(rank)
            if self._waits:
                self._break_if_stuck()
            self._changed.notify_all()

    def _check(self) -> None:
        if self._broken is not None:
            raise BrokenGroupError(self._broken)

    def _join(self, threads: list[threading.Thread]) -> list[str]:
        """Wait for the threads; return where those are that do not end."""
        for thread in threads:
            thread.join(max(0.0, self._deadline - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            self.break_up(f"time is up after {self.timeout} s")
        grace = time.monotonic() + GRACE
        for thread in threads:
            thread.join(max(0.0, grace - time.monotonic()))
        return [f"{thread.name} is at {_place(thread)}" for thread in threads if thread.is_alive()]


def _place(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "its end" if frame is None else traceback.format_stack(frame)[-1].strip()


def _with_notes(errors: dict[int, BaseException], left: list[str]) -> BaseException:
    """Return the error to raise of those of all ranks."""
    own = [rank for rank in errors if not isinstance(errors[rank], BrokenGroupError)]
    first = min(own or errors)
    error = errors[first]
    others = sorted(errors.keys() - {first})
    notes = [
        f"raised on rank {first}",
        *(f"rank {rank}: {type(errors[rank]).__name__}: {errors[rank]}" for rank in others),
        *left,
    ]
    # `add_note` came with Python 3.11, which prints these.
    error.__notes__ = [*getattr(error, "__notes__", []), *notes]  # type: ignore[attr-defined]
    return error
