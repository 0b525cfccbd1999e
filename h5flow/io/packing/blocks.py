"""Chunks of several blocks, as the filters lz4 and bitshuffle have them.

A header has the bytes of the whole and of a block, and each packed block comes after its size; all
of them with the higher byte first.
"""

from __future__ import annotations

import struct

import numpy as np

from h5flow.io.packing.protocol import Bytes, DamagedChunk

__all__ = ["COUNT_BYTES", "HEADER_BYTES", "header", "joined", "packed_sizes", "sizes_of"]

HEADER, COUNT = struct.Struct(">QI"), struct.Struct(">I")
HEADER_BYTES, COUNT_BYTES = HEADER.size, COUNT.size


def header(size: int, block_bytes: int) -> Bytes:
    """Return the header of a chunk."""
    return np.frombuffer(HEADER.pack(size, block_bytes), np.uint8)


def sizes_of(data: Bytes) -> tuple[int, int]:
    """Return what the header of a chunk says: the bytes of the whole, and of a block.

    Raises
    ------
    DamagedChunk
        There is no header.
    """
    if len(data) < HEADER_BYTES:
        raise DamagedChunk("it is shorter than its header")
    size, block_bytes = HEADER.unpack_from(data.data)
    return size, block_bytes


def packed_sizes(packed: Bytes, count: int) -> list[int]:
    """Return the bytes that each block takes, without its size.

    Parameters
    ----------
    packed : numpy.ndarray
        uint8: what comes after the header.
    count : int
        How many blocks there are.

    Raises
    ------
    DamagedChunk
        A block goes on where there is nothing.
    """
    view, at, sizes = packed.data, 0, []
    try:
        for _ in range(count):
            (size,) = COUNT.unpack_from(view, at)
            sizes.append(size)
            at += COUNT_BYTES + size
    except struct.error:
        at = len(packed) + 1
    if at > len(packed):
        raise DamagedChunk("one of its blocks goes on after its end")
    return sizes


def joined(blocks: list[bytes]) -> Bytes:
    """Return packed blocks, each after its size."""
    parts = [part for block in blocks for part in (COUNT.pack(len(block)), block)]
    return np.frombuffer(b"".join(parts), np.uint8)
