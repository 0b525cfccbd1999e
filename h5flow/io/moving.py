"""Structured rows moved as opaque bytes: NumPy moves these at once, others field by field."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["copy_rows", "put_rows"]

Array = np.ndarray[Any, Any]


def copy_rows(rows: Array) -> Array:
    """Return a new array of the same rows, contiguous: `numpy.array`, but up to 8 times faster."""
    if not _can_be_opaque(rows.dtype):
        return np.array(rows, order="C", subok=False)
    return np.array(_opaque(rows), order="C").view(rows.dtype)


def put_rows(target: Array, places: Any, values: Array) -> None:
    """Do ``target[places] = values``, up to 8 times faster.

    Parameters
    ----------
    target, values : numpy.ndarray
        Of any dtypes: those that differ are assigned as NumPy does.
    places : slice or numpy.ndarray
        Of the first axis.
    """
    if target.dtype == values.dtype and _can_be_opaque(target.dtype):
        _opaque(target)[places] = _opaque(values)
    else:
        target[places] = values


def _can_be_opaque(dtype: np.dtype[Any]) -> bool:
    return dtype.names is not None and not dtype.hasobject and dtype.itemsize > 0


def _opaque(rows: Array) -> Array:
    return np.asarray(rows).view(np.dtype(("V", rows.dtype.itemsize)))
