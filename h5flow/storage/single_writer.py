"""Many ranks, one writer: rank 0 writes what the others send, every rank reads the file itself."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import h5py

from h5flow.comm.cores import physical_cores
from h5flow.errors import NoSuchDatasetError
from h5flow.io.workers import Workers
from h5flow.storage.direct_tables import DirectTables
from h5flow.storage.lasting import LastingDatasets
from h5flow.storage.single_process import SingleProcessStorage
from h5flow.storage.transfer import LARGEST_PIECE, receive_batches, send_batch
from h5flow.storage.writer import Writer

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator
    from h5flow.io.reading import RowSource
    from h5flow.storage.protocol import Batch, TableDescription

__all__ = ["Reader", "SingleWriterStorage"]


class Reader:
    """A file that another process writes, open for reading since it was shared first.

    Parameters
    ----------
    path : pathlib.Path
    ranks_here : int
        How many share the cores of this machine.
    """

    def __init__(self, path: Path, ranks_here: int) -> None:
        self._path = path
        self._storage: SingleProcessStorage | None = None
        self._lasting = LastingDatasets()
        self._workers = Workers(lambda: physical_cores() // ranks_here)
        self._direct = DirectTables(self._workers)

    @property
    def file(self) -> h5py.File:
        """The open file."""
        return self._opened().file

    def table(self, path: str) -> h5py.Dataset:
        """Return the table at `path`: the same object each time."""
        return self._lasting.give(path, lambda: self._opened().table(path))

    def rows(self, path: str) -> RowSource:
        """Return the rows of the table at `path`."""
        return self._direct.rows(path, self.table(path))

    def refresh(self, paths: frozenset[str]) -> None:
        """See the rows that were written to these tables."""
        self._direct.leave(paths)
        self._lasting.refresh(paths)

    def reopen(self, *, is_live: bool) -> None:
        """See objects that were made, and all rows."""
        self.close()
        options: dict[str, Any] = {"swmr": True} if is_live else {}
        self._storage = SingleProcessStorage(self._path, "r", locking=False, **options)
        self._lasting.renew(self._find_again)

    def close(self) -> None:
        """Close the file; harmless where it is closed."""
        self._direct.forget()
        if self._storage is not None:
            self._storage.close()

    def _opened(self) -> SingleProcessStorage:
        assert self._storage is not None, "nothing is read before it was shared"
        return self._storage

    def _find_again(self, path: str) -> h5py.Dataset | None:
        try:
            return self._opened().table(path)
        except NoSuchDatasetError:
            return None


class SingleWriterStorage:
    """Rank 0 writes, with the ordinary h5py; all ranks see one file.

    While ranks read, the file is in HDF5's single-writer-many-readers mode.

    Parameters
    ----------
    path : pathlib.Path
        On a file system that all ranks share.
    mode : {"r", "a"}
    communicator : Communicator
        Carries rows to rank 0.
    """

    name = "single_writer"
    #: Bytes that travel at once, and that rank 0 holds of another rank.
    largest_piece: ClassVar[int] = LARGEST_PIECE

    def __init__(self, path: Path, mode: str, communicator: Communicator) -> None:
        self.path = path
        self._communicator = communicator
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        if mode == "r" or communicator.rank:
            self._reader = self._make_reader(path)
        else:
            self._writer = Writer(path)
        self._must_reopen = True
        self._outdated: set[str] = set()
        if mode == "r" and self._reader is not None:
            self._reader.reopen(is_live=False)

    @property
    def file(self) -> h5py.File:
        """The open file, for reading, with everything in it that was shared."""
        return (self._writer or self._reader_here()).file

    def describe(self, path: str, /) -> TableDescription | None:
        """Return what the table at `path` is, None where there is none. On rank 0 only."""
        return self._writer_here().describe(path)

    def attributes(self, path: str, /) -> dict[str, Any] | None:
        """Return the metadata of the object at `path`, None where none is. On rank 0 only."""
        return self._writer_here().attributes(path)

    def apply(self, batch: Batch, /) -> None:
        """Send this rank's batch to rank 0, which applies all of them in rank order. Collective."""
        if self._writer is None:
            send_batch(batch, self._communicator, 0, self.largest_piece)
            return
        error: BaseException | None = None
        for part in self._batches(batch):
            if error is None:
                try:
                    self._writer.apply(part)
                except BaseException as raised:
                    # The others are still sending: what comes now is taken, and thrown away.
                    error = raised
        if error is not None:
            raise error

    def delete(self, *paths: str) -> None:
        """Remove the objects at `paths`, all at once. Collective."""
        if self._writer is not None:
            self._writer.delete(*paths)

    def share(self, paths: Collection[str] | None = None, /) -> None:
        """Have what was applied where every rank can read it, after `refresh`. Collective."""
        if paths is None:
            self._must_reopen = True
        else:
            self._outdated.update(paths)
        if self._writer is not None:
            self._writer.share(None if self._must_reopen else paths)

    def refresh(self) -> None:
        """See what was shared. Collective."""
        outdated, self._outdated = frozenset(self._outdated), set()
        if self._must_reopen:
            is_live = self._is_live()
            # A file that is closed between two shares has to be opened anew each time.
            self._must_reopen = not is_live
            if self._reader is not None:
                self._reader.reopen(is_live=is_live)
        elif self._reader is not None:
            self._reader.refresh(outdated)

    def table(self, path: str, /) -> h5py.Dataset:
        """Return the table at `path` with every row that was shared: the same object each time.

        Raises
        ------
        NoSuchDatasetError
            There is no table at `path`.
        """
        return (self._writer or self._reader_here()).table(path)

    def rows(self, path: str, /) -> RowSource:
        """Return the rows of the table at `path`, with every row that was shared.

        Raises
        ------
        NoSuchDatasetError
            There is no table at `path`.
        """
        return (self._writer or self._reader_here()).rows(path)

    def flush(self) -> None:
        """Write everything that was applied to the file. Collective."""
        if self._writer is not None:
            self._writer.flush()

    def commit(self) -> None:
        """Do nothing: what was shared was written in SWMR mode. Collective."""

    def mark(self) -> None:
        """Be able to undo what is applied from now on, until the next mark. Collective."""
        if self._writer is not None:
            self._writer.mark()

    def go_back(self) -> None:
        """Undo what was applied since the mark. Collective.

        Raises
        ------
        H5FlowError
            Objects were removed since.
        """
        self._must_reopen = True
        if self._writer is not None:
            self._writer.go_back()

    def close(self) -> None:
        """Flush and close the file. Collective."""
        (self._writer or self._reader_here()).close()

    def abandon(self) -> None:
        """Close the file, which nobody wants any more, without writing what is in memory."""
        if self._writer is not None:
            self._writer.abandon()
        else:
            with contextlib.suppress(Exception):
                self._reader_here().close()

    def _make_reader(self, path: Path) -> Reader:
        return Reader(path, self._communicator.local_size)

    def _is_live(self) -> bool:
        """Return, on all ranks, whether the writer goes on with the file open."""
        mine = b"live" if self._writer is None or self._writer.is_live else b"closed"
        return self._communicator.exchange(mine)[0] == b"live"

    def _batches(self, own: Batch) -> Iterator[Batch]:
        """Yield the batches of all ranks, in rank order."""
        yield own
        for rank in range(1, self._communicator.size):
            yield from receive_batches(self._communicator, rank)

    def _writer_here(self) -> Writer:
        assert self._writer is not None, "rank 0 answers for all"
        return self._writer

    def _reader_here(self) -> Reader:
        assert self._reader is not None
        return self._reader
