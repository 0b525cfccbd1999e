"""Rows in the host's memory: plain structured and masked NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from h5flow.backends.protocol import NodeShare, Traffic
from h5flow.errors import UsageError

__all__ = ["NumPyBackend"]


class NumPyBackend:
    """The backend that leaves rows where they were read.

    Parameters
    ----------
    device : str
        Nothing, or ``"cpu"``.
    share : NodeShare
        Ranks have a core each anyway.
    """

    name = "numpy"
    is_host = True

    def __init__(self, device: str = "", share: NodeShare = NodeShare()) -> None:  # noqa: B008
        if device not in {"", "cpu"}:
            raise UsageError(f"NumPy has no device '{device}'", advice="Write numpy alone.")
        self.traffic = Traffic()

    @property
    def namespace(self) -> Any:
        """NumPy itself, which has been a whole array-API namespace since 2.1."""
        if hasattr(np, "cumulative_sum"):
            return np
        import array_api_compat.numpy

        return array_api_compat.numpy

    def owns(self, array: Any, /) -> bool:
        """Return whether this is an array of NumPy."""
        return isinstance(array, np.ndarray)

    def upload(self, parts: Sequence[np.ndarray[Any, Any]], /) -> list[Any]:
        """Return the arrays as they are."""
        return list(parts)

    def download(self, arrays: Sequence[Any], /) -> list[np.ndarray[Any, Any]]:
        """Return the arrays as they are."""
        return [np.asanyarray(array) for array in arrays]

    def current(self) -> AbstractContextManager[Any]:
        """Do nothing: there is one host."""
        return nullcontext()

    def named_range(self, name: str, /) -> AbstractContextManager[Any]:
        """Do nothing: there is no profiler to tell."""
        return nullcontext()

    def synchronise(self) -> None:
        """Return at once: nothing runs behind."""

    def used_bytes(self) -> int | None:
        """Return None: NumPy does not count."""
        return None

    def free_bytes(self) -> int | None:
        """Return None: the system decides."""
        return None

    def devices(self) -> list[str]:
        """Return the host."""
        return ["cpu"]

    def device_id(self) -> str | None:
        """Return None: ranks have their own."""
        return None

    def is_out_of_memory(self, error: BaseException, /) -> bool:
        """Return whether this is Python's own error."""
        return isinstance(error, MemoryError)
