"""What exists and how long it is, known to every rank alike without asking the file.

A rank learns of a table when any rank asks for it or makes it; from then on lengths follow from
what the ranks tell each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from h5flow.storage.protocol import TableDescription
    from h5flow.transaction.acts import Linked

__all__ = ["Catalogue", "Standing"]

ENOUGH_ANSWERS = 10_000


@dataclass(frozen=True)
class Standing:
    """What a catalogue knew at a moment."""

    tables: Mapping[str, TableDescription]
    missing: frozenset[str]
    grown: Mapping[str, int]
    ever_grown: frozenset[str]
    ever_linked: frozenset[str]


class Catalogue:
    """The tables of a file: looked up once, then kept by what the ranks agree on.

    Attributes
    ----------
    versions : collections.Counter
        How often this rank wrote to each table; a cache compares them.
    overwritten : collections.Counter
        How often another rank wrote rows of a table that it was not given in that iteration, or
        the table was removed: what is known of its rows may not hold any more.
    structure : int
        How often objects were made or removed.
    dirty : set of str
        Tables with rows that not every rank can read yet.
    outdated : bool
        Whether objects were made, removed or given metadata that not every rank can see yet.
    touched : set of str
        Tables that this rank has written to since a loop began, or any rank, as far as it is
        placed.
    ever_grown, ever_linked : set of str
        Tables of rows that grew, and of references that were made or written, since the file was
        opened.
    """

    def __init__(self) -> None:
        self._tables: dict[str, TableDescription] = {}
        self._missing: set[str] = set()
        self._grown: dict[str, int] = {}
        self._attributes: dict[str, dict[str, Any] | None] = {}
        self.versions: Counter[str] = Counter()
        self.overwritten: Counter[str] = Counter()
        self.structure = 0
        self.dirty: set[str] = set()
        self.outdated = True
        self.touched: set[str] = set()
        self.ever_grown: set[str] = set()
        self.ever_linked: set[str] = set()

    def knows(self, path: str) -> bool:
        """Return whether it is known if there is a table at `path`."""
        return path in self._tables or path in self._missing

    def find(self, path: str) -> TableDescription | None:
        """Return what the table at `path` is, None where there is none or nobody has asked."""
        return self._tables.get(path)

    def table(self, path: str) -> TableDescription:
        """Return what the table at `path` is, which is known."""
        return self._tables[path]

    def learn(self, path: str, table: TableDescription | None) -> None:
        """Take down what is at `path`."""
        if table is None:
            self._missing.add(path)
        else:
            self._missing.discard(path)
            self._tables[path] = table

    def made(self, tables: Iterable[tuple[str, TableDescription | None]]) -> None:
        """Take down tables that were made just now."""
        for path, table in tables:
            self.learn(path, table)
        self._changed_structure()

    def removed(self, paths: Iterable[str]) -> None:
        """Take down that there is nothing at these paths any more."""
        for path in paths:
            self._tables.pop(path, None)
            self._missing.add(path)
            self._grown.pop(path, None)
            self.touch(path)
            self.overwritten[path] += 1
            for known in (self.dirty, self.ever_grown, self.ever_linked):
                known.discard(path)
        self._changed_structure()

    def grow(self, path: str, length: int) -> None:
        """Give a table `length` rows at least."""
        table = self._tables[path]
        if length > table.length:
            self._tables[path] = replace(table, length=length)
            self._grown[path] = length
            self.touched.add(path)
        self.ever_grown.add(path)

    def is_untouched(self, path: str) -> bool:
        """Return whether a table is there, and is as it was when a loop began."""
        return path in self._tables and path not in self.touched

    def touch(self, path: str) -> None:
        """Take down that this rank has written to a table."""
        self.versions[path] += 1
        self.touched.add(path)

    def is_grown(self, path: str) -> bool:
        """Return whether rows were reserved that the storage does not know of yet."""
        return path in self._grown

    def take_grown(self, paths: Iterable[str] | None = None) -> dict[str, int]:
        """Return the lengths that changed since they were taken last, all with None."""
        if paths is None:
            grown, self._grown = self._grown, {}
            return grown
        return {path: self._grown.pop(path) for path in paths if path in self._grown}

    def linked(self, links: Iterable[Linked]) -> None:
        """Take down that references were appended: tables of references grow by themselves."""
        for link in links:
            table = self._tables[link.path]
            self._tables[link.path] = replace(table, length=table.length + link.rows)
            for path, stop in zip(link.regions, link.stops, strict=True):
                region = self._tables.get(path)
                if region is not None and stop > region.length:
                    self._tables[path] = replace(region, length=stop)
            self.ever_linked.add(link.path)

    def knows_attributes(self, path: str) -> bool:
        """Return whether the metadata of `path` are known."""
        return path in self._attributes

    def attributes(self, path: str) -> dict[str, Any] | None:
        """Return the metadata of the object at `path`, None where there is no object."""
        return self._attributes[path]

    def learn_attributes(self, path: str, attributes: dict[str, Any] | None) -> None:
        """Take down what metadata the object at `path` has."""
        if len(self._attributes) >= ENOUGH_ANSWERS:
            self._attributes.clear()
        self._attributes[path] = attributes

    def described(self, paths: Iterable[str]) -> None:
        """Take down that metadata were written, to groups that may be new."""
        for path in paths:
            self._attributes.pop(path, None)
        self._attributes = {
            path: values for path, values in self._attributes.items() if values is not None
        }
        self.outdated = True

    def shared(self, paths: Iterable[str] | None) -> None:
        """Take down that every rank can read these tables, all with None."""
        if paths is None:
            self.dirty.clear()
            self.outdated = False
        else:
            self.dirty.difference_update(paths)

    def standing(self) -> Standing:
        """Return what is known by now."""
        return Standing(
            dict(self._tables),
            frozenset(self._missing),
            dict(self._grown),
            frozenset(self.ever_grown),
            frozenset(self.ever_linked),
        )

    def go_back(self, standing: Standing) -> None:
        """Know what was known at a moment; of rows and metadata everything may have changed."""
        for path in {*self._tables, *standing.tables}:
            self.touch(path)
            self.overwritten[path] += 1
        self._tables, self._missing = dict(standing.tables), set(standing.missing)
        self._grown = dict(standing.grown)
        self.ever_grown, self.ever_linked = set(standing.ever_grown), set(standing.ever_linked)
        self._changed_structure()

    def _changed_structure(self) -> None:
        self._attributes.clear()
        self.structure += 1
        self.outdated = True
