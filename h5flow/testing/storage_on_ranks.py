"""A storage on every rank of a group, for the tests of `h5flow.testing.storage_suite`.

What whoever calls a storage owes it is done here: ranks wait for each other around collective
calls, one tells the others what only it is told, and a file that a test fails on is abandoned.
"""

from __future__ import annotations

import pickle
import sys
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import h5py
import numpy as np

from h5flow.comm.protocol import Communicator
from h5flow.comm.serial import SerialCommunicator
from h5flow.errors import H5FlowError
from h5flow.storage.protocol import Batch, Storage, TableDescription
from h5flow.testing.ranks import run_on_ranks

__all__ = ["Case", "Run", "StorageOnRank", "run_in_this_process", "run_on_this_rank"]

ValueT = TypeVar("ValueT")

MakeStorage: TypeAlias = Callable[[Path, str, Communicator], Storage]


class StorageOnRank:
    """One rank's storage of a file. Every call is collective, but `table` and `read`.

    Parameters
    ----------
    make : callable
        Makes a storage of a path, a mode and a communicator.
    path : pathlib.Path
        The same on all ranks, in a folder that exists.
    communicator : Communicator
    """

    def __init__(self, make: MakeStorage, path: Path, communicator: Communicator) -> None:
        self.path = path
        self.rank, self.size = communicator.rank, communicator.size
        self._make = make
        self._communicator = communicator
        self._storage: Storage | None = None

    @property
    def storage(self) -> Storage:
        """The storage itself, which is open."""
        assert self._storage is not None, "the storage is closed"
        return self._storage

    def open(self) -> None:
        """Open the file for writing; make it if there is none."""
        self.meet()
        self._storage = self._make(self.path, "a", self._communicator)
        self.meet()

    def close(self) -> None:
        """Close the file; harmless where it is closed."""
        self.meet()
        if self._storage is not None:
            self._storage.close()
            self._storage = None
        self.meet()

    def abandon(self) -> None:
        """Close the file without waiting for anyone; harmless where it is closed."""
        if self._storage is not None:
            self._storage.abandon()
            self._storage = None

    def replace_file(self, write: Callable[[h5py.File], Any], **options: Any) -> None:
        """Go on with a file that rank 0 makes with h5py alone.

        Parameters
        ----------
        write : callable
            Called with the open file, which is empty.
        **options
            Further arguments of ``h5py.File``.
        """
        self.close()
        if self.rank == 0:
            with h5py.File(self.path, "w", **options) as file:
                write(file)
        self.open()

    def meet(self) -> None:
        """Wait until every rank is here."""
        self._communicator.exchange(b"")

    def told(self, value: ValueT) -> ValueT:
        """Return the value of rank 0."""
        message = pickle.dumps(value) if self.rank == 0 else b""
        found: ValueT = pickle.loads(self._communicator.exchange(message)[0])
        return found

    def describe(self, path: str) -> TableDescription | None:
        """Return what the table at `path` is, None where there is none."""
        return self.told(self.storage.describe(path) if self.rank == 0 else None)

    def attributes(self, path: str) -> dict[str, Any] | None:
        """Return the metadata of the object at `path`, None where none is."""
        return self.told(self.storage.attributes(path) if self.rank == 0 else None)

    def apply(self, batch: Batch) -> None:
        """Take the batches of all ranks."""
        self.meet()
        self.storage.apply(batch)

    def is_refused(self, batch: Batch) -> bool:
        """Return whether a batch is refused on any rank."""
        self.meet()
        answer = b""
        try:
            self.storage.apply(batch)
        except H5FlowError as error:
            answer = str(error).encode()
        return any(self._communicator.exchange(answer))

    def mark(self) -> None:
        """Be able to undo what is applied from now on."""
        self.meet()
        self.storage.mark()

    def go_back(self) -> None:
        """Undo what was applied since the mark."""
        self.meet()
        self.storage.go_back()
        self.show()

    def cannot_go_back(self) -> bool:
        """Return whether that is refused on any rank."""
        self.meet()
        answer = b""
        try:
            self.storage.go_back()
        except H5FlowError as error:
            answer = str(error).encode()
        return any(self._communicator.exchange(answer))

    def delete(self, *paths: str) -> None:
        """Remove the objects at `paths`."""
        self.meet()
        self.storage.delete(*paths)

    def flush(self) -> None:
        """Write everything to the file."""
        self.meet()
        self.storage.flush()
        self.meet()

    def show(self, paths: Collection[str] | None = None) -> None:
        """Share tables, all with None, and let every rank see them."""
        self.meet()
        self.storage.share(paths)
        self.meet()
        self.storage.refresh()

    def table(self, path: str) -> h5py.Dataset:
        """Return the table at `path`."""
        return self.storage.table(path)

    def read(self, path: str) -> np.ndarray[Any, Any]:
        """Return the rows of a table that are seen on this rank, alike in both ways to read."""
        found = self.storage.rows(path)
        rows: np.ndarray[Any, Any] = found[0 : found.shape[0]]
        assert rows.tobytes() == self.table(path)[...].tobytes(), "`rows` differs from `table`"
        return rows


Case: TypeAlias = Callable[[StorageOnRank], None]
Run: TypeAlias = Callable[[Case], None]


def run_in_this_process(make: MakeStorage, size: int, folder: Path) -> Run:
    """Return what runs a case on every rank of a group inside this process.

    Parameters
    ----------
    make : callable
        Makes a storage of a path, a mode and a communicator.
    size : int
        1 is the serial communicator; more ranks are threads.
    folder : pathlib.Path
        For the files; empty.
    """
    paths = _Paths(folder)

    def run(case: Case) -> None:
        path = paths.next()
        if size == 1:
            _run_case(case, StorageOnRank(make, path, SerialCommunicator()))
        else:
            run_on_ranks(size, lambda ours: _run_case(case, StorageOnRank(make, path, ours)))

    return run


def run_on_this_rank(make: MakeStorage, communicator: Communicator, folder: Path) -> Run:
    """Return what runs a case as one of several processes. Calling that is collective.

    What is raised in a case is printed at once: ranks that it leaves waiting need a limit of time.
    Where all end, it is raised on every rank.

    Parameters
    ----------
    make : callable
        Makes a storage of a path, a mode and a communicator.
    communicator : Communicator
    folder : pathlib.Path
        For the files; empty, and the same on all ranks.
    """
    paths = _Paths(folder)

    def run(case: Case) -> None:
        failure = ""
        try:
            _run_case(case, StorageOnRank(make, paths.next(), communicator))
        except Exception:
            failure = f"rank {communicator.rank}: {traceback.format_exc()}"
            print(failure, file=sys.stderr, flush=True)
        failures = [text.decode() for text in communicator.exchange(failure.encode())]
        if any(failures):
            raise AssertionError("\n".join(filter(None, failures)))

    return run


class _Paths:
    """Paths that nobody has used, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def next(self) -> Path:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "out.h5"


def _run_case(case: Case, storage: StorageOnRank) -> None:
    try:
        storage.open()
        case(storage)
        storage.close()
    finally:
        storage.abandon()
