"""A stage that shows what stages are given."""

from __future__ import annotations

import logging
from typing import Any

from h5flow.core.stage import H5FlowStage

__all__ = ["H5FlowTestStage"]

logger = logging.getLogger("h5flow.modules")


class H5FlowTestStage(H5FlowStage):
    """Logs its hooks and the cache (run with ``-v``), and writes nothing."""

    class_version = "1.0.0"

    def init(self, source_name: str) -> None:
        """Log the source."""
        logger.info("%s.init(source_name=%r)", self.name, source_name)

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        """Log the chunk, and shape and dtype of all that is in the cache."""
        logger.info("%s.run(%r, %s)", self.name, source_name, source_slice)
        for name, rows in cache.items():
            shape = getattr(rows, "shape", type(rows).__name__)
            logger.info("    cache[%r]: %s %s", name, shape, getattr(rows, "dtype", ""))

    def finish(self, source_name: str) -> None:
        """Log the end."""
        logger.info("%s.finish(source_name=%r)", self.name, source_name)
