"""The one process that writes a file which others read at the same time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from h5flow.errors import NoSuchDatasetError
from h5flow.io.edit import edit_at_once
from h5flow.io.open_file import open_file
from h5flow.io.removal import remove_object
from h5flow.io.space import Room, full_disk_named
from h5flow.storage.lasting import LastingDatasets
from h5flow.storage.single_process import SingleProcessStorage

if TYPE_CHECKING:
    from h5flow.io.reading import RowSource
    from h5flow.storage.protocol import Batch

__all__ = ["Writer"]

# How the file can be open: for one process alone, for one that writes and others that read, or for
# reading alone.
_ORDINARY, _LIVE, _CLOSED = "ordinary", "live", "closed"


class Writer(SingleProcessStorage):
    """A file that is written in HDF5's single-writer-many-readers (SWMR) mode once it is shared.

    Objects are made and given metadata in that mode, too; others see them when they have opened the
    file anew, and after a kill they are there once they were flushed. They are removed while the
    file is closed, all at once, and then it is opened in that mode again. A file with a superblock
    older than HDF5 1.10 has no such mode: it is closed for writing while others read, and `is_live`
    is False.

    Parameters
    ----------
    path : pathlib.Path
        A file that nobody else writes.
    """

    def __init__(self, path: Path) -> None:
        # The locks of HDF5 would keep readers out while the file is in the ordinary mode; they
        # do not read then, and another lock keeps other writers out.
        super().__init__(path, "a", locking=False)
        self.is_live = True
        self._lasting = LastingDatasets()

    def apply(self, batch: Batch, /) -> None:
        """Take a batch."""
        self._leave_reading()
        super().apply(batch)

    def delete(self, *paths: str) -> None:
        """Remove the objects at `paths`, all at once: half of a dataset would be another one."""
        self._leave_reading()
        if not self._file.swmr_mode:
            super().delete(*paths)
            self._lasting.renew(self._find_again)
            return
        if self._undo is not None:
            self._undo.is_void = True

        def remove(file: h5py.File) -> None:
            for path in paths:
                remove_object(file, path)

        for path in paths:
            self._linked.forget(path)
        with full_disk_named(self.path):
            self._remove_at_once(remove)

    def go_back(self) -> None:
        """Undo what was applied since the mark.

        Raises
        ------
        H5FlowError
            Objects were removed since.
        """
        self._leave_reading()
        super().go_back()
        self._lasting.renew(self._find_again)

    def _remove_at_once(self, remove: Callable[[h5py.File], None]) -> None:
        if not self._file.swmr_mode:
            super()._remove_at_once(remove)
            return

        def edit() -> None:
            with edit_at_once(self.path) as file:
                remove(file)

        self._reopen(_LIVE, edit)

    def share(self, paths: Collection[str] | None = None, /) -> None:
        """Have these tables, all with None, in the file, and let others read it."""
        if self._file.mode == "r":
            return  # nothing was written since it was closed for the readers
        with full_disk_named(self.path):
            if not self._file.swmr_mode:
                self._reopen(_LIVE if self.is_live else _CLOSED)
            else:
                self._flush_tables(paths, is_file_next=True)
                self._file.flush()
                self._room.flushed()

    def table(self, path: str, /) -> h5py.Dataset:
        """Return the table at `path`: the same object each time.

        Raises
        ------
        NoSuchDatasetError
            There is no table at `path`.
        """
        # Whoever has it can write to it, too.
        self._direct.leave((path,))
        return self._find_lasting(path)

    def rows(self, path: str, /) -> RowSource:
        """Return the rows of the table at `path`: around HDF5 where nobody can have changed them.

        Raises
        ------
        NoSuchDatasetError
            There is no table at `path`.
        """
        return self._direct.rows(path, self._find_lasting(path))

    def _find_lasting(self, path: str) -> h5py.Dataset:
        return self._lasting.give(path, lambda: self._open_table(path))

    def _open_table(self, path: str) -> h5py.Dataset:
        return super().table(path)

    def _leave_reading(self) -> None:
        """Open the file for writing."""
        if self._file.mode == "r":
            self._reopen(_ORDINARY)

    def _reopen(self, mode: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Close the file and open it again; `meanwhile` is called in between."""
        self._flush_tables(is_file_next=True)
        self._tables = {}
        self._direct.forget()
        self._file.close()
        try:
            meanwhile()
        finally:
            self._open(mode)
        self.writable = self._file.mode != "r"
        self._room = Room(self._file, self.path)
        self._lasting.renew(self._find_again)

    def _open(self, mode: str) -> None:
        self._file = open_file(self.path, "r" if mode == _CLOSED else "r+", **self._options)
        if mode != _LIVE:
            return
        try:
            # Before any object is opened: one that is older than HDF5 1.10 would be refused.
            self._file.swmr_mode = True
        except (RuntimeError, ValueError):
            self.is_live = False
            self._file.close()
            self._open(_CLOSED)

    def _find_again(self, path: str) -> h5py.Dataset | None:
        try:
            return self._open_table(path)
        except NoSuchDatasetError:
            return None
