"""Rows that were read, in the form in which a stage gets them on its backend.

On NumPy that is what NumPy has: structured and masked arrays. Elsewhere rows move in one copy, come
apart into columns there, and are padded there, where padding costs no transfer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.arrays import array_in
from h5flow.data.columns import Columns, HostField, MaskedColumns
from h5flow.data.host_copies import sequence_like
from h5flow.data.masked import MaskedArray
from h5flow.data.padding_on_device import pad
from h5flow.references.jagged import Jagged
from h5flow.references.padding import PADDING_BUDGET, check_budget, pad_cells

if TYPE_CHECKING:
    from h5flow.backends import Backend
    from h5flow.data.following import Cells

__all__ = ["padding_budget", "present", "present_jagged", "present_padded"]

Array = np.ndarray[Any, Any]


def present(backend: Backend, value: Any) -> Any:
    """Return rows, masked or jagged ones, or an array, all of NumPy, as a backend has them.

    So are those in a dict or tuple, and in a list whose first is one: as `to_host` takes them. What
    is none of these is returned as it is.
    """
    if backend.is_host:
        return value
    if isinstance(value, dict):
        return {key: present(backend, part) for key, part in value.items()}
    if isinstance(value, tuple) or _is_list_of_arrays(value):
        return sequence_like(value, [present(backend, part) for part in value])
    if isinstance(value, Jagged):
        return present_jagged(backend, value)
    return _array(backend, value) if isinstance(value, np.ndarray) else value


def _array(backend: Backend, value: Array) -> Any:
    if isinstance(value, np.ma.MaskedArray):
        return _masked(backend, value)
    return _rows(backend, value, backend.upload([value])[0])


def _is_list_of_arrays(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], np.ndarray | Jagged)


def present_jagged(backend: Backend, jagged: Jagged, values: Any = None) -> Jagged:
    """Return jagged rows as a backend has them.

    Parameters
    ----------
    backend : Backend
    jagged : Jagged
        Of NumPy.
    values : numpy.ndarray, array or Columns, optional
        Rows in place of those in `jagged`; they may be on the backend already.
    """
    host = jagged.values if values is None else values
    if backend.is_host:
        return jagged
    if array_in(host) is not None:
        offsets, index = backend.upload([jagged.offsets, jagged.index])
        return Jagged(offsets, host, index)
    offsets, uploaded, index = backend.upload([jagged.offsets, host, jagged.index])
    return Jagged(offsets, _rows(backend, host, uploaded), index)


def padding_budget(backend: Backend) -> int:
    """Return the most bytes that padded rows may take on a backend."""
    free = backend.free_bytes()
    return PADDING_BUDGET if free is None else min(PADDING_BUDGET, free)


def present_padded(backend: Backend, cells: Cells) -> Any:
    """Return rows in the cells of a rectangle, those without a row masked.

    The rows may be on the backend already.

    Raises
    ------
    PaddingError
        The result would not fit in memory.
    """
    budget = padding_budget(backend)
    if backend.is_host:
        return pad_cells(cells.shape, cells.cells, cells.values, budget=budget)
    check_budget(cells.shape, cells.values, budget)
    if array_in(cells.values) is not None:
        (places,) = backend.upload([cells.cells])
        return pad(backend.namespace, cells.shape, places, cells.values)
    uploaded, places = backend.upload([cells.values, cells.cells])
    values = _rows(backend, cells.values, uploaded)
    return pad(backend.namespace, cells.shape, places, values)


def _rows(backend: Backend, host: Array, uploaded: Any) -> Any:
    """Return what was uploaded of rows as columns, an array where they have no fields."""
    if not isinstance(uploaded, Mapping):
        return uploaded
    columns = {name: _rows_of_field(backend, host[name], part) for name, part in uploaded.items()}
    arrays = [
        column.like if isinstance(column, Columns) else column
        for column in columns.values()
        if not isinstance(column, HostField)
    ]
    xp = backend.namespace
    return Columns(
        host.dtype, columns, host.shape, arrays[0] if arrays else xp.zeros((0,), dtype=xp.bool)
    )


def _rows_of_field(backend: Backend, host: Array, uploaded: Any) -> Any:
    if isinstance(uploaded, np.ndarray):
        return HostField(lambda: uploaded)
    return _rows(backend, host, uploaded)


def _masked(backend: Backend, value: np.ma.MaskedArray[Any, Any]) -> Any:
    """Return a masked array of NumPy as a backend has it."""
    data, mask = backend.upload([value.data, np.ma.getmaskarray(value)])
    if isinstance(data, Mapping):
        return _masked_rows(backend.namespace, value, data, mask)
    # text stays on the host, with its mask
    return value if isinstance(data, np.ndarray) else MaskedArray(data, mask)


def _masked_rows(xp: Any, host: Any, rows: Mapping[str, Any], masks: Any) -> MaskedColumns:
    """Return what was uploaded of masked rows as columns; a row is masked where all of it is."""
    columns: dict[str, Any] = {}
    whole = xp.ones(host.shape, dtype=xp.bool)
    for name, values in rows.items():
        part, mask = host[name], masks[name]
        if isinstance(values, Mapping):
            columns[name] = _masked_rows(xp, part, values, mask)
            mask = columns[name].row_mask
        elif isinstance(values, np.ndarray):
            columns[name] = HostField(partial(_zero_where_masked, part))
            mask = xp.asarray(mask)
        else:
            columns[name] = MaskedArray(values, mask)
        more = tuple(range(host.ndim, len(mask.shape)))
        whole = xp.logical_and(whole, xp.all(mask, axis=more) if more else mask)
    return MaskedColumns(host.dtype, columns, host.shape, whole)


def _zero_where_masked(values: np.ma.MaskedArray[Any, Any]) -> Array:
    zeros = np.zeros((), values.dtype)
    return np.where(np.ma.getmaskarray(values), zeros, values.data)
