"""Selective reads: rows of a dataset in any order, from the blocks that hold them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from h5flow.errors import DataError
from h5flow.io.chunks import row_bytes
from h5flow.io.damage import DAMAGE, unreadable
from h5flow.io.metering import count_read

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "RowSource",
    "block_rows",
    "near_runs",
    "read_intervals",
    "read_rows",
    "read_slice",
    "take_rows",
]

Array = np.ndarray[Any, Any]
Int64Array: TypeAlias = "npt.NDArray[np.int64]"

# Reading over a gap this wide costs less than one more call into HDF5.
BLOCK_BYTES = 2**16
# What is held of a dataset at once, beside the rows that were asked for.
LARGEST_READ_BYTES = 2**26


class RowSource(Protocol):
    """Rows that can be read by slices: an ``h5py.Dataset`` or a NumPy array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then the shape of a row."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of a row."""
        ...

    def __getitem__(self, key: slice, /) -> Any:
        """Return rows as a NumPy array."""
        ...


def read_slice(dataset: RowSource, start: int, stop: int) -> Array:
    """Return the rows ``start:stop``, 0 <= start <= stop, as an array.

    Raises
    ------
    FileFormatError
        The file is damaged there, or has no filter for it.
    """
    begin = perf_counter()
    try:
        rows = np.asarray(dataset[start:stop])
    except DAMAGE as error:
        raise unreadable(f"rows {start} to {stop} of {_label(dataset)}", error) from error
    count_read(rows.nbytes, perf_counter() - begin)
    return rows


def read_intervals(dataset: RowSource, starts: Int64Array, stops: Int64Array) -> Array:
    """Return the rows of several intervals, one after the other.

    Parameters
    ----------
    dataset : h5py.Dataset or numpy.ndarray
        Shape (L, ...).
    starts, stops : numpy.ndarray
        int64, shape (M,): intervals within 0 and L; join those that are near each other first
        (`h5flow.references.regions.join_intervals` with `block_rows` as the gap).

    Returns
    -------
    numpy.ndarray
        Shape (sum of the lengths, ...), in the dataset's own dtype.
    """
    if len(starts) == 1:
        return read_slice(dataset, int(starts[0]), int(stops[0]))
    lengths = stops - starts
    rows = np.empty((int(lengths.sum()), *dataset.shape[1:]), dataset.dtype)
    begin = 0
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        rows[begin : begin + stop - start] = read_slice(dataset, start, stop)
        begin += stop - start
    return rows


def read_rows(dataset: RowSource, indices: Int64Array) -> Array:
    """Return rows by index; reads the blocks that hold them, each once.

    Parameters
    ----------
    dataset : h5py.Dataset or numpy.ndarray
        Shape (L, ...), any dtype.
    indices : numpy.ndarray
        int64, shape (N,), each at least 0 and less than L, in any order, repeats allowed.

    Returns
    -------
    numpy.ndarray
        Shape (N, ...), in the dataset's own dtype.

    Raises
    ------
    DataError
        An index is outside of the dataset.
    FileFormatError
        The file is damaged there.
    """
    _check_indices(dataset, indices)
    if not len(indices):
        return np.empty((0, *dataset.shape[1:]), dataset.dtype)
    first, last = int(indices[0]), int(indices[-1])
    are_consecutive = last - first == len(indices) - 1 and bool((np.diff(indices) == 1).all())
    if isinstance(dataset, np.ndarray):
        whole = np.asarray(dataset)
        return take_rows(whole, slice(first, last + 1) if are_consecutive else indices)
    if are_consecutive:
        return read_slice(dataset, first, last + 1)
    steps = np.diff(indices)
    if (steps >= 0).all():
        return _read_sorted(dataset, indices)
    order = np.argsort(indices, kind="stable")
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return take_rows(_read_sorted(dataset, indices[order]), back)


def take_rows(rows: Array, indices: Int64Array | slice) -> Array:
    """Return rows of an array, as a copy: ``rows[indices]``, but fast for wide rows."""
    width = rows.dtype.itemsize * math.prod(rows.shape[1:])
    simple = rows.ndim == 1 and rows.dtype.names is None
    if simple or rows.dtype.hasobject or not width or not len(rows) or not rows.flags.c_contiguous:
        return rows[indices].copy() if isinstance(indices, slice) else rows.take(indices, axis=0)
    # As opaque bytes a row is moved in one piece.
    opaque = rows.reshape(len(rows), -1).view(np.dtype(("V", width)))[:, 0]
    taken: Array = opaque[indices].copy() if isinstance(indices, slice) else opaque.take(indices)
    return taken.view(rows.dtype).reshape((len(taken), *rows.shape[1:]))


def block_rows(dataset: RowSource) -> int:
    """Return the number of rows that cost about as much to read as one of them, at least 1."""
    rows = max(1, BLOCK_BYTES // row_bytes(dataset.dtype, dataset.shape[1:]))
    chunks = getattr(dataset, "chunks", None)
    if chunks and dataset.id.get_create_plist().get_nfilters():  # type: ignore[attr-defined]
        # A filter decodes whole chunks, again in each read where the chunk is beyond the cache.
        rows = max(rows, int(chunks[0]))
    return rows


def _read_sorted(dataset: RowSource, indices: Int64Array) -> Array:
    rows = np.empty((len(indices), *dataset.shape[1:]), dataset.dtype)
    for part in near_runs(indices, block_rows(dataset), _largest_read(dataset)):
        first, last = int(indices[part.start]), int(indices[part.stop - 1])
        block = read_slice(dataset, first, last + 1)
        rows[part] = take_rows(block, indices[part] - first)
    return rows


def near_runs(indices: Int64Array, block: int, largest: int) -> Iterator[slice]:
    """Yield parts of ascending indices that are read together.

    Parameters
    ----------
    indices : numpy.ndarray
        int64, shape (N,), at least one.
    block : int
        Indices further apart than this are in different parts.
    largest : int
        The most rows that a part spans.
    """
    cuts = np.diff(indices) > block
    cuts |= np.diff(indices // largest) > 0
    bounds = [0, *(np.flatnonzero(cuts) + 1).tolist(), len(indices)]
    for start, stop in pairwise(bounds):
        yield slice(start, stop)


def _largest_read(dataset: RowSource) -> int:
    """Return the rows of the largest read: whole HDF5 chunks, so that none is decoded twice."""
    rows = max(1, LARGEST_READ_BYTES // row_bytes(dataset.dtype, dataset.shape[1:]))
    chunks = getattr(dataset, "chunks", None)
    return max(1, rows // chunks[0]) * int(chunks[0]) if chunks else rows


def _check_indices(dataset: RowSource, indices: Int64Array) -> None:
    if not dataset.shape:
        raise DataError(f"{_label(dataset)} has no rows to select: it is a single value")
    if len(indices) and (indices.min() < 0 or indices.max() >= dataset.shape[0]):
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise DataError(f"row {wrong} is not in {_label(dataset)}, which has {dataset.shape[0]}")


def _label(dataset: RowSource) -> str:
    name = getattr(dataset, "name", None)
    if name is None:
        return "the array"
    return f"{name} in {dataset.file.filename}"  # type: ignore[attr-defined]
