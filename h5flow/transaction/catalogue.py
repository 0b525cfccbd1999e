"""What exists and how long it is, known to every rank alike without asking the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from h5flow.errors import NoSuchDatasetError
from h5flow.storage.protocol import Storage, TableDescription

__all__ = ["Catalogue"]


class Catalogue:
    """The tables of a file: looked up once, then kept by what the ranks agree on.

    Attributes
    ----------
    versions : collections.Counter
        How often each table was written; a cache compares them.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._tables: dict[str, TableDescription] = {}
        self._missing: set[str] = set()
        self._grown: dict[str, int] = {}
        self.versions: Counter[str] = Counter()

    def find(self, path: str) -> TableDescription | None:
        """Return what the table at `path` is, None where there is none."""
        known = self._tables.get(path)
        if known is None and path not in self._missing:
            known = self._storage.describe(path)
            if known is not None:
                self._tables[path] = known
            else:
                self._missing.add(path)
        return known

    def table(self, path: str) -> TableDescription:
        """Return what the table at `path` is.

        Raises
        ------
        NoSuchDatasetError
            There is none.
        """
        found = self.find(path)
        if found is None:
            raise NoSuchDatasetError(f"there is no table {path}")
        return found

    def grow(self, path: str, length: int) -> None:
        """Give a table `length` rows at least."""
        table = self.table(path)
        if length > table.length:
            self._tables[path] = replace(table, length=length)
            self._grown[path] = length

    def take_grown(self, paths: Iterable[str] | None = None) -> dict[str, int]:
        """Return the lengths that changed since they were taken last, all with None."""
        if paths is None:
            grown, self._grown = self._grown, {}
            return grown
        return {path: self._grown.pop(path) for path in paths if path in self._grown}

    def forget(self, paths: Iterable[str]) -> None:
        """Look these tables up again when they are needed."""
        for path in paths:
            self._tables.pop(path, None)
            self._missing.discard(path)
            self._grown.pop(path, None)
