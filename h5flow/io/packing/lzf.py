"""h5py's own ``lzf``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from imagecodecs import lzf_decode, lzf_encode

from h5flow.io.packing.unpacking import unpacked

if TYPE_CHECKING:
    from h5flow.io.packing.protocol import Bytes, Packing

__all__ = ["Lzf", "lzf_of"]

# The longest thing that a stream can announce and then not have: the library reads it nevertheless.
BEYOND_BYTES = 64


@dataclass(frozen=True)
class Lzf:
    """A stream of LZF, without any header.

    Parameters
    ----------
    size : int
        Bytes of what is packed.
    """

    size: int

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes, packed; up to a thirtieth more than they are."""
        if len(data) == 1:
            # The library reads two bytes at once. One is itself, after a count of 0 more.
            return np.concatenate([np.zeros(1, np.uint8), data])
        return np.frombuffer(lzf_encode(data), np.uint8)

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Return the bytes, unpacked."""
        padded = np.zeros(len(data) + BEYOND_BYTES, np.uint8)
        padded[: len(data)] = data
        return unpacked(lzf_decode, padded[: len(data)], self.size, out)


def lzf_of(packing: Packing) -> Lzf:
    """Return the filter."""
    return Lzf(packing.size)
