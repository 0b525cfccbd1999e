"""Going on without a chunk that has failed: nothing of it stays behind."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from h5flow.core.component import GIVEN, Component
from h5flow.core.generator import H5FlowGenerator
from h5flow.core.traces import trace_of
from h5flow.errors import H5FlowError, H5FlowWarning, HookError
from h5flow.events import ChunkSkipped, Observer
from h5flow.journal.provenance import SkippedChunk
from h5flow.transaction.acts import Tag
from h5flow.transaction.error_texts import describe_error

if TYPE_CHECKING:
    from h5flow.core.hooks import Hooks
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
        self._states: list[bytes] = []

    def begin(self) -> None:
        """Be able to undo the iteration that begins. Collective."""
        self._rendezvous.milestones.mark()
        self._kept = [copied(_held_by(part)) for part in self._keeping]
        self._states = [trace_of(part.state()) for part in self._keeping]

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
        lost = channel.by_each("giving back what parts held", self._give_back)
        changed = (*self._changed(), *sorted({name for names in lost for name in names}))
        if changed and is_own:
            refused = _not_undone(error, changed)
            channel.fail(refused)
            raise refused
        if changed:
            channel.together("hearing of a failure", lambda: None)
        self._rendezvous.begin(Tag(hook="undoing a chunk"))
        self._rendezvous.milestones.go_back(channel.tag)
        self._rendezvous.end()
        self._rendezvous.milestones.mark()  # another chunk of the iteration may fail, too

    def _give_back(self) -> tuple[str, ...]:
        """Let parts hold what they held; return the names of those whose state is another one.

        What cannot be copied (open files in a list), is shared (views of arrays), or is no
        attribute of the object (lists of its class) is not given back.
        """
        lost = []
        for part, kept, state in zip(self._keeping, self._kept, self._states, strict=True):
            _give_back(part, copied(kept))
            if trace_of(part.state()) != state:
                lost.append(part.name)
        return tuple(lost)


def _held_by(part: Component) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if name not in GIVEN}


def _give_back(part: Component, kept: Mapping[str, Any]) -> None:
    for name in _held_by(part).keys() - kept.keys():
        delattr(part, name)
    vars(part).update(kept)


def copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of each value; open files and the like, which have none, stay themselves."""
    memo: dict[int, Any] = {}  # what two attributes share, their copies share
    return {name: _copied(value, memo) for name, value in values.items()}


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # whatever users' classes raise
        return value


def _not_undone(error: BaseException, names: Sequence[str]) -> H5FlowError:
    named = ", ".join(f"'{name}'" for name in names)
    message = error.message if isinstance(error, H5FlowError) else describe_error(error)
    refused = HookError(
        f"{message}; the chunk cannot be left out, for {named} keeps something from chunk to chunk "
        "that cannot be given back",
        advice="Give it state() and restore(state), of plain attributes of the object; or say "
        "`resumable = True` in the class, where what it keeps does not matter.",
    )
    refused.__cause__ = error.__cause__ or error
    return refused
