"""hdf5plugin's ``bitshuffle``: bits side by side, in blocks of LZ4 or plain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from imagecodecs import (
    bitshuffle_decode,
    bitshuffle_encode,
    lz4_decode,
    lz4_encode,
    lz4h5_decode,
    lz4h5_encode,
)

from h5flow.io.packing.blocks import (
    COUNT_BYTES,
    HEADER_BYTES,
    header,
    joined,
    packed_sizes,
    sizes_of,
)
from h5flow.io.packing.protocol import Bytes, DamagedChunk, Packing
from h5flow.io.packing.unpacking import unpacked

__all__ = ["Bitshuffle", "bitshuffle_of"]

# What follows the bits, by the filter's numbers.
PLAIN, LZ4 = 0, 2
# Two numbers of versions, the bytes of an element, the elements of a block, what follows.
DEFAULTS = (0, 0, 0, 0, PLAIN)
# Bits of so many elements are put side by side; what is left over stays as it is.
UNIT = 8
TARGET_BLOCK_BYTES, LEAST_BLOCK_ELEMENTS = 8192, 128


@dataclass(frozen=True)
class Bitshuffle:
    """Bits of elements side by side, block by block.

    Parameters
    ----------
    element_bytes, block_elements : int
    has_lz4 : bool
        Blocks are packed by LZ4.
    size : int
        Bytes of what is packed.
    """

    element_bytes: int
    block_elements: int
    has_lz4: bool
    size: int

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes, packed."""
        bits: Bytes = np.empty_like(data)
        bitshuffle_encode(
            self._elements(data),
            itemsize=self.element_bytes,
            blocksize=self.block_elements,
            out=self._elements(bits),
        )
        if not self.has_lz4:
            return bits
        block_bytes = self.block_elements * self.element_bytes
        whole, rest = bits[: self._whole_bytes], bits[self._whole_bytes :]
        return np.concatenate([header(self.size, block_bytes), _packed(whole, block_bytes), rest])

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Return the bytes, unpacked."""
        bits, block_elements = data, self.block_elements
        if self.has_lz4:
            block_bytes = self._block_bytes_in(data)
            block_elements = block_bytes // self.element_bytes
            bits = self._blocks_unpacked(data[HEADER_BYTES:], block_bytes)
        elif len(data) != self.size:
            raise DamagedChunk(f"it has {len(data)} bytes in place of {self.size}")
        room = np.empty(self.size, np.uint8) if out is None else out
        unpacked(
            bitshuffle_decode,
            self._elements(bits),
            self.size,
            self._elements(room),
            itemsize=self.element_bytes,
            blocksize=block_elements,
        )
        return room

    @property
    def _whole_bytes(self) -> int:
        """Bytes without what is left over at the end."""
        unit = UNIT * self.element_bytes
        return self.size // unit * unit

    def _elements(self, data: Bytes) -> np.ndarray[Any, Any]:
        """Return bytes as elements: imagecodecs looks at the array, whatever is said beside."""
        return data.view(f"V{self.element_bytes}")

    def _block_bytes_in(self, data: Bytes) -> int:
        """Return what the header says of blocks, where it can be true."""
        size, found = sizes_of(data)
        if size != self.size:
            raise DamagedChunk(f"its header says that it holds {size} bytes, not {self.size}")
        block_bytes = found or _usual_block(self.element_bytes) * self.element_bytes
        if block_bytes % (UNIT * self.element_bytes):
            raise DamagedChunk(f"its header says that a block has {block_bytes} bytes")
        return block_bytes

    def _blocks_unpacked(self, packed: Bytes, block_bytes: int) -> Bytes:
        """Return the bits of a chunk, of what comes after its header."""
        bits = np.empty(self.size, np.uint8)
        whole, rest = bits[: self._whole_bytes], bits[self._whole_bytes :]
        sizes = packed_sizes(packed, -(-len(whole) // block_bytes))
        end = sum(sizes) + COUNT_BYTES * len(sizes)
        if len(packed) - end != len(rest):
            raise DamagedChunk("it goes on after its last block")
        rest[...] = packed[end:]
        full = sizes[: len(whole) // block_bytes]
        done = stop = 0
        if full and block_bytes not in full:
            # One call, as for the filter lz4, but not for the last block where that is shorter:
            # some versions of the library take room for a whole one.
            done, stop = len(full), sum(full) + COUNT_BYTES * len(full)
            room = whole[: done * block_bytes]
            framed = np.concatenate([header(len(room), block_bytes), packed[:stop]])
            unpacked(lz4h5_decode, framed, len(room), room)
        for number in range(done, len(sizes)):
            start = stop + COUNT_BYTES
            stop = start + sizes[number]
            room = whole[number * block_bytes : (number + 1) * block_bytes]
            unpacked(lz4_decode, packed[start:stop], len(room), room)
        return bits


def bitshuffle_of(packing: Packing) -> Bitshuffle | None:
    """Return the filter; None where something about it is not known."""
    values = (*packing.values, *DEFAULTS[len(packing.values) :])
    element_bytes, block_elements, packed_by = values[2:5]
    if not element_bytes or packing.size % element_bytes or block_elements % UNIT:
        return None
    # Zstandard for each block is no faster here than in HDF5: a block is small, a call is not.
    if packed_by not in (PLAIN, LZ4):
        return None
    block_elements = block_elements or _usual_block(element_bytes)
    return Bitshuffle(element_bytes, block_elements, packed_by == LZ4, packing.size)


def _usual_block(element_bytes: int) -> int:
    """Return the elements of a block where the file does not say."""
    return max(TARGET_BLOCK_BYTES // element_bytes // UNIT * UNIT, LEAST_BLOCK_ELEMENTS)


def _packed(whole: Bytes, block_bytes: int) -> Bytes:
    """Return all blocks, packed: in one call, where LZ4 makes each of them smaller.

    The filter lz4 has the same format, but for blocks that get no smaller, which it leaves as they
    are.
    """
    if not len(whole):
        return whole
    packed = np.frombuffer(lz4h5_encode(whole, blocksize=block_bytes), np.uint8)[HEADER_BYTES:]
    sizes = packed_sizes(packed, -(-len(whole) // block_bytes))
    last = (len(whole) - 1) % block_bytes + 1
    if block_bytes not in sizes[:-1] and sizes[-1] != last:
        return packed
    parts = (whole[at : at + block_bytes] for at in range(0, len(whole), block_bytes))
    return joined([lz4_encode(part) for part in parts])
