"""Workflow files: read, checked against one schema, with the place of every problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h5flow.lazy import lazy_names

if TYPE_CHECKING:
    from h5flow.config.resolve import WorkflowLike, load_workflow, load_workflows
    from h5flow.config.workflow import (
        GeneratorSpec,
        Layout,
        Requirement,
        ResourceSpec,
        StageSpec,
        Workflow,
    )

__all__ = [
    "GeneratorSpec",
    "Layout",
    "Requirement",
    "ResourceSpec",
    "StageSpec",
    "Workflow",
    "WorkflowLike",
    "load_workflow",
    "load_workflows",
]

__getattr__ = lazy_names(
    __name__,
    {
        "GeneratorSpec": "h5flow.config.workflow",
        "Layout": "h5flow.config.workflow",
        "Requirement": "h5flow.config.workflow",
        "ResourceSpec": "h5flow.config.workflow",
        "StageSpec": "h5flow.config.workflow",
        "Workflow": "h5flow.config.workflow",
        "WorkflowLike": "h5flow.config.resolve",
        "load_workflow": "h5flow.config.resolve",
        "load_workflows": "h5flow.config.resolve",
    },
)


def __dir__() -> list[str]:
    return __all__
