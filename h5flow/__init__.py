"""Sequential workflows over linked tables in HDF5 files.

Public names are loaded when they are first used: ``import h5flow`` itself imports nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from h5flow.lazy import lazy_names

if TYPE_CHECKING:
    from h5flow import core, data, modules
    from h5flow.core import (
        H5FLOW_MPI,
        H5FlowGenerator,
        H5FlowManager,
        H5FlowResource,
        H5FlowStage,
        resources,
        run,
    )
    from h5flow.data import H5FlowDataManager, dereference, dereference_chain

__version__ = "1.0.0.dev0"

__all__ = [
    "H5FLOW_MPI",
    "H5FlowDataManager",
    "H5FlowGenerator",
    "H5FlowManager",
    "H5FlowResource",
    "H5FlowStage",
    "__version__",
    "core",
    "data",
    "dereference",
    "dereference_chain",
    "modules",
    "resources",
    "run",
]

__getattr__ = lazy_names(
    __name__,
    {
        "H5FLOW_MPI": "h5flow.core",
        "H5FlowDataManager": "h5flow.data",
        "H5FlowGenerator": "h5flow.core",
        "H5FlowManager": "h5flow.core",
        "H5FlowResource": "h5flow.core",
        "H5FlowStage": "h5flow.core",
        "core": "h5flow.core",
        "data": "h5flow.data",
        "dereference": "h5flow.data",
        "dereference_chain": "h5flow.data",
        "modules": "h5flow.modules",
        "resources": "h5flow.core",
        "run": "h5flow.core",
    },
)


def __dir__() -> list[str]:
    return __all__
