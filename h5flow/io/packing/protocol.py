"""What a filter is, for the pipeline that it is a step of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Bytes",
    "DamagedChunk",
    "Filter",
    "FilterMaker",
    "Packing",
    "ShortChunk",
    "UndecodableChunk",
]

Bytes: TypeAlias = npt.NDArray[np.uint8]


class UndecodableChunk(Exception):
    """Bytes of a chunk that cannot be unpacked here; HDF5 may know more."""


class DamagedChunk(UndecodableChunk):
    """Bytes of a chunk that no filter has made, and that HDF5's filters must not be given.

    Some of those that hdf5plugin has trust what they are given, and end the process, or never
    end.
    """


class ShortChunk(UndecodableChunk):
    """A chunk with too few bytes, in place of whose others HDF5 returns what lies in memory.

    Parameters
    ----------
    size, expected : int
        How many it holds, and should.
    """

    def __init__(self, size: int, expected: int) -> None:
        super().__init__(f"it holds {size} bytes in place of {expected}")
        self.size = size


class Filter(Protocol):
    """One step between the rows of a chunk and its bytes in the file."""

    def encode(self, data: Bytes) -> Bytes:
        """Return what the next step gets, or the file.

        Parameters
        ----------
        data : numpy.ndarray
            uint8, shape (N,), contiguous.
        """
        ...

    def decode(self, data: Bytes, out: Bytes | None) -> Bytes:
        """Undo `encode`.

        Parameters
        ----------
        data : numpy.ndarray
            uint8; whatever the file holds.
        out : numpy.ndarray or None
            uint8, contiguous, as long as what was encoded: room for the result, which saves a
            copy. Where it raises, or returns other bytes, they are undefined.

        Returns
        -------
        numpy.ndarray
            uint8: `out`, or other bytes, which may have more axes, or be too few or too many.

        Raises
        ------
        UndecodableChunk
        """
        ...


@dataclass(frozen=True)
class Packing:
    """How a dataset is packed by a filter.

    Attributes
    ----------
    values : tuple of int
        What the file says about the filter: HDF5's client data.
    size : int
        Bytes of what is packed: of a chunk, and perhaps a checksum.
    """

    values: tuple[int, ...]
    size: int


# None where the filter is used in a way that is not known.
FilterMaker: TypeAlias = Callable[[Packing], Filter | None]
