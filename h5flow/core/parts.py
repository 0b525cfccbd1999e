"""From a workflow's blocks to classes, and from classes to objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any, NamedTuple, TypeAlias

from h5flow.config.workflow import (
    GeneratorSpec,
    Requirement,
    ResourceSpec,
    StageSpec,
    Workflow,
)
from h5flow.core.discovery import ClassKind, find_class
from h5flow.core.generator import H5FlowGenerator
from h5flow.core.resource import H5FlowResource, resources
from h5flow.core.stage import H5FlowStage
from h5flow.errors import ConfigError, DiscoveryError, Problem

__all__ = ["Parts", "PlannedWorkflow", "build_parts", "find_classes"]

Spec: TypeAlias = GeneratorSpec | StageSpec | ResourceSpec
Construct: TypeAlias = Callable[[Spec, type[Any], dict[str, Any]], Any]

STAGE = ClassKind("stage", H5FlowStage, "h5flow.stages")
GENERATOR = ClassKind("generator", H5FlowGenerator, "h5flow.generators")
RESOURCE = ClassKind("resource", H5FlowResource, "h5flow.resources")


class PlannedWorkflow(NamedTuple):
    """A workflow with the classes that it names."""

    workflow: Workflow
    generator: type[H5FlowGenerator]
    stages: tuple[type[H5FlowStage], ...]
    resources: tuple[type[H5FlowResource], ...]


def find_classes(workflows: Sequence[Workflow]) -> tuple[PlannedWorkflow, ...]:
    """Find and import every class of these workflows.

    Raises
    ------
    ConfigError
        Classes that are not found or cannot be imported, all at once.
    """
    problems: list[Problem] = []

    def found(spec: Spec, kind: ClassKind) -> Any:
        try:
            return find_class(spec.classname, kind, module=spec.module, place=spec.place)
        except DiscoveryError as error:
            problems.append(_as_problem(error))
            causes.append(error)
            return None

    causes: list[DiscoveryError] = []
    planned = tuple(
        PlannedWorkflow(
            workflow,
            generator=found(workflow.generator, GENERATOR),
            stages=tuple(found(stage, STAGE) for stage in workflow.stages),
            resources=tuple(found(resource, RESOURCE) for resource in workflow.resources),
        )
        for workflow in workflows
    )
    if problems:
        raise ConfigError(list(dict.fromkeys(problems))) from causes[0]
    return planned


def _as_problem(error: DiscoveryError) -> Problem:
    message = f"{error.message.rstrip('.')}. {error.advice}" if error.advice else error.message
    return Problem(message, error.place)


class Parts(NamedTuple):
    """The objects of a workflow, in the order in which they are constructed."""

    resources: tuple[H5FlowResource, ...]
    generator: H5FlowGenerator
    stages: tuple[H5FlowStage, ...]


def build_parts(planned: PlannedWorkflow, construct: Construct) -> Parts:
    """Construct resources, generator and stages; resources are in `resources` from then on.

    Parameters
    ----------
    construct : callable
        Called with the block, the class and the arguments that the block gives.
    """
    workflow = planned.workflow
    made: dict[str, H5FlowResource] = {}
    resources.clear()
    for spec, cls in zip(workflow.resources, planned.resources, strict=True):
        made[spec.classname] = construct(spec, cls, _arguments(spec, spec.classname, ()))
        resources.update(made)
    generator = workflow.generator
    return Parts(
        resources=tuple(made[spec.classname] for spec in workflow.resources),
        generator=construct(
            generator,
            planned.generator,
            _arguments(generator, generator.name, generator.requires),
        ),
        stages=tuple(
            construct(spec, cls, _arguments(spec, spec.name, spec.requires))
            for spec, cls in zip(workflow.stages, planned.stages, strict=True)
        ),
    )


def _arguments(spec: Spec, name: str, requires: Sequence[Requirement]) -> dict[str, Any]:
    """Return the arguments of a constructor that a block gives.

    Python has no keyword arguments but strings, so a key of ``params`` that is a number comes
    as its decimal digits.
    """
    in_full = [{**asdict(item), "path": list(item.path)} for item in requires]
    for item in in_full:
        del item["place"]
    # A copy, for a class may edit what it is given, and the workflow may be run again.
    params: dict[str, Any] = {str(key): deepcopy(value) for key, value in spec.params.items()}
    return {**params, "name": name, "classname": spec.classname, "requires": in_full}
