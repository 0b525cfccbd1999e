"""From what a user names (a file, a dict) to a checked `Workflow`, or to all that is wrong."""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from h5flow.config.include import Includes
from h5flow.config.nodes import compose, read_text, without_place
from h5flow.config.normalise import Normaliser
from h5flow.config.schema import read_workflow
from h5flow.config.tree import DICT, Findings, ValueNode, YamlNode
from h5flow.config.workflow import Workflow
from h5flow.errors import ConfigError, Place, Problem, UsageError

__all__ = ["WorkflowLike", "load_workflow", "load_workflows"]

WorkflowLike = str | os.PathLike[str] | Mapping[str, Any] | Workflow


def load_workflow(source: WorkflowLike) -> Workflow:
    """Return the workflow that a file or a dict describes.

    Parameters
    ----------
    source : str, path, mapping or Workflow
        A YAML file, its content as a dict, or a workflow, which is returned as it is.

    Raises
    ------
    ConfigError
        All that is wrong with it, each problem with its place.
    UsageError
        `source` is none of these.
    """
    if isinstance(source, Workflow):
        return source
    name = DICT
    try:
        if isinstance(source, Mapping):
            return _from_dict(source)
        if isinstance(source, (str, os.PathLike)):
            name = os.fsdecode(source)
            return _from_file(name)
    except RecursionError:
        raise without_place(name, "the workflow is nested too deeply") from None
    kind = type(source).__name__
    raise UsageError(f"a workflow is a file, a dict or a Workflow object, not an object of {kind}")


def load_workflows(sources: Iterable[WorkflowLike]) -> tuple[Workflow, ...]:
    """Return several workflows, or report what is wrong with all of them at once.

    Raises
    ------
    ConfigError
        The problems of all files, in the order of the files.
    UsageError
        A source is neither a file nor a dict nor a workflow.
    """
    loaded = [_try(source) for source in sources]
    # The same file may be run several times; its problems are told once.
    problems = dict.fromkeys(
        problem for item in loaded if isinstance(item, ConfigError) for problem in item.problems
    )
    if problems:
        raise ConfigError(list(problems))
    return tuple(item for item in loaded if isinstance(item, Workflow))


def _try(source: WorkflowLike) -> Workflow | ConfigError:
    try:
        return load_workflow(source)
    except ConfigError as error:
        return error


def _from_file(name: str) -> Workflow:
    includes = Includes(compose(read_text(name, name), name))
    root = includes.expand()
    normaliser = Normaliser(includes.broken)
    try:
        normaliser.visit(root)
    except ConfigError as error:
        raise _all(name, includes.problems, normaliser.problems, error.problems) from None
    tree = YamlNode(root, Findings(normaliser.broken, includes.aliased))
    workflow, problems = read_workflow(tree, name, includes.text)
    if workflow is None or includes.problems or normaliser.problems:
        raise _all(name, includes.problems, normaliser.problems, problems)
    return workflow


def _from_dict(content: Mapping[str, Any]) -> Workflow:
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    workflow, problems = read_workflow(ValueNode(content), DICT, text)
    if workflow is None:
        raise ConfigError(problems)
    return workflow


def _all(file: str, *found: Iterable[Problem]) -> ConfigError:
    """Join problems in the order of their lines, those of the file itself before included ones."""

    def order(problem: Problem) -> tuple[bool, str, int, int]:
        place = problem.place or Place(file, 0, 0)
        return place.file != file, place.file, place.line, place.column

    return ConfigError(sorted((problem for part in found for problem in part), key=order))


class _Dumper(yaml.SafeDumper):
    """Writes what a dict may hold and YAML does not know as plain numbers and strings."""


def _represent_other(dumper: yaml.SafeDumper, value: object) -> yaml.Node:
    if isinstance(value, Mapping):
        return dumper.represent_dict(value)
    if isinstance(value, numbers.Integral):
        return dumper.represent_int(int(value))
    if isinstance(value, numbers.Real):
        return dumper.represent_float(float(value))
    return dumper.represent_str(str(value))


_Dumper.add_multi_representer(object, _represent_other)
