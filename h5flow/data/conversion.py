"""What users hand over, as rows of a dataset's dtype; refused where something would be lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from h5flow.errors import DataError, did_you_mean
from h5flow.io.moving import copy_rows, put_rows
from h5flow.storage.protocol import TableDescription

__all__ = ["as_rows"]

Array = np.ndarray[Any, Any]


def as_rows(name: str, table: TableDescription, count: int, data: Any) -> Array:
    """Return `data` as a new array of rows.

    Parameters
    ----------
    name : str
        The dataset, for messages.
    table : TableDescription
        What a row is.
    count : int
        How many rows there must be.
    data : array-like or mapping of str to array-like
        Rows, or columns by field. A structured array may have more fields than the dataset.
        Masked cells become 0.

    Returns
    -------
    numpy.ndarray
        A copy, shape (count, *row shape).

    Raises
    ------
    DataError
        Wrong length, missing or unknown field, or values that the dtype cannot hold.
    """
    shape = (count, *table.row_shape)
    if isinstance(data, np.ndarray) and data.shape == shape and _is_whole(data, table.dtype):
        return copy_rows(data)
    rows = np.zeros(shape, table.dtype)
    if isinstance(data, Mapping):
        _check_fields(name, table, list(data), refuse_more=True)
        for field, column in data.items():
            label = f"{name}, field '{field}'"
            _fill(label, rows[field], _host(label, column, rows[field].dtype), count)
        return rows
    values = _host(name, data, table.dtype)
    if values.ndim == 0 and count == 1:
        values = values[np.newaxis]
    if len(values.shape) == 0 or values.shape[0] != count:
        found = values.shape[0] if values.ndim else "a single value"
        raise DataError(
            f"{name}: {count} rows are to be written, but the data have {found}",
            advice="Reserve as many rows as there are: reserve_data(name, len(data)).",
        )
    if table.dtype.names is None:
        if values.dtype.names is not None:
            raise DataError(
                f"{name}: the dataset has rows of {table.dtype}, the data have fields "
                f"{', '.join(values.dtype.names)}",
                advice="Hand over one of them: data['field'].",
            )
        _fill(name, rows, values, count)
        return rows
    if values.dtype.names is None:
        if count == 0 and values.size == 0:
            return rows
        raise DataError(
            f"{name}: the dataset has fields {', '.join(table.dtype.names)}, the data "
            f"({values.dtype}) have none",
            advice="Hand over a structured array, or columns by name: {'field': values}.",
        )
    _check_fields(name, table, list(values.dtype.names), refuse_more=False)
    _fill_fields(name, rows, values)
    return rows


def _host(name: str, data: Any, dtype: np.dtype[Any]) -> Array:
    """Return data as an array; rows of no common length as an array of arrays."""
    if isinstance(data, np.ndarray) and data.dtype.hasobject:
        return data
    if _base_of_jagged(dtype) is not None and not isinstance(data, str):
        items = list(data)
        rows = np.empty(len(items), object)
        for index, item in enumerate(items):
            rows[index] = item
        return rows
    try:
        return data if isinstance(data, np.ndarray) else np.asanyarray(data)
    except ValueError as error:
        raise DataError(f"{name}: the data are not an array: {error}") from None


def _fill_fields(name: str, rows: Array, values: Array) -> None:
    names = rows.dtype.names or ()
    if _is_whole(values, rows.dtype):
        put_rows(rows, ..., values)
        return
    for field in names:
        _fill(f"{name}, field '{field}'", rows[field], values[field], len(rows))


def _is_whole(values: Array, dtype: np.dtype[Any]) -> bool:
    """Return whether rows are what the table holds, and nothing about them is to be checked."""
    return not np.ma.isMaskedArray(values) and _same_layout(dtype, values.dtype)


def _same_layout(ours: np.dtype[Any], theirs: np.dtype[Any]) -> bool:
    return ours == theirs and ours.names == theirs.names and not ours.hasobject


def _check_fields(
    name: str, table: TableDescription, given: list[str], *, refuse_more: bool
) -> None:
    wanted = list(table.dtype.names or ())
    if not wanted:
        raise DataError(f"{name}: columns by name were given, but the dataset has no fields")
    missing = [field for field in wanted if field not in given]
    unknown = [field for field in given if field not in wanted]
    if not missing and not (unknown and refuse_more):
        return
    parts = []
    if missing:
        parts.append(f"the data lack {', '.join(repr(field) for field in missing)}")
    parts += [
        f"there is no field '{field}'{did_you_mean(field, missing or wanted)}" for field in unknown
    ]
    raise DataError(f"{name}: {'; '.join(parts)}", advice=f"Its fields are {', '.join(wanted)}.")


def _fill(name: str, target: Array, values: Array, count: int) -> None:
    """Put values into rows of zeros, field by field where there are fields."""
    if target.dtype.names is not None and values.dtype.names is not None:
        nested = TableDescription(target.dtype, target.shape[1:], count)
        _check_fields(name, nested, list(values.dtype.names), refuse_more=False)
        _fill_fields(name, target, values)
        return
    if values.shape != target.shape:
        if not (values.size == 0 and count == 0):
            raise DataError(
                f"{name}: the data have shape {values.shape}, where {target.shape} is needed"
            )
        return
    if np.ma.isMaskedArray(values):
        values = _without_masked(values, target.dtype)
    target[...] = _cast(name, values, target.dtype)


def _without_masked(values: Any, dtype: np.dtype[Any]) -> Array:
    mask = np.ma.getmaskarray(values)
    filled = np.array(values.data, object if dtype.kind == "O" else None, copy=True, subok=False)
    if dtype.kind == "O":
        filled[mask] = _empty_object(dtype)
    elif filled.dtype.names is None:
        filled[mask] = np.zeros((), filled.dtype)
    return filled


def _cast(name: str, values: Array, dtype: np.dtype[Any]) -> Array:
    """Return values in `dtype`; whole numbers and strings must come through unchanged."""
    if dtype.kind == "O":
        return _cast_to_objects(name, values, dtype)
    if values.dtype == dtype or not values.size:
        return values.astype(dtype, copy=False)
    if dtype.kind in "iub" and values.dtype.kind in "iufb":
        return _cast_to_whole(name, values, dtype)
    if dtype.kind == "S" and values.dtype.kind in "SUO":
        return _cast_to_bytes(name, values, dtype)
    same_kind = np.can_cast(values.dtype, dtype, "same_kind")
    whole_to_float = values.dtype.kind in "iub" and dtype.kind in "fc"
    if dtype.kind == "S" or not (same_kind or whole_to_float):
        raise DataError(f"{name}: {values.dtype} cannot be stored as {dtype}")
    return values.astype(dtype)


def _cast_to_whole(name: str, values: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(invalid="ignore"):
        cast = values.astype(dtype)
    # The range is checked apart: comparing int64 with uint64 would go through float64.
    lost = cast != values
    if dtype.kind != "b":
        limits = np.iinfo(dtype)
        if values.dtype.kind == "f":
            lost |= (values < limits.min) | (values >= float(limits.max) + 1.0)
        elif values.dtype.kind in "iu":
            lost |= (values < max(limits.min, np.iinfo(values.dtype).min)) | (
                values > min(limits.max, np.iinfo(values.dtype).max)
            )
            if limits.min == 0 and values.dtype.kind == "i":
                lost |= values < 0
    if lost.any():
        raise DataError(
            f"{name}: the value {values[lost].ravel()[0]} ({values.dtype}) cannot be stored as "
            f"{dtype}",
            advice="Convert it before, for example with numpy.rint or a wider dtype.",
        )
    return cast


def _cast_to_bytes(name: str, values: Array, dtype: np.dtype[Any]) -> Array:
    if values.dtype.kind == "O":
        values = _encoded(name, values)
    encoded = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
    if encoded.dtype.itemsize > dtype.itemsize:
        longest = max(encoded.ravel(), key=len)
        if len(longest) > dtype.itemsize:
            raise DataError(
                f"{name}: {bytes(longest)!r} has {len(longest)} bytes, the dataset has room for "
                f"{dtype.itemsize}"
            )
    return encoded.astype(dtype)


def _encoded(name: str, values: Array) -> Array:
    items = [item.encode() if isinstance(item, str) else item for item in values.ravel()]
    for item in items:
        if not isinstance(item, bytes):
            raise DataError(f"{name}: {item!r} is not text")
    encoded: Array = np.array(items, "S").reshape(values.shape)
    return encoded


def _cast_to_objects(name: str, values: Array, dtype: np.dtype[Any]) -> Array:
    """Return text, rows of any length or references to objects, each checked."""
    objects = np.empty(values.shape, dtype)
    base = _base_of_jagged(dtype)
    flat, items = objects.reshape(-1), values.astype(object, copy=False).reshape(-1)
    for index, item in enumerate(items):
        if base is not None:
            part = np.asanyarray(item)
            if part.ndim != 1:
                raise DataError(f"{name}: a row is an array of one dimension, not {item!r}")
            flat[index] = _cast(name, part, base)
        elif isinstance(item, h5py.Reference if _is_reference(dtype) else str | bytes):
            flat[index] = item
        else:
            kind = "a reference to an object" if _is_reference(dtype) else "text"
            raise DataError(f"{name}: {item!r} is not {kind}")
    return objects


def _base_of_jagged(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return the dtype within rows of any length, None for other dtypes."""
    base = h5py.check_vlen_dtype(dtype)
    return None if base is None or base in (str, bytes) else np.dtype(base)


def _is_reference(dtype: np.dtype[Any]) -> bool:
    return h5py.check_ref_dtype(dtype) is not None


def _empty_object(dtype: np.dtype[Any]) -> Any:
    base = _base_of_jagged(dtype)
    if base is not None:
        return np.empty(0, base)
    return h5py.Reference() if _is_reference(dtype) else ""
