"""Rows of packed tables read around HDF5, whose one lock lets a single core unpack them."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.io.chunk_index import ChunkIndex, chunk_index, has_plain_file
from h5flow.io.chunks import row_bytes
from h5flow.io.codecs import Pipeline, pipeline_of
from h5flow.io.damage import DAMAGE
from h5flow.io.descriptor import descriptor_of
from h5flow.io.packing.protocol import DamagedChunk, ShortChunk, UndecodableChunk

if TYPE_CHECKING:
    from h5flow.io.packing.protocol import Bytes
    from h5flow.io.workers import Workers

__all__ = ["DirectRows", "direct_rows"]

Array = np.ndarray[Any, Any]

# Chunks that were read in part are kept up to this, for the next read often begins in one; so are
# all of a table that takes no more, which may be read again and again. HDF5 does both, too.
KEPT_BYTES = 2**23
# A thread is given chunks of so much at once: sharing out costs about 50 µs.
SHARE_BYTES = 2**18
# No filter makes more than this of nothing: a larger size is damage, and is not read.
MOST_ADDED_BYTES = 2**10


def direct_rows(dataset: h5py.Dataset, workers: Workers) -> DirectRows | None:
    """Return the rows of a dataset, to be read around HDF5; None where only HDF5 can read them.

    Parameters
    ----------
    dataset : h5py.Dataset
        Nobody writes to it while the result is in use, and its file has all of it.
    workers : Workers
    """
    pipeline = pipeline_of(dataset)
    if pipeline is None or not has_plain_file(dataset):
        return None
    return DirectRows(dataset, pipeline, workers)


class DirectRows:
    """The rows of a dataset, by slices: the same as h5py's, also where it raises.

    Whatever cannot be read here (chunks that were never written, or are damaged) is left to h5py,
    but for damage that filters of HDF5 may not survive: that is an ``OSError``.

    Parameters
    ----------
    dataset : h5py.Dataset
    pipeline : Pipeline
        Its filters.
    workers : Workers
    """

    def __init__(self, dataset: h5py.Dataset, pipeline: Pipeline, workers: Workers) -> None:
        self.dataset = dataset
        self._pipeline = pipeline
        self._workers = workers
        self._kept = _KeptChunks(KEPT_BYTES // pipeline.chunk_bytes + 1)
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype
        self.chunks: tuple[int, ...] = dataset.chunks
        self.id = dataset.id
        self.name = dataset.name
        self.file = dataset.file
        self._row_bytes = row_bytes(self.dtype, self.shape[1:])
        self._keeps_all = self.shape[0] * self._row_bytes <= KEPT_BYTES

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice) -> Array:
        start, stop, step = key.indices(self.shape[0])
        rows = self._read(start, stop) if step == 1 and start < stop else None
        return np.asarray(self.dataset[key]) if rows is None else rows

    @cached_property
    def _index(self) -> ChunkIndex | None:
        """Where the chunks are; None where that cannot be read, or only in part."""
        try:
            return chunk_index(self.dataset)
        except (*DAMAGE, IndexError):
            return None

    def _read(self, start: int, stop: int) -> Array | None:
        """Return the rows ``start:stop``, None where h5py has to read them."""
        chunk_rows = self.chunks[0]
        first, last = start // chunk_rows, (stop - 1) // chunk_rows
        if self._index is None or not self._index.has_all(first, last):
            return None
        index = self._index
        rows = np.empty((stop - start, *self.shape[1:]), self.dtype)
        target = rows.reshape(-1).view(np.uint8)
        share = max(1, SHARE_BYTES // self._pipeline.chunk_bytes)
        shares = [
            range(number, min(number + share, last + 1)) for number in range(first, last + 1, share)
        ]
        try:
            with descriptor_of(self.id) as descriptor:

                def fill(numbers: range) -> None:
                    for number in numbers:
                        self._fill(index, descriptor, number, start, target)

                if len(shares) == 1:
                    fill(shares[0])
                else:
                    for _ in self._workers.each(fill, shares, ahead=len(shares)):
                        pass
        except DamagedChunk as error:
            raise OSError(str(error)) from error
        except (UndecodableChunk, OSError):
            return None
        return rows

    def _fill(
        self, index: ChunkIndex, descriptor: int, number: int, start: int, target: Bytes
    ) -> None:
        """Put the rows of a chunk to where they belong in `target`, which begins at row `start`."""
        size = self._pipeline.chunk_bytes
        begin = number * size - start * self._row_bytes
        part = target[max(begin, 0) : begin + size]
        chunk = self._kept.find(number)
        if chunk is None and len(part) == size and not self._keeps_all:
            self._decode(index, descriptor, number, part)
            return
        if chunk is None:
            chunk = np.empty(size, np.uint8)
            self._decode(index, descriptor, number, chunk)
            self._kept.keep(number, chunk)
        skipped = max(-begin, 0)
        part[...] = chunk[skipped : skipped + len(part)]

    def _decode(self, index: ChunkIndex, descriptor: int, number: int, chunk: Bytes) -> None:
        size, offset = int(index.sizes[number]), int(index.offsets[number])
        if size > 2 * len(chunk) + MOST_ADDED_BYTES:
            raise UndecodableChunk("it is far too large")
        data = os.pread(descriptor, size, offset)
        if len(data) != size:
            raise UndecodableChunk("the file ends before it")
        skipped = int(index.skipped[number])
        try:
            self._pipeline.decode(np.frombuffer(data, np.uint8), skipped, chunk)
        except DamagedChunk as error:
            raise self._damaged(number, error) from error
        except ShortChunk as error:
            # Some programs leave out what lies beyond the last row: that is of no use to anyone.
            if error.size < self.shape[0] * self._row_bytes - number * len(chunk):
                raise self._damaged(number, error) from error
            raise

    def _damaged(self, number: int, error: Exception) -> DamagedChunk:
        first = number * self.chunks[0]
        rows = f"the chunk of rows {first} to {first + self.chunks[0]}"
        return DamagedChunk(f"{rows} is damaged: {error}")


class _KeptChunks:
    """The chunks that were used last, unpacked; several threads may ask for them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._chunks: OrderedDict[int, Bytes] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, number: int) -> Bytes | None:
        with self._lock:
            if number in self._chunks:
                self._chunks.move_to_end(number)
            return self._chunks.get(number)

    def keep(self, number: int, chunk: Bytes) -> None:
        with self._lock:
            self._chunks[number] = chunk
            if len(self._chunks) > self._most:
                self._chunks.popitem(last=False)
