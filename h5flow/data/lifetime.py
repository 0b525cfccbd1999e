"""The life of a data manager's file: opened when it is used, completed however that ends."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from h5flow.data.linked_tables import LinkedTables

__all__ = ["FileLifetime"]

# Outside of a run nothing ends a hook, so this much may wait in memory.
QUEUE_BYTES = 64 * 2**20


class FileLifetime:
    """A file that is open from its first use until it is closed, and again from the next use.

    Parameters
    ----------
    path : pathlib.Path
    writable : bool
    communicator : str
        Name of a communicator, or ``"auto"``.
    compression : str, optional
        The filter of new tables.
    tables : LinkedTables, optional
        Of a file that a run has opened and will close.
    """

    def __init__(
        self,
        path: Path,
        writable: bool,
        communicator: str,
        compression: str | None,
        tables: LinkedTables | None = None,
    ) -> None:
        self._path = path
        self._writable = writable
        self._communicator = communicator
        self._compression = compression
        self._tables = tables
        self._closer: weakref.finalize[..., FileLifetime] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._tables is not None

    def open(self) -> LinkedTables:
        """Return what is in the file, which is opened where it is closed."""
        if self._tables is None:
            # A script that follows references by hand opens none, and need not wait for these.
            from h5flow.comm import choose_communicator
            from h5flow.data.linked_tables import LinkedTables
            from h5flow.storage import storages
            from h5flow.transaction.rendezvous import Rendezvous

            communicator = choose_communicator(self._communicator if self._writable else "serial")
            mode = "a" if self._writable else "r"
            storage = storages.get("single_process")(self._path, mode)
            self._tables = LinkedTables(Rendezvous(communicator, storage), self._compression)
            self._closer = weakref.finalize(self, _close, self._tables, self._writable)
        return self._tables

    def spill(self) -> None:
        """Write what is queued where it is much and no hook will end."""
        if self._closer is None or self._tables is None:
            return
        if self._tables.rendezvous.queued_bytes > QUEUE_BYTES:
            self._tables.rendezvous.flush()

    def close(self) -> None:
        """Write everything that is queued and close the file, or leave that to the run."""
        if self._closer is None:
            if self._tables is not None:
                self._tables.rendezvous.flush()
            return
        # The finalizer is the one way out: with `with`, by hand, and at the interpreter's exit.
        try:
            self._closer()
        finally:
            self._tables = None


def _close(tables: LinkedTables, writable: bool) -> None:
    try:
        # After a failure nothing knows what is in the file; the error was raised already.
        if writable and not tables.rendezvous.failed:
            tables.settle()
    finally:
        tables.rendezvous.storage.close()
