"""Which rows a write goes to: slices and index arrays, checked against the dataset's length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from h5flow.data.conversion import as_count
from h5flow.errors import DataError
from h5flow.storage.protocol import Rows

__all__ = ["Reorder", "rows_to_write", "slice_to_reserve"]


@dataclass(frozen=True)
class Reorder:
    """How data in the order that was asked for come into the order of the rows."""

    asked: int
    take: np.ndarray[Any, np.dtype[np.int64]]


def slice_to_reserve(name: str, rows: slice) -> slice:
    """Return a slice with start and stop.

    Raises
    ------
    DataError
        It has no stop, a step, or is negative.
    """
    if rows.stop is None or rows.step not in {None, 1}:
        raise DataError(f"{name}: a slice to reserve has a stop and no step, unlike {rows}")
    start = as_count(name, 0 if rows.start is None else rows.start)
    return slice(start, max(start, as_count(name, rows.stop)))


def rows_to_write(name: str, rows: Any, length: int) -> tuple[Rows, Reorder | None]:
    """Return the rows of a write, in order, and how the data must be ordered for them.

    Parameters
    ----------
    name : str
        The dataset, for messages.
    rows : slice or array-like
        Indices may come in any order and repeat; of equal ones the last is written.
    length : int
        Number of rows reserved by now.

    Raises
    ------
    DataError
        The rows are not reserved, negative, or not integers.
    """
    if isinstance(rows, slice):
        if rows.step not in {None, 1}:
            raise DataError(f"{name}: rows to write are a slice without a step, unlike {rows}")
        start = as_count(name, 0 if rows.start is None else rows.start)
        stop = length if rows.stop is None else as_count(name, rows.stop)
        _check_reserved(name, stop, length)
        return slice(start, max(start, stop)), None
    if isinstance(rows, int | np.integer) and not isinstance(rows, bool):
        start = as_count(name, rows)
        _check_reserved(name, start + 1, length)
        return slice(start, start + 1), None
    indices = np.asarray(rows)
    if indices.dtype == bool and indices.ndim == 1:
        if len(indices) != length:
            raise DataError(f"{name}: a mask of {len(indices)} for {length} rows")
        indices = np.flatnonzero(indices)
    if indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iu"):
        raise DataError(
            f"{name}: rows to write are a slice or a list of integers, not {rows!r}",
            advice="reserve_data returns the slice to write to.",
        )
    indices = indices.astype(np.int64)
    if not len(indices):
        return slice(0, 0), None
    if indices.min() < 0:
        raise DataError(f"{name}: {indices.min()} is negative and cannot be the number of a row")
    _check_reserved(name, int(indices.max()) + 1, length)
    if len(indices) == 1 or bool((np.diff(indices) > 0).all()):
        return indices, None
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    return ordered[last], Reorder(len(indices), order[last])


def _check_reserved(name: str, stop: int, length: int) -> None:
    if stop > length:
        raise DataError(
            f"{name}: rows up to {stop} are to be written, but {length} are reserved",
            advice="Reserve them first: rows = data_manager.reserve_data(name, n).",
        )
