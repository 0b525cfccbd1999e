"""Sizes of HDF5 chunks and of the chunks that a loop takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["LINKED_CHUNK_BYTES", "row_bytes", "rows_per_hdf5_chunk", "rows_per_loop_chunk"]

# h5py's guess for an empty table is 8 to 32 kB: 5 to 70 times slower.
HDF5_CHUNK_BYTES = 2**20
LOOP_CHUNK_BYTES = 4 * 2**20
# Of a chunk with all that is linked to it.
LINKED_CHUNK_BYTES = 64 * 2**20


def row_bytes(dtype: np.dtype[Any], row_shape: tuple[int, ...]) -> int:
    """Return what a row takes, at least 1: rows without a size are divided by as well."""
    return max(1, dtype.itemsize * math.prod(row_shape))


def rows_per_hdf5_chunk(dtype: np.dtype[Any], row_shape: tuple[int, ...] = ()) -> int:
    """Return how many rows a chunk of a new table holds: a power of two, up to 1 MiB of them.

    So are the chunks of a loop: where it makes a row of each, the new rows fill whole HDF5 chunks.
    """
    return _power_of_two(HDF5_CHUNK_BYTES // row_bytes(dtype, row_shape))


def rows_per_loop_chunk(
    dtype: np.dtype[Any], row_shape: tuple[int, ...], chunk_rows: int | None
) -> int:
    """Return the rows per iteration for ``chunk_size: auto``.

    Parameters
    ----------
    dtype, row_shape
        Of a row of the source.
    chunk_rows : int or None
        Rows per HDF5 chunk of the source; None where it is contiguous.

    Returns
    -------
    int
        2 to 4 MiB of rows: a power of two of them, or of `chunk_rows`, so that no HDF5 chunk is
        read twice.
    """
    rows = LOOP_CHUNK_BYTES // row_bytes(dtype, row_shape)
    return _power_of_two(rows // chunk_rows) * chunk_rows if chunk_rows else _power_of_two(rows)


def _power_of_two(most: int) -> int:
    """Return the largest one up to `most`, at least 1."""
    return 1 << max(1, most).bit_length() - 1
