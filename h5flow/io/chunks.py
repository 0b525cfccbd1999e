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

    So what a loop makes of each of its chunks, which mostly are powers of two as well, begins and
    ends with HDF5 chunks.
    """
    return 1 << max(1, HDF5_CHUNK_BYTES // row_bytes(dtype, row_shape)).bit_length() - 1


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
        About 4 MiB of rows: a multiple of `chunk_rows`, so that no HDF5 chunk is read twice.
    """
    rows = max(1, LOOP_CHUNK_BYTES // row_bytes(dtype, row_shape))
    if not chunk_rows:
        return rows
    return max(1, rows // chunk_rows) * chunk_rows
