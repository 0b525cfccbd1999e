"""Whether every dataset that workflows name can be there, before anything is created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from h5flow.core.wanted import requirement_path
from h5flow.data.layout import clean_name
from h5flow.errors import DataError, Problem, did_you_mean

if TYPE_CHECKING:
    from h5flow.config.workflow import Requirement
    from h5flow.core.parts import PlannedWorkflow
    from h5flow.core.stage import H5FlowStage
    from h5flow.data.inventory import Inventory

__all__ = ["name_problems"]


@dataclass
class Known:
    """What can be in the file when a stage runs.

    Attributes
    ----------
    datasets : set of str
        Of the file that the run starts from, without those that are dropped.
    makeable : set of str
        Names that the stages so far declare or hold; they may be made, or not.
    anything : bool
        Whether a custom generator has run, which can make anything.
    """

    inventory: Inventory
    datasets: set[str]
    makeable: set[str] = field(default_factory=set)
    anything: bool = False

    def has(self, name: str) -> bool:
        """Return whether a dataset can be there."""
        return self.anything or name in self.datasets or name in self.makeable

    def links(self, parent: str, child: str) -> bool:
        """Return whether references can be there."""
        if self.anything or not self.makeable.isdisjoint({parent, child}):
            return True
        return self.inventory.find(parent, child) is not None

    def drop(self, name: str) -> None:
        """Forget a dataset, or all below a plain group."""
        self.datasets -= set(self.inventory.below(name))
        self.makeable.discard(name)


def name_problems(
    planned: Sequence[PlannedWorkflow], inventory: Inventory, drop: Sequence[str] = ()
) -> list[Problem]:
    """Return the sources and requirements that nothing can provide.

    A name is fine if it is in the file that the run starts from, or if an earlier stage declares
    it (`makes`) or holds it as a string, in its params or in its class's source. A custom generator
    can make anything. What a workflow drops is not there for the next.

    Parameters
    ----------
    planned : sequence of PlannedWorkflow
        In the order in which they run.
    inventory : Inventory
        Of the file that the first starts from.
    drop : sequence of str
        Dropped at the end of each workflow, beside what it names itself.
    """
    known = Known(inventory, set(inventory.datasets))
    problems: list[Problem] = []
    for position, each in enumerate(planned):
        generator = each.workflow.generator
        known.anything |= not each.generator.copies_input
        # The first workflow's source is looked up in the file itself.
        if position and not known.has(clean_name(generator.dset_name)):
            problems.append(Problem(_nothing_makes(generator.dset_name, known), generator.place))
        for spec, cls in zip(each.workflow.stages, each.stages, strict=True):
            for requirement in spec.requires:
                if not requirement.optional:
                    problems += _problems(generator.dset_name, requirement, known)
            known.makeable |= _names_held(cls, spec.params)
        for name in (*each.workflow.drop, *drop):
            known.drop(clean_name(name))
    return problems


def _problems(source: str, requirement: Requirement, known: Known) -> Iterator[Problem]:
    path = requirement_path(source, requirement)
    if path == (path[0], path[0]):
        return
    for name in path[1:]:
        if not known.has(name):
            yield Problem(_nothing_makes(name, known), requirement.place)
            return
    if requirement.layout == "aligned":
        return
    for parent, child in pairwise(path):
        if not known.links(parent, child):
            yield Problem(
                f"there are no references {parent} -> {child} in the input, and no earlier stage "
                "makes them; where both are equally long, `layout: aligned` takes rows one by one",
                requirement.place,
            )
            return


def _nothing_makes(name: str, known: Known) -> str:
    # Strings of a class are sentences, too.
    words = [word for word in known.makeable if " " not in word]
    near = did_you_mean(name, [*sorted(known.datasets), *sorted(words)])
    return f"'{name}' is not in the input, and no earlier stage makes it{near}"


def _names_held(cls: type[H5FlowStage], params: Mapping[Any, Any]) -> set[str]:
    from h5flow.core.class_source import string_constants  # only where there are stages

    makes = (cls.makes,) if isinstance(cls.makes, str) else cls.makes
    held = {*makes, *_strings(params), *string_constants(cls)}
    return {name for name in map(_as_name, held) if name}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _strings(item)


def _as_name(text: str) -> str:
    try:
        return clean_name(text)
    except DataError:
        return ""
