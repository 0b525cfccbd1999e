"""A table as one rank sees it: what every rank can read, and the rows this one has queued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from h5flow.io.moving import put_rows
from h5flow.io.reading import take_rows
from h5flow.references.regions import merge, touched_rows
from h5flow.storage.protocol import Link, Write

__all__ = ["Overlay", "appended", "widened"]

Array = np.ndarray[Any, Any]


class Overlay:
    """Rows of a table in a file, under rows that are not placed yet.

    Parameters
    ----------
    table : h5py.Dataset
        Rows beyond its end were reserved and are zero.
    writes : sequence of Write
        For this table; the later ones lie above.
    length : int
        Number of rows.
    """

    def __init__(self, table: h5py.Dataset, writes: Sequence[Write], length: int) -> None:
        self._table = table
        self._writes = writes
        self.shape: tuple[int, ...] = (length, *table.shape[1:])
        self.dtype: np.dtype[Any] = table.dtype
        self.chunks = table.chunks
        self.id = table.id
        self.name = table.name
        self.file = table.file

    def under(self, write: Write) -> Overlay:
        """Return the rows as they are under one more write, which may be beyond the end."""
        return Overlay(self._table, [*self._writes, write], max(len(self), write.stop))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice) -> Array:
        start, stop, _ = key.indices(self.shape[0])
        rows = np.zeros((max(stop - start, 0), *self.shape[1:]), self.dtype)
        stored = min(max(self._table.shape[0] - start, 0), len(rows))
        if stored:
            put_rows(rows, slice(stored), self._table[start : start + stored])
        for write in self._writes:
            _lay_over(rows, start, write)
        return rows


def _lay_over(rows: Array, start: int, write: Write) -> None:
    """Put what is queued over the rows from `start` on."""
    if isinstance(write.rows, slice):
        first, last = max(write.rows.start, start), min(write.rows.stop, start + len(rows))
        if first < last:
            begin = write.rows.start
            data = write.data[first - begin : last - begin]
            put_rows(rows, slice(first - start, last - start), data)
        return
    inside = (write.rows >= start) & (write.rows < start + len(rows))
    put_rows(rows, write.rows[inside] - start, take_rows(write.data, np.flatnonzero(inside)))


def appended(table: h5py.Dataset, links: Sequence[Link], length: int) -> Overlay:
    """Return a table of references, `length` long, with further ones at its end."""
    pairs = np.concatenate([link.pairs for link in links]).astype(table.dtype)
    rows = slice(length, length + len(pairs))
    return Overlay(table, [], length).under(Write(table.name, rows, pairs))


def widened(
    table: h5py.Dataset, path: str, links: Sequence[Link], length: int, first: int
) -> Overlay:
    """Return the regions of references as they are with further ones.

    Parameters
    ----------
    table : h5py.Dataset
        At `path`.
    links : sequence of Link
        All of one table of references, which is `first` long without them.
    length : int
        Number of regions without them.
    """
    pairs = np.concatenate([link.pairs for link in links])
    seen = Overlay(table, [], length)
    for column, region in enumerate(links[0].regions):
        if region == path:
            rows, starts, stops = touched_rows(pairs[:, column], first)
            present = np.zeros(len(rows), table.dtype)
            known = rows < len(seen)
            if known.any():
                block = seen[int(rows[0]) : int(rows[known][-1]) + 1]
                present[known] = block[rows[known] - rows[0]]
            merged = np.empty_like(present)
            merged["start"], merged["stop"] = merge(
                present["start"], present["stop"], starts, stops
            )
            seen = seen.under(Write(path, rows, merged))
    return seen
