"""What stages have made on a device in this chunk: the next stage finds it there.

The rows are in the file as well. What later stages read of them need not travel again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from h5flow.arrays import DeviceRows, array_in, is_device_array
from h5flow.backends import Backend, owner_of
from h5flow.data.columns import Columns, HostField, gather
from h5flow.data.masked import MaskedArray
from h5flow.storage.protocol import TableDescription

__all__ = ["DeviceResults", "Result"]


@dataclass(frozen=True, eq=False)
class Result:
    """Rows of a table that lie on a device.

    Attributes
    ----------
    rows : slice
        Of the table.
    values : array or Columns
        As they would come from the file.
    backend : Backend
    """

    rows: slice
    values: Any
    backend: Backend

    def at(self, index: np.ndarray[Any, np.dtype[np.int64]]) -> Any:
        """Return copies of rows of the table, all of which are there."""
        (numbers,) = self.backend.upload([index - self.rows.start])
        return gather(self.values, numbers)


class DeviceResults:
    """The rows that stages have written from a device, until the end of the chunk."""

    def __init__(self) -> None:
        self._results: dict[str, list[Result]] = {}

    def clear(self) -> None:
        """Forget everything: a chunk has ended, or something was deleted."""
        self._results = {}

    def keep(self, path: str, table: TableDescription, rows: Any, data: Any) -> None:
        """Keep a copy of rows that are written, where all of them are on one device.

        Parameters
        ----------
        path : str
        table : TableDescription
            What a row is.
        rows : slice or numpy.ndarray
            Which are written.
        data : object
            What the user gave, checked already.
        """
        present = self._results.pop(path, [])
        if not isinstance(rows, slice):
            return
        self._results[path] = kept = [
            result
            for result in present
            if result.rows.stop <= rows.start or rows.stop <= result.rows.start
        ]
        parts = data.values() if isinstance(data, Mapping) else (data,)
        array = next((found for found in map(array_in, parts) if found is not None), None)
        if array is None:
            return
        backend = owner_of(array)
        shape = (rows.stop - rows.start, *table.row_shape)
        values = _as_stored(backend, table.dtype, shape, data)
        if values is not None:
            kept.append(Result(rows, values, backend))

    def find(self, path: str, backend: Backend, start: int, stop: int) -> Result | None:
        """Return rows ``start:stop`` of a table if they are on a backend, None if not."""
        for result in self._results.get(path, ()):
            inside = result.rows.start <= start and stop <= result.rows.stop
            if inside and result.backend is backend:
                return result
        return None


def _as_stored(backend: Backend, dtype: np.dtype[Any], shape: tuple[int, ...], value: Any) -> Any:
    """Return a copy of rows in the dtypes in which they come from the file, None if it cannot be.

    Nothing that waits on the host is moved for it.
    """
    if dtype.names is not None:
        columns = value.columns if isinstance(value, Columns) else value
        if not isinstance(columns, Mapping):
            return None
        parts = {
            name: _as_stored(
                backend, dtype[name].base, (*shape, *dtype[name].shape), columns.get(name)
            )
            for name in dtype.names
        }
        if any(part is None for part in parts.values()):
            return None
        arrays = [part.like if isinstance(part, DeviceRows) else part for part in parts.values()]
        return Columns(dtype, parts, shape, arrays[0])
    if isinstance(value, MaskedArray):
        value = backend.namespace.where(
            value.mask, backend.namespace.zeros((), dtype=value.dtype), value.data
        )
    if isinstance(value, HostField) or not is_device_array(value) or not backend.owns(value):
        return None
    stored = backend.upload([np.zeros(0, dtype)])[0]
    if tuple(value.shape) != shape or not is_device_array(stored):
        return None
    return backend.namespace.astype(value, stored.dtype, copy=True)
