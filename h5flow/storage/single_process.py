"""One process, one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.errors import DataError, FileFormatError, H5FlowError, NoSuchDatasetError
from h5flow.io.abandon import abandon
from h5flow.io.chunks import rows_per_hdf5_chunk
from h5flow.io.filters import filter_arguments
from h5flow.io.installed_filters import without_filters
from h5flow.io.lookup import object_at
from h5flow.io.open_file import open_file
from h5flow.io.removal import remove_object
from h5flow.io.space import Room, full_disk_named
from h5flow.io.workers import Workers
from h5flow.storage.direct_tables import DirectTables
from h5flow.storage.linked import LinkedDatasets
from h5flow.storage.region_table import RegionTable, is_region_table
from h5flow.storage.table import Table

if TYPE_CHECKING:
    from h5flow.io.reading import RowSource
    from h5flow.storage.protocol import Batch, CreateTable, Link, SetAttributes, TableDescription
    from h5flow.storage.undo import UndoLog

__all__ = ["SingleProcessStorage"]

Array = np.ndarray[Any, Any]


class SingleProcessStorage:
    """An h5py file whose appended rows are buffered up to whole HDF5 chunks.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    mode : {"r", "a"}
        ``"a"`` makes the file if there is none, or an empty one.
    communicator : Communicator, optional
        The group of one that this process is; nobody is asked anything.
    **options
        Further arguments of ``h5py.File``.
    """

    name = "single_process"

    def __init__(
        self,
        path: Path,
        mode: str = "a",
        communicator: object = None,
        **options: Any,
    ) -> None:
        self.path = path
        self.writable = mode == "a"
        self._options = options
        if self.writable:
            # HDF5 would begin an empty file in its oldest format.
            new = not os.path.exists(path) or (os.path.isfile(path) and not os.path.getsize(path))
            self._file = open_file(path, "w" if new else "r+", **options)
        else:
            self._file = open_file(path, "r", **options)
        self._room = Room(self._file, path)
        self._tables: dict[str, Table] = {}
        self._linked = LinkedDatasets(path)
        self._undo: UndoLog | None = None
        self._workers = Workers(_physical_cores)
        self._direct = DirectTables(self._workers)

    @property
    def file(self) -> h5py.File:
        """The open file, with everything in it that was applied."""
        self._flush_tables()
        return self._file

    def describe(self, path: str, /) -> TableDescription | None:
        """Return what the table at `path` is, None where there is none."""
        linked = self._linked_dataset(path)
        if linked is not None:
            described = Table(linked).describe()
            return replace(described, linked_from=linked.file.filename)
        table = self._find(path)
        return table.describe() if table else None

    def attributes(self, path: str, /) -> dict[str, Any] | None:
        """Return the metadata of the object at `path`, None where there is none."""
        found = object_at(self._file, path)
        return dict(found.attrs.items()) if found is not None else None

    def apply(self, batch: Batch, /) -> None:
        """Take a batch: make, grow, write, link, then set metadata."""
        for create in batch.creates:
            self._check_free(create.path)
        if self._undo is not None:
            self._undo.note(self._file, batch, self._find)
        with full_disk_named(self.path):
            for create in batch.creates:
                self._create(create)
            for path, length in batch.lengths.items():
                self._writable_table(path).extend(length)
            for write in batch.writes:
                self._writable_table(write.path).write(write.rows, write.data)
            for link in _joined(batch.links):
                self._append_references(link)
            for attributes in batch.attributes:
                self._set_attributes(attributes)

    def table(self, path: str, /) -> h5py.Dataset:
        """Return the table at `path` with every row that was applied.

        Raises
        ------
        NoSuchDatasetError
            There is no table at `path`.
        """
        linked = self._linked_dataset(path)
        if linked is not None:
            return linked
        table = self._find(path)
        if table is None:
            raise NoSuchDatasetError(f"there is no dataset {path} in {self.path}")
        return table.flush() if self.writable else table.dataset

    def rows(self, path: str, /) -> RowSource:
        """Return the rows of the table at `path`, with every row that was applied.

        Raises
        ------
        NoSuchDatasetError
            There is no table at `path`.
        """
        if self.writable:
            # A script edits the file: HDF5 may hold what it has written through `file`.
            self._direct.leave((path,))
        return self._direct.rows(path, self.table(path))

    def delete(self, *paths: str) -> None:
        """Remove the objects at `paths`, and groups that are empty without them.

        Of a group that holds other objects the metadata are removed, of a link what it leads to
        is left as it is. Harmless where nothing is.
        """
        if self._undo is not None:
            self._undo.is_void = True
        self._flush_tables()
        self._tables = {}
        self._direct.forget()
        for path in paths:
            self._linked.forget(path)
            remove_object(self._file, path)

    def share(self, paths: Collection[str] | None = None, /) -> None:
        """Give HDF5 the rows that wait in memory: of these tables, of all with None."""
        self._flush_tables(paths)

    def refresh(self) -> None:
        """See what was shared: one process sees it anyway."""

    def flush(self) -> None:
        """Write everything that was applied to the file."""
        self._flush_tables(is_file_next=True)
        if self.writable:
            with full_disk_named(self.path):
                self._file.flush()
            self._room.flushed()

    def commit(self) -> None:
        """Write everything that was applied to the file: only `close` makes it whole."""
        self.flush()

    def mark(self) -> None:
        """Be able to undo what is applied from now on, until the next mark."""
        from h5flow.storage.undo import UndoLog

        self._undo = UndoLog()

    def go_back(self) -> None:
        """Undo what was applied since the mark.

        Raises
        ------
        H5FlowError
            Objects were removed since.
        """
        undo, self._undo = self._undo, None
        assert undo is not None, "there is no mark"
        if undo.is_void:
            raise H5FlowError("objects were removed meanwhile, which cannot be undone")
        with full_disk_named(self.path):
            for path, start, rows in reversed(undo.rows):
                self._writable_table(path).write(slice(start, start + len(rows)), rows)
            for path, length in undo.lengths.items():
                self._writable_table(path).cut(length)
            if undo.removes:
                for path in undo.made:
                    self._linked.forget(path)
                self._remove_at_once(undo.remove)
            for (path, name), value in undo.attributes.items():
                if value is not None:
                    self._file[path].attrs[name] = value

    def _remove_at_once(self, remove: Callable[[h5py.File], None]) -> None:
        """Have objects removed from the file by a function."""
        self._flush_tables()
        self._tables = {}
        self._direct.forget()
        remove(self._file)

    def close(self) -> None:
        """Flush and close the file; harmless where it is closed."""
        try:
            if self._file:
                self._flush_tables(is_file_next=True)
        finally:
            self._forget()
            self._file.close()

    def abandon(self) -> None:
        """Close the file, which nobody wants any more, without writing what is in memory."""
        abandon(self._file, self._forget)

    def _forget(self) -> None:
        self._tables = {}
        self._direct.forget()
        self._linked.close()
        self._workers.close()

    def _flush_tables(
        self, paths: Collection[str] | None = None, *, is_file_next: bool = False
    ) -> None:
        if not self.writable:
            return
        chosen = self._tables if paths is None else self._tables.keys() & set(paths)
        with full_disk_named(self.path):
            for path in chosen:
                self._tables[path].flush(is_file_next=is_file_next)

    def _find(self, path: str) -> Table | None:
        table = self._tables.get(path)
        if table is None:
            found = object_at(self._file, path)
            if not isinstance(found, h5py.Dataset) or not found.shape:
                return None
            make = RegionTable if is_region_table(found) else Table
            room = partial(self._room.require, path)
            table = self._tables[path] = make(found, room, self._workers)
        return table

    def _writable_table(self, path: str) -> Table:
        linked = self._linked_dataset(path)
        if linked is not None:
            raise DataError(
                f"{path} is linked from the input {linked.file.filename}: its rows cannot be "
                "written",
                advice="Run with --input-data copy to have a copy of the input in the output.",
            )
        table = self._find(path)
        if table is None:
            raise NoSuchDatasetError(f"there is no dataset {path} in {self.path}")
        if table.missing_filters:
            raise without_filters(f"{path} in {self.path} cannot be written", table.missing_filters)
        if table.dtype.subdtype is not None:
            raise DataError(
                f"the rows of {path} in {self.path} are arrays of HDF5 "
                f"({table.dtype.base}{list(table.dtype.shape)}), which h5flow reads, but does not "
                "write",
                advice="Write to a dataset that h5flow creates instead.",
            )
        self._direct.leave((path,))
        return table

    def _region_table(self, path: str) -> RegionTable:
        table = self._writable_table(path)
        if not isinstance(table, RegionTable):
            raise FileFormatError(
                f"{path} in {self.path} holds {table.dtype}, not regions with start and stop",
                advice="`h5flow check --repair --file` makes regions anew.",
            )
        return table

    def _linked_dataset(self, path: str) -> h5py.Dataset | None:
        return None if path in self._tables else self._linked.find(self._file, path)

    def _check_free(self, path: str) -> None:
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            place = "/" + "/".join(parts[:depth])
            link = self._file.get(place, getlink=True)
            if link is None:
                return
            if depth == len(parts) or not isinstance(object_at(self._file, place), h5py.Group):
                raise FileFormatError(
                    f"{path} cannot be made: in {self.path} there is something else at {place}",
                    advice="Choose another name.",
                )

    def _create(self, create: CreateTable) -> None:
        rows = rows_per_hdf5_chunk(create.dtype, create.row_shape)
        # Variable-length values lie outside of the chunks, where filters do not reach.
        filters = {} if create.dtype.hasobject else filter_arguments(create.compression)
        dataset = self._file.create_dataset(
            create.path,
            shape=(0, *create.row_shape),
            maxshape=(None, *create.row_shape),
            chunks=(rows, *create.row_shape),
            dtype=create.dtype,
            **filters,
        )
        dataset.attrs.update(create.attributes)

    def _append_references(self, link: Link) -> None:
        from h5flow.references.regions import touched_rows

        table = self._writable_table(link.path)
        regions = [self._region_table(path) for path in link.regions]
        first_row = table.length
        pairs = _narrow(link.pairs, table)
        # All that can be refused comes before anything is written.
        for column, region in enumerate(regions):
            _narrow(np.array([first_row + len(pairs)]), region, "stop")
            region.extend(link.stops[column])
        table.write(slice(first_row, first_row + len(pairs)), pairs)
        for column, region in enumerate(regions):
            region.widen(*touched_rows(link.pairs[:, column], first_row))

    def _set_attributes(self, attributes: SetAttributes) -> None:
        group = self._file.require_group(attributes.path)
        for name, value in attributes.values.items():
            group.attrs[name] = value


def _physical_cores() -> int:
    from h5flow.comm.cores import physical_cores  # asked where there is something to share out

    return physical_cores()


def _joined(links: Sequence[Link]) -> list[Link]:
    """Return one link for all of a reference table; the order of its references stays."""
    by_path: dict[str, list[Link]] = {}
    for link in links:
        by_path.setdefault(link.path, []).append(link)
    return [
        parts[0]
        if len(parts) == 1
        else replace(parts[0], pairs=np.concatenate([part.pairs for part in parts]))
        for parts in by_path.values()
    ]


def _narrow(values: Array, table: Table, field: str | None = None) -> Array:
    """Return integers in the dtype of a table, or refuse: files of others have u4 or i4."""
    dtype = table.dtype if field is None else table.dtype[field]
    if values.dtype == dtype or not len(values):
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    if values.min() < limits.min or values.max() > limits.max:
        raise DataError(
            f"{table.dataset.name} holds {dtype} in this file, too narrow for {values.max()}",
            advice="Let h5flow make a new file, whose references are i8.",
        )
    return values.astype(dtype)
