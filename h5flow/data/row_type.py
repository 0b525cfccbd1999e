"""What a row of a new dataset is: dtypes and shapes that users give, as the file will have them."""

from __future__ import annotations

import operator
from typing import Any

import h5py
import numpy as np

from h5flow.errors import DataError

__all__ = ["row_type", "same_dtype"]


def row_type(name: str, dtype: Any, shape: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return dtype and shape of a row as the file will have them.

    Parameters
    ----------
    name : str
        The dataset, for messages.
    dtype : dtype
        A sub-array's shape becomes part of the shape.
    shape : int or tuple of int

    Raises
    ------
    DataError
        Not a dtype, one that HDF5 does not have or without any bytes, or not a shape.
    """
    try:
        wanted = np.dtype(dtype)
    except TypeError as error:
        raise DataError(f"{name}: {dtype!r} is not a dtype: {error}") from None
    row_shape = _shape(name, shape)
    if wanted.subdtype is not None:
        wanted, inner = wanted.subdtype
        row_shape = (*row_shape, *inner)
    try:
        stored: np.dtype[Any] = h5py.h5t.py_create(wanted, logical=True).dtype
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: HDF5 has no type for rows of {wanted}: {error}",
            advice="For text take bytes ('S20') or h5py.string_dtype().",
        ) from None
    if not stored.itemsize or 0 in row_shape:
        raise DataError(f"{name}: rows of {wanted} {row_shape or ''} have no bytes".rstrip())
    return stored, row_shape


def same_dtype(one: np.dtype[Any], two: np.dtype[Any]) -> bool:
    """Return whether HDF5 stores both alike; to NumPy all text and jagged rows are objects."""
    if one != two:
        return False
    return bool(h5py.h5t.py_create(one, logical=True) == h5py.h5t.py_create(two, logical=True))


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    try:
        sides = (shape,) if hasattr(shape, "__index__") else tuple(shape)
        row_shape = tuple(operator.index(side) for side in sides)
    except TypeError:
        row_shape = (-1,)
    if min(row_shape, default=0) < 0:
        raise DataError(
            f"{name}: {shape!r} is not the shape of a row",
            advice="Give whole numbers, as in shape=(3,); a plain row has shape=().",
        )
    return row_shape
