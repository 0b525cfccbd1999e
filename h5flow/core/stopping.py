"""Stopping in time: a run that is asked to ends its chunk, saves a checkpoint, and exits."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["IN_TIME", "WORDS", "StopRequest"]

# What a run exits with that has stopped because its time is over, and can be resumed.
IN_TIME = 75
STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143}
WORDS = {130: "interrupted", 143: "terminated", IN_TIME: "stopped in time"}


class StopRequest:
    """A wish that a run stops, noted by the handler of a signal or told by the clock, on one rank.

    Parameters
    ----------
    seconds : float, optional
        From now on, after which the time is over.
    clock : callable
        Seconds since any moment.

    Attributes
    ----------
    is_awaited : bool
        The run looks here after every chunk, so that a handler need not interrupt it.
    is_idle : bool
        Stopping would lose everything: time that is over stops nothing.
    """

    def __init__(
        self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._deadline = None if seconds is None else clock() + seconds
        self._noted: tuple[float, int] | None = None
        self.is_awaited = False
        self.is_idle = False

    @property
    def has_limit(self) -> bool:
        """Whether there is a time after which the run stops."""
        return self._deadline is not None

    def note(self, number: int) -> None:
        """Take down that a signal has asked for it; the first one counts."""
        if self._noted is None:
            self._noted = self._clock(), STATUSES.get(signal.Signals(number), IN_TIME)

    def noted_for(self) -> float | None:
        """Return the seconds since a signal has asked for it, None where none has."""
        return None if self._noted is None else self._clock() - self._noted[0]

    def status(self) -> int:
        """Return what to exit with, 0 where nobody asks for it."""
        status = 0 if self._noted is None else self._noted[1]
        if not status and self._deadline is not None and self._clock() >= self._deadline:
            status = IN_TIME
        return 0 if status == IN_TIME and self.is_idle else status

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Let handlers of signals note what they stand for: a ``with``."""
        self.is_awaited = True
        try:
            yield
        finally:
            self.is_awaited = False
