"""Going on without a chunk that has failed: nothing of it stays behind."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from h5flow.core.component import GIVEN, Component
from h5flow.core.generator import H5FlowGenerator
from h5flow.core.hooks import Hooks
from h5flow.errors import H5FlowError, H5FlowWarning, HookError
from h5flow.events import ChunkSkipped, Observer
from h5flow.journal.provenance import SkippedChunk
from h5flow.transaction.acts import Tag
from h5flow.transaction.channel import describe_error
from h5flow.transaction.rendezvous import Rendezvous

__all__ = ["Skipping"]

WITHOUT_ROWS = "A rank without rows cannot be left out: the stage has to take arrays of zero rows."


class Skipping:
    """Undoes an iteration in which chunks have failed, so that it is repeated without them.

    On one process such an iteration is over; on ranks the other chunks of it are done again, for
    later row numbers were given out already. Parts that have a ``state()`` are given back what they
    held when the iteration began; where another one has changed, the run ends as without this.

    Parameters
    ----------
    hooks : Hooks
        Whose failures in ``run`` then are those of chunks.
    rendezvous : Rendezvous
    parts : sequence of Component
        Resources and stages.
    changed : callable
        Returns the names of those that keep something and do not say what, on any rank.
        Collective.
    observe : callable
        Told of each chunk that is left out.
    """

    def __init__(
        self,
        hooks: Hooks,
        rendezvous: Rendezvous,
        parts: Sequence[Component],
        changed: Callable[[], Sequence[str]],
        observe: Observer,
    ) -> None:
        hooks.skips = True
        self._rendezvous, self._changed, self._observe = rendezvous, changed, observe
        self._keeping = [part for part in parts if hasattr(part, "state")]
        self._kept: list[dict[str, Any]] = []

    def begin(self) -> None:
        """Be able to undo the iteration that begins. Collective."""
        self._rendezvous.milestones.mark()
        self._kept = [copied(_held_by(part)) for part in self._keeping]

    def leave_out(
        self, error: BaseException, iteration: int, rows: Sequence[slice]
    ) -> tuple[list[slice], list[SkippedChunk]]:
        """Undo the iteration, and return the chunks of the ranks without those that failed.

        Collective.

        Parameters
        ----------
        error : BaseException
            What ended the iteration on this rank.
        rows : sequence of slice
            The chunks of all ranks.

        Raises
        ------
        BaseException
            The `error`, where it is no failure of a chunk, or cannot be undone.
        """
        channel = self._rendezvous.channel
        if channel.failure is None or not channel.failure.of_chunk:
            raise error
        failures = channel.recover()
        self._undo(error, is_own=failures[channel.rank] is not None)
        left, skipped = list(rows), []
        for rank, failure in enumerate(failures):
            if failure is None:
                continue
            left[rank] = H5FlowGenerator.EMPTY
            if rows[rank] != H5FlowGenerator.EMPTY:
                skipped.append(SkippedChunk(rows[rank].start, rows[rank].stop, failure))
                self._observe(ChunkSkipped(iteration, rows[rank].start, rows[rank].stop, failure))
                if channel.rank == 0:
                    warnings.warn(f"a chunk is left out: {failure}", H5FlowWarning, stacklevel=2)
        if not skipped:
            # it would fail again and again
            raise H5FlowError(next(filter(None, failures)), advice=WITHOUT_ROWS)
        return left, skipped

    def _undo(self, error: BaseException, *, is_own: bool) -> None:
        channel = self._rendezvous.channel
        changed = self._changed()
        if changed and is_own:
            refused = _not_undone(error, changed)
            channel.fail(refused)
            raise refused
        if changed:
            channel.together("hearing of a failure", lambda: None)
        self._rendezvous.begin(Tag(hook="undoing a chunk"))
        self._rendezvous.milestones.go_back(channel.tag)
        self._rendezvous.end()
        for part, kept in zip(self._keeping, self._kept, strict=True):
            _give_back(part, copied(kept))


def _held_by(part: Component) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if name not in GIVEN}


def _give_back(part: Component, kept: Mapping[str, Any]) -> None:
    for name in _held_by(part).keys() - kept.keys():
        delattr(part, name)
    vars(part).update(kept)


def copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of each value; open files and the like, which have none, stay themselves."""
    return {name: _copied(value) for name, value in values.items()}


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # whatever users' classes raise
        return value


def _not_undone(error: BaseException, names: Sequence[str]) -> H5FlowError:
    named = ", ".join(f"'{name}'" for name in names)
    message = error.message if isinstance(error, H5FlowError) else describe_error(error)
    refused = HookError(
        f"{message}; the chunk cannot be left out, for {named} keeps something from chunk to chunk "
        "and has no state()",
        advice="Give it state() and restore(state); or say `resumable = True` in the class, where "
        "what it keeps does not matter.",
    )
    refused.__cause__ = error.__cause__ or error
    return refused
