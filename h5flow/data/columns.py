"""Rows as columns: what a stage finds where NumPy would have structured arrays.

Device libraries have no structured dtypes. Both classes read as NumPy's structured arrays do:
``a["field"]``, ``len(a)``, ``a.dtype``, ``a.shape``, ``a[slice | mask | index]``, and assignment
to a field. A field is the library's own contiguous array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from h5flow.arrays import DeviceNamespace, DeviceRows, dtype_of, namespace_of
from h5flow.data.host_copies import download
from h5flow.data.indexing import as_key, take, without_ellipsis
from h5flow.data.masked import MaskedArray, refuse_host
from h5flow.data.promotion import to_write
from h5flow.errors import DataError, did_you_mean

__all__ = ["Columns", "HostField", "MaskedColumns", "gather"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class HostField:
    """A field for which no device has a dtype, such as text: it stays on the host.

    Parameters
    ----------
    values : callable
        Returns the values, an array of NumPy of the rows' shape; a selection is made when asked
        for, since it takes the selected rows to the host.
    """

    values: Callable[[], Array]

    def at(self, key: Any) -> HostField:
        """Return some of the values."""
        parts = key if isinstance(key, tuple) else (key,)
        if not any(part is Ellipsis for part in parts):
            parts = (*parts, Ellipsis)  # an array also where a single row is selected
        return HostField(lambda: self.values()[tuple(map(download, parts))])


class Columns(DeviceRows):
    """Rows of a structured dtype, a column for each field.

    Parameters
    ----------
    dtype : numpy.dtype
        Structured, as it stands in the file.
    columns : mapping of str to array, Columns, MaskedArray or HostField
        For each field; fields of fields are columns themselves.
    shape : tuple of int
        Of the rows.
    like : array
        Any array of the library, on the rows' device.
    """

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        dtype: np.dtype[Any],
        columns: Mapping[str, Any],
        shape: tuple[int, ...],
        like: Any,
    ) -> None:
        self._dtype = dtype
        self._columns = dict(columns)
        self._shape = tuple(shape)
        self._like = like

    @property
    def dtype(self) -> np.dtype[Any]:
        """The structured dtype of the rows in the file."""
        return self._dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the rows, without that of a field."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """Number of rows."""
        return int(np.prod(self._shape, dtype=np.int64))

    @property
    def device(self) -> Any:
        """Where the rows live, as the library names it."""
        return self._like.device

    @property
    def _xp(self) -> DeviceNamespace:
        xp: DeviceNamespace = namespace_of(self._like)
        return xp

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("a single row has no length")
        return self._shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[position] for position in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        """Return a field by its name, or rows by a slice, a mask, integers or a list of names."""
        if isinstance(key, str):
            return self._field(key)
        if isinstance(key, list) and key and all(isinstance(name, str) for name in key):
            return self._with({name: self._known(name) for name in key}, self._dtype[key])
        return self._at(key)

    def __setitem__(self, key: str, value: Any) -> None:
        """Write a field: an array or list of the rows' shape, or a number."""
        if not isinstance(key, str):
            raise TypeError("rows are written field by field: rows['field'][key] = values")
        present = self._known(key)
        if isinstance(present, HostField):
            raise self._stays_on_host(key)
        if value is present:
            return
        present[...] = self._as_field(value, present)

    def take(self, numbers: Any) -> Columns:
        """Return rows by their numbers: an array of the library, int64, shape (n,), none negative.

        Quicker than ``rows[numbers]``, which looks for negative ones.
        """
        columns = {name: gather(column, numbers) for name, column in self._columns.items()}
        shape = (numbers.shape[0], *self._shape[1:])
        return Columns(self._dtype, columns, shape, self._like)

    @property
    def columns(self) -> Mapping[str, Any]:
        """All columns by name, also those that stay on the host."""
        return self._columns

    @property
    def like(self) -> Any:
        """An array of the library, on the rows' device."""
        return self._like

    def copy(self) -> Any:
        """Return a copy."""
        return self._with({name: _copied(column) for name, column in self._columns.items()})

    def __eq__(self, other: object) -> Any:
        raise TypeError("rows are compared field by field: rows['field'] == values")

    __ne__ = __eq__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of shape {self.shape}, {self.dtype}>"

    def __array__(self, *_: Any, **__: Any) -> Any:
        refuse_host(self)

    def _with(self, columns: Mapping[str, Any], dtype: np.dtype[Any] | None = None) -> Any:
        return Columns(dtype or self._dtype, columns, self._shape, self._like)

    def _at(self, key: Any) -> Any:
        xp = self._xp
        key = self._key(key)
        # the shape of what a key selects is the library's to say
        numbers = xp.reshape(xp.arange(self.size), self._shape)
        selected = _taken(numbers, key)
        columns = {name: _taken(column, key) for name, column in self._columns.items()}
        return Columns(self._dtype, columns, tuple(selected.shape), self._like)

    def _key(self, key: Any) -> Any:
        """Return a selection of rows that the library understands."""
        key = as_key(self._xp, key.selected() if isinstance(key, MaskedArray) else key)
        return without_ellipsis(key, self.ndim)

    def _field(self, name: str) -> Any:
        column = self._known(name)
        if isinstance(column, HostField):
            raise self._stays_on_host(name)
        return column

    def _known(self, name: str) -> Any:
        if name not in self._columns:
            raise DataError(
                f"there is no field '{name}'{did_you_mean(name, self._columns)}",
                advice=f"The fields are {', '.join(self._columns)}.",
            )
        return self._columns[name]

    def _stays_on_host(self, name: str) -> DataError:
        return DataError(
            f"the field '{name}' ({self._dtype[name]}) stays on the host: no device has its dtype",
            advice=f"Take the rows to the host: to_host(rows)['{name}'], from h5flow.data.",
        )

    def _as_field(self, value: Any, present: Any) -> Any:
        # a plain field takes the values of masked ones, as in NumPy
        values = value.data if isinstance(value, MaskedArray | np.ma.MaskedArray) else value
        return to_write(self._xp, values, dtype_of(present))


class MaskedColumns(Columns):
    """Rows of a structured dtype, some of which are masked, a `MaskedArray` for each field.

    Parameters
    ----------
    dtype, columns, shape, like
        As for `Columns`; columns are masked arrays.
    mask : array
        bool, of the shape of the rows: True where there is no row.
    """

    def __init__(
        self,
        dtype: np.dtype[Any],
        columns: Mapping[str, Any],
        shape: tuple[int, ...],
        mask: Any,
    ) -> None:
        super().__init__(dtype, columns, shape, mask)

    @property
    def mask(self) -> Columns:
        """Booleans by field."""
        columns = {
            name: column if isinstance(column, HostField) else column.mask
            for name, column in self._columns.items()
        }
        dtype = np.ma.make_mask_descr(self._dtype)
        return Columns(dtype, _masks_of_host(columns, self._like), self._shape, self._like)

    @property
    def data(self) -> Columns:
        """The rows with zeros where they are masked."""
        columns = {
            name: column if isinstance(column, HostField) else column.data
            for name, column in self._columns.items()
        }
        return Columns(self._dtype, columns, self._shape, self._like)

    def filled(self, fill_value: Any = None) -> Columns:
        """Return the rows with `fill_value`, by default NumPy's, where they are masked."""
        columns = {
            name: column if isinstance(column, HostField) else column.filled(fill_value)
            for name, column in self._columns.items()
        }
        return Columns(self._dtype, columns, self._shape, self._like)

    @property
    def row_mask(self) -> Any:
        """Which rows are masked as a whole, as they were read."""
        return self._like

    def _with(self, columns: Mapping[str, Any], dtype: np.dtype[Any] | None = None) -> Any:
        return MaskedColumns(dtype or self._dtype, columns, self._shape, self._like)

    def _at(self, key: Any) -> Any:
        key = self._key(key)
        columns = {name: _taken(column, key) for name, column in self._columns.items()}
        mask = _taken(self._like, key)
        return MaskedColumns(self._dtype, columns, tuple(mask.shape), mask)

    def _as_field(self, value: Any, present: Any) -> Any:
        return value


def _taken(column: Any, key: Any) -> Any:
    if isinstance(column, HostField):
        return column.at(key)
    return column[key] if isinstance(column, Columns | MaskedArray) else take(column, key)


def gather(values: Any, numbers: Any) -> Any:
    """Return rows of an array, columns or a field on the host by numbers that are not negative."""
    if isinstance(values, HostField):
        return values.at(numbers)
    if isinstance(values, Columns):
        return values.take(numbers)
    return namespace_of(values).take(values, numbers, axis=0)


def _copied(column: Any) -> Any:
    if isinstance(column, HostField):
        return column
    if isinstance(column, Columns | MaskedArray):
        return column.copy()
    return namespace_of(column).asarray(column, copy=True)


def _masks_of_host(columns: Mapping[str, Any], mask: Any) -> Mapping[str, Any]:
    """Return columns with the rows' mask in place of those that stay on the host."""
    return {
        name: mask if isinstance(column, HostField) else column for name, column in columns.items()
    }
