"""What is settled before a run begins: nothing is created here."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import h5py

from h5flow.config import load_workflows
from h5flow.core.checkpoints import (
    changes,
    identity_of,
    refuse_other_command,
    refuse_what_cannot_go_on,
)
from h5flow.core.checks import check_classes, check_contents, check_request
from h5flow.core.external_links import parts_not_followed, warn_of_parts
from h5flow.core.output import OutputPlan, file_identity, plan_output, refuse_repeated_run
from h5flow.core.parts import PlannedWorkflow, find_classes
from h5flow.core.records import run_record
from h5flow.core.request import RunRequest
from h5flow.data.layout import RECORDS
from h5flow.io.damage import DAMAGE, damage_named
from h5flow.io.edit import open_left
from h5flow.io.open_file import open_file
from h5flow.journal.checkpoint import CHECKPOINTS, read_checkpoint
from h5flow.journal.provenance import RunRecord, digest_of_input, read_records
from h5flow.journal.revival import lost_tables
from h5flow.journal.working_file import working_path_of

if TYPE_CHECKING:
    from h5flow.config.workflow import Workflow
    from h5flow.transaction.channel import Channel

__all__ = ["Preparation", "check_workflows", "prepare"]

ONE_AT_A_TIME = threading.Lock()


class Preparation(NamedTuple):
    """A request that can be run.

    Attributes
    ----------
    planned, records : tuple
        One for each workflow, in their order.
    """

    request: RunRequest
    channel: Channel
    plan: OutputPlan
    planned: tuple[PlannedWorkflow, ...]
    records: tuple[RunRecord, ...]

    def input_of(self, position: int) -> str | None:
        """Return what a workflow reads: all after the first read the output."""
        return self.plan.input if position == 0 else self.plan.output


def prepare(request: RunRequest, channel: Channel) -> Preparation:
    """Read workflows and find their classes, on every rank; look at the files, on one. Collective.

    Parameters
    ----------
    channel : Channel
        Open before any module of the user's is imported, which may ask for H5FLOW_MPI.

    Raises
    ------
    UsageError
        The request or a workflow is wrong.
    FileFormatError
        The input, or the output that is added to, cannot be read.
    """
    planned = channel.together("reading the workflows", lambda: _classes(request))
    plan, records = channel.by_first("looking at the files", lambda: _plan(request, planned))
    return Preparation(request, channel, plan, planned, records)


def check_workflows(configs: Sequence[str]) -> tuple[Workflow, ...]:
    """Read workflows and find their classes, as for a run; nothing is created.

    Raises
    ------
    UsageError
        A workflow is wrong.
    """
    return tuple(each.workflow for each in _classes(RunRequest(configs=tuple(configs))))


def _classes(request: RunRequest) -> tuple[PlannedWorkflow, ...]:
    # Ranks may be threads of one process, and neither imports nor Python's parser take that well.
    with ONE_AT_A_TIME:
        workflows = load_workflows(request.configs)
        check_request(request, workflows)
        planned = find_classes(workflows)
        check_classes(planned)
        return planned


def _plan(
    request: RunRequest, planned: tuple[PlannedWorkflow, ...]
) -> tuple[OutputPlan, tuple[RunRecord, ...]]:
    resumed = _resumed(request, planned)
    if resumed is not None:
        return resumed
    plan = plan_output(request, planned[0])
    with damage_named(plan.base or plan.output):
        with _base_of(plan) as base:
            plan = _with_limits(request, plan, base)
            check_contents(request, plan, planned, base)
        records = _records(request, planned, plan.input, plan.output)
        refuse_repeated_run(plan, records, request)
    return plan, records


def _records(
    request: RunRequest,
    planned: Sequence[PlannedWorkflow],
    input_filename: str | None,
    output: str,
) -> tuple[RunRecord, ...]:
    return tuple(
        run_record(each, request, input_filename if position == 0 else None, output)
        for position, each in enumerate(planned)
    )


def _resumed(
    request: RunRequest, planned: tuple[PlannedWorkflow, ...]
) -> tuple[OutputPlan, tuple[RunRecord, ...]] | None:
    """Return how to go on with a run that did not end, or has ended; None where it begins."""
    output = request.output or planned[0].workflow.output
    if not request.resume or not output:
        return None
    source = request.input or planned[0].workflow.input
    left = working_path_of(output)
    checkpoint = read_checkpoint(left) if left.is_file() else None
    if (
        checkpoint is not None
        and not checkpoint.is_finished
        and lost_tables(left, checkpoint.lengths)
    ):
        checkpoint = None  # what was removed since cannot be brought back
    if checkpoint is None and file_identity(output) is None and not left.is_file():
        return None
    records = _records(request, planned, source, output)
    if checkpoint is None:
        plan = _completed(left, records, source, output)
        return None if plan is None else (plan, records)
    if not request.force:
        refuse_other_command(checkpoint.command, records, str(left))
    refuse_what_cannot_go_on(checkpoint, planned)
    return OutputPlan(
        output,
        source,
        None,
        base_is_linked=request.input_data == "link",
        found=file_identity(output),
        resumed=checkpoint,
    ), records


def _completed(
    left: Path, records: Sequence[RunRecord], source: str | None, output: str
) -> OutputPlan | None:
    """Return that all is written, where a file was made by this command; None where none was."""
    if left.is_file() and _is_made_by(left, records):
        # else it is a copy, perhaps of a part, of a file that an earlier run of the command made
        known = {digest_of_input(output), digest_of_input(source)}
        if _run_id(left) not in known:
            found = file_identity(output)
            return OutputPlan(output, source, None, found=found, is_complete=True)
    if file_identity(output) is not None and _is_made_by(Path(output), records):
        return OutputPlan(output, source, None, is_done=True)
    return None


def _is_made_by(path: Path, records: Sequence[RunRecord]) -> bool:
    """Return whether the last runs that a file records are these, and none goes on."""
    try:
        with open_left(path) as file:
            present = read_records(file)[-len(records) :]
            is_whole = CHECKPOINTS not in file
    except DAMAGE:
        return False
    return is_whole and not changes([identity_of(record) for record in present], records)


def _run_id(path: Path) -> str:
    """Return the digest of a file that records runs, as `digest_of_input` gives it."""
    with open_left(path) as file:
        return f"run_id:{file[RECORDS].attrs['run_id']}"


def _base_of(plan: OutputPlan) -> AbstractContextManager[h5py.File | None]:
    return nullcontext() if plan.base is None else open_file(plan.base, "r")


def _with_limits(request: RunRequest, plan: OutputPlan, base: h5py.File | None) -> OutputPlan:
    """Find what the base has in other files and the run is not to read, and say so."""
    if base is None or plan.base is None or request.allow_external_links:
        return plan
    parts = parts_not_followed(base)
    warn_of_parts(plan.base, parts)
    return replace(plan, not_followed=parts)
