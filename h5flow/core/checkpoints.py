"""Saving how far a command has come, and going on from there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from h5flow.core.component import Component
from h5flow.core.generator import H5FlowGenerator
from h5flow.core.hooks import Hooks, Where
from h5flow.core.stage import H5FlowStage
from h5flow.core.stopping import StopRequest
from h5flow.errors import UsageError
from h5flow.events import CheckpointSaved, HookTimed
from h5flow.journal.checkpoint import PLACES, Checkpoint, pack
from h5flow.journal.provenance import RunRecord, skipped_chunks
from h5flow.journal.revival import tables_of
from h5flow.transaction.acts import Tag

if TYPE_CHECKING:
    from h5flow.core.loop import LoopResult
    from h5flow.core.output import OpenOutput
    from h5flow.core.parts import PlannedWorkflow

__all__ = [
    "Saver",
    "Standing",
    "changes",
    "identity_of",
    "refuse_other_command",
    "refuse_what_cannot_go_on",
    "what_cannot_go_on",
]

# What makes a run another one, and how to say so.
WHAT = {
    "source": "the source",
    "generator": "the generator",
    "stages": "the stages, or the class_version of one of them,",
    "input": "the name of the input",
    "input_digest": "the input",
    "start": "the start of the range",
    "end": "the end of the range",
    "text": "the workflow",
}
LENGTHS = "lengths"


class Standing(NamedTuple):
    """Where a workflow of a command stands."""

    position: int
    lengths_before: Mapping[str, int]
    result: LoopResult
    is_looped: bool = False
    is_finished: bool = False
    seconds: float = 0.0


class Saver:
    """Saves checkpoints of a command. What it does is collective.

    Parameters
    ----------
    output : OpenOutput
    records : sequence of RunRecord
        What identifies the command.
    planned : sequence of PlannedWorkflow
        Of those that cannot be resumed nothing is saved.
    every : float
        Seconds between two checkpoints of a loop; rank 0's clock counts.
    start : Checkpoint, optional
        From which the command goes on.
    stop : StopRequest, optional
        Where a wish that the run stops is noted, on this rank.
    clock : callable
        Seconds since any moment.
    """

    def __init__(
        self,
        output: OpenOutput,
        records: Sequence[RunRecord],
        planned: Sequence[PlannedWorkflow],
        every: float,
        start: Checkpoint | None = None,
        stop: StopRequest | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stop = stop or StopRequest()
        self._output, self._rendezvous = output, output.rendezvous
        self._command = [identity_of(record) for record in records]
        self._why_not = [what_cannot_go_on(workflow) for workflow in planned]
        self._every, self._start, self._clock = every, start, clock
        self._number = 0 if start is None else start.number + 1
        self._due = clock() + every
        #: Of the workflows that are done.
        self.outcomes: list[Mapping[str, Any]] = [] if start is None else list(start.outcomes)
        self._fresh: dict[str, dict[str, bytes]] = {}
        self._rendezvous.answer(
            LENGTHS, lambda file, _: {path: len(file[path]) for path in tables_of(file)}
        )
        if start is not None:
            self._rendezvous.deleted.update(start.deleted)
            self._rendezvous.catalogue.ever_grown.update(start.grown)
            self._rendezvous.catalogue.ever_linked.update(start.linked)
            self._secure()

    def _secure(self) -> None:
        """Have the file in the mode in which a kill leaves it whole, before anything is written."""
        self._rendezvous.begin(Tag(hook="going on from a checkpoint"))
        self._rendezvous.milestones.commit()
        self._rendezvous.end()

    def start_of(self, position: int) -> Checkpoint | None:
        """Return the checkpoint from which a workflow goes on, None where it begins."""
        if self._start is None or self._start.position != position:
            return None
        return self._start

    def outcome_of(self, position: int) -> Mapping[str, Any] | None:
        """Return what came of a workflow that was done before, None where it was not."""
        if self._start is None or position >= self._start.position:
            return None
        outcome = self._start.outcomes[position]
        return {**outcome, "skipped": skipped_chunks(outcome.get("skipped", ()))}

    def lengths(self) -> dict[str, int]:
        """Return the rows of all tables by now."""
        self._rendezvous.begin(Tag(hook="looking at the lengths"))
        self._rendezvous.flush()
        found: dict[str, int] = self._rendezvous.ask(LENGTHS)
        self._rendezvous.end()
        return found

    def why_not(self, position: int) -> str:
        """Say why a workflow that stops in its loop cannot go on; empty where it can."""
        return self._why_not[position]

    def look(self) -> tuple[bool, int]:
        """Return whether a checkpoint is due, and the status to stop with or 0. Collective.

        Rank 0's clock tells the first; any rank may have been asked to stop.
        """
        looks = self._rendezvous.channel.by_each(
            "looking at the clock",
            lambda: (self._clock() >= self._due, self.stop.status()),
        )
        return looks[0][0], next((status for _, status in looks if status), 0)

    @property
    def is_resumable(self) -> bool:
        """Whether what is done would not have to be done again."""
        return self._output.is_resumable

    def save(self, hooks: Hooks, parts: Iterable[Component], standing: Standing) -> None:
        """Save a checkpoint, where the workflow can go on from one."""
        if self._why_not[standing.position] and not standing.is_looped:
            return
        begin = self._clock()
        where = Where("")
        states = {
            part.name: hooks.call(part, "state", where) for part in parts if hasattr(part, "state")
        }
        saving, rendezvous = time.perf_counter(), self._rendezvous
        rendezvous.begin(Tag(hook="saving a checkpoint"))
        rendezvous.milestones.commit()
        checkpoint = Checkpoint(
            number=self._number,
            command=self._command,
            position=standing.position,
            is_looped=standing.is_looped,
            is_finished=standing.is_finished,
            chunks=standing.result.chunks,
            rows=standing.result.rows,
            seconds=standing.seconds,
            lengths=rendezvous.ask(LENGTHS),
            lengths_before=standing.lengths_before,
            states=states,
            unsaved=() if standing.is_finished else self.unsaved(parts),
            skipped=[asdict(chunk) for chunk in standing.result.skipped],
            outcomes=tuple(self.outcomes),
            deleted=sorted(rendezvous.deleted),
            grown=sorted(rendezvous.catalogue.ever_grown),
            linked=sorted(rendezvous.catalogue.ever_linked),
        )
        packed = pack(checkpoint) if rendezvous.channel.rank == 0 else np.zeros(0, np.uint8)
        size = max(rendezvous.end(len(packed)))
        rendezvous.begin(Tag(hook="saving a checkpoint"))
        if rendezvous.channel.rank:
            packed = np.zeros(size, np.uint8)
        rendezvous.milestones.record(PLACES[self._number % 2], packed)
        rendezvous.end()
        self._number += 1
        # one that has done nothing yet is as well begun anew
        done = standing.position or standing.result.chunks or standing.result.skipped
        self._output.is_resumable = bool(done) and not checkpoint.unsaved
        took = self._clock() - begin
        # at most a hundredth of the time, unless every chunk is wanted
        self._due = self._clock() + (max(self._every, 100 * took) if self._every else 0.0)
        seconds = time.perf_counter() - saving
        self._output.observe(HookTimed("save", "", "save", seconds, begin=saving))
        self._output.observe(
            CheckpointSaved(
                str(self._output.working_path),
                standing.result.chunks,
                self._output.is_resumable,
            )
        )

    def begin(self, parts: Iterable[Component]) -> None:
        """Take down what the parts of a workflow are like after `init`."""
        self._fresh = {part.name: _traces(part) for part in parts if _may_forget(part)}

    def unsaved(self, parts: Iterable[Component]) -> tuple[str, ...]:
        """Return the parts that have changed since, on any rank, and do not say how. Collective."""
        known = {part.name: part for part in parts}

        def changed() -> list[str]:
            return [
                name
                for name, fresh in self._fresh.items()
                if name in known and _traces(known[name]) != fresh
            ]

        found = self._rendezvous.channel.by_each("looking for changes", changed)
        return tuple(sorted({name for names in found for name in names}))


def _traces(part: Component) -> dict[str, bytes]:
    from h5flow.core.traces import traces  # only where there are stages

    return traces(part)


def _may_forget(part: Component) -> bool:
    """Return whether a stage could lose what it keeps: it neither saves it nor declares that.

    A generator without a state is refused in any case while its loop goes on, and has nothing left
    to do after it; a resource is what `init` has loaded, and may be large.
    """
    if not isinstance(part, H5FlowStage):
        return False
    says_so = any(
        "resumable" in vars(cls) for cls in type(part).__mro__[:-1] if cls is not Component
    )
    return not hasattr(part, "state") and not says_so


def identity_of(record: RunRecord) -> dict[str, Any]:
    """Return what identifies a workflow of a command, as JSON has it."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(replace(record, date=""))))
    return {name: values[name] for name in WHAT}


def refuse_other_command(
    command: Sequence[Mapping[str, Any]], records: Sequence[RunRecord], where: str
) -> None:
    """Refuse to go on with a run that is another one.

    Raises
    ------
    UsageError
        With what has changed.
    """
    changed = changes(command, records)
    if changed:
        raise UsageError(
            f"{where} cannot be resumed: since it began, {changed}",
            advice="Resume it with the command, the input and the classes that began it; or add "
            "--force to go on all the same; or leave out --resume to begin anew.",
        )


def changes(command: Sequence[Mapping[str, Any]], records: Sequence[RunRecord]) -> str:
    """Say what differs between two commands; empty where nothing does."""
    if len(command) != len(records):
        return f"the number of workflows has changed from {len(command)} to {len(records)}"
    for old, record in zip(command, records, strict=True):
        new = identity_of(record)
        for name, what in WHAT.items():
            same_input = name == "input" and old["input_digest"] == new["input_digest"] != ""
            if old.get(name) != new[name] and not same_input:
                return f"{what} of {record.config or 'the workflow'} has changed"
    return ""


def refuse_what_cannot_go_on(checkpoint: Checkpoint, planned: Sequence[PlannedWorkflow]) -> None:
    """Refuse a run of which a class cannot go on from where it was.

    Raises
    ------
    UsageError
        It declares so, or is a generator that does not say where it was.
    """
    reason = what_cannot_go_on(planned[checkpoint.position], is_looped=checkpoint.is_looped)
    if checkpoint.unsaved:
        names = ", ".join(f"'{name}'" for name in checkpoint.unsaved)
        reason = (
            f"{names} kept something from chunk to chunk, and has no state() and restore(state)"
        )
    if reason:
        raise UsageError(
            f"this run cannot be resumed, for {reason}",
            advice="Leave out --resume to begin anew.",
        )


def what_cannot_go_on(workflow: PlannedWorkflow, *, is_looped: bool = False) -> str:
    """Say which class of a workflow cannot go on from where it was; empty where all can."""
    for cls in (workflow.generator, *workflow.stages, *workflow.resources):
        is_generator = issubclass(cls, H5FlowGenerator)
        if is_generator and is_looped:
            continue
        if not cls.resumable:
            return f"the class {cls.__name__} declares `resumable = False`"
        if is_generator and not hasattr(cls, "state"):
            return f"the generator {cls.__name__} has no state() and restore(state)"
    return ""
