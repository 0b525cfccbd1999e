"""Selective reads: rows of a dataset in any order, from the blocks that hold them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from h5flow.errors import DataError
from h5flow.io.chunks import row_bytes
from h5flow.io.damage import DAMAGE, unreadable
from h5flow.io.installed_filters import load_filters, unknown_filters, without_filters
from h5flow.io.metering import count_read
from h5flow.io.plain_rows import PlainRows, plain_rows
from h5flow.references.regions import Int64Array, join_intervals

__all__ = [
    "RowSource",
    "block_rows",
    "near_runs",
    "read_intervals",
    "read_rows",
    "read_slice",
    "read_union",
    "take_rows",
]

Array = np.ndarray[Any, Any]

# Reading over a gap this wide costs less than one more call into HDF5.
BLOCK_BYTES = 2**16
# So many calls, or rows read in vain, are not worth to look for the places of rows in the file.
FEW_READS, FEW_ROWS = 8, 2**12
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
        what = f"rows {start} to {stop} of {_label(dataset)}"
        if not unknown_filters(dataset):
            raise unreadable(what, error) from error
        missing = load_filters(dataset)
        if not missing:
            return read_slice(dataset, start, stop)
        raise without_filters(f"{what} cannot be read", missing) from error
    count_read(rows.nbytes, perf_counter() - begin)
    return rows


def read_union(
    dataset: RowSource, starts: Int64Array, stops: Int64Array
) -> tuple[Array, Int64Array, Int64Array]:
    """Return the rows of the union of intervals, and perhaps of small gaps in between.

    Parameters
    ----------
    dataset : h5py.Dataset or numpy.ndarray
        Shape (L, ...).
    starts, stops : numpy.ndarray
        int64, shape (M,): intervals within 0 and L, in any order; they may overlap or be empty.

    Returns
    -------
    rows : numpy.ndarray
        Shape (sum of the lengths, ...), in the dataset's own dtype.
    starts, stops : numpy.ndarray
        int64: the intervals that were read, disjoint and ascending.
    """
    joined = join_intervals(starts, stops, block_rows(dataset))
    if _are_scattered(int((stops - starts).sum()), *joined):
        plain = plain_rows(dataset, len(starts))
        if plain is not None:
            near = join_intervals(starts, stops, plain.block_rows)
            return _read_plain(dataset, plain, *near), *near
    return read_intervals(dataset, *joined), *joined


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
    if not dataset.shape or not len(indices):
        _check_indices(dataset, indices)
        return np.empty((0, *dataset.shape[1:]), dataset.dtype)
    first, last = int(indices[0]), int(indices[-1])
    are_consecutive = last - first == len(indices) - 1 and bool((np.diff(indices) == 1).all())
    _check_indices(dataset, indices[[0, -1]] if are_consecutive else indices)
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
    block, largest = block_rows(dataset), _largest_read(dataset)
    _, starts, stops = _near_intervals(indices, block)
    if _are_scattered(len(indices), starts, stops):
        plain = plain_rows(dataset, len(indices))
        if plain is not None:
            return _read_scattered(dataset, plain, indices, largest)
    rows = np.empty((len(indices), *dataset.shape[1:]), dataset.dtype)
    for part in near_runs(indices, block, largest):
        first, last = int(indices[part.start]), int(indices[part.stop - 1])
        found = read_slice(dataset, first, last + 1)
        rows[part] = take_rows(found, indices[part] - first)
    return rows


def _near_intervals(indices: Int64Array, gap: int) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return where each interval of near indices ends among them, and what it spans."""
    ends = np.append(np.flatnonzero(np.diff(indices) > gap) + 1, len(indices))
    begins = np.concatenate(([0], ends[:-1]))
    return ends, indices[begins], indices[ends - 1] + 1


def _are_scattered(wanted: int, starts: Int64Array, stops: Int64Array) -> bool:
    """Say whether so many rows lie far apart: in many places, or with much between them."""
    if len(starts) > FEW_READS:
        return True
    return bool(len(starts) and int((stops - starts).sum()) > 2 * wanted + FEW_ROWS)


def _read_scattered(
    dataset: RowSource, plain: PlainRows, indices: Int64Array, largest: int
) -> Array:
    """Return rows by ascending indices, as many at once as may be held."""
    rows = np.empty((len(indices), *dataset.shape[1:]), dataset.dtype)
    ends, starts, stops = _near_intervals(indices, plain.block_rows)
    held, begin = np.cumsum(stops - starts), 0
    while begin < len(ends):
        before = int(held[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(held, before + largest, side="right")))
        chosen = slice(int(ends[begin - 1]) if begin else 0, int(ends[end - 1]))
        found = _read_plain(dataset, plain, starts[begin:end], stops[begin:end])
        # where each part begins in what was read
        shift = held[begin:end] - before - stops[begin:end]
        sizes = np.diff(ends[begin:end], prepend=chosen.start)
        rows[chosen] = take_rows(found, indices[chosen] + np.repeat(shift, sizes))
        begin = end
    return rows


def _read_plain(
    dataset: RowSource, plain: PlainRows, starts: Int64Array, stops: Int64Array
) -> Array:
    begin = perf_counter()
    try:
        rows = plain.read(starts, stops)
    except OSError as error:
        what = f"rows {starts[0]} to {stops[-1]} of {_label(dataset)}"
        raise unreadable(what, error) from error
    count_read(rows.nbytes, perf_counter() - begin)
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
