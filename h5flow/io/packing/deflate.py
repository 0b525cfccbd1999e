"""Deflate, HDF5's ``gzip``, by a library that is faster than zlib and frees Python's lock.

The streams are zlib's: whatever reads HDF5 reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from deflate import DeflateError, zlib_compress, zlib_decompress

from h5flow.io.packing.protocol import Bytes, Packing, UndecodableChunk

__all__ = ["Deflate", "deflate_of"]

# For each level of zlib one of libdeflate that takes a third of its time or less. The sizes differ
# by a few percent either way; one level less made of some waveforms an eighth more.
LEVELS = (0, 1, 1, 2, 2, 3, 4, 6, 7, 8)
HIGHEST_LEVEL = 9


@dataclass(frozen=True)
class Deflate:
    """HDF5's gzip.

    Parameters
    ----------
    level : int
        Of zlib, 0 to 9.
    size : int
        Bytes of what is packed.
    """

    level: int
    size: int

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes as a stream of zlib's format, hardly longer than they are."""
        return np.frombuffer(zlib_compress(data, LEVELS[self.level]), np.uint8)

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Return the bytes, unpacked."""
        try:
            return np.frombuffer(zlib_decompress(data, self.size), np.uint8)
        except DeflateError as error:
            raise UndecodableChunk(str(error)) from error


def deflate_of(packing: Packing) -> Deflate | None:
    """Return the filter; None where its level is not known."""
    if not packing.values or packing.values[0] > HIGHEST_LEVEL:
        return None
    return Deflate(packing.values[0], packing.size)
