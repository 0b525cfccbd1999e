"""Workflow files: read, checked against one schema, with the place of every problem."""

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
