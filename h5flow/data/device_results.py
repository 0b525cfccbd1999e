"""What stages have made on a device in this chunk: the next stage finds it there.

The rows are in the file as well. What later stages read of them need not travel again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.arrays import DeviceRows, array_in, dtype_of, is_device_array
from h5flow.backends import Backend, owner_of
from h5flow.data.columns import Columns, gather
from h5flow.data.masked import MaskedArray

if TYPE_CHECKING:
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
    overwritten : int
        How often other ranks had written to the table when this was kept.
    """

    rows: slice
    values: Any
    backend: Backend
    overwritten: int

    def at(self, index: np.ndarray[Any, np.dtype[np.int64]]) -> Any:
        """Return copies of rows of the table, all of which are there."""
        (numbers,) = self.backend.upload([index - self.rows.start])
        return gather(self.values, numbers)


class DeviceResults:
    """The rows that stages have written from a device, until the end of the chunk.

    Parameters
    ----------
    overwritten : mapping of str to int
        How often other ranks have written into rows of this one, or the table was removed; 0 where
        a path is missing. What was kept before does not count any more.
    """

    def __init__(self, overwritten: Mapping[str, int]) -> None:
        self._overwritten = overwritten
        self._dtypes: dict[tuple[Backend, np.dtype[Any]], Any] = {}
        self._results: dict[str, list[Result]] = {}

    def clear(self) -> None:
        """Forget everything: a chunk has ended."""
        self._results = {}

    def keep(self, path: str, table: TableDescription, rows: Any, data: Any) -> None:
        """Keep a copy of rows that are written, where all of them are on one device.

        Parameters
        ----------
        path : str
        table : TableDescription
            What a row is.
        rows : slice, numpy.ndarray or None
            Which are written; None where other ranks may write to them as well.
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
        values = self._as_stored(backend, table.dtype, shape, data)
        if values is not None:
            kept.append(Result(rows, values, backend, self._overwritten.get(path, 0)))

    def find(self, path: str, backend: Backend, start: int, stop: int) -> Result | None:
        """Return rows ``start:stop`` of a table if they are on a backend, None if not."""
        for result in self._results.get(path, ()):
            inside = result.rows.start <= start and stop <= result.rows.stop
            holds = result.overwritten == self._overwritten.get(path, 0)
            if inside and holds and result.backend is backend:
                return result
        return None

    def _as_stored(
        self, backend: Backend, dtype: np.dtype[Any], shape: tuple[int, ...], value: Any
    ) -> Any:
        """Return a copy of rows in the dtypes in which they come from the file.

        None if it cannot be: nothing that waits on the host is moved for it.
        """
        if dtype.names is not None:
            return self._rows_as_stored(backend, dtype, shape, value)
        xp = backend.namespace
        if isinstance(value, MaskedArray):
            value = xp.where(value.mask, xp.zeros((), dtype=value.dtype), value.data)
        if not is_device_array(value) or not backend.owns(value) or tuple(value.shape) != shape:
            return None
        stored = self._stored_dtype(backend, dtype)
        return None if stored is None else xp.astype(value, stored, copy=True)

    def _rows_as_stored(
        self, backend: Backend, dtype: np.dtype[Any], shape: tuple[int, ...], value: Any
    ) -> Columns | None:
        columns = value.columns if isinstance(value, Columns) else value
        if not isinstance(columns, Mapping):
            return None
        parts = {}
        for name in dtype.names or ():
            field, own = dtype[name], (*shape, *dtype[name].shape)
            parts[name] = self._as_stored(backend, field.base, own, columns.get(name))
            if parts[name] is None:
                return None
        arrays = [part.like if isinstance(part, DeviceRows) else part for part in parts.values()]
        return Columns(dtype, parts, shape, arrays[0])

    def _stored_dtype(self, backend: Backend, dtype: np.dtype[Any]) -> Any:
        """Return the library's dtype for values from the file; None where it keeps other ones."""
        if (backend, dtype) not in self._dtypes:
            (sample,) = backend.upload([np.zeros(0, dtype)])
            there = is_device_array(sample)
            # what a wider number keeps the file has rounded
            rounded = there and dtype.kind in "fc" and dtype_of(sample).itemsize > dtype.itemsize
            self._dtypes[backend, dtype] = sample.dtype if there and not rounded else None
        return self._dtypes[backend, dtype]
