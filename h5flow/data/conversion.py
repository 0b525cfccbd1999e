"""What users hand over, as rows of a dataset's dtype; refused where something would be lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from h5flow.errors import DataError, did_you_mean
from h5flow.storage.protocol import TableDescription

__all__ = ["as_attribute", "as_count", "as_pairs", "as_rows"]

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
    rows = np.zeros(shape, table.dtype)
    if isinstance(data, Mapping):
        _check_fields(name, table, list(data), refuse_more=True)
        for field, column in data.items():
            _fill(f"{name}, field '{field}'", rows[field], _host(column), count)
        return rows
    values = _host(data)
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


def _host(data: Any) -> Array:
    values: Array = data if isinstance(data, np.ndarray) else np.asanyarray(data)
    return values


def _fill_fields(name: str, rows: Array, values: Array) -> None:
    names = rows.dtype.names or ()
    if not np.ma.isMaskedArray(values) and _same_layout(rows.dtype, values.dtype):
        rows[...] = values  # one copy of whole rows
        return
    for field in names:
        _fill(f"{name}, field '{field}'", rows[field], values[field], len(rows))


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
    for field in unknown:
        parts.append(f"there is no field '{field}'{did_you_mean(field, missing or wanted)}")
    raise DataError(f"{name}: {'; '.join(parts)}", advice=f"Its fields are {', '.join(wanted)}.")


def _fill(name: str, target: Array, values: Array, count: int) -> None:
    """Put values into rows of zeros, field by field where there are fields."""
    if np.ma.isMaskedArray(values):
        values = _without_masked(values)
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
    target[...] = _cast(name, values, target.dtype)


def _without_masked(values: Any) -> Array:
    filled = np.array(values.data, copy=True, subok=False)
    mask = np.ma.getmaskarray(values)
    if filled.dtype.names is None:
        filled[mask] = np.zeros((), filled.dtype)
    else:
        for field in filled.dtype.names:
            filled[field] = _without_masked(np.ma.array(filled[field], mask=mask[field]))
    return filled


def _cast(name: str, values: Array, dtype: np.dtype[Any]) -> Array:
    """Return values in `dtype`; whole numbers and strings must come through unchanged."""
    if values.dtype == dtype or dtype.kind == "O" or not values.size:
        return values.astype(dtype, copy=False)
    if dtype.kind in "iub" and values.dtype.kind in "iufb":
        return _cast_to_whole(name, values, dtype)
    if dtype.kind == "S" and values.dtype.kind in "SUO":
        return _cast_to_bytes(name, values, dtype)
    same_kind = np.can_cast(values.dtype, dtype, "same_kind")
    whole_to_float = values.dtype.kind in "iub" and dtype.kind in "fc"
    if not (same_kind or whole_to_float):
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
    encoded = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values.astype("S")
    if encoded.dtype.itemsize > dtype.itemsize:
        longest = max(encoded.ravel(), key=len)
        if len(longest) > dtype.itemsize:
            raise DataError(
                f"{name}: {bytes(longest)!r} has {len(longest)} bytes, the dataset has room for "
                f"{dtype.itemsize}"
            )
    return encoded.astype(dtype)


def as_count(name: str, rows: Any) -> int:
    """Return a number of rows as an int.

    Raises
    ------
    DataError
        It is negative or not a whole number.
    """
    try:
        count = rows.__index__()
    except (AttributeError, TypeError):
        raise DataError(
            f"{name}: a number of rows is a whole number, not {rows!r}",
            advice="Hand over an integer, or a slice with a start and a stop.",
        ) from None
    if count < 0:
        raise DataError(f"{name}: {count} rows cannot be reserved: the number is negative")
    return int(count)


def as_pairs(label: str, refs: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return references as an (N, 2) int64 array, a copy.

    Raises
    ------
    DataError
        Wrong shape, not integers, negative or too large values, or masked cells.
    """
    pairs = _host(refs)
    if pairs.size == 0 and (pairs.ndim < 2 or pairs.shape[1] == 2):
        return np.empty((0, 2), np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise DataError(
            f"{label}: references have shape (N, 2), not {pairs.shape}",
            advice="Make them with numpy.column_stack((parent_rows, child_rows)).",
        )
    if np.ma.isMaskedArray(pairs) and np.ma.getmaskarray(pairs).any():
        raise DataError(f"{label}: some references are masked", advice="Drop those rows first.")
    if pairs.dtype.kind not in "iu":
        raise DataError(f"{label}: references are integers, not {pairs.dtype}")
    if pairs.dtype.kind == "i" and pairs.min() < 0:
        raise DataError(f"{label}: {pairs.min()} is negative and cannot be the number of a row")
    if pairs.max() > np.iinfo(np.int64).max:
        raise DataError(f"{label}: {pairs.max()} is too large for the number of a row")
    return np.array(pairs, dtype=np.int64, subok=False)


def as_attribute(name: str, value: Any) -> Any:
    """Return a value of metadata as h5py gives it back once it is stored.

    Raises
    ------
    DataError
        HDF5 has no attribute of that kind.
    """
    if isinstance(value, str | bytes | h5py.Reference | h5py.Empty):
        return value
    if value is None:
        return h5py.Empty("f4")
    array = np.ma.filled(value, 0) if np.ma.isMaskedArray(value) else np.asarray(value)
    if array.dtype.kind == "U":
        return str(array) if array.ndim == 0 else array.astype(h5py.string_dtype())
    if array.dtype.kind == "O" and array.size and _all_references(array):
        return array.astype(h5py.ref_dtype)
    if array.dtype.kind == "O" and not _stored_objects(array):
        raise DataError(
            f"the attribute '{name}' cannot be stored: {type(value).__name__} is not a number, "
            "string, list of these or array",
            advice="Store mappings key by key, or as text (json.dumps).",
        )
    return array


def _all_references(array: Array) -> bool:
    return all(isinstance(item, h5py.Reference) for item in array.ravel())


def _stored_objects(array: Array) -> bool:
    if h5py.check_dtype(ref=array.dtype) or h5py.check_dtype(vlen=array.dtype):
        return True
    items = array.ravel()
    return bool(len(items)) and all(isinstance(item, str | bytes) for item in items)
