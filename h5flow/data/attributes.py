"""Values of metadata, as HDF5 stores them."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from h5flow.errors import DataError

__all__ = ["as_attribute"]

Array = np.ndarray[Any, Any]


def as_attribute(name: str, value: Any) -> Any:
    """Return a value of metadata in a form that h5py stores.

    Raises
    ------
    DataError
        HDF5 has no attribute of that kind.
    """
    if isinstance(value, str | bytes | h5py.Reference | h5py.Empty):
        return value
    if value is None:
        return h5py.Empty("f4")
    array = _array(name, value)
    if array.dtype.kind == "U":
        return str(array) if array.ndim == 0 else array.astype(h5py.string_dtype())
    if array.dtype.kind == "O" and array.size and _all_references(array):
        return array.astype(h5py.ref_dtype)
    if array.dtype.kind == "O" and not _stored_objects(array):
        raise _refusal(name, type(value).__name__)
    if array.dtype.kind != "O":
        try:
            h5py.h5t.py_create(array.dtype, logical=True)
        except TypeError:
            raise _refusal(name, f"an array of {array.dtype}") from None
    return array


def _array(name: str, value: Any) -> Array:
    if np.ma.isMaskedArray(value):
        value = np.ma.filled(value, 0)
    try:
        return np.asarray(value)
    except ValueError:
        raise _refusal(name, f"a {type(value).__name__} of parts of unlike lengths") from None


def _refusal(name: str, kind: str) -> DataError:
    return DataError(
        f"the attribute '{name}' cannot be stored: {kind} is not a number, string, list of these "
        "or array",
        advice="Store mappings key by key, or as text (json.dumps).",
    )


def _all_references(array: Array) -> bool:
    return all(isinstance(item, h5py.Reference) for item in array.ravel())


def _stored_objects(array: Array) -> bool:
    if h5py.check_dtype(ref=array.dtype) or h5py.check_dtype(vlen=array.dtype):
        return True
    items = array.ravel()
    return bool(len(items)) and all(isinstance(item, str | bytes) for item in items)
