"""Rows in the host's memory: plain structured and masked NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["NumPyBackend"]


class NumPyBackend:
    """The backend that leaves rows where they were read."""

    name = "numpy"

    @property
    def namespace(self) -> Any:
        """NumPy itself, which has been an array-API namespace since 2.0."""
        return np

    def to_device(self, rows: Any, /) -> Any:
        """Return `rows` as they are."""
        return rows

    def to_host(self, array: Any, /) -> np.ndarray[Any, Any]:
        """Return `array` as NumPy's; nothing is copied where it is already."""
        return np.asanyarray(array)

    def synchronise(self) -> None:
        """Return at once: nothing runs behind."""
