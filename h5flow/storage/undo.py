"""What a file has to be given back so that it is what it was at a mark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.io.lookup import object_at
from h5flow.storage.protocol import Batch, Write

if TYPE_CHECKING:
    from h5flow.storage.table import Table

__all__ = ["UndoLog"]

Array = np.ndarray[Any, Any]


@dataclass
class UndoLog:
    """Taken down before batches are applied; memory grows with the rows that are written over.

    Attributes
    ----------
    made : list of str
        Objects that were not there, each with all that is below it.
    lengths : dict of str to int
        Of tables that were there, and were written to.
    rows : list of (str, int, numpy.ndarray)
        Rows that were written over: path, first row and what they were; in the order of writing.
    attributes : dict of (str, str) to object
        Path and name of metadata that were set, and what they were; None where they were not.
    is_void : bool
        Something was removed, which cannot be brought back.
    """

    made: list[str] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)
    rows: list[tuple[str, int, Array]] = field(default_factory=list)
    attributes: dict[tuple[str, str], Any] = field(default_factory=dict)
    is_void: bool = False

    @property
    def removes(self) -> bool:
        """Whether objects or metadata have to be removed."""
        return bool(self.made) or any(value is None for value in self.attributes.values())

    def note(self, file: h5py.File, batch: Batch, find: Callable[[str], Table | None]) -> None:
        """Take down what a batch is about to change.

        Parameters
        ----------
        find : callable
            Returns the table at a path.
        """
        for create in batch.creates:
            self._note_made(file, create.path)
        for path in batch.lengths:
            self._note_table(path, find)
        for write in batch.writes:
            self._note_rows(write, find)
        for link in batch.links:
            self._note_table(link.path, find)
            for column, region in enumerate(link.regions):
                touched = np.unique(link.pairs[:, column])
                self._note_rows(Write(region, touched, link.pairs[:0]), find)
        for attributes in batch.attributes:
            self._note_made(file, attributes.path)
            found = object_at(file, attributes.path)
            before = {} if found is None else found.attrs
            for name in attributes.values:
                self.attributes.setdefault((attributes.path, name), before.get(name))

    def remove(self, file: h5py.File) -> None:
        """Remove the objects and metadata that were not there."""
        for (path, name), value in self.attributes.items():
            if value is None and path in file and name in file[path].attrs:
                del file[path].attrs[name]
        for path in self.made:
            if path in file:
                del file[path]

    def _note_made(self, file: h5py.File, path: str) -> None:
        """Take down the first part of a path that is not there."""
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            place = "/" + "/".join(parts[:depth])
            if file.get(place, getlink=True) is None:
                self.made.append(place)
                return

    def _note_table(self, path: str, find: Callable[[str], Table | None]) -> Table | None:
        if self._is_made(path):
            return None
        table = find(path)
        if table is not None:
            self.lengths.setdefault(path, table.length)
        return table

    def _note_rows(self, write: Write, find: Callable[[str], Table | None]) -> None:
        table = self._note_table(write.path, find)
        if table is None:
            return
        length = self.lengths[write.path]
        if isinstance(write.rows, slice):
            start, stop = write.rows.start, min(write.rows.stop, length)
            if start < stop:
                self.rows.append((write.path, start, table.read(start, stop)))
            return
        for start, stop in table.near(write.rows[write.rows < length]):
            self.rows.append((write.path, start, table.read(start, stop)))

    def _is_made(self, path: str) -> bool:
        return any(f"{path}/".startswith(f"{place}/") for place in self.made)
