"""Rows of tables without a filter, read from their places in the file past HDF5.

A call into HDF5 costs as much as reading 64 KiB, and brings whole chunks into its cache. A few rows
here and there of a long table are read a hundred times faster by asking for their bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.io.chunk_index import has_plain_file, is_stored_as_read
from h5flow.io.chunks import row_bytes
from h5flow.io.descriptor import descriptor_of
from h5flow.io.hdf5_rows import dataset_behind

if TYPE_CHECKING:
    from h5flow.references.regions import Int64Array

__all__ = ["PlainRows", "plain_rows"]

# Reading over a gap this wide costs less than one more call of the system.
BLOCK_BYTES = 2**12
# To find out where chunks lie takes as long for so many of them as one call into HDF5.
CHUNKS_PER_READ = 32


@dataclass(frozen=True, eq=False)
class PlainRows:
    """Where the rows of a table lie in a file.

    Parameters
    ----------
    dataset : h5py.h5d.DatasetID
    dtype : numpy.dtype
    row_shape : tuple of int
    chunk_rows : int
    addresses : numpy.ndarray
        int64, shape (chunks,): where each chunk begins; all are there.
    """

    dataset: h5py.h5d.DatasetID
    dtype: np.dtype[Any]
    row_shape: tuple[int, ...]
    chunk_rows: int
    addresses: Int64Array

    @property
    def block_rows(self) -> int:
        """The number of rows that cost about as much to read as one of them, at least 1."""
        return max(1, BLOCK_BYTES // row_bytes(self.dtype, self.row_shape))

    def read(self, starts: Int64Array, stops: Int64Array) -> np.ndarray[Any, Any]:
        """Return the rows of several intervals of the table, one after the other.

        Parameters
        ----------
        starts, stops : numpy.ndarray
            int64, shape (M,): within the table.

        Raises
        ------
        OSError
            The file is shorter than it says, or cannot be read.
        """
        starts, stops = self._within_chunks(starts, stops)
        width = row_bytes(self.dtype, self.row_shape)
        chunk, row = np.divmod(starts, self.chunk_rows)
        places = (self.addresses[chunk] + row * width).tolist()
        sizes = ((stops - starts) * width).tolist()
        pread = os.pread
        with descriptor_of(self.dataset) as file:
            found = [pread(file, size, at) for size, at in zip(sizes, places, strict=True)]
        joined = bytearray().join(found)
        if len(joined) != sum(sizes):
            raise OSError("the file is truncated")
        return np.frombuffer(joined, self.dtype).reshape(-1, *self.row_shape)

    def _within_chunks(
        self, starts: Int64Array, stops: Int64Array
    ) -> tuple[Int64Array, Int64Array]:
        """Return the intervals cut where chunks end."""
        first, last = starts // self.chunk_rows, (stops - 1) // self.chunk_rows
        if (first == last).all():
            return starts, stops
        parts = last - first + 1
        before = np.cumsum(parts) - parts
        chunk = np.arange(parts.sum()) + np.repeat(first - before, parts)
        begins = np.maximum(np.repeat(starts, parts), chunk * self.chunk_rows)
        ends = np.minimum(np.repeat(stops, parts), (chunk + 1) * self.chunk_rows)
        return begins, ends


def plain_rows(dataset: object, reads: int) -> PlainRows | None:
    """Return where the rows of a table lie, None where only HDF5 can read them.

    Or where it is not worth the effort: for few reads of a table of many chunks.

    Parameters
    ----------
    dataset : h5py.Dataset or any other
        Only files that are open for reading alone have in them what HDF5 has in memory.
    reads : int
        About how many intervals will be read.
    """
    dataset = dataset_behind(dataset)
    if reads < 2 or dataset is None or not hasattr(os, "pread"):
        return None
    file = h5py.h5i.get_file_id(dataset.id)
    if file.get_intent() != h5py.h5f.ACC_RDONLY or not has_plain_file(dataset):
        return None
    if not dataset.size or not is_stored_as_read(dataset):
        return None
    where = _addresses(dataset, reads * CHUNKS_PER_READ)
    if where is None:
        return None
    return PlainRows(dataset.id, dataset.dtype, dataset.shape[1:], *where)


def _addresses(dataset: h5py.Dataset, most: int) -> tuple[int, Int64Array] | None:
    """Return the rows of a chunk, and where all chunks lie; None where they lie otherwise."""
    properties = dataset.id.get_create_plist()
    layout = properties.get_layout()
    if layout == h5py.h5d.CONTIGUOUS:
        address = dataset.id.get_offset()
        if address is None or properties.get_external_count():
            return None
        return len(dataset), np.array([address], np.int64)
    if layout != h5py.h5d.CHUNKED or properties.get_nfilters():
        return None
    chunk_rows, *others = properties.get_chunk()
    count = -(-len(dataset) // chunk_rows)
    if count > most or tuple(others) != dataset.shape[1:]:
        return None
    found = _chunks(dataset)
    if len(found) != count:
        # rows that were never written lie nowhere
        return None
    addresses = np.zeros(count, np.int64)
    for row, address in found:
        addresses[row // chunk_rows] = address
    return chunk_rows, addresses


def _chunks(dataset: h5py.Dataset) -> Sequence[tuple[int, int]]:
    """Return the first row of each chunk, and where it lies."""
    found: list[tuple[int, int]] = []

    def note(chunk: Any) -> None:
        found.append((chunk.chunk_offset[0], chunk.byte_offset))

    dataset.id.chunk_iter(note)
    return found
