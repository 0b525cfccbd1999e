"""Rows as a rectangle on a device: padding there costs no transfer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.data.columns import Columns, HostField, MaskedColumns
from h5flow.data.host_copies import download
from h5flow.data.masked import MaskedArray
from h5flow.references.padding import pad_cells, zero_rows

if TYPE_CHECKING:
    from h5flow.arrays import DeviceNamespace

__all__ = ["pad"]


def pad(
    xp: DeviceNamespace, shape: tuple[int, ...], cells: Any, values: Any
) -> MaskedArray | MaskedColumns | np.ma.MaskedArray[Any, Any]:
    """Return a masked array, or columns of them, with `values` in the given cells.

    Parameters
    ----------
    xp : DeviceNamespace
    shape : tuple of int
        Shape of the cells, (n, w) or (n, w1, w2, ...).
    cells : array
        int64, shape (total,), strictly ascending: which cell, in C order, each value goes to.
    values : array or Columns
        Shape (total, ...). Text comes as an array of NumPy.

    Returns
    -------
    MaskedArray, MaskedColumns, or numpy.ma.MaskedArray for text
        Shape (*shape, *values.shape[1:]). Cells without a value are zero and masked.
    """
    if isinstance(values, np.ndarray):
        return pad_cells(shape, download(cells), values)
    count, total = math.prod(shape), cells.shape[0]
    numbers = xp.arange(count, dtype=xp.int64)
    # which value goes into each cell, by searching: not every library writes by index
    source = xp.clip(xp.searchsorted(cells, numbers), 0, max(total - 1, 0))
    masked = xp.ones((count,), dtype=xp.bool)
    if total:
        masked = xp.take(cells, source, axis=0) != numbers
    padded: MaskedArray | MaskedColumns = _Gather(xp, shape, cells, source, masked).column(values)
    return padded


class _Gather:
    """Puts values, field by field, into the cells of a rectangle.

    Parameters
    ----------
    xp, shape, cells
        As for `pad`.
    source : array
        int64, shape (number of cells,): the value that goes into each.
    masked : array
        bool, of the same shape: the cells without one.
    """

    def __init__(
        self, xp: DeviceNamespace, shape: tuple[int, ...], cells: Any, source: Any, masked: Any
    ) -> None:
        self._xp, self._shape = xp, shape
        self._cells, self._source, self._masked = cells, source, masked

    def column(self, values: Any) -> Any:
        """Return values in their cells, shape (*cells, *values.shape[1:])."""
        if isinstance(values, HostField):
            return HostField(lambda: self._on_host(values.values()))
        shape, tail = (*self._shape, *values.shape[1:]), tuple(values.shape[1:])
        mask = self._xp.reshape(self._wide(self._masked, tail), shape)
        if isinstance(values, Columns):
            columns = {name: self.column(part) for name, part in values.columns.items()}
            return MaskedColumns(values.dtype, columns, shape, mask)
        return MaskedArray(self._xp.reshape(self._taken(values, tail), shape), mask)

    def _taken(self, values: Any, tail: tuple[int, ...]) -> Any:
        xp = self._xp
        if not values.shape[0]:
            return xp.zeros((*self._masked.shape, *tail), dtype=values.dtype)
        taken = xp.take(values, self._source, axis=0)
        zero = xp.zeros((), dtype=values.dtype)
        return xp.where(self._wide(self._masked, tail), zero, taken)

    def _wide(self, mask: Any, tail: tuple[int, ...]) -> Any:
        """Return a mask of cells as one of all values in them, shape (cells, *tail)."""
        if not tail:
            return mask
        xp = self._xp
        tall = xp.reshape(mask, (*mask.shape, *(1,) * len(tail)))
        return xp.logical_or(tall, xp.zeros((*mask.shape, *tail), dtype=xp.bool))

    def _on_host(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        tail = values.shape[1:]
        padded = zero_rows((math.prod(self._shape), *tail), values.dtype)
        padded[download(self._cells)] = values
        return padded.reshape((*self._shape, *tail))
