"""The file that a run makes: what it starts from, and the parts that write it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar

import h5py

from h5flow.core.completion import publish
from h5flow.core.external_links import take_out_of_reach
from h5flow.data.data_manager import H5FlowDataManager
from h5flow.data.inventory import take_inventory
from h5flow.data.layout import NOT_FOLLOWED
from h5flow.errors import FileFormatError, H5FlowError, H5FlowWarning, UsageError
from h5flow.events import HookTimed, Observer
from h5flow.io.copy import copy_input
from h5flow.io.damage import damage_named
from h5flow.io.edit import edit_at_once
from h5flow.io.external import ExternalPart, put_back
from h5flow.io.links import link_input
from h5flow.io.open_file import open_file
from h5flow.journal.checkpoint import CHECKPOINTS, Checkpoint
from h5flow.journal.provenance import RunRecord, read_records, write_record
from h5flow.journal.working_file import WorkingFile, same_file
from h5flow.storage import Storage, storage_of_run
from h5flow.transaction.rendezvous import Rendezvous

if TYPE_CHECKING:
    from h5flow.core.parts import PlannedWorkflow
    from h5flow.core.request import RunRequest
    from h5flow.data.linked_tables import LinkedTables
    from h5flow.transaction.channel import Channel

__all__ = ["OpenOutput", "OutputPlan", "file_identity", "plan_output", "refuse_repeated_run"]


@dataclass(frozen=True)
class OutputPlan:
    """What a command does with its output.

    Attributes
    ----------
    output, input : str or None
        As the user named them.
    base : str or None
        The file whose contents the working file starts with: the input of a dataset loop, or the
        output that is added to. None for an empty file.
    base_is_linked : bool
        Whether the base's datasets stay where they are, with links to them.
    found : tuple of int, optional
        What tells the file apart that stood at `output` when this was decided.
    not_followed : tuple of ExternalPart
        What the base has in other files, and is out of reach while the run goes on.
    resumed : Checkpoint or None
        From which the working file that a run has left goes on.
    is_complete : bool
        The working file that a run has left is whole, and only has to be given its name.
    is_done : bool
        The output is what the command would make: there is nothing to do.
    """

    output: str
    input: str | None
    base: str | None
    base_is_linked: bool = False
    found: tuple[int, ...] | None = None
    not_followed: tuple[ExternalPart, ...] = ()
    resumed: Checkpoint | None = None
    is_complete: bool = False
    is_done: bool = False


def plan_output(request: RunRequest, first: PlannedWorkflow) -> OutputPlan:
    """Decide what to do with an output that may exist.

    Raises
    ------
    UsageError
        No output is named, the input does not exist, or the output exists and the request does
        not say what to do with it.
    """
    output = request.output or first.workflow.output
    if not output:
        raise UsageError(
            "there is no output file",
            advice="Name one with -o OUT.h5, or in the workflow with `flow: output: OUT.h5`.",
        )
    found = file_identity(output)
    plan = _plan(request, first, output, exists=found is not None)
    return replace(plan, found=found)


def file_identity(path: str) -> tuple[int, ...] | None:
    """Return what tells a file apart from another, or itself from before it was changed."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _plan(request: RunRequest, first: PlannedWorkflow, output: str, *, exists: bool) -> OutputPlan:
    if os.path.isdir(output):
        raise UsageError(
            f"the output {output} is a folder", advice="Name a file in it, such as OUT.h5."
        )
    source = request.input or first.workflow.input
    into_itself = source is not None and exists and same_file(source, output)
    overwrite = request.on_existing == "overwrite"
    if not first.generator.copies_input:
        if overwrite and into_itself:
            raise UsageError(_overwrite_of_input(output))
        return OutputPlan(output, source, output if exists and not overwrite else None)
    if source is None or into_itself:
        if not exists:
            raise UsageError(
                f"the workflow loops over a dataset, but no input is named and the output "
                f"{output} does not exist",
                advice="Name the input with -i IN.h5, or in the workflow with `flow: input:`.",
            )
        if overwrite:
            raise UsageError(_overwrite_of_input(output))
        return OutputPlan(output, source, output)
    if not os.path.exists(source):
        raise UsageError(f"the input {source} does not exist", advice="Look at -i and its folder.")
    if exists and not overwrite:
        raise UsageError(
            f"the output {output} exists already, and the workflow would copy the input {source} "
            "into it",
            advice=f"Choose another output, add --overwrite to replace it, or leave out -i to "
            f"loop over {output} itself.",
        )
    return OutputPlan(output, source, source, request.input_data == "link")


def _overwrite_of_input(output: str) -> str:
    return f"--overwrite cannot replace {output}: it is the input of this run as well"


def refuse_repeated_run(
    plan: OutputPlan, records: Sequence[RunRecord], request: RunRequest
) -> None:
    """Refuse a run that is recorded in the output which it would add to.

    Raises
    ------
    UsageError
        With both ways to go on.
    """
    if request.on_existing != "default" or plan.base != plan.output:
        return
    with open_file(Path(plan.output), "r") as file:
        present = read_records(file)
    for record in records:
        for old in present:
            if record.is_same_run(old):
                raise UsageError(
                    f"the same run is recorded in {plan.output} already: source "
                    f"'{record.source}', stages {', '.join(record.stage_names) or 'none'}, made "
                    f"{old.date}",
                    advice="Add --append to add its rows again, or --overwrite to start anew "
                    "(where the input is another file).",
                )


class OpenOutput:
    """The working file of a run, open; complete and under its own name only after `publish`.

    Parameters
    ----------
    plan : OutputPlan
    channel : Channel
        Rank 0 makes the file, every rank opens it.
    observe : callable
        Told about the copy and the end.
    strict : bool
        Whether rows that do not lie where one process puts them are an error.

    Attributes
    ----------
    rendezvous : Rendezvous
    working_path : pathlib.Path
        The file that is written.
    is_resumable : bool
        It holds a checkpoint, and is kept where the run fails.
    """

    # A stage may run another workflow.
    _open: ClassVar[int] = 0
    _counting: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self, plan: OutputPlan, channel: Channel, observe: Observer, *, strict: bool = False
    ) -> None:
        self.plan = plan
        self.observe = observe
        self._channel = channel
        self.is_resumable = plan.resumed is not None
        self._ended = False
        self._input_found = (
            file_identity(plan.input) if plan.base_is_linked and plan.input else None
        )
        self._begin = time.perf_counter()
        self._working: WorkingFile | None = None
        self._storage: Storage | None = None
        try:
            with channel.guard.patient():
                self.working_path = channel.by_first("making the output", self._make)
            channel.working_path = self.working_path
            self._storage = channel.together("opening the output", self._open_storage)
            self.rendezvous = Rendezvous(channel, self._storage, strict=strict)
            self._count(1)
        except BaseException:
            self._remove()
            raise

    def _make(self) -> Path:
        checkpoint = self.plan.resumed
        self._working = WorkingFile(self.plan.output, keep_left_over=checkpoint is not None)
        self._refuse_changed_output()
        if checkpoint is not None:
            from h5flow.journal.revival import revive

            with damage_named(self._working.working_path):
                revive(self._working.working_path, checkpoint.lengths)
            return self._working.working_path
        with damage_named(self.plan.base or self.plan.output):
            self._put_base()
        return self._working.working_path

    def _open_storage(self) -> Storage:
        communicator = self._channel.communicator
        make = storage_of_run(communicator.storage)
        self._storage = make(self.working_path, "a", communicator)
        return self._storage

    def _refuse_changed_output(self) -> None:
        """Look again, now that no other run can publish: what was decided may hold no more."""
        if file_identity(self.plan.output) != self.plan.found:
            raise UsageError(
                f"the output {self.plan.output} was made or changed while this run was starting",
                advice="Another run has just ended, it seems. Start this one again.",
            )

    def _put_base(self) -> None:
        if self.plan.base is None:
            return
        begin = time.perf_counter()
        assert self._working is not None
        base, working = Path(self.plan.base), self._working.working_path
        if self.plan.base_is_linked:
            with open_file(working, "w") as file:
                link_input(base, file, Path(self.plan.output))
        else:
            copy_input(base, working, observe=self.observe)
        if self.plan.not_followed:
            with open_file(working, "r+") as file:
                take_out_of_reach(file, self.plan.not_followed)
        self.observe(HookTimed("copy input", "", "init", time.perf_counter() - begin, begin=begin))

    def data_manager(self, tables: LinkedTables) -> H5FlowDataManager:
        """Return the facade for one workflow's stages."""
        return H5FlowDataManager(self.plan.output, tables=tables, working_path=self.working_path)

    def publish(self, records: Sequence[RunRecord]) -> str:
        """Complete the file, and give it its name; returns the ``run_id``. Collective."""
        begin = time.perf_counter()
        with self._channel.guard.patient():
            self._channel.together("closing the output", self.rendezvous.storage.close)
            run_id = self._channel.by_first("publishing", lambda: self._publish(records))
        self._end()
        self.observe(HookTimed("publish", "", "finish", time.perf_counter() - begin, begin=begin))
        return run_id

    def _publish(self, records: Sequence[RunRecord]) -> str:
        assert self._working is not None
        self._refuse_changed_input()
        made: list[str] = []
        self._index()
        # whenever it is killed, the run goes on from its last checkpoint, or all is whole
        if self.rendezvous.deleted:
            from h5flow.io.compact import compact

            def rewrite(old: Path, new: Path) -> None:
                compact(old, new, exclude=(CHECKPOINTS,))
                with open_file(new, "r+") as file:
                    made.append(self._complete(file, records))

            self._working.rewrite(rewrite)
        else:
            with edit_at_once(self.working_path) as file:
                made.append(self._complete(file, records))
        publish(self._working, self.plan.output, self._begin, self.observe)
        return made[0]

    def _refuse_changed_input(self) -> None:
        """Look at the input again, where the output has links to it in the place of its rows."""
        if not self.plan.base_is_linked or self.plan.input is None:
            return
        if file_identity(self.plan.input) != self._input_found:
            raise FileFormatError(
                f"the input {self.plan.input} was changed or removed while this run was reading "
                f"it, and {self.plan.output} would have links to what is not there",
                advice="Put it back and add --resume --force, or run with --input-data copy.",
            )

    def _complete(self, file: h5py.File, records: Sequence[RunRecord]) -> str:
        """Write what a file has when its run has ended, and remove what only the run needs."""
        if CHECKPOINTS in file:
            del file[CHECKPOINTS]
        for path in put_back(file, NOT_FOLLOWED):
            self._warn_of_loss(path)
        return write_record(file, records)

    def _index(self) -> None:
        """Index references where that is of use; a file without an index is as good."""
        try:
            with damage_named(self.working_path), open_file(self.working_path, "r") as file:
                if not take_inventory(file).references:
                    return
            from h5flow.journal.indexing import index_file

            index_file(self.working_path, keep=True)
        except H5FlowError as error:
            warnings.warn(
                f"{self.plan.output} is complete, but its references were not indexed: "
                f"{error.message}",
                H5FlowWarning,
                stacklevel=2,
            )

    def _warn_of_loss(self, path: str) -> None:
        warnings.warn(
            f"{path} in {self.plan.base} lies in another file, and is left out of "
            f"{self.plan.output}: the run has made something else in its place",
            H5FlowWarning,
            stacklevel=2,
        )

    def discard(self) -> None:
        """Remove the working file, or leave it to be resumed; harmless after `publish`."""
        if self._ended:
            return
        self._end()
        self._remove()

    def _remove(self) -> None:
        # What cannot be written to a file that is about to vanish is no loss, and must not take
        # the place of the error that ended the run.
        if self._storage is not None:
            with contextlib.suppress(Exception):
                self._storage.abandon()
        if self._working is None:
            return
        if self.is_resumable:
            self._working.keep()
        else:
            self._working.discard()

    def _end(self) -> None:
        self._ended = True
        self._count(-1)

    @classmethod
    def _count(cls, change: int) -> None:
        with cls._counting:
            cls._open += change
            H5FlowDataManager.run_in_progress = cls._open > 0

    def __enter__(self) -> OpenOutput:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.discard()
