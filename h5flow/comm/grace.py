"""How long a rank may take to end in order."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from h5flow.comm.verdict import Verdict

if TYPE_CHECKING:
    from h5flow.comm.situation import Witness

__all__ = ["DEFERRED_SECONDS", "GRACE_SECONDS", "SAME_SECONDS", "Grace"]

GRACE_SECONDS = 5.0
# What a chunk may take to end after a first signal: batch systems kill 30 s after SIGTERM.
DEFERRED_SECONDS = 20.0
# A signal that comes this soon after another one is the same, sent twice: a terminal sends it to
# all processes, and a launcher passes it on.
SAME_SECONDS = 1.0
# Of several ranks that are late only the first reports: the one that holds up others sooner than
# those that wait, and a low rank sooner than a high one; by more than an abort takes.
WAITING_EXTRA, RANK_EXTRA, LONGEST_RANK_EXTRA = 1.0, 0.3, 1.8


class Grace:
    """The seconds from an interruption, or a failure, to the end of all ranks.

    Parameters
    ----------
    rank : int
    witness : Witness
        Sees what this rank is doing.
    was_dismissed : callable
        Tells whether the signal that arrived at that time has interrupted nothing.
    """

    def __init__(self, rank: int, witness: Witness, was_dismissed: Callable[[float], bool]) -> None:
        self._rank, self._witness, self._was_dismissed = rank, witness, was_dismissed
        self._seconds = GRACE_SECONDS + min(rank * RANK_EXTRA, LONGEST_RANK_EXTRA)
        #: Whether the handlers note a first signal, with which the run ends its chunk.
        self.is_deferring = False
        self._first: float | None = None
        self._extra = 0.0
        self._interruption: tuple[float, int] | None = None
        self._ending: tuple[float, Verdict] | None = None

    @property
    def is_ending(self) -> bool:
        """Whether a failure has been agreed on."""
        return self._ending is not None

    def interrupt(self, number: int, now: float) -> None:
        """Begin to count, at the first of several signals; anew at a second one in a loop."""
        is_first = self._first is None
        self._first = now if self._first is None else self._first
        if not self.is_deferring:
            if self._interruption is None or self._was_dismissed(self._interruption[0]):
                self._interruption, self._extra = (now, number), 0.0
        elif is_first and number != signal.SIGUSR1:
            self._interruption, self._extra = (now, number), DEFERRED_SECONDS
        elif (
            not is_first
            and now - self._first > SAME_SECONDS
            and (self._extra or self._interruption is None)
        ):
            self._interruption, self._extra = (now, number), 0.0

    def end(self, status: int, report: str, now: float) -> None:
        """Begin to count, at the first of several failures."""
        if self._ending is None:
            self._ending = now, Verdict(report, status)

    def look(self, now: float) -> Verdict | None:
        """Return why all ranks are to be stopped, if so."""
        passed = -1.0 if self._interruption is None else now - self._interruption[0] - self._extra
        if self._interruption is not None and passed >= self._seconds:
            arrival, number = self._interruption
            if self._was_dismissed(arrival):
                self._interruption = None
            elif found := self._verdict(passed, "was interrupted and ", _status(number)):
                return found
        if self._ending is not None and now - self._ending[0] >= self._seconds:
            begin, failure = self._ending
            return self._verdict(now - begin, "", failure.status, failure.text)
        return None

    def _verdict(self, passed: float, cause: str, status: int, report: str = "") -> Verdict | None:
        waits = self._witness.waits()
        if waits and passed < self._seconds + WAITING_EXTRA:
            return None
        still = "still waits for the others in" if waits else "is still in"
        doing = self._witness.describe()
        text = f"h5flow: rank {self._rank} {cause}{still} {doing}; all ranks are stopped"
        return Verdict(f"{report.rstrip()}\n{text}" if report else text, status)


def _status(number: int) -> int:
    """Return what to exit with: 75 where the time is over, as for a run that stops by itself."""
    return 75 if number == signal.SIGUSR1 else 128 + number
