"""The life of a data manager's file: opened when it is used, completed however that ends."""

from __future__ import annotations

import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from h5flow.errors import H5FlowWarning

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
            from h5flow.comm import Communicator, choose_communicator
            from h5flow.comm.serial import SerialCommunicator
            from h5flow.data.linked_tables import LinkedTables
            from h5flow.storage import storages
            from h5flow.transaction.channel import Channel
            from h5flow.transaction.rendezvous import Rendezvous

            communicator: Communicator = SerialCommunicator()
            if self._writable:
                communicator = choose_communicator(self._communicator)
            channel, mode = Channel(communicator), "a" if self._writable else "r"
            make = storages.get(communicator.storage)
            storage = channel.together("open", lambda: make(self._path, mode, communicator))
            self._tables = LinkedTables(Rendezvous(channel, storage), self._compression)
            finalizer = _close if communicator.size == 1 else _give_up
            self._closer = weakref.finalize(self, finalizer, self._tables, self._writable)
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
        # In one process the finalizer is the one way out: with `with`, by hand, and at the
        # interpreter's exit. There ranks must not wait for each other.
        self._closer.detach()
        try:
            if self._tables is not None:
                _close(self._tables, self._writable)
        finally:
            self._tables = None


def _close(tables: LinkedTables, writable: bool) -> None:
    rendezvous = tables.rendezvous
    storage = rendezvous.storage
    # After a failure nothing knows what is in the file; the error was raised already.
    if not writable or rendezvous.failed:
        storage.close()
        return
    try:
        rendezvous.end()
        tables.drop_outdated_indices()
        tables.settle()
    except BaseException:
        storage.close()
        raise
    # No rank opens the file again before the one that writes has closed it.
    rendezvous.channel.together("closing the file", storage.close)


def _give_up(tables: LinkedTables, writable: bool) -> None:
    """Say what is lost where a rank forgets a file, or ends, without closing it."""
    if writable and tables.rendezvous.queued_bytes:
        warnings.warn(
            f"{tables.rendezvous.storage.file.filename} was not closed on all ranks: what was "
            "queued is lost. Call close_file(), or open it in `with`.",
            H5FlowWarning,
            stacklevel=1,
        )
    tables.rendezvous.storage.abandon()
