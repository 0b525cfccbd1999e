"""A table of regions: what references widen waits in memory until somebody reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import h5py
import numpy as np

from h5flow.storage.table import Table

if TYPE_CHECKING:
    from h5flow.io.workers import Workers
    from h5flow.references.regions import Int64Array
    from h5flow.storage.protocol import Rows

__all__ = ["RegionTable", "is_region_table"]

Array = np.ndarray[Any, Any]

Part: TypeAlias = "tuple[Int64Array, Int64Array, Int64Array]"

# Rows that wait at most (24 MiB), and pieces that they come in before they are joined.
MOST_ROWS, MOST_PARTS = 2**20, 2**10


def is_region_table(dataset: h5py.Dataset) -> bool:
    """Return whether a table can hold regions."""
    return dataset.ndim == 1 and {"start", "stop"} <= set(dataset.dtype.names or ())


class RegionTable(Table):
    """A table with the fields ``start`` and ``stop``, widened by references.

    To change a row in the file costs a read and a write of the block that it is in, wherever that
    is. So what comes is kept, row by row, and goes into the file all at once: when the table is
    read, flushed, or too much waits. Parameters are those of `Table`.
    """

    def __init__(
        self,
        dataset: h5py.Dataset,
        require_room: Callable[[int], None] | None = None,
        workers: Workers | None = None,
    ) -> None:
        super().__init__(dataset, require_room, workers)
        self._waiting: list[Part] = []
        self._waiting_rows = 0
        #: From this row on nothing was ever written.
        self._fresh = self.length

    def widen(self, rows: Int64Array, starts: Int64Array, stops: Int64Array) -> None:
        """Make the regions of some rows hold further references.

        Parameters
        ----------
        rows : numpy.ndarray
            int64, shape (R,), sorted and unique; the table grows to hold them.
        starts, stops : numpy.ndarray
            int64, shape (R,), none empty; kept, not copied.
        """
        if not len(rows):
            return
        first, stop = int(rows[0]), int(rows[-1]) + 1
        is_new, self._fresh = first >= self._fresh, max(self._fresh, stop)
        self.extend(stop)
        if is_new and stop - first == len(rows):
            # rows in a run that have no references yet, as of a table that is made: appended
            regions = np.zeros(len(rows), self.dtype)
            regions["start"], regions["stop"] = starts, stops
            super().write(slice(first, stop), regions)
            return
        self._waiting.append((rows, starts, stops))
        self._waiting_rows += len(rows)
        if len(self._waiting) > MOST_PARTS or self._waiting_rows > MOST_ROWS:
            self._waiting = [_joined(self._waiting)]
            self._waiting_rows = len(self._waiting[0][0])
            if self._waiting_rows > MOST_ROWS // 2:
                self._settle()

    def write(self, rows: Rows, data: Array) -> None:
        """Write rows, over what has widened them before."""
        self._settle()
        super().write(rows, data)
        self._fresh = self.length

    def read(self, start: int, stop: int) -> Array:
        """Return a copy of the rows ``start:stop``, widened, zero beyond the end."""
        self._settle()
        return super().read(start, stop)

    def cut(self, length: int) -> None:
        """Remove the rows from `length` on."""
        self._settle()
        super().cut(length)
        self._fresh = min(self._fresh, length)

    def flush(self, *, is_file_next: bool = False) -> h5py.Dataset:
        """Write what waits in memory, and return the dataset at its full length."""
        self._settle()
        return super().flush(is_file_next=is_file_next)

    def _settle(self) -> None:
        if not self._waiting:
            return
        rows, starts, stops = _joined(self._waiting)
        self._waiting, self._waiting_rows = [], 0

        def widened(present: Array, part: slice) -> Array:
            from h5flow.references.regions import merge

            present["start"], present["stop"] = merge(
                present["start"], present["stop"], starts[part], stops[part]
            )
            return present

        self.update(rows, widened)


def _joined(parts: Sequence[Part]) -> Part:
    """Return each row once, with the smallest region that holds all of its own."""
    if len(parts) == 1:
        return parts[0]
    rows, starts, stops = (np.concatenate(column) for column in zip(*parts, strict=True))
    if (rows[1:] <= rows[:-1]).any():
        order = np.argsort(rows, kind="stable")
        rows, starts, stops = rows[order], starts[order], stops[order]
        first = np.flatnonzero(np.concatenate(([True], rows[1:] > rows[:-1])))
        rows = rows[first]
        starts, stops = np.minimum.reduceat(starts, first), np.maximum.reduceat(stops, first)
    return rows, starts, stops
