"""Pairs brought into the order of their rows, by steps that take the same time for any numbers.

NumPy sorts 16-bit integers by counting, and short rows of a rectangle in a fraction of the time
that one long array takes: both together are faster than sorting a key of 64 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from h5flow.references.regions import Int64Array

__all__ = ["grouping", "sort_rows"]

DIGIT_BITS = 16
# So few are told apart one by one sooner than they are sorted.
FEW_DIGITS = 4


def grouping(slots: Int64Array, count: int) -> Int64Array | None:
    """Return the order that brings equal slots together, None where they are in order already.

    Parameters
    ----------
    slots : numpy.ndarray
        int64, shape (T,), each at least 0 and less than `count`.
    count : int

    Returns
    -------
    numpy.ndarray or None
        int64, shape (T,): ascending slots; equal ones stay as they stand.

    Examples
    --------
    >>> grouping(np.array([1, 0, 1, 0]), 2).tolist()
    [1, 3, 0, 2]
    """
    if not (slots[1:] < slots[:-1]).any():
        return None
    order: Int64Array | None = None
    for low in range(0, max(1, (count - 1).bit_length()), DIGIT_BITS):
        # the cast keeps the lowest bits
        few = np.uint8 if count - 1 < 1 << (low + 8) else np.uint16
        digits = (slots >> low).astype(few) if low else slots.astype(few)
        if order is None:
            order = np.argsort(digits, kind="stable")
            continue
        digits, most = digits.take(order), (count - 1) >> low
        if most < FEW_DIGITS:
            order = np.concatenate([order.compress(digits == each) for each in range(most + 1)])
        else:
            order = order.take(np.argsort(digits, kind="stable"))
    return order


def sort_rows(offsets: Int64Array, values: Int64Array) -> Int64Array:
    """Return values ascending within each row: themselves where they are, else a copy.

    Parameters
    ----------
    offsets : numpy.ndarray
        int64, shape (n + 1,): row i has ``values[offsets[i]:offsets[i + 1]]``.
    values : numpy.ndarray
        int64, shape (total,).

    Examples
    --------
    >>> sort_rows(np.array([0, 2, 2, 5]), np.array([4, 3, 9, 7, 8])).tolist()
    [3, 4, 7, 8, 9]
    """
    descends = values[1:] < values[:-1]
    within = np.ones(len(values) + 1, np.bool_)
    # a descent from one row to the next is in order
    within[offsets] = False
    descends &= within[1:-1]
    if not descends.any():
        return values
    counts = np.diff(offsets)
    width = int(counts[0])
    if (counts == width).all():
        return np.sort(values.reshape(-1, width), axis=1).reshape(-1)
    rows = np.flatnonzero(counts > 1)
    # rows of about the same length are sorted as a rectangle, filled up with the largest number
    classes = np.ceil(np.log2(counts[rows])).astype(np.int64)
    values = values.copy()
    for each in np.unique(classes):
        _sort_as_rectangle(values, offsets[rows[classes == each]], counts[rows[classes == each]])
    return values


def _sort_as_rectangle(values: Int64Array, starts: Int64Array, counts: Int64Array) -> None:
    """Sort rows that begin at `starts`, in place."""
    places = np.arange(counts.max(), dtype=np.int64)
    filled = places < counts[:, None]
    where = (starts[:, None] + places)[filled]
    rectangle = np.full(filled.shape, np.iinfo(np.int64).max)
    rectangle[filled] = values[where]
    rectangle.sort(axis=1)
    values[where] = rectangle[filled]
