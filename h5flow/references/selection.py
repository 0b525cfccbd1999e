"""Selections of rows, in any form that users write them, as row numbers."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.errors import DataError

if TYPE_CHECKING:
    from h5flow.references.regions import Int64Array

__all__ = ["select_rows"]


def select_rows(
    selection: Any, length: int, *, what: str = "the dataset", bounded: bool = True
) -> Int64Array:
    """Return the row numbers of a selection.

    Parameters
    ----------
    selection : None, slice, int, bool mask, or sequence or array of integers
        None is all rows, an int one row. Negative numbers count from the end, as in NumPy.
    length : int
        How many rows there are.
    what : str
        What is selected from, for messages.
    bounded : bool
        Whether `length` is the number of rows; where it is only an estimate, integers at or
        beyond it and masks of other lengths are taken as they are.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,), in the order of the selection, with its repeats.

    Raises
    ------
    DataError
        Not a selection, or one of rows that are not there.
    """
    if selection is None:
        return np.arange(length, dtype=np.int64)
    if isinstance(selection, slice):
        return np.arange(*_slice_indices(selection, length), dtype=np.int64)
    chosen = _as_array(selection)
    if chosen.dtype.kind == "b":
        if bounded and len(chosen) != length:
            raise DataError(
                f"a boolean selection has one value per row: {length:,} for {what}, "
                f"not {len(chosen):,}"
            )
        return np.flatnonzero(chosen).astype(np.int64, copy=False)
    rows = chosen.astype(np.int64)
    negative = rows < 0
    if negative.any():
        rows[negative] += length
    wrong = (rows < 0) | (rows >= length) if bounded else rows < 0
    if wrong.any():
        row = chosen[np.argmax(wrong)]
        raise DataError(f"row {row} is selected, but {what} has {length:,} rows")
    return rows


def _slice_indices(selection: slice, length: int) -> tuple[int, int, int]:
    try:
        return selection.indices(length)
    except (TypeError, ValueError) as error:
        raise DataError(f"{selection} is not a selection of rows: {error}") from error


def _as_array(selection: Any) -> np.ndarray[Any, Any]:
    """Return a selection as an array of integers or booleans, shape (n,)."""
    if isinstance(selection, (bool, np.bool_)):
        raise DataError("a single True or False does not select rows; give one value per row")
    try:
        return np.array([operator.index(selection)], np.int64)
    except TypeError:
        pass
    try:
        chosen = np.asarray(selection[:] if hasattr(selection, "id") else selection)
    except ValueError as error:
        raise DataError(f"this is not a selection of rows: {error}") from error
    if chosen.ndim == 1 and not len(chosen) and chosen.dtype.kind != "b":
        return np.zeros(0, np.int64)
    if chosen.ndim != 1 or chosen.dtype.kind not in "biu":
        shape = f" of shape {chosen.shape}" if chosen.ndim != 1 else ""
        raise DataError(
            f"rows are selected by a slice, an integer, or a list or array of integers or "
            f"booleans with one dimension, not by {chosen.dtype}{shape}"
        )
    return chosen
