"""What one workflow does so that it can go on later: checkpoints, and stopping where one is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from h5flow.core.checkpoints import Saver, Standing
from h5flow.core.loop import LoopResult
from h5flow.core.stage import H5FlowStage
from h5flow.core.stopping import IN_TIME, WORDS
from h5flow.errors import H5FlowWarning, Stopped
from h5flow.journal.provenance import skipped_chunks

if TYPE_CHECKING:
    from h5flow.core.component import Component
    from h5flow.core.hooks import Hooks
    from h5flow.journal.checkpoint import Checkpoint
    from h5flow.transaction.channel import Channel

__all__ = ["Keeper"]


class Keeper:
    """Saves how far a workflow is, and stops it where that is wished. What it does is collective.

    Parameters
    ----------
    saver : Saver, optional
        Of the command; a workflow that is no command's is neither saved nor stopped.
    position : int
        Of the workflow in the command.
    channel : Channel
    source : str
        Name of the source, for messages.

    Attributes
    ----------
    start : Checkpoint or None
        From which the workflow goes on.
    """

    def __init__(self, saver: Saver | None, position: int, channel: Channel, source: str) -> None:
        self._saver, self._position = saver, position
        self._channel, self._source = channel, source
        self.start: Checkpoint | None = None if saver is None else saver.start_of(position)
        self._lengths_before: Mapping[str, int] = {}
        self._hooks: Hooks | None = None
        self._parts: Sequence[Component] = ()
        self._seconds: Callable[[], float] = lambda: 0.0

    @property
    def done(self) -> LoopResult:
        """How far the loop was before this run."""
        start = self.start
        if start is None:
            return LoopResult(0, 0)
        return LoopResult(start.chunks, start.rows, skipped_chunks(start.skipped))

    @property
    def is_looped(self) -> bool:
        """Whether the loop has ended before the run was stopped."""
        return self.start is not None and self.start.is_looped

    @property
    def is_finished(self) -> bool:
        """Whether all hooks have ended before the run was stopped."""
        return self.start is not None and self.start.is_finished

    def begin(self) -> Mapping[str, int]:
        """Return the lengths of all tables before `init`, as they are or were."""
        if self.start is not None:
            self._lengths_before = self.start.lengths_before
        elif self._saver is not None:
            self._lengths_before = self._saver.lengths()
        return self._lengths_before

    def after_init(
        self, hooks: Hooks, parts: Sequence[Component], seconds: Callable[[], float]
    ) -> None:
        """Take down what the parts are like, save that the workflow has begun, and look.

        Parameters
        ----------
        seconds : callable
            Returns what the workflow has taken by now.
        """
        if self._saver is None:
            return
        self._hooks, self._parts, self._seconds = hooks, parts, seconds
        self._saver.begin(parts)
        if self.start is None:
            self._save(LoopResult(0, 0))
        stop, why_not = self._saver.stop, self._saver.why_not(self._position)
        stop.is_idle = bool(why_not)
        if why_not and stop.has_limit:
            self._warn(f"this run cannot be resumed, for {why_not}: --time-limit stops nothing")
        self._stop_if_asked(self.done)

    @contextmanager
    def looping(self) -> Iterator[None]:
        """Let a signal end the chunk and not the run, where the loop can be resumed: a ``with``."""
        if self._saver is None or self._saver.why_not(self._position):
            yield
            return
        with self._saver.stop.awaited(), self._channel.guard.deferring():
            yield

    def changed(self) -> tuple[str, ...]:
        """Return the parts that keep something and do not say what, on any rank."""
        if self._saver is None:
            return ()
        silent = (
            part.name
            for part in self._parts
            if isinstance(part, H5FlowStage) and not part.resumable and not hasattr(part, "state")
        )
        return tuple(dict.fromkeys((*self._saver.unsaved(self._parts), *silent)))

    def after_chunk(self, result: LoopResult) -> None:
        """Save a checkpoint where one is due, and stop where that is wished.

        Raises
        ------
        Stopped
            The run was asked to.
        """
        if self._saver is None:
            return
        is_due, status = self._saver.look()
        if is_due or status:
            self._save(result)
        if status:
            self._stop(status, result)

    def after_loop(self, result: LoopResult) -> None:
        """Save that the loop has ended, and stop where that is wished.

        Raises
        ------
        Stopped
            The run was asked to.
        """
        if self._saver is not None:
            self._save(result, is_looped=True)
            self._stop_if_asked(result)

    def before_drop(self, result: LoopResult) -> None:
        """Save that all hooks have ended: what is dropped then cannot be brought back."""
        if self._saver is not None:
            self._save(result, is_looped=True, is_finished=True)

    def _save(
        self, result: LoopResult, *, is_looped: bool = False, is_finished: bool = False
    ) -> None:
        assert self._saver is not None
        assert self._hooks is not None
        before, seconds = self._lengths_before, self._seconds()
        standing = Standing(self._position, before, result, is_looped, is_finished, seconds)
        self._saver.save(self._hooks, self._parts, standing)

    def _stop_if_asked(self, result: LoopResult) -> None:
        assert self._saver is not None
        _, status = self._saver.look()
        if status:
            self._stop(status, result)

    def _stop(self, status: int, result: LoopResult) -> None:
        """Stop, unless only the time is over and all would have to be done again."""
        assert self._saver is not None
        chunks = result.chunks + len(result.skipped)
        if status == IN_TIME and not self._saver.is_resumable and chunks:
            self._warn(
                "the time is over, but this run cannot be resumed: a stage keeps something from "
                "chunk to chunk and has no state(); it goes on"
            )
            self._saver.stop.is_idle = True
            return
        where = f"after chunk {chunks - 1}" if chunks else "before the first chunk"
        raise Stopped(f"{WORDS[status]} {where} of '{self._source}'", status=status)

    def _warn(self, message: str) -> None:
        if self._channel.rank == 0:
            warnings.warn(message, H5FlowWarning, stacklevel=3)
