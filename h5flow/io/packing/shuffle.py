"""HDF5's ``shuffle``, which puts alike bytes side by side for the filter that packs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from h5flow.io.packing.protocol import Bytes

__all__ = ["Shuffle"]


@dataclass(frozen=True)
class Shuffle:
    """All first bytes of the elements, then all second ones, and so on.

    Parameters
    ----------
    element_bytes : int
    """

    element_bytes: int

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes in their new order."""
        return np.ascontiguousarray(data.reshape(-1, self.element_bytes).T).reshape(-1)

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Return the bytes in their old order, as a view: whoever stores them moves them once."""
        rows: Bytes = data.reshape(self.element_bytes, -1).T
        return rows
