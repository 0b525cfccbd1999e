"""HDF5's ``shuffle``, which puts alike bytes side by side for the filter that packs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from h5flow.io.packing.protocol import Bytes

__all__ = ["Shuffle"]

# Up to this, elements are put together byte by byte: two to three times as fast for numbers. With
# more bytes threads wait for each other, for NumPy takes Python's lock after each pass.
NARROW_BYTES = 2**4
# Of wider ones all bytes are read together. At such distances from each other they push each other
# out of the cache, and to read them takes six times as long.
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
        """Return the bytes in their old order; of wide elements as a view, to be moved once."""
        planes = data.reshape(self.element_bytes, -1)
        length = planes.shape[1]
        if self.element_bytes <= NARROW_BYTES:
            room = np.empty(data.size, np.uint8) if out is None else out
            elements = room.reshape(length, self.element_bytes)
            for number, plane in enumerate(planes):
                elements[:, number] = plane
            return room
        if length % ALIASED_BYTES == 0:
            apart = np.empty((len(planes), length + LINE_BYTES), np.uint8)
            apart[:, :length] = planes
            planes = apart[:, :length]
        rows: Bytes = planes.T
        return rows
