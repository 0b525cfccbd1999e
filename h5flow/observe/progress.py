"""Show how far a run is: a bar on a terminal, a line every few seconds in a log.

Both are drawn when an event arrives, never from a thread of their own: user code may fork.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TextIO

from h5flow.events import ChunkDone, ConfigFinished, ConfigStarted, CopyProgress, Event
from h5flow.observe.track import Clock, Track, Tracker

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.live import Live

__all__ = ["BarProgress", "LogProgress", "Progress", "is_terminal", "make_console", "make_progress"]

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_FRAMES = 0.1
NARROWEST_BAR = 8


class Progress(Protocol):
    """An observer that has to be closed."""

    def __call__(self, event: Event) -> None:
        """Take in an event."""

    def close(self) -> None:
        """Clear the terminal's last line."""


def is_terminal(stream: TextIO) -> bool:
    """Tell whether lines on `stream` can be drawn over."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def make_progress(stream: TextIO, clock: Clock = time.monotonic) -> Progress:
    """Return what suits `stream`."""
    return BarProgress(stream, clock) if is_terminal(stream) else LogProgress(stream, clock)


def make_console(stream: TextIO) -> Console:
    """Return rich's view of `stream`, which prints text as it is."""
    from rich.console import Console

    return Console(file=stream, markup=False, highlight=False, emoji=False, force_jupyter=False)


class LogProgress:
    """A line every few seconds, and one at the end of each workflow.

    Parameters
    ----------
    stream : text stream
    clock : callable
        Seconds since any moment.
    every : float
        Seconds between lines; the first is as late.
    """

    def __init__(
        self, stream: TextIO, clock: Clock = time.monotonic, every: float = SECONDS_BETWEEN_LINES
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._every = every
        self._due = clock() + every
        self._tracker = Tracker(clock)

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        closing = self._tracker.follow(event)
        track = self._tracker.track
        if closing is not None:
            self._write(closing)
        elif isinstance(event, ConfigStarted):
            self._due = self._clock() + self._every
        elif isinstance(event, ChunkDone | CopyProgress) and track and self._clock() >= self._due:
            self._write(track.line())

    def close(self) -> None:
        """Leave what is written."""

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()
        self._due = self._clock() + self._every


class BarProgress:
    """A bar on the last line of a terminal, which is gone in the end."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._console = make_console(stream)
        self._clock = clock
        self._due = clock()
        self._tracker = Tracker(clock)
        self._closing: str | None = None
        self._drawn: Track | None = None
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        closing = self._tracker.follow(event)
        # the last workflow's closing line would only repeat the summary
        if self._closing is not None and isinstance(event, ConfigStarted):
            self._console.print(self._closing, soft_wrap=True)
            self._closing = None
        self._closing = closing or self._closing
        self._draw(at_once=isinstance(event, ConfigStarted | ConfigFinished))

    def close(self) -> None:
        """Clear the line."""
        if self._live is not None:
            live, self._live = self._live, None
            try:
                # a line that a stage began and did not end
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                live.stop()

    def _draw(self, at_once: bool) -> None:
        track = self._tracker.track
        if track is None:
            self.close()
        elif at_once or (track is not self._drawn and self._clock() >= self._due):
            self._drawn = track
            self._start().update(_Bar(track), refresh=True)
            self._due = self._clock() + SECONDS_BETWEEN_FRAMES

    def _start(self) -> Live:
        if self._live is None:
            from rich.live import Live

            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                # what stages print is to stay where the user sends it
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=True,
            )
            self._live.start()
        return self._live


class _Bar:
    """One line, of what fits: label, bar, amount, rate, time left."""

    def __init__(self, track: Track) -> None:
        self._track = track

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        # room for the ^C that a terminal shows: a line that wraps cannot be erased
        width = options.max_width - 3
        label = _shorten(self._track.label, max(width // 3, 8))
        right = self._right(width - len(label) - NARROWEST_BAR - 2)
        bar = width - len(label) - len(right) - 2
        line = Table.grid(padding=(0, 1))
        if self._track.share is None or bar < NARROWEST_BAR:
            line.add_row(f"{label} {right}"[:width])
        else:
            done, total = self._track.share
            # all of nothing is done
            drawn = ProgressBar(total=total or 1, completed=done if total else 1, width=bar)
            line.add_row(label, drawn, right)
        yield line

    def _right(self, width: int) -> str:
        """Return the longest of some texts that is not wider than `width`, or the shortest."""
        track = self._track
        share, speed, left = track.percent or track.amount(short=True), track.speed(), track.left()
        choices = (
            (track.percent, track.amount(), speed, left),
            (track.percent, track.amount(short=True), speed, left),
            (share, speed, left),
            (share, left),
            (share,),
        )
        texts = ["  ".join(part for part in parts if part) for parts in choices]
        return next((text for text in texts if len(text) <= width), texts[-1])


def _shorten(label: str, width: int) -> str:
    """Keep the end, where a path has its name."""
    return label if len(label) <= width else f"..{label[2 - width :]}"
