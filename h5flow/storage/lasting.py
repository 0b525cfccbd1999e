"""Datasets that users keep while the file behind them is closed and opened again."""

from __future__ import annotations

from collections.abc import Callable

import h5py

__all__ = ["LastingDatasets"]


class LastingDatasets:
    """The h5py datasets that were given away, by path: one object for each, as long as it lasts."""

    def __init__(self) -> None:
        self._given: dict[str, h5py.Dataset] = {}

    def give(self, path: str, find: Callable[[], h5py.Dataset]) -> h5py.Dataset:
        """Return the dataset at `path`; `find` opens it the first time."""
        if path not in self._given:
            # In one step: ranks that are threads may come at the same time.
            return self._given.setdefault(path, find())
        return self._given[path]

    def refresh(self, paths: frozenset[str]) -> None:
        """See the rows that another process has written to these datasets."""
        for path in paths.intersection(self._given):
            # Not the identifier's own refresh: h5py keeps the old extent beside it.
            self._given[path].refresh()

    def renew(self, find: Callable[[str], h5py.Dataset | None]) -> None:
        """Let every dataset be the one that `find` opens; those that are gone stay closed."""
        for path, dataset in list(self._given.items()):
            found = find(path)
            if found is None:
                del self._given[path]
            elif found is not dataset:
                become(dataset, found)


def become(dataset: h5py.Dataset, other: h5py.Dataset) -> None:
    """Make an object of h5py stand for another dataset; nothing that it has cached is left."""
    vars(dataset).clear()
    h5py.Dataset.__init__(dataset, other.id)
