"""What is written into a file about the run that made it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import h5flow
from h5flow.journal.provenance import RunRecord, StageRecord, digest_of_input
from h5flow.journal.working_file import same_file

if TYPE_CHECKING:
    from h5flow.core.parts import PlannedWorkflow
    from h5flow.core.request import RunRequest

__all__ = ["run_record"]


def run_record(
    planned: PlannedWorkflow, request: RunRequest, input_filename: str | None, output: str
) -> RunRecord:
    """Return the record of a workflow that is about to run.

    Parameters
    ----------
    input_filename : str or None
        None, or `output`, where the workflow reads the output itself.
    """
    workflow = planned.workflow
    apart = input_filename is not None and not same_file(input_filename, output)
    generator = workflow.generator
    return RunRecord(
        source=generator.dset_name,
        generator=StageRecord(
            generator.name, generator.classname, str(planned.generator.class_version)
        ),
        stages=tuple(
            StageRecord(spec.name, spec.classname, str(cls.class_version))
            for spec, cls in zip(workflow.stages, planned.stages, strict=True)
        ),
        input=os.path.realpath(input_filename) if apart and input_filename else "",
        input_digest=digest_of_input(input_filename) if apart else "",
        start=request.start,
        end=request.end,
        config=workflow.name,
        text=workflow.text,
        h5flow_version=h5flow.__version__,
        reads_output=planned.generator.copies_input and not apart,
    )
