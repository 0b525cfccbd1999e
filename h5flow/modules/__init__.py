"""Generators and stages that come with h5flow; a workflow names them by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h5flow.lazy import lazy_names

if TYPE_CHECKING:
    from h5flow.modules.dataset_loop import H5FlowDatasetLoopGenerator
    from h5flow.modules.test_stage import H5FlowTestStage

__all__ = ["H5FlowDatasetLoopGenerator", "H5FlowTestStage"]

__getattr__ = lazy_names(
    __name__,
    {
        "H5FlowDatasetLoopGenerator": "h5flow.modules.dataset_loop",
        "H5FlowTestStage": "h5flow.modules.test_stage",
    },
)


def __dir__() -> list[str]:
    return __all__
