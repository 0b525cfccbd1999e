"""hdf5plugin's ``lz4``: blocks after a header with the sizes of the whole and of a block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from imagecodecs import lz4_decode, lz4h5_encode

from h5flow.io.packing.blocks import COUNT_BYTES, HEADER_BYTES, packed_sizes, sizes_of
from h5flow.io.packing.protocol import Bytes, DamagedChunk, Packing
from h5flow.io.packing.unpacking import unpacked

__all__ = ["Lz4", "lz4_of"]


@dataclass(frozen=True)
class Lz4:
    """Blocks of LZ4, each after its size; one that takes as much packed is left as it is.

    Parameters
    ----------
    block_bytes : int
        What is packed as one.
    size : int
        Bytes of what is packed.
    """

    block_bytes: int
    size: int

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes, packed."""
        return np.frombuffer(lz4h5_encode(data, blocksize=self.block_bytes), np.uint8)

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Return the bytes, unpacked."""
        size, block_bytes = sizes_of(data)
        if size != self.size or not block_bytes:
            raise DamagedChunk(f"its header says {size} bytes in blocks of {block_bytes}")
        packed = data[HEADER_BYTES:]
        whole = np.empty(size, np.uint8) if out is None else out
        stop = 0
        # Not by lz4h5_decode: some versions of it trust these sizes.
        for number, packed_size in enumerate(packed_sizes(packed, -(-size // block_bytes))):
            start = stop + COUNT_BYTES
            stop = start + packed_size
            room = whole[number * block_bytes : (number + 1) * block_bytes]
            if packed_size == len(room):
                room[...] = packed[start:stop]
            else:
                unpacked(lz4_decode, packed[start:stop], len(room), room)
        return whole


def lz4_of(packing: Packing) -> Lz4:
    """Return the filter."""
    block_bytes = packing.values[0] if packing.values else 0
    return Lz4(min(block_bytes or packing.size, packing.size), packing.size)
