"""One process, one file, which a kill at any moment leaves readable."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from h5flow.io.damage import unreadable
from h5flow.io.space import full_disk_named
from h5flow.io.survey import unreadable_tables
from h5flow.storage.single_process import SingleProcessStorage
from h5flow.storage.writer import Writer

if TYPE_CHECKING:
    from h5flow.io.reading import RowSource

__all__ = ["LiveProcessStorage"]


class LiveProcessStorage(Writer):
    """What a run in one process writes: in HDF5's SWMR mode from the first `commit` on.

    Nobody else reads the file meanwhile. In that mode HDF5 writes in an order that keeps the file
    whole, also where the process is killed.

    Parameters
    ----------
    path : pathlib.Path
        A file that nobody else writes.
    mode : str
        Always ``"a"``.
    communicator : Communicator, optional
        The group of one that this process is; nobody is asked anything.
    """

    name = "live_process"

    def __init__(self, path: Path, mode: str = "a", communicator: object = None) -> None:
        assert mode == "a", "a run writes its file"
        super().__init__(path)
        self._unreadable: dict[str, BaseException] = {}

    def table(self, path: str, /) -> h5py.Dataset:
        """Return the table at `path` with every row that was applied: the same object each time.

        Raises
        ------
        NoSuchDatasetError
            There is no table at `path`.
        """
        self._refuse_unreadable(path)
        found = super().table(path)
        self._flush_tables((path,))
        return found

    def rows(self, path: str, /) -> RowSource:
        """Return the rows of the table at `path`, with every row that was applied.

        Raises
        ------
        NoSuchDatasetError
            There is no table at `path`.
        """
        self._refuse_unreadable(path)
        self._flush_tables((path,))
        return super().rows(path)

    def share(self, paths: Collection[str] | None = None, /) -> None:
        """Give HDF5 the rows that wait in memory: of these tables, of all with None."""
        # Not as a writer that others read from: the file need not be in SWMR mode before `commit`.
        SingleProcessStorage.share(self, paths)

    def commit(self) -> None:
        """Have everything that was applied where a kill of this process cannot take it."""
        with full_disk_named(self.path):
            self._flush_tables(is_file_next=True)
            if self.is_live and not self._file.swmr_mode:
                self._go_live()
            self._file.flush()
            self._room.flushed()

    def _refuse_unreadable(self, path: str) -> None:
        if path in self._unreadable:
            raise unreadable(f"{path} in {self.path}", self._unreadable[path])

    def _go_live(self) -> None:
        self._unreadable = unreadable_tables(self._file)
        self._file.flush()
        try:
            # With the datasets that are open, which users may hold.
            self._file.swmr_mode = True
        except (RuntimeError, ValueError):
            self._reopen_live()

    def _reopen_live(self) -> None:
        self._reopen("live")
        if not self.is_live:
            self._reopen("ordinary")
