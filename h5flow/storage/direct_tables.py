"""How the tables of a file are read fastest, by path: around HDF5, or around h5py."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import h5py

if TYPE_CHECKING:
    from h5flow.io.reading import RowSource
    from h5flow.io.workers import Workers

__all__ = ["DirectTables"]


class DirectTables:
    """Remembers how each table is read, and where the chunks of packed ones are.

    Parameters
    ----------
    workers : Workers
        What unpacks chunks.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._found: dict[str, tuple[h5py.h5d.DatasetID, RowSource]] = {}
        self._changing: set[str] = set()

    def rows(self, path: str, dataset: h5py.Dataset) -> RowSource:
        """Return the rows of the table at `path`; the dataset itself where h5py has to read it."""
        identifier, rows = self._found.get(path, (None, None))
        if identifier is not dataset.id or rows is None:
            rows = self._fastest(path, dataset)
            self._found[path] = dataset.id, rows
        return rows

    def _fastest(self, path: str, dataset: h5py.Dataset) -> RowSource:
        # a run of next to nothing reads no rows
        from h5flow.io.direct_reading import direct_rows
        from h5flow.io.hdf5_rows import hdf5_rows
        from h5flow.io.installed_filters import load_filters

        is_changing = path in self._changing
        direct = None if is_changing else direct_rows(dataset, self._workers)
        if direct is None:
            load_filters(dataset)
        plain = direct or hdf5_rows(dataset, is_changing=is_changing)
        rows: RowSource = dataset if plain is None else plain
        return rows

    def leave(self, paths: Collection[str]) -> None:
        """Leave these tables to HDF5 from now on: their rows may change."""
        for path in paths:
            if path not in self._changing:
                self._changing.add(path)
                self._found.pop(path, None)

    def forget(self) -> None:
        """Look for all tables anew: the file was closed, or objects in it were removed."""
        self._found = {}
