"""Tables of a file that are read around HDF5, by path."""

from __future__ import annotations

from collections.abc import Collection

import h5py

from h5flow.io.direct_reading import DirectRows, direct_rows
from h5flow.io.reading import RowSource
from h5flow.io.workers import Workers

__all__ = ["DirectTables"]


class DirectTables:
    """Remembers which tables can be read directly, and where their chunks are.

    Parameters
    ----------
    workers : Workers
        What unpacks chunks.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._found: dict[str, tuple[h5py.h5d.DatasetID, DirectRows | None]] = {}
        self._changing: set[str] = set()

    def rows(self, path: str, dataset: h5py.Dataset) -> RowSource:
        """Return the rows of the table at `path`: the dataset itself where HDF5 has to read it."""
        identifier, direct = self._found.get(path, (None, None))
        if identifier is not dataset.id and path not in self._changing:
            direct = direct_rows(dataset, self._workers)
            self._found[path] = (dataset.id, direct)
        rows: RowSource = dataset if direct is None else direct
        return rows

    def leave(self, paths: Collection[str]) -> None:
        """Leave these tables to HDF5 from now on: their rows may change."""
        for path in paths:
            self._changing.add(path)
            self._found.pop(path, None)

    def forget(self) -> None:
        """Look for all tables anew: the file was closed, or objects in it were removed."""
        self._found = {}
