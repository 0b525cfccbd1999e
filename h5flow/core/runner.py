"""A command: its workflows, one after the other on one output."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from h5flow.backends import choose_backend
from h5flow.comm import choose_communicator
from h5flow.config import load_workflows
from h5flow.config.workflow import Workflow
from h5flow.core.output import OpenOutput, OutputPlan, plan_output, refuse_repeated_run
from h5flow.core.parts import PlannedWorkflow, find_classes
from h5flow.core.records import run_record
from h5flow.core.request import RunRequest, RunSummary
from h5flow.core.requirements import requirement_problems
from h5flow.core.workflow import H5FlowManager
from h5flow.data.inventory import Inventory, take_inventory
from h5flow.data.layout import clean_name
from h5flow.errors import ConfigError, H5FlowWarning, Problem, UsageError, did_you_mean
from h5flow.events import Observer, ignore_event
from h5flow.io.filters import filter_arguments
from h5flow.io.open_file import open_file
from h5flow.modules.dataset_loop import loop_range

__all__ = ["execute", "run"]


def run(
    configs: str | Mapping[str, Any] | Workflow | Sequence[str | Mapping[str, Any] | Workflow],
    output_filename: str,
    input_filename: str | None = None,
    start_position: int | None = None,
    end_position: int | None = None,
    verbose: int = 0,
    drop: str | Sequence[str] | None = None,
    nompi: bool = False,
    compression: str | None = None,
    *,
    backend: str = "auto",
    comm: str = "auto",
    overwrite: bool = False,
    append: bool = False,
    strict: bool = False,
) -> RunSummary:
    """Run workflows on one output, as ``h5flow run`` does.

    Parameters
    ----------
    configs : str, dict, Workflow or a sequence of them
        Workflow files or their content; all after the first read the output.
    output_filename : str
        The file that is made, or added to. It appears when everything is done.
    input_filename : str, optional
        The file whose rows a dataset loop copies, or that a generator reads.
    start_position, end_position : int, optional
        Rows of each source, half open; negative counts from the end.
    verbose : int
        1 logs what the run does, 2 logs more.
    drop : str or sequence of str, optional
        Datasets left out of the final file.
    nompi : bool
        The same as ``comm="serial"``.
    compression : str, optional
        The filter of new datasets: ``"gzip"``, ``"gzip:6"``, ``"lzf"`` …
    backend, comm : str
        Strategies by name; ``"auto"`` chooses.
    overwrite, append : bool
        What to do where the output exists.
    strict : bool
        Whether a requirement that cannot be loaded is an error.

    Returns
    -------
    RunSummary

    Raises
    ------
    UsageError
        The arguments or a workflow are wrong (`ConfigError`); nothing was created.
    H5FlowError
        The run failed; the output is as it was.
    """
    import logging

    if verbose:
        logging.getLogger("h5flow").setLevel(logging.INFO if verbose == 1 else logging.DEBUG)
    if overwrite and append:
        raise UsageError("overwrite and append exclude each other")
    if isinstance(configs, str | os.PathLike | Mapping | Workflow):
        configs = [configs]
    return execute(
        RunRequest(
            configs=tuple(configs),
            output=output_filename,
            input=input_filename,
            start=start_position,
            end=end_position,
            drop=(drop,) if isinstance(drop, str) else tuple(drop or ()),
            compression=compression,
            on_existing="overwrite" if overwrite else "append" if append else "default",
            strict=strict,
            backend=backend,
            comm="serial" if nompi else comm,
        )
    )


def execute(request: RunRequest, observe: Observer = ignore_event) -> RunSummary:
    """Do what a request asks for.

    Raises
    ------
    UsageError
        The request or a workflow is wrong; nothing was created.
    H5FlowError
        The run failed; the output is as it was.
    """
    begin = time.perf_counter()
    # Before any module of the user's is imported, which may ask for H5FLOW_MPI.
    communicator = choose_communicator(request.comm)
    workflows = load_workflows(request.configs)
    if not workflows:
        raise UsageError("there is no workflow to run", advice="Name a YAML file.")
    planned = find_classes(workflows)
    request = _with_defaults(request, workflows[0])
    plan = plan_output(request, planned[0])
    _check(request, plan, planned)
    records = [
        run_record(each, request, plan.input if position == 0 else None, plan.output)
        for position, each in enumerate(planned)
    ]
    refuse_repeated_run(plan, records, request)
    with OpenOutput(plan, communicator, observe) as output:
        done = [
            replace(record, **_run_one(each, request, output, position, observe))
            for position, (each, record) in enumerate(zip(planned, records, strict=True))
        ]
        run_id = output.publish(done)
    return RunSummary(
        output=plan.output,
        run_id=run_id,
        configs=tuple(record.config for record in done),
        chunks=tuple(record.chunks for record in done),
        rows=tuple(record.rows for record in done),
        seconds=time.perf_counter() - begin,
    )


def _with_defaults(request: RunRequest, first: Workflow) -> RunRequest:
    backend = first.backend if request.backend == "auto" and first.backend else request.backend
    choose_backend(backend)
    return replace(request, backend=backend)


def _run_one(
    planned: PlannedWorkflow,
    request: RunRequest,
    output: OpenOutput,
    position: int,
    observe: Observer,
) -> dict[str, Any]:
    """Run one workflow of several; return what its record gains."""
    manager = H5FlowManager(
        planned.workflow,
        output.plan.output,
        output.plan.input if position == 0 else output.plan.output,
        request.start,
        request.end,
        request.compression,
        planned=planned,
        output=output,
        request=request,
        observe=observe,
    )
    manager.init()
    manager.run()
    manager.finish()
    return manager.outcome()


def _check(request: RunRequest, plan: OutputPlan, planned: Sequence[PlannedWorkflow]) -> None:
    """Refuse what can be seen to be wrong before anything is created."""
    for compression in (request.compression, *(each.workflow.compression for each in planned)):
        filter_arguments(compression)
    for each in planned[1:]:
        if each.workflow.input is not None:
            warnings.warn(
                f"{each.workflow.name}: `flow: input:` is not used, for a workflow after the "
                "first reads the output",
                H5FlowWarning,
                stacklevel=2,
            )
    first = planned[0]
    if not first.generator.copies_input or plan.base is None:
        return
    with open_file(Path(plan.base), "r") as file:
        inventory = take_inventory(file)
        source = clean_name(first.workflow.generator.dset_name)
        _check_source(first, plan.base, source, inventory)
        length = file[f"/{source}/data"].shape[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5FlowWarning)
        loop_range(source, length, request.start, request.end)
    problems = requirement_problems(first, inventory) if request.strict else []
    if problems:
        raise ConfigError(problems)


def _check_source(
    planned: PlannedWorkflow, base: str, source: str, inventory: Inventory
) -> None:
    if source in inventory.datasets:
        return
    below = inventory.below(source)
    message = f"there is no dataset '{source}' in {base}{did_you_mean(source, inventory.datasets)}"
    if below:
        message = f"'{source}' is a group in {base}, not a dataset; it holds {', '.join(below)}"
    elif inventory.datasets:
        message += f"; there are {', '.join(inventory.datasets)}"
    else:
        message += ", nor any other in h5flow's layout"
    place = planned.workflow.generator.place
    raise ConfigError([Problem(message, place)])
