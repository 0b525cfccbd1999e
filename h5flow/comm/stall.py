"""Ranks that tell each other nothing for too long: who holds the others up, and where."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from h5flow.comm.interruptions import Shield
from h5flow.comm.situation import Situation, Witness
from h5flow.comm.verdict import Verdict, within

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator

__all__ = ["ANSWER_SECONDS", "Stall", "stall_report"]

ANSWER_SECONDS = 2.0  # in which the other ranks write what they are doing
FILE_SECONDS = 3.0  # for what a file system may never do
LONGEST_GAP = 10.0  # between two looks; a batch system may suspend the process for hours


class Stall:
    """The watch over one rank's activity; rank 0's decides.

    A rank that has been quiet for `seconds` writes what it is doing to a small file beside the
    working file. A little later rank 0, if it was quiet as well, makes one report of all of them
    and removes them. A rank that goes on removes its own.

    Parameters
    ----------
    communicator : Communicator
    seconds : float
        0 is for ever.
    witness : Witness
        Sees what this rank is doing.
    working_path : callable
        Returns the working file, None while there is none.

    Attributes
    ----------
    patience : Shield
        Inside of it this rank may take any time.
    """

    def __init__(
        self,
        communicator: Communicator,
        seconds: float,
        witness: Witness,
        working_path: Callable[[], Path | None],
    ) -> None:
        self.patience = Shield()
        self._communicator, self._seconds = communicator, seconds
        self._witness, self._working_path = witness, working_path
        self._activity = communicator.activity
        self._latest_look: float | None = None
        self._quiet = 0.0
        self._cleared: Path | None = None  # the working file that no old answer lies beside
        self._has_answered = False

    def look(self, now: float) -> Verdict | None:
        """Return why all ranks are to be stopped, if so; called a few times a second.

        Parameters
        ----------
        now : float
            Seconds since any moment.
        """
        if not self._seconds:
            return None
        self._remove_old_answer()
        gap = 0.0 if self._latest_look is None else min(now - self._latest_look, LONGEST_GAP)
        self._latest_look = now
        if self.patience.depth or self._activity != self._communicator.activity:
            self._activity = self._communicator.activity
            self._quiet = 0.0
            self.withdraw()
            return None
        self._quiet += gap
        if self._communicator.rank:
            if self._quiet >= self._seconds and not self._has_answered:
                self._answer()
        elif self._quiet >= self._seconds + ANSWER_SECONDS:
            return self._verdict()
        return None

    def withdraw(self) -> None:
        """Remove this rank's answer, which was not needed."""
        if self._has_answered:
            self._has_answered = False
            within(FILE_SECONDS, lambda: _remove(self._answer_path(self._communicator.rank)))

    def _remove_old_answer(self) -> None:
        """Remove what a run that was killed has left, once."""
        working_path = self._working_path()
        if self._communicator.rank and working_path != self._cleared:
            self._cleared = working_path
            within(FILE_SECONDS, lambda: _remove(self._answer_path(self._communicator.rank)))

    def _answer(self) -> None:
        def write() -> None:
            path = self._answer_path(self._communicator.rank)
            if path is not None:
                path.write_text(self._witness.situation().encode(), "utf-8")

        self._has_answered = True
        within(FILE_SECONDS, write)

    def _verdict(self) -> Verdict:
        situations = {0: Situation(self._witness.describe(), self._witness.waits(), stack="")}

        def collect() -> None:
            situations[0] = self._witness.situation()
            for rank in range(1, self._communicator.size):
                path = self._answer_path(rank)
                with contextlib.suppress(OSError, ValueError, TypeError):
                    if path is not None:
                        situations[rank] = Situation.decode(path.read_text("utf-8"))
                with contextlib.suppress(OSError):
                    _remove(path)

        within(FILE_SECONDS, collect)
        working_path = self._working_path()
        folder = None if working_path is None else working_path.parent
        # A copy: a file system that has not answered in time may do so now.
        text = stall_report(self._seconds, dict(situations), self._communicator.size, folder)
        return Verdict(text, 1)

    def _answer_path(self, rank: int) -> Path | None:
        path = self._working_path()
        return None if path is None else path.with_name(f"{path.name}.rank{rank}.stalled")


def stall_report(
    seconds: float, situations: Mapping[int, Situation], size: int, folder: Path | None
) -> str:
    """Return what all ranks are doing, those first that hold up the others.

    Parameters
    ----------
    seconds : float
        How long nothing has happened.
    situations : mapping of int to Situation
        Of the ranks that have answered.
    size : int
        The number of ranks.
    folder : pathlib.Path or None
        Where they answer; None while there is no such place.
    """
    missing = [rank for rank in range(size) if rank not in situations]
    busy = {rank: found for rank, found in situations.items() if not found.waits}
    waiting = sorted(situations.keys() - busy.keys())
    lines = [
        f"h5flow: error: the ranks have told each other nothing for {seconds:g} s, and all are "
        "stopped. If a chunk may take longer, give a longer --stall-timeout (0 waits for ever)."
    ]
    # Where all wait for each other, each of them is of interest.
    shown = busy if busy or missing else situations
    groups: dict[Situation, list[int]] = {}
    for rank, situation in sorted(shown.items()):
        groups.setdefault(situation, []).append(rank)
    for situation, ranks in groups.items():
        lines += [f"{_named(ranks)}: {situation.doing}", situation.stack.rstrip("\n")]
    if missing:
        reason = (
            "there is no output yet beside which it could say more"
            if folder is None
            else f"it has left, is stuck outside of Python, or its machine does not see {folder}"
        )
        lines.append(f"{_named(missing)}: no answer: {reason}")
    if waiting and shown is not situations:
        lines.append(f"{_named(waiting)}: waiting for the others")
    return "\n".join(line for line in lines if line)


def _named(ranks: Sequence[int]) -> str:
    """Return ``"ranks 0-3, 7"``."""
    runs: list[list[int]] = []
    for rank in ranks:
        if runs and runs[-1][-1] == rank - 1:
            runs[-1].append(rank)
        else:
            runs.append([rank])
    spans = [_span(run) for run in runs]
    return f"rank{'s' if len(ranks) > 1 else ''} {', '.join(spans)}"


def _span(run: Collection[int]) -> str:
    first, last = min(run), max(run)
    return str(first) if first == last else f"{first}-{last}"


def _remove(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
