"""Linked rows as a rectangle: a masked array, zero where there is no row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.arrays import dtype_of
from h5flow.errors import PaddingError

if TYPE_CHECKING:
    from h5flow.references.regions import Int64Array

__all__ = [
    "PADDING_BUDGET",
    "check_budget",
    "full_mask",
    "masked_rows",
    "pad_cells",
    "rank_in_row",
    "zero_rows",
]

# One row of 10^5 references in a chunk of 65,536 makes 524 GB; jagged it is 0.17 GB.
PADDING_BUDGET = 4 * 2**30


def rank_in_row(offsets: Int64Array) -> Int64Array:
    """Return the place of each value in its own row, counted from 0, shape (total,)."""
    ranks: Int64Array = np.arange(offsets[-1], dtype=np.int64)
    ranks -= np.repeat(offsets[:-1], np.diff(offsets))
    return ranks


def pad_cells(
    shape: tuple[int, ...],
    cells: Int64Array,
    values: np.ndarray[Any, Any],
    *,
    budget: int | None = None,
) -> np.ma.MaskedArray[Any, Any]:
    """Return a masked array with `values` in the given cells.

    Parameters
    ----------
    shape : tuple of int
        Shape of the cells, (n, w) or (n, w1, w2, ...).
    cells : numpy.ndarray
        int64, shape (total,), strictly ascending: which cell, in C order, each value goes to.
    values : numpy.ndarray
        Shape (total, ...), any dtype.
    budget : int, optional
        The most bytes that data and mask may take; by default `PADDING_BUDGET`.

    Returns
    -------
    numpy.ma.MaskedArray
        Shape (*shape, *values.shape[1:]). Cells without a value are zero and masked; the mask is
        always a whole array, structured as the dtype is.

    Raises
    ------
    PaddingError
        The result would take more than the budget.
    """
    tail = values.shape[1:]
    check_budget(shape, values, PADDING_BUDGET if budget is None else budget)
    count = math.prod(shape)
    if len(cells) == count:
        # A rectangle already: ascending cells are then all cells in order.
        data = values.reshape(shape + tail)
        mask = np.zeros(data.shape, np.ma.make_mask_descr(values.dtype))
    else:
        data, masked = zero_rows((count, *tail), values.dtype), np.ones(count, np.bool_)
        _scatter(data, cells, values)
        masked[cells] = False
        data = data.reshape(shape + tail)
        mask = full_mask(masked, tail, values.dtype).reshape(data.shape)
    return masked_rows(data, mask)


def masked_rows(
    data: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]
) -> np.ma.MaskedArray[Any, Any]:
    """Return rows with a whole mask of theirs, neither of them copied."""
    # NumPy gives structured rows its fill value of 1e20 at once, which is too much for a field of
    # f2: it warns of an overflow in rows that have none.
    with np.errstate(over="ignore"):
        # keep_mask would combine it with an empty one, field by field.
        return np.ma.MaskedArray(data, mask=mask, keep_mask=False)


def full_mask(
    masked: np.ndarray[Any, np.dtype[np.bool_]], tail: tuple[int, ...], dtype: np.dtype[Any]
) -> np.ndarray[Any, Any]:
    """Return a mask of whole cells as ``numpy.ma`` has it for a dtype, shape (N, *tail).

    Examples
    --------
    >>> full_mask(np.array([True, False]), (), np.dtype([("x", "f8"), ("y", "i4", (2,))]))
    array([( True, [ True,  True]), (False, [False, False])],
          dtype=[('x', '?'), ('y', '?', (2,))])
    """
    mask_dtype = np.ma.make_mask_descr(dtype)
    if not mask_dtype.itemsize:
        return np.zeros((len(masked), *tail), mask_dtype)
    # A mask's dtype is nothing but booleans, packed.
    flags = np.repeat(masked, math.prod(tail) * mask_dtype.itemsize)
    return flags.view(mask_dtype).reshape((len(masked), *tail))


def zero_rows(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return rows of zeros; the zero of a string of variable length is the empty one."""
    rows = np.zeros(shape, dtype)
    if dtype.hasobject:
        _clear_objects(rows, dtype)
    return rows


def _clear_objects(rows: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> None:
    if dtype.names is not None:
        for name in dtype.names:
            _clear_objects(rows[name], dtype[name])
    elif dtype.subdtype is not None:
        _clear_objects(rows, dtype.subdtype[0])
    elif dtype.hasobject:
        metadata: Mapping[str, Any] = dtype.metadata or {}
        kind = metadata.get("vlen")
        if kind in (str, bytes):
            rows[...] = b""
        elif kind is not None:
            for position in np.ndindex(rows.shape):
                rows[position] = np.zeros(0, kind)


def _scatter(data: np.ndarray[Any, Any], cells: Int64Array, values: np.ndarray[Any, Any]) -> None:
    width = data.dtype.itemsize * math.prod(data.shape[1:])
    if data.dtype.hasobject or not width or not len(values):
        data[cells] = values
        return
    # NumPy moves opaque bytes several times faster than structured rows.
    raw = np.dtype(("V", width))
    source = np.ascontiguousarray(values).reshape(len(values), -1).view(raw)[:, 0]
    data.reshape(len(data), -1).view(raw)[:, 0][cells] = source


def check_budget(shape: tuple[int, ...], values: Any, budget: int) -> None:
    """Refuse padding that takes more bytes, data and mask, than are allowed.

    Raises
    ------
    PaddingError
    """
    dtype = dtype_of(values)
    cell = math.prod(values.shape[1:])
    jagged = values.shape[0] * cell * dtype.itemsize
    cell *= dtype.itemsize + np.ma.make_mask_descr(dtype).itemsize
    needed = math.prod(shape) * cell
    if needed <= budget:
        return
    widths = " x ".join(f"{width:,}" for width in shape[1:])
    raise PaddingError(
        f"padding {shape[0]:,} rows to the largest number of references of a row ({widths}) takes "
        f"{needed / 1e9:,.3g} GB, more than the {budget / 1e9:,.3g} GB that are allowed",
        advice="Use `layout: jagged`, in Python `dereference_jagged`, which takes "
        f"{jagged / 1e9:,.3g} GB.",
    )
