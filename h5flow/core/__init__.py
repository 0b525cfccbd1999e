"""What users subclass, and what runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h5flow.lazy import lazy_names

if TYPE_CHECKING:
    from h5flow.core.generator import H5FlowGenerator
    from h5flow.core.resource import H5FlowResource, resources
    from h5flow.core.runner import run
    from h5flow.core.stage import H5FlowStage
    from h5flow.core.workflow import H5FlowManager
    from h5flow.data.data_manager import H5FlowDataManager

    H5FLOW_MPI: bool

__all__ = [
    "H5FLOW_MPI",
    "H5FlowDataManager",
    "H5FlowGenerator",
    "H5FlowManager",
    "H5FlowResource",
    "H5FlowStage",
    "resources",
    "run",
]

__getattr__ = lazy_names(
    __name__,
    {
        "H5FLOW_MPI": "h5flow.comm.choose",
        "H5FlowDataManager": "h5flow.data.data_manager",
        "H5FlowGenerator": "h5flow.core.generator",
        "H5FlowManager": "h5flow.core.workflow",
        "H5FlowResource": "h5flow.core.resource",
        "H5FlowStage": "h5flow.core.stage",
        "resources": "h5flow.core.resource",
        "run": "h5flow.core.runner",
    },
)


def __dir__() -> list[str]:
    return __all__
