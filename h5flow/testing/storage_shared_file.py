"""A storage for ranks that are threads of one process, which share one open file.

HDF5 cannot open a file twice in one process as if these were two: so every rank reads through
rank 0's handle. All else is the storage of ranks that are processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from h5flow.storage.single_writer import Reader, SingleWriterStorage

if TYPE_CHECKING:
    from h5flow.io.reading import RowSource

__all__ = ["SharedFileStorage"]


class SharedReader(Reader):
    """Reads through the storage of rank 0."""

    def __init__(self, path: Path, board: dict[Any, Any]) -> None:
        super().__init__(path, 1)
        self._board = board

    @property
    def file(self) -> h5py.File:
        """The open file."""
        return self._board[self._path].file

    def table(self, path: str) -> h5py.Dataset:
        """Return the table at `path`: the same object on all ranks."""
        return self._board[self._path].table(path)

    def rows(self, path: str) -> RowSource:
        """Return the rows of the table at `path`."""
        rows: RowSource = self._board[self._path].rows(path)
        return rows

    def refresh(self, paths: frozenset[str]) -> None:
        """See the rows that were written: these are there."""

    def reopen(self, *, is_live: bool) -> None:
        """See objects that were made: these are there."""


class SharedFileStorage(SingleWriterStorage):
    """The storage of a `h5flow.testing.ranks.ThreadCommunicator`.

    Parameters
    ----------
    path : pathlib.Path
    mode : {"r", "a"}
    communicator : ThreadCommunicator
    """

    name = "shared_file"

    def __init__(self, path: Path, mode: str, communicator: Any) -> None:
        self._board: dict[Any, Any] = communicator.board
        super().__init__(path, mode, communicator)
        if self._writer is not None:
            self._board[path] = self._writer

    def _make_reader(self, path: Path) -> Reader:
        return SharedReader(path, self._board)
