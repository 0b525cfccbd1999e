"""Everything that is shown of a run, behind one observer that never fails the run."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from h5flow.events import CheckpointSaved, Published

if TYPE_CHECKING:
    from h5flow.events import Event
    from h5flow.observe.profile import Profile
    from h5flow.observe.progress import Progress
    from h5flow.observe.summary import Summary
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
        #: The last checkpoint, None where a run that is stopped would have to begin anew.
        self.checkpoint: CheckpointSaved | None = None
        #: The output, once it stands under its own name.
        self.published: Published | None = None
        self._summary: Summary | None = None
        self._progress: Progress | None = None
        self._profile: Profile | None = None
        # what nobody sees is not imported either
        if not quiet:
            from h5flow.observe.progress import make_progress
            from h5flow.observe.summary import Summary

            self._summary, self._progress = Summary(), make_progress(stream, clock)
        if profile:
            from h5flow.observe.profile import Profile

            self._profile = Profile()

    @property
    def sources(self) -> frozenset[str]:
        """The datasets that workflows loop over, where their profile is asked for."""
        return frozenset() if self._profile is None else self._profile.sources

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, CheckpointSaved):
            self.checkpoint = event if event.is_resumable else None
        elif isinstance(event, Published):
            self.published = event
        if self._summary is not None:
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
        if self._summary is not None and self._progress is not None:
            from h5flow.observe.summary import print_summary

            with suppress(OSError):
                print_summary(self._summary, self._stream, self._clock() - self._began)
        if self._profile is not None:
            from h5flow.observe.profile import print_profile

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
