"""hdf5plugin's ``blosc``: one buffer of Blosc 1 a chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from imagecodecs import blosc_decode, blosc_encode

from h5flow.io.packing.protocol import Bytes, DamagedChunk, Packing
from h5flow.io.packing.unpacking import unpacked

__all__ = ["Blosc", "blosc_of"]

# By the numbers that the filter has for them.
COMPRESSORS = {0: "blosclz", 1: "lz4", 2: "lz4hc", 4: "zlib", 5: "zstd"}
# What the filter takes where the file does not say: two numbers of versions, the bytes of an
# element and of a chunk, then level, shuffle and compressor.
DEFAULTS = (0, 0, 1, 0, 5, 1, 0)
SHUFFLES = range(3)
LEVELS = range(10)
LARGEST_ELEMENT = 255
HEADER_BYTES = 16
SIZES = slice(4, HEADER_BYTES)


@dataclass(frozen=True)
class Blosc:
    """A buffer of Blosc, which has a header of 16 bytes.

    Parameters
    ----------
    element_bytes, level, shuffle : int
        Shuffle: 0 is none, 1 of bytes, 2 of bits.
    compressor : str
    size : int
        Bytes of what is packed.
    """

    element_bytes: int
    level: int
    shuffle: int
    compressor: str
    size: int

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes, packed; at most those of the header more than they are."""
        # The elements are those of the array, whatever is said beside.
        buffer = blosc_encode(
            data.view(f"V{self.element_bytes}"),
            self.level,
            compressor=self.compressor,
            shuffle=self.shuffle,
            typesize=self.element_bytes,
            numthreads=1,
        )
        return np.frombuffer(buffer, np.uint8)

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Return the bytes, unpacked."""
        # The library takes the header's word for what it may read and write.
        if len(data) < HEADER_BYTES:
            raise DamagedChunk("it is shorter than its header")
        size, block_bytes, packed_bytes = (int(number) for number in data[SIZES].view("<u4"))
        if size != self.size or packed_bytes != len(data) or not 0 < block_bytes <= size:
            raise DamagedChunk(
                f"its header says {packed_bytes} bytes that hold {size} in blocks of {block_bytes}"
            )
        return unpacked(blosc_decode, data, size, out, numthreads=1)


def blosc_of(packing: Packing) -> Blosc | None:
    """Return the filter; None where something about it is not known."""
    values = (*packing.values, *DEFAULTS[len(packing.values) :])
    element_bytes, _, level, shuffle, code = values[2:7]
    if level not in LEVELS or shuffle not in SHUFFLES or code not in COMPRESSORS:
        return None
    if not 0 < element_bytes <= LARGEST_ELEMENT:
        element_bytes = 1
    if packing.size % element_bytes:
        return None
    return Blosc(element_bytes, level, shuffle, COMPRESSORS[code], packing.size)
