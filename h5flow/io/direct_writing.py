"""Whole chunks of packed tables written around HDF5's filters, which use a single core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from h5flow.io.codecs import Pipeline
    from h5flow.io.packing.protocol import Bytes
    from h5flow.io.workers import Workers

__all__ = ["DirectChunks", "direct_chunks"]


def direct_chunks(dataset: h5py.Dataset, workers: Workers) -> DirectChunks | None:
    """Return what packs chunks of a dataset; None where only HDF5 can do it."""
    if dataset.chunks is None or not dataset.id.get_create_plist().get_nfilters():
        return None
    from h5flow.io.codecs import pipeline_of  # plain tables do without

    pipeline = pipeline_of(dataset)
    return None if pipeline is None else DirectChunks(dataset, pipeline, workers)


class DirectChunks:
    """Packs whole chunks in several threads, and has HDF5 store them as they are.

    Parameters
    ----------
    dataset : h5py.Dataset
        Open for writing.
    pipeline : Pipeline
        Its filters.
    workers : Workers
    """

    def __init__(self, dataset: h5py.Dataset, pipeline: Pipeline, workers: Workers) -> None:
        self._dataset = dataset
        self._pipeline = pipeline
        self._workers = workers
        self._chunk_rows: int = dataset.chunks[0]

    @property
    def threads(self) -> int:
        """How many chunks are packed at the same time."""
        return self._workers.threads

    def write(self, start: int, rows: np.ndarray[Any, Any]) -> None:
        """Write chunks that were never written before, within the dataset's extent.

        Parameters
        ----------
        start : int
            Their first row, where a chunk begins.
        rows : numpy.ndarray
            Of whole chunks, in the dataset's dtype, contiguous.
        """
        count = len(rows) // self._chunk_rows
        further_axes = (0,) * (rows.ndim - 1)

        def encode(number: int) -> Bytes:
            begin = number * self._chunk_rows
            return self._pipeline.encode(rows[begin : begin + self._chunk_rows])

        numbers = range(count)
        encoded = self._workers.each(encode, numbers) if count > 1 else map(encode, numbers)
        for number, chunk in enumerate(encoded):
            offset = (start + number * self._chunk_rows, *further_axes)
            self._dataset.id.write_direct_chunk(offset, chunk)
