"""From any array library to NumPy: only where it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from h5flow.arrays import DeviceRows, array_in, is_device_array
from h5flow.backends import owner_of
from h5flow.references.padding import masked_rows

__all__ = ["download", "selection_on_host", "sequence_like", "to_host"]

Array = np.ndarray[Any, Any]


def to_host(value: Any) -> Any:
    """Return rows, columns, masked or jagged ones, or an array of any library, as NumPy's.

    All of it moves in one copy. What is NumPy's already, or no array, is returned as it is; of a
    mapping or tuple the values move, and those of a list whose first is such an array.

    Parameters
    ----------
    value : Columns, MaskedColumns, MaskedArray, Jagged, array or anything else

    Returns
    -------
    numpy.ndarray, numpy.ma.MaskedArray or Jagged
        Structured where there are fields; zero under a mask.
    """
    if isinstance(value, np.ndarray):
        return value
    arrays = list(_arrays_of(value))
    if not arrays and not isinstance(value, DeviceRows):
        return value
    return _rebuilt(value, iter(_moved(arrays)))


def download(value: Any) -> Any:
    """Return an array of any library as NumPy's, anything else as it is."""
    return _moved([value])[0] if is_device_array(value) else value


def selection_on_host(value: Any) -> Any:
    """Return a selection of rows as NumPy's; of a masked one the values count, as in NumPy."""
    from h5flow.data.masked import MaskedArray

    if isinstance(value, slice):
        # CuPy's integers are no indices
        return slice(*map(download, (value.start, value.stop, value.step)))
    return to_host(value.data if isinstance(value, MaskedArray) else value)


def sequence_like(value: Any, parts: list[Any]) -> Any:
    """Return other parts in a list or tuple like one, also where its items have names."""
    return parts if isinstance(value, list) else getattr(type(value), "_make", tuple)(parts)


def _moved(arrays: list[Any]) -> list[Array]:
    if not arrays:
        return []
    backend = owner_of(arrays[0])
    found: list[Array] = backend.download(arrays)
    return found


def _arrays_of(value: Any) -> Iterator[Any]:
    """Yield the arrays that a value is made of, in a fixed order."""
    if isinstance(value, np.ndarray):
        return
    from h5flow.references.jagged import Jagged

    if isinstance(value, DeviceRows):
        yield from _arrays_of_rows(value)
    elif is_device_array(value):
        yield value
    else:
        parts: Iterable[Any] = ()
        if isinstance(value, Jagged):
            parts = (value.offsets, value.values, value.index)
        elif isinstance(value, Mapping):
            parts = value.values()
        elif isinstance(value, tuple) or _is_list_of_arrays(value):
            parts = value
        for part in parts:
            yield from _arrays_of(part)


def _arrays_of_rows(value: DeviceRows) -> Iterator[Any]:
    from h5flow.data.columns import Columns, HostField, MaskedColumns
    from h5flow.data.masked import MaskedArray

    if isinstance(value, MaskedArray):
        yield value.data
        yield value.mask
    elif isinstance(value, Columns):
        if isinstance(value, MaskedColumns):
            yield value.row_mask
        for column in value.columns.values():
            if not isinstance(column, HostField):
                yield from _arrays_of(column)


def _is_list_of_arrays(value: Any) -> bool:
    """Return whether a list begins with an array: all of a long one is not looked through."""
    if not isinstance(value, list) or not value:
        return False
    first = value[0][0] if isinstance(value[0], list | tuple) and value[0] else value[0]
    return array_in(first) is not None


def _rebuilt(value: Any, moved: Iterator[Array]) -> Any:
    from h5flow.references.jagged import Jagged

    if isinstance(value, DeviceRows):
        return _rebuilt_rows(value, moved)
    if isinstance(value, Jagged):
        return Jagged(*_rebuilt((value.offsets, value.values, value.index), moved))
    if isinstance(value, Mapping):
        return dict(zip(value, _rebuilt(tuple(value.values()), moved), strict=True))
    if isinstance(value, tuple) or _is_list_of_arrays(value):
        return sequence_like(value, [_rebuilt(part, moved) for part in value])
    return next(moved) if is_device_array(value) else value


def _rebuilt_rows(value: DeviceRows, moved: Iterator[Array]) -> Array:
    from h5flow.data.columns import MaskedColumns
    from h5flow.data.masked import MaskedArray

    if isinstance(value, MaskedArray):
        data, mask = next(moved), next(moved)
        return np.ma.MaskedArray(np.where(mask, np.zeros((), data.dtype), data), mask=mask)
    if isinstance(value, MaskedColumns):
        masked: Array = _masked_rows(value, next(moved), moved)
        return masked
    rows: Array = np.zeros(value.shape, value.dtype)  # type: ignore[attr-defined]
    _fill_rows(rows, None, value, moved)
    return rows


def _masked_rows(value: Any, row_mask: Array, moved: Iterator[Array]) -> Any:
    rows = np.zeros(value.shape, value.dtype)
    mask = np.zeros(value.shape, np.ma.make_mask_descr(value.dtype))
    _fill_rows(rows, mask, value, moved, row_mask)
    return masked_rows(rows, mask)


def _fill_rows(
    rows: Array, mask: Array | None, value: Any, moved: Iterator[Array], row_mask: Any = None
) -> None:
    """Put columns into rows of zeros, and their masks beside."""
    from h5flow.data.columns import Columns, HostField, MaskedColumns
    from h5flow.data.masked import MaskedArray

    for name, column in value.columns.items():
        if isinstance(column, HostField):
            rows[name] = column.values()
            if mask is not None:
                cells = row_mask.reshape(row_mask.shape + (1,) * (rows[name].ndim - rows.ndim))
                mask[name] = cells
        elif isinstance(column, MaskedColumns):
            inner = next(moved)
            _fill_rows(rows[name], mask[name] if mask is not None else None, column, moved, inner)
        elif isinstance(column, Columns):
            _fill_rows(rows[name], None, column, moved)
        elif isinstance(column, MaskedArray):
            data, masked = next(moved), next(moved)
            rows[name] = np.where(masked, np.zeros((), data.dtype), data)
            if mask is not None:
                mask[name] = masked
        else:
            rows[name] = next(moved)
