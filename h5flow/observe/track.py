"""How far a run is: events to one `Track` at a time, with its rate and the time that is left."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from h5flow.events import ChunkDone, ConfigFinished, ConfigStarted, CopyProgress, Event
from h5flow.observe.quantities import about_rows, bytes_of, duration, percent, rows_of, scaled

__all__ = ["Clock", "Track", "Tracker"]

Clock = Callable[[], float]

WINDOW = 30.0


@dataclass(frozen=True)
class Track:
    """How much of one thing is done.

    Attributes
    ----------
    label : str
        What is gone through: a workflow, or the input while it is copied.
    done : int
        Rows, or bytes where `in_bytes`.
    total : int or None
        None where it is not known.
    rate : float or None
        Per second, lately; None before anything is known.
    in_bytes : bool
        `done`, `total` and `rate` are bytes, not rows.
    chunks, total_chunks : int, int or None
        The same in chunks, of which a generator may know the number when it does not know that
        of its rows.
    """

    label: str
    done: int
    total: int | None
    rate: float | None = None
    in_bytes: bool = False
    chunks: int = 0
    total_chunks: int | None = None

    @property
    def share(self) -> tuple[int, int] | None:
        """What is done and what there is: in rows or bytes, else in chunks, else not known."""
        if self.total is not None:
            return self.done, self.total
        return None if self.total_chunks is None else (self.chunks, self.total_chunks)

    @property
    def percent(self) -> str | None:
        """How much is done, of what is known to be there."""
        return None if self.share is None else percent(*self.share)

    @property
    def seconds_left(self) -> float | None:
        """Time to the end at this rate, None where it cannot be told."""
        if not self.rate or self.share is None:
            return None
        done, total = self.share
        # chunks that are to come are taken to be as long as those before
        return self.done * (total - done) / done / self.rate if 0 < done <= total else None

    def amount(self, short: bool = False) -> str:
        """Return what is done and what there is: ``"1,310,720 of 10,000,000 rows"``."""
        if self.in_bytes:
            of = "" if self.total is None else f" of {bytes_of(self.total)}"
            return f"{bytes_of(self.done)}{of}"
        if self.total is None:
            return about_rows(self.done) if short else rows_of(self.done)
        if short:
            return f"{scaled(self.done).rstrip()} of {about_rows(self.total)}"
        return f"{self.done:,} of {rows_of(self.total)}"

    def speed(self) -> str:
        """Return the rate, ``"1.20 M rows/s"``, nothing where it is not known."""
        if self.rate is None:
            return ""
        return f"{bytes_of(self.rate) if self.in_bytes else about_rows(self.rate)}/s"

    def left(self) -> str:
        """Return the time that is left, nothing where it is not known."""
        return "" if self.seconds_left is None else f"{duration(self.seconds_left)} left"

    def line(self) -> str:
        """Return all of it as a sentence for a log."""
        share = "" if self.percent is None else f" ({self.percent})"
        parts = [f"{self.label}: {self.amount()}{share}", self.speed(), self.left()]
        return ", ".join(part for part in parts if part)


class Tracker:
    """Follows events and knows the `Track` of the moment.

    The rate is that of the last half minute, so a slow start does not spoil the forecast.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._track: Track | None = None
        self._workflow: Track | None = None
        self._times: deque[tuple[float, int]] = deque()

    @property
    def track(self) -> Track | None:
        """What is going on, None between workflows."""
        return self._track

    def follow(self, event: Event) -> str | None:
        """Take in an event; return the closing line where it ends a workflow."""
        if isinstance(event, ConfigStarted):
            self._workflow = Track(
                event.config, 0, event.total_rows, total_chunks=event.total_chunks
            )
            self._go_on(self._workflow)
        elif isinstance(event, CopyProgress):
            self._go_on(Track(f"copying {event.path}", event.done, event.total, in_bytes=True))
        elif isinstance(event, ChunkDone) and self._workflow is not None:
            workflow = self._workflow
            self._workflow = replace(
                workflow, done=workflow.done + event.rows, chunks=workflow.chunks + 1
            )
            self._go_on(self._workflow)
        elif isinstance(event, ConfigFinished):
            self._track = self._workflow = None
            chunks = f"{event.chunks:,} {'chunk' if event.chunks == 1 else 'chunks'}"
            took = duration(event.seconds)
            return f"{event.config}: done, {rows_of(event.rows)} in {chunks}, {took}"
        return None

    def _go_on(self, track: Track) -> None:
        """Show `track`, and its rate where it was shown before."""
        now = self._clock()
        if self._track is None or self._track.label != track.label:
            self._times.clear()
        self._times.append((now, track.done))
        while len(self._times) > 2 and self._times[1][0] <= now - WINDOW:
            self._times.popleft()
        since, before = self._times[0]
        rate = (track.done - before) / (now - since) if now > since else None
        self._track = replace(track, rate=rate)
