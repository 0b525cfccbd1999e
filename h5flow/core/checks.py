"""What can be seen to be wrong with a request before anything is created."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING

import h5py

from h5flow.backends import check_backend
from h5flow.core.component import Component, refused_params
from h5flow.core.external_links import blocking_part
from h5flow.core.requirements import name_problems
from h5flow.core.wanted import requirement_path
from h5flow.data.inventory import Inventory, take_inventory
from h5flow.data.layout import clean_name, data_path
from h5flow.errors import (
    ConfigError,
    DataError,
    FileFormatError,
    H5FlowWarning,
    Place,
    Problem,
    UsageError,
    did_you_mean,
)
from h5flow.io.filters import filter_arguments
from h5flow.io.lookup import object_at
from h5flow.modules.dataset_loop import (
    H5FlowDatasetLoopGenerator,
    check_chunk_size,
    loop_range,
)

if TYPE_CHECKING:
    from h5flow.config.workflow import GeneratorSpec, Requirement, Workflow
    from h5flow.core.output import OutputPlan
    from h5flow.core.parts import PlannedWorkflow, Spec
    from h5flow.core.request import RunRequest

__all__ = ["check_classes", "check_contents", "check_request"]

# Arguments that h5flow gives: no params can have these names.
OF_EVERY_PART = frozenset({"name", "classname", "data_manager", "requires"})
OF_RESOURCES = OF_EVERY_PART | {"input_filename", "start_position", "end_position"}
OF_GENERATORS = OF_RESOURCES | {"dset_name"}


def check_request(request: RunRequest, workflows: Sequence[Workflow]) -> None:
    """Refuse options that cannot be meant.

    Raises
    ------
    UsageError
        A range, a filter, a backend, a chunk size or a name that does not exist.
    """
    if not workflows:
        raise UsageError("there is no workflow to run", advice="Name a YAML file.")
    for what, position in (("start", request.start), ("end", request.end)):
        if not isinstance(position, Integral | None):
            raise UsageError(f"the {what} is a whole number of rows, not {position!r}")
    for problem in (problem for name in request.drop for problem in _name_problems(name, None)):
        raise UsageError(f"{problem.message} (to be dropped)")
    if request.chunk_size is not None:
        check_chunk_size(request.chunk_size)
    check_backend(request.backend)
    filter_arguments(request.compression)
    for workflow in workflows:
        _check_strategies(workflow)
    for later in workflows[1:]:
        _warn_of_unused(later, "input", "reads the output")
        if not request.output and later.output != workflows[0].output:
            _warn_of_unused(later, "output", "writes to the output of the first")


def _check_strategies(workflow: Workflow) -> None:
    """Refuse a backend or a filter that a workflow names and is not there."""
    of_flow = Place(workflow.name, 0, 0, "flow.backend")
    with _at(of_flow):
        check_backend(workflow.backend or "auto")
    for stage in workflow.stages:
        with _at(stage.place or of_flow):
            check_backend(stage.backend or "auto")
    with _at(Place(workflow.name, 0, 0, "flow.compression")):
        filter_arguments(workflow.compression)


@contextmanager
def _at(place: Place) -> Iterator[None]:
    """Give an error the place in the workflow that it is about."""
    try:
        yield
    except UsageError as error:
        raise ConfigError([Problem(str(error), place)]) from error


def _warn_of_unused(workflow: Workflow, key: str, why: str) -> None:
    if getattr(workflow, key) is not None:
        warnings.warn(
            f"{workflow.name}: `flow: {key}:` is not used, for a workflow after the first {why}",
            H5FlowWarning,
            stacklevel=3,
        )


def check_classes(planned: Sequence[PlannedWorkflow]) -> None:
    """Refuse what workflows say that their classes, or the file format, cannot take.

    Raises
    ------
    ConfigError
        All problems at once.
    """
    problems = [problem for each in planned for problem in _problems_of(each)]
    if problems:
        # The same file may be run several times; its problems are told once.
        raise ConfigError(list(dict.fromkeys(problems)))


def _problems_of(planned: PlannedWorkflow) -> Iterator[Problem]:
    workflow, generator = planned.workflow, planned.workflow.generator
    yield from _name_problems(generator.dset_name, generator.place)
    for name in workflow.drop:
        yield from _name_problems(name, Place(workflow.name, 0, 0, "flow.drop"))
    for resource, resource_class in zip(workflow.resources, planned.resources, strict=True):
        yield from _param_problems(resource, resource_class, OF_RESOURCES)
    yield from _param_problems(generator, planned.generator, OF_GENERATORS)
    if issubclass(planned.generator, H5FlowDatasetLoopGenerator):
        try:
            check_chunk_size(generator.params.get("chunk_size", "auto"))
        except UsageError as error:
            yield Problem(error.message, generator.place)
    for stage, stage_class in zip(workflow.stages, planned.stages, strict=True):
        yield from _param_problems(stage, stage_class, OF_EVERY_PART)
        for requirement in stage.requires:
            yield from _requirement_problems(requirement, generator.dset_name)


def _param_problems(spec: Spec, cls: type[Component], taken: frozenset[str]) -> Iterator[Problem]:
    for key in spec.params:
        if str(key) in taken:
            why = f"'{key}' cannot be a param: h5flow gives an argument of this name itself"
            yield Problem(why, spec.place)
    refused = refused_params(cls, (key for key in spec.params if str(key) not in taken))
    for why in refused.values():
        yield Problem(why, spec.place)


def _requirement_problems(requirement: Requirement, source: str) -> Iterator[Problem]:
    wrong = [problem for name in requirement.path for problem in _name_problems(name, None)]
    for problem in wrong:
        yield Problem(problem.message, requirement.place)
    if wrong or any(_name_problems(source, None)):
        return
    path = requirement_path(source, requirement)
    is_source = path == (path[0], path[0]) and not requirement.index_only
    if requirement.name == source and not is_source:
        yield Problem(
            f"under '{source}' the cache holds the rows of the source; give this another name",
            requirement.place,
        )
    if requirement.layout == "aligned" and len(path) > 2:
        yield Problem(
            "`layout: aligned` takes one dataset row by row; this path leads along references",
            requirement.place,
        )


def _name_problems(name: str, place: Place | None) -> Iterator[Problem]:
    try:
        clean_name(name)
    except DataError as error:
        yield Problem(error.message, place)


def check_contents(
    request: RunRequest,
    plan: OutputPlan,
    planned: Sequence[PlannedWorkflow],
    base: h5py.File | None,
) -> None:
    """Look the source up in the file that the run starts from; if strict, all requirements, too.

    Parameters
    ----------
    base : h5py.File or None
        That file, open; None where the run starts from nothing.

    Raises
    ------
    ConfigError
        There is no such source, or nothing can provide a requirement.
    UsageError
        The source has other rows than those that are asked for.
    FileFormatError
        The file cannot be read.
    """
    first = planned[0]
    problems: list[Problem] = []
    if base is None:
        problems = name_problems(planned, Inventory((), ()), request.drop) if request.strict else []
    else:
        inventory = _within_reach(base, take_inventory(base), plan)
        if first.generator.copies_input:
            _check_source(first.workflow.generator, base, inventory, request, plan)
        if request.strict:
            problems = name_problems(planned, inventory, request.drop)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))


def _within_reach(file: h5py.File, inventory: Inventory, plan: OutputPlan) -> Inventory:
    """Leave out the datasets in other files that are not followed."""
    if not plan.not_followed:
        return inventory
    names = (
        name
        for name in inventory.datasets
        if blocking_part(file, data_path(name), plan.not_followed) is None
    )
    return inventory._replace(datasets=tuple(names))


def _check_source(
    spec: GeneratorSpec,
    file: h5py.File,
    inventory: Inventory,
    request: RunRequest,
    plan: OutputPlan,
) -> None:
    source = clean_name(spec.dset_name)
    part = blocking_part(file, data_path(source), plan.not_followed)
    if part is not None:
        problem = (
            f"'{source}' lies in another file: {part}; a run does not read it without "
            "--allow-external-links"
        )
        raise ConfigError([Problem(problem, spec.place)])
    if source not in inventory.datasets:
        raise ConfigError([Problem(_no_source(source, file.filename, inventory), spec.place)])
    try:
        dataset = object_at(file, data_path(source))
    except (KeyError, OSError, RuntimeError) as error:
        raise FileFormatError(f"'{source}' in {file.filename} is damaged: {error}") from error
    if not isinstance(dataset, h5py.Dataset) or not dataset.shape:
        what = "it is a single value" if dataset is not None else "it is linked to a missing file"
        if isinstance(dataset, h5py.Dataset) and dataset.shape is None:
            what = "it is empty"
        problem = f"'{source}' in {file.filename} has no rows to loop over: {what}"
        raise ConfigError([Problem(problem, spec.place)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5FlowWarning)
        loop_range(source, dataset.shape[0], request.start, request.end)


def _no_source(source: str, base: str, inventory: Inventory) -> str:
    below = inventory.below(source)
    if below:
        return f"'{source}' is a group in {base}, not a dataset; it holds {', '.join(below)}"
    message = f"there is no dataset '{source}' in {base}{did_you_mean(source, inventory.datasets)}"
    if inventory.datasets:
        return f"{message}; there are {', '.join(inventory.datasets)}"
    return f"{message}, nor any other in h5flow's layout"
