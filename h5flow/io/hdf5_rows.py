"""Rows of a dataset by slices, each in one plain call of HDF5.

h5py examines the selection and the dtype anew each time, which takes longer than reading 64 KiB.
"""

from __future__ import annotations

import threading
from typing import Any

import h5py
import numpy as np

__all__ = ["HDF5Rows", "dataset_behind", "hdf5_rows"]

Array = np.ndarray[Any, Any]


def hdf5_rows(dataset: h5py.Dataset, *, is_changing: bool) -> HDF5Rows | None:
    """Return the rows of a dataset; None where h5py makes more of what HDF5 reads.

    That is, objects of Python, and further axes where each row is an array of HDF5.

    Parameters
    ----------
    dataset : h5py.Dataset
    is_changing : bool
        It may grow while the result is in use.
    """
    dtype = dataset.dtype
    if not dataset.shape or dtype.hasobject or dtype.subdtype is not None or not dtype.itemsize:
        return None
    return HDF5Rows(dataset, is_changing=is_changing)


def dataset_behind(rows: object) -> h5py.Dataset | None:
    """Return the dataset that something reads, or is itself; None where it is an array."""
    found = getattr(rows, "dataset", rows)
    return found if isinstance(found, h5py.Dataset) else None


class HDF5Rows:
    """The same rows as h5py's, in the same dtype.

    Parameters
    ----------
    dataset : h5py.Dataset
        Without objects of Python in its rows, which are no arrays of HDF5.
    is_changing : bool
        It may grow while the result is in use.
    """

    def __init__(self, dataset: h5py.Dataset, *, is_changing: bool) -> None:
        self.dataset = dataset
        self.dtype: np.dtype[Any] = dataset.dtype
        self.chunks: tuple[int, ...] | None = dataset.chunks
        self.id = dataset.id
        self.name = dataset.name
        self.file = dataset.file
        self._shape: tuple[int, ...] | None = None if is_changing else dataset.shape
        self._row_shape: tuple[int, ...] = dataset.shape[1:]
        self._memory_type = h5py.h5t.py_create(self.dtype)
        # Made once: of a table that does not grow, and of reads of one length.
        self._in_file = None if is_changing else dataset.id.get_space()
        self._in_memory: tuple[int, Any] = (-1, None)
        # A dataspace holds one selection: threads take turns, as they do inside of HDF5 anyway.
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then the shape of a row."""
        shape: tuple[int, ...] = self._shape or self.dataset.shape
        return shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice) -> Array:
        start, stop, step = key.indices(self.shape[0])
        if step != 1 or start >= stop:
            return np.asarray(self.dataset[key])
        rows = np.empty((stop - start, *self._row_shape), self.dtype)
        with self._lock:
            in_file = self._in_file or self.id.get_space()
            in_file.select_hyperslab((start, *(0 for _ in self._row_shape)), rows.shape)
            length, in_memory = self._in_memory
            if length != len(rows):
                in_memory = h5py.h5s.create_simple(rows.shape)
                self._in_memory = len(rows), in_memory
            self.id.read(in_memory, in_file, rows, self._memory_type)
        return rows
