"""Whether every required name can be there, before anything is created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from h5flow.config.workflow import Requirement
from h5flow.core.cache import requirement_path
from h5flow.core.discovery import string_constants
from h5flow.core.parts import PlannedWorkflow
from h5flow.core.stage import H5FlowStage
from h5flow.data.inventory import Inventory
from h5flow.data.layout import clean_name
from h5flow.errors import DataError, Problem, did_you_mean

__all__ = ["requirement_problems"]


def requirement_problems(planned: PlannedWorkflow, inventory: Inventory) -> list[Problem]:
    """Return the requirements of the first workflow that nothing can fulfil.

    A name is fine if it is in the input, or if an earlier stage declares it (`makes`) or holds it
    as a string, in its params or in its class's source. A custom generator can make anything.

    Parameters
    ----------
    planned : PlannedWorkflow
        A dataset loop.
    inventory : Inventory
        Of the file that the workflow starts from.
    """
    problems = []
    makeable: set[str] = set()
    source = planned.workflow.generator.dset_name
    for spec, cls in zip(planned.workflow.stages, planned.stages, strict=True):
        for requirement in spec.requires:
            if not requirement.optional:
                problems += _problems(source, requirement, inventory, makeable)
        makeable |= _names_held(cls, spec.params)
    return problems


def _problems(
    source: str, requirement: Requirement, inventory: Inventory, makeable: set[str]
) -> Iterator[Problem]:
    try:
        path = requirement_path(source, requirement)
    except DataError as error:
        yield Problem(str(error), requirement.place)
        return
    if path == (path[0], path[0]):
        return
    for name in path[1:]:
        if name not in inventory.datasets and name not in makeable:
            near = did_you_mean(name, [*inventory.datasets, *makeable])
            yield Problem(
                f"'{name}' is not in the input, and no earlier stage makes it{near}",
                requirement.place,
            )
            return
    if requirement.layout == "aligned":
        return
    for parent, child in zip(path[:-1], path[1:], strict=True):
        known = inventory.find(parent, child) is not None
        if not known and child not in makeable and parent not in makeable:
            yield Problem(
                f"there are no references {parent} -> {child} in the input, and no earlier stage "
                "makes them; where both are equally long, `layout: aligned` takes rows one by one",
                requirement.place,
            )
            return


def _names_held(cls: type[H5FlowStage], params: Mapping[Any, Any]) -> set[str]:
    held = set(cls.makes) | set(_strings(params))
    for owner in cls.__mro__:
        if owner.__module__.partition(".")[0] not in {"h5flow", "builtins"}:
            held |= string_constants(owner)
    return {name for name in map(_as_name, held) if name}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _as_name(text: str) -> str:
    try:
        return clean_name(text)
    except DataError:
        return ""
