"""What h5flow asks of an array library."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

__all__ = ["Backend"]


class Backend(Protocol):
    """Where a chunk's rows live while stages work on them."""

    name: str

    @property
    def namespace(self) -> Any:
        """The library's array namespace: what stages see as ``self.xp``."""
        ...

    def to_device(self, rows: Any, /) -> Any:
        """Return rows that were read from the file as this library's."""
        ...

    def to_host(self, array: Any, /) -> np.ndarray[Any, Any]:
        """Return an array of this library as NumPy's."""
        ...

    def synchronise(self) -> None:
        """Wait until all work that was handed to the device is done."""
        ...
