"""HDF5's ``shuffle``, which puts alike bytes side by side for the filter that packs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from h5flow.io.packing.protocol import Bytes

__all__ = ["Shuffle"]

# Bytes at such distances from each other push each other out of a processor's cache: to read them
# together, as rows are put together again, takes six times as long.
ALIASED_BYTES, LINE_BYTES = 2**10, 2**6


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
        planes = data.reshape(self.element_bytes, -1)
        length = planes.shape[1]
        if length % ALIASED_BYTES == 0:
            apart = np.empty((len(planes), length + LINE_BYTES), np.uint8)
            apart[:, :length] = planes
            planes = apart[:, :length]
        rows: Bytes = planes.T
        return rows
