"""What is settled before a run begins: nothing is created here."""

from __future__ import annotations

from dataclasses import dataclass

from h5flow.comm import choose_communicator
from h5flow.comm.protocol import Communicator
from h5flow.config import load_workflows
from h5flow.core.checks import check_classes, check_contents, check_request
from h5flow.core.output import OutputPlan, plan_output, refuse_repeated_run
from h5flow.core.parts import PlannedWorkflow, find_classes
from h5flow.core.records import run_record
from h5flow.core.request import RunRequest
from h5flow.journal.provenance import RunRecord

__all__ = ["Preparation", "prepare"]


@dataclass(frozen=True)
class Preparation:
    """A request that can be run.

    Attributes
    ----------
    planned, records : tuple
        One for each workflow, in their order.
    """

    request: RunRequest
    communicator: Communicator
    plan: OutputPlan
    planned: tuple[PlannedWorkflow, ...]
    records: tuple[RunRecord, ...]

    def input_of(self, position: int) -> str | None:
        """Return what a workflow reads: all after the first read the output."""
        return self.plan.input if position == 0 else self.plan.output


def prepare(request: RunRequest) -> Preparation:
    """Read workflows, find their classes, and look at the files.

    Raises
    ------
    UsageError
        The request or a workflow is wrong.
    FileFormatError
        The input, or the output that is added to, cannot be read.
    """
    # Before any module of the user's is imported, which may ask for H5FLOW_MPI.
    communicator = choose_communicator(request.comm)
    workflows = load_workflows(request.configs)
    check_request(request, workflows)
    planned = find_classes(workflows)
    check_classes(planned)
    plan = plan_output(request, planned[0])
    check_contents(request, plan, planned)
    records = tuple(
        run_record(each, request, plan.input if position == 0 else None, plan.output)
        for position, each in enumerate(planned)
    )
    refuse_repeated_run(plan, records, request)
    return Preparation(request, communicator, plan, planned, records)
