"""hdf5plugin's ``bzip2``, by Python's own library."""

from __future__ import annotations

from bz2 import BZ2Decompressor, compress
from dataclasses import dataclass

import numpy as np

from h5flow.io.packing.protocol import Bytes, DamagedChunk, Packing

__all__ = ["BZip2", "bzip2_of"]

LEVELS = range(1, 10)


@dataclass(frozen=True)
class BZip2:
    """One stream of bzip2.

    Parameters
    ----------
    level : int
        1 to 9: how many 100 kB are packed as one.
    size : int
        Bytes of what is packed.
    """

    level: int
    size: int

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes, packed."""
        return np.frombuffer(compress(data.data, self.level), np.uint8)

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Return the bytes, unpacked."""
        stream = BZ2Decompressor()
        try:
            # One byte more, so that it comes to the end, where the checksum is.
            found = stream.decompress(data.data, self.size + 1)
        except (OSError, ValueError) as error:
            raise DamagedChunk(str(error)) from error
        if len(found) != self.size or not stream.eof:
            raise DamagedChunk(f"it does not hold {self.size} bytes")
        return np.frombuffer(found, np.uint8)


def bzip2_of(packing: Packing) -> BZip2 | None:
    """Return the filter; None where its level is not known."""
    level = packing.values[0] if packing.values else LEVELS[-1]
    return BZip2(level, packing.size) if level in LEVELS else None
