"""One growing table in a file: appended rows wait in memory until they fill HDF5 chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.errors import DataError
from h5flow.io.chunks import row_bytes
from h5flow.io.direct_writing import DirectChunks, direct_chunks
from h5flow.io.installed_filters import load_filters
from h5flow.io.moving import put_rows
from h5flow.storage.protocol import Rows, TableDescription

if TYPE_CHECKING:
    from h5flow.io.workers import Workers

__all__ = ["Table"]

Array = np.ndarray[Any, Any]

# Reading over a gap this wide costs less than one more call into HDF5.
JOINED_GAP_BYTES = 2**16
# What is read of a table at once to change single rows of it.
LARGEST_RUN_BYTES = 2**26
# What waits of a table at most, so that threads can pack a chunk each.
MOST_CHUNKS = 8


class Table:
    """A dataset with a buffer at its end.

    Rows at or beyond `_stored` (the extent in the file) and beyond the buffer were never
    written, so they are zero; appends therefore only ever touch the buffer.

    Parameters
    ----------
    dataset : h5py.Dataset
        Open for writing.
    require_room : callable, optional
        Called with a number of bytes before they are written; raises where the disk is full.
    workers : Workers, optional
        What packs chunks; without, HDF5 does.
    """

    def __init__(
        self,
        dataset: h5py.Dataset,
        require_room: Callable[[int], None] | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.dataset = dataset
        self._require_room = require_room
        self._workers = workers
        self.dtype: np.dtype[Any] = dataset.dtype
        self.row_shape: tuple[int, ...] = dataset.shape[1:]
        self.chunk_rows: int | None = dataset.chunks[0] if dataset.chunks else None
        self.length: int = dataset.shape[0]
        self.most_rows: int | None = dataset.maxshape[0]
        # HDF5 asks for them when it empties its cache, where nothing can be done any more.
        self.missing_filters = load_filters(dataset)
        # In memory rows have the file's own layout, also where fields are objects of Python.
        self._memory_type = h5py.h5t.py_create(self.dtype)
        self._stored: int = self.length
        self._tail_start: int = self.length
        self._tail: Array | None = None
        self._tail_rows = 0

    def describe(self) -> TableDescription:
        """Return what the table is, with the rows that wait in memory."""
        return TableDescription(
            self.dtype, self.row_shape, self.length, self.chunk_rows, self.most_rows
        )

    def extend(self, length: int) -> None:
        """Grow the table to `length` rows, the new ones zero; never shrinks it."""
        if length <= self.length:
            return
        if self.most_rows is not None and length > self.most_rows:
            raise DataError(
                f"{self.dataset.name} cannot grow to {length} rows: it was made with room for "
                f"{self.most_rows} only",
                advice="Write to a dataset that h5flow creates instead.",
            )
        self.length = length

    def write(self, rows: Rows, data: Array) -> None:
        """Write rows, growing the table where they are beyond its end.

        Parameters
        ----------
        rows : slice or numpy.ndarray
            With start and stop, or sorted unique indices.
        data : numpy.ndarray
            Of the table's dtype; shape (number of rows, *row shape). Kept, not copied.
        """
        if isinstance(rows, slice):
            self._write_run(rows.start, data)
            return
        for start, stop, part in self._runs(rows):
            if stop - start == part.stop - part.start:
                self._write_run(start, data[part])
            else:
                self.extend(stop)
                block = self.read(start, stop)
                put_rows(block, rows[part] - start, data[part])
                self._write_run(start, block)

    def update(self, rows: Array, change: Callable[[Array, slice], Array]) -> None:
        """Replace rows by what `change` makes of them.

        Parameters
        ----------
        rows : numpy.ndarray
            Sorted unique indices; those beyond the end are taken as zero.
        change : callable
            Called with a copy of the present rows of a part, and which part of `rows` they are.
        """
        from h5flow.io.reading import take_rows  # appends do without

        for start, stop, part in self._runs(rows):
            block = self.read(start, stop)
            within = rows[part] - start
            put_rows(block, within, change(take_rows(block, within), part))
            self._write_run(start, block)

    def read(self, start: int, stop: int) -> Array:
        """Return a copy of the rows ``start:stop``, zero beyond the end."""
        if start < self._tail_start + self._tail_rows and stop > self._tail_start:
            self._write_tail()
        if self.dtype.hasobject:
            self._resize(min(stop, self.length))  # HDF5 knows their empty values
        stored = min(max(self._stored - start, 0), stop - start)
        if stored == stop - start:
            return np.asarray(self.dataset[start:stop])
        block = np.zeros((stop - start, *self.row_shape), self.dtype)
        if stored:
            put_rows(block, slice(stored), self.dataset[start : start + stored])
        return block

    def near(self, rows: Array) -> Iterator[tuple[int, int]]:
        """Yield start and stop of each run of near rows, of sorted unique indices."""
        for start, stop, _ in self._runs(rows):
            yield start, stop

    def cut(self, length: int) -> None:
        """Remove the rows from `length` on; those that come there later are zero again."""
        self._tail_rows = max(0, min(self._tail_rows, length - self._tail_start))
        if self._stored > length:
            # Zero first: where the process is killed while HDF5 shrinks a dataset, what was in the
            # last chunk may come back with the rows that are appended next.
            size = max(1, LARGEST_RUN_BYTES // row_bytes(self.dtype, self.row_shape))
            for start in range(length, self._stored, size):
                self._blank(start, min(start + size, self._stored))
            self.dataset.flush()
            self.dataset.resize(length, axis=0)
            self._stored = length
        self.length = length
        if not self._tail_rows:
            self._tail_start = self._stored

    def _blank(self, start: int, stop: int) -> None:
        if self.dtype.hasobject:
            return  # HDF5 knows their empty values
        self._store_by_hdf5(start, np.zeros((stop - start, *self.row_shape), self.dtype))

    def flush(self, *, is_file_next: bool = False) -> h5py.Dataset:
        """Write what waits in memory, and return the dataset at its full length.

        Parameters
        ----------
        is_file_next : bool
            HDF5 is about to write what it has in memory to the file, and would pack a last chunk
            that is not full yet: better here, as full ones are.
        """
        self._write_tail(with_part_of_chunk=is_file_next)
        self._resize(self.length)
        return self.dataset

    def _runs(self, rows: Array) -> Iterator[tuple[int, int, slice]]:
        """Yield start and stop of each run of near rows, and which part of `rows` it is."""
        if not len(rows):
            return
        from h5flow.io.reading import near_runs  # appends do without

        size = row_bytes(self.dtype, self.row_shape)
        gap, largest = max(1, JOINED_GAP_BYTES // size), max(1, LARGEST_RUN_BYTES // size)
        for part in near_runs(rows, gap, largest):
            yield int(rows[part.start]), int(rows[part.stop - 1]) + 1, part

    def _write_run(self, start: int, data: Array) -> None:
        if not len(data):
            return
        stop = start + len(data)
        self.extend(stop)
        end = self._tail_start + self._tail_rows
        if start < max(self._stored, end):
            self._write_tail()
            self._store(start, data)
            self._tail_start = self._stored
            return
        gap = start - end
        if not self._tail_rows or gap > (self.chunk_rows or 0) or (gap and self.dtype.hasobject):
            self._write_tail()
            self._tail_start = start
        elif gap:
            self._append(np.zeros((gap, *self.row_shape), self.dtype))
        self._append(data)

    def _append(self, data: Array) -> None:
        """Take rows at the end of the tail: whole chunks go to the file, the rest waits."""
        chunk, most = self.chunk_rows or 1, self._full_tail
        while len(data):
            whole = (self._tail_start + len(data)) // chunk * chunk - self._tail_start
            if not self._tail_rows and whole >= most:
                self._store(self._tail_start, data[:whole])
                self._tail_start, data = self._tail_start + whole, data[whole:]
                continue
            if self._tail is None:
                self._tail = np.empty((most, *self.row_shape), self.dtype)
            # up to where a chunk ends
            full = self._tail_start // chunk * chunk + most - self._tail_start
            count = min(len(data), full - self._tail_rows)
            put_rows(self._tail, slice(self._tail_rows, self._tail_rows + count), data[:count])
            self._tail_rows, data = self._tail_rows + count, data[count:]
            if self._tail_rows == full:
                self._write_tail()

    def _write_tail(self, *, with_part_of_chunk: bool = False) -> None:
        if self._tail is None or not self._tail_rows:
            return
        tail = self._tail[: self._tail_rows]
        self._store(self._tail_start, tail, with_part_of_chunk=with_part_of_chunk)
        self._tail_start, self._tail_rows = self._tail_start + self._tail_rows, 0

    def _resize(self, length: int) -> None:
        if length > self._stored:
            self.dataset.resize(length, axis=0)
            self._stored = length

    @cached_property
    def _direct(self) -> DirectChunks | None:
        """What packs whole chunks, None where HDF5 does."""
        return None if self._workers is None else direct_chunks(self.dataset, self._workers)

    @cached_property
    def _full_tail(self) -> int:
        """Rows at which the tail is written: a chunk, or one for each thread that packs chunks."""
        chunks = 1 if self._direct is None else min(self._direct.threads, MOST_CHUNKS)
        return (self.chunk_rows or 1) * chunks

    def _store(self, start: int, data: Array, *, with_part_of_chunk: bool = False) -> None:
        """Write rows to the file, which grows where they are beyond its extent.

        Whole chunks that the file never had are packed here, with the beginning of another one
        that it never had if that is asked for; all else by HDF5.
        """
        data = np.ascontiguousarray(data, self.dtype)
        if self._require_room is not None:
            self._require_room(self._bytes_in_file(start, len(data)))
        stop = start + len(data)
        begin, end = self._new_chunks(start, stop)
        self._resize(stop)
        if self._direct is None or begin > end:
            self._store_by_hdf5(start, data)
            return
        self._store_by_hdf5(start, data[: begin - start])
        self._direct.write(begin, data[begin - start : end - start])
        rest = data[end - start :]
        if with_part_of_chunk and len(rest):
            self._direct.write(end, self._filled_up(rest))
        else:
            self._store_by_hdf5(end, rest)

    def _filled_up(self, rows: Array) -> Array:
        """Return a whole chunk that begins with some rows; the others are zero."""
        chunk = np.zeros((self.chunk_rows or 1, *self.row_shape), self.dtype)
        put_rows(chunk, slice(len(rows)), rows)
        return chunk

    def _new_chunks(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows in ``start:stop`` that are whole chunks which the file never had."""
        if not self.chunk_rows:
            return stop, stop
        begin = -(-max(start, self._stored) // self.chunk_rows) * self.chunk_rows
        return begin, stop // self.chunk_rows * self.chunk_rows

    def _store_by_hdf5(self, start: int, data: Array) -> None:
        if not len(data):
            return
        # The plain call of HDF5: h5py's assignment examines compound dtypes anew each time.
        in_file = self.dataset.id.get_space()
        in_file.select_hyperslab((start, *(0 for _ in self.row_shape)), data.shape)
        in_memory = h5py.h5s.create_simple(data.shape)
        self.dataset.id.write(in_memory, in_file, data, self._memory_type)

    def _bytes_in_file(self, start: int, count: int) -> int:
        """Return what rows take in the file at most: HDF5 writes whole chunks."""
        if self.chunk_rows:
            first = start // self.chunk_rows
            count = (-(-(start + count) // self.chunk_rows) - first) * self.chunk_rows
        return count * row_bytes(self.dtype, self.row_shape)
