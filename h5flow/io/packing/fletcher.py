"""The checksum that HDF5's filter ``fletcher32`` puts at the end of a chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from h5flow.io.packing.protocol import DamagedChunk, UndecodableChunk

if TYPE_CHECKING:
    from h5flow.io.packing.protocol import Bytes

__all__ = ["CHECKSUM_BYTES", "Checksum", "fletcher32"]

CHECKSUM_BYTES = 4
MODULUS = 65535
# The weighted sum of so many words fits into 64 bits.
BLOCK_WORDS = 2**20


@dataclass(frozen=True)
class Checksum:
    """HDF5's fletcher32, at the end."""

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes with their checksum."""
        return np.concatenate([data, np.array([fletcher32(data)], "<u4").view(np.uint8)])

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Return the bytes without the checksum, which must be theirs."""
        if len(data) < CHECKSUM_BYTES:
            # HDF5 counts down past zero, and reads until the process ends.
            raise DamagedChunk(f"it has {len(data)} bytes, fewer than its checksum")
        found, expected = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:].tobytes()
        if fletcher32(found) != int.from_bytes(expected, "little"):
            raise UndecodableChunk("its checksum is wrong")
        return found


def fletcher32(data: Bytes) -> int:
    """Return the checksum of bytes, taken as 16-bit words with the higher byte first.

    Parameters
    ----------
    data : numpy.ndarray
        uint8, shape (N,); an odd N is filled up with a zero.
    """
    if len(data) % 2:
        data = np.concatenate([data, np.zeros(1, np.uint8)])
    words = np.ascontiguousarray(data).view(">u2")
    plain = weighted = 0
    for start in range(0, len(words), BLOCK_WORDS):
        block = words[start : start + BLOCK_WORDS].astype(np.int64)
        # The second sum adds up the first one after each word.
        weights = np.arange(len(block), 0, -1)
        weighted = _folded(weighted + len(block) * plain + int(block @ weights))
        plain = _folded(plain + int(block.sum()))
    return weighted << 16 | plain


def _folded(value: int) -> int:
    """Return a sum in 16 bits: only nothing at all is zero, as where carries are added back."""
    return (value - 1) % MODULUS + 1 if value else 0
