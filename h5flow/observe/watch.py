"""Everything that is shown of a run, behind one observer that never fails the run."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from h5flow.observe.profile import Profile, print_profile
from h5flow.observe.progress import Progress, make_progress
from h5flow.observe.summary import Summary, print_summary

if TYPE_CHECKING:
    from h5flow.events import CheckpointSaved, Event, Published
    from h5flow.observe.track import Clock

__all__ = ["Watch"]


class Watch:
    """Progress while a run goes on, and a summary after it.

    A stream that cannot be written to any more (a closed terminal, a full disk) ends the
    showing, not the run.

    Parameters
    ----------
    stream : text stream
    quiet : bool
        Show neither progress nor the summary.
    profile : bool
        Show where the time went as well.
    clock : callable
        Seconds since any moment.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        quiet: bool = False,
        profile: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._began = clock()
        self._summary = Summary()
        self._profile = Profile() if profile else None
        self._progress: Progress | None = None if quiet else make_progress(stream, clock)

    @property
    def checkpoint(self) -> CheckpointSaved | None:
        """The last checkpoint, None where a run that is stopped would have to begin anew."""
        return self._summary.checkpoint

    @property
    def published(self) -> Published | None:
        """The output, once it stands under its own name."""
        return self._summary.published

    @property
    def source(self) -> str | None:
        """The dataset that the last workflow loops over, where its profile is asked for."""
        return None if self._profile is None else self._profile.source

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        self._summary(event)
        if self._profile is not None:
            self._profile(event)
        if self._progress is not None:
            try:
                self._progress(event)
            except OSError:
                self._close()
                self._progress = None

    def summarize(self) -> None:
        """Print what ran and how long each part took, and where the time went if asked for."""
        self._close()
        if self._progress is not None:
            with suppress(OSError):
                print_summary(self._summary, self._stream, self._clock() - self._began)
        if self._profile is not None:
            with suppress(OSError):
                print_profile(self._profile, self._stream)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._progress is not None:
            with suppress(OSError):
                self._progress.close()
