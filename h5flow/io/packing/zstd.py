"""hdf5plugin's ``zstd``: one frame a chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from imagecodecs import zstd_decode, zstd_encode

from h5flow.io.packing.unpacking import unpacked

if TYPE_CHECKING:
    from h5flow.io.packing.protocol import Bytes, Packing

__all__ = ["Zstd", "zstd_of"]

# 0 is the library's own; it has negative ones, too, which imagecodecs does not take.
LEVELS = range(23)
DEFAULT_LEVEL = 3


@dataclass(frozen=True)
class Zstd:
    """A frame of Zstandard that says how much it holds.

    Parameters
    ----------
    level : int
        0 to 22.
    size : int
        Bytes of what is packed.
    """

    level: int
    size: int

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes, packed."""
        return np.frombuffer(zstd_encode(data, self.level), np.uint8)

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Return the bytes, unpacked."""
        return unpacked(zstd_decode, data, self.size, out)


def zstd_of(packing: Packing) -> Zstd | None:
    """Return the filter; None where its level is not known."""
    level = packing.values[0] if packing.values else DEFAULT_LEVEL
    return Zstd(level, packing.size) if level in LEVELS else None
