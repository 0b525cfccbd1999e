"""Where ranks agree: every collective act of a run is one exchange here.

A rank that has reached the end of its hook keeps answering *end* until all have, so a rank may
leave any call out. One process is a group of one and takes the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from h5flow.comm.protocol import Communicator
from h5flow.errors import H5FlowError
from h5flow.storage.protocol import Batch, CreateTable, Link, Storage, Write
from h5flow.transaction.acts import (
    Act,
    Create,
    Delete,
    EndOfHook,
    Extend,
    Failed,
    Flush,
    Reserve,
    Tag,
)
from h5flow.transaction.catalogue import Catalogue
from h5flow.transaction.ledger import Ledger
from h5flow.transaction.queue import Queue

__all__ = ["Rendezvous"]


class Rendezvous:
    """What the ranks of a run make together of one file.

    Parameters
    ----------
    communicator : Communicator
    storage : Storage
    """

    def __init__(self, communicator: Communicator, storage: Storage) -> None:
        self.communicator = communicator
        self.storage = storage
        self.catalogue = Catalogue(storage)
        self._queue = Queue()
        self._ledger = Ledger(communicator.size, lambda path: self.catalogue.find(path) is not None)
        self._tag = Tag()
        self._ordinals: dict[tuple[type[Act], str], int] = {}
        self._failure: Failed | None = None

    @property
    def failed(self) -> bool:
        """Whether a rank has failed: nothing more is written, and every call raises."""
        return self._failure is not None

    @property
    def queued_bytes(self) -> int:
        """Memory that rows and references take which are not placed yet."""
        return self._queue.size_bytes

    def begin(self, tag: Tag) -> None:
        """Enter a hook."""
        self._tag = tag
        self._ordinals = {}
        self._ledger.begin()

    def end(self, result: Any = None) -> list[Any]:
        """Leave a hook: wait for all ranks, place what they queued, return every `result`."""
        acts = self._announce(EndOfHook(self._tag, result))
        self._place(None)
        self._tag = Tag()
        return [act.result for act in acts if isinstance(act, EndOfHook)]

    def fail(self, error: str, traceback: str) -> None:
        """Tell all ranks that an exception escaped; what the hook queued is forgotten."""
        self._queue.clear()
        self._failure = Failed(self._tag, error, traceback)
        self.communicator.exchange(self._failure)

    def reserve(self, path: str, rows: int) -> slice:
        """Return `rows` new rows of a table."""
        act = Reserve(self._tag, path, rows, self._ordinal(Reserve, path))
        result = self._announce(act)
        assert isinstance(result, slice)
        return result

    def extend(self, path: str, stop: int) -> None:
        """Give a table `stop` rows at least."""
        self._announce(Extend(self._tag, path, stop))

    def create(self, tables: tuple[CreateTable, ...]) -> None:
        """Make tables that do not exist yet."""
        self._announce(Create(self._tag, tables, self._ordinal(Create, tables[0].path)))

    def delete(self, paths: tuple[str, ...]) -> None:
        """Remove objects."""
        self._announce(Delete(self._tag, paths))

    def flush(self, paths: tuple[str, ...] | None = None) -> None:
        """Have what is queued for `paths`, for all with None, in the storage."""
        self._announce(Flush(self._tag, paths))

    def write(self, write: Write) -> None:
        """Queue rows."""
        self._refuse_after_failure()
        self._queue.write(write)
        self.catalogue.versions[write.path] += 1

    def link(self, link: Link) -> None:
        """Queue references."""
        self._refuse_after_failure()
        self._queue.link(link)
        self.catalogue.versions[link.path] += 1

    def set_attributes(self, path: str, values: dict[str, Any]) -> None:
        """Queue metadata."""
        self._refuse_after_failure()
        self._queue.set_attributes(path, values)

    def _ordinal(self, kind: type[Act], path: str) -> int:
        ordinal = self._ordinals.get((kind, path), 0)
        self._ordinals[kind, path] = ordinal + 1
        return ordinal

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise H5FlowError(
                f"an earlier call has failed ({self._failure.error}); nothing more is written"
            )

    def _announce(self, act: Act) -> Any:
        """Exchange `act` until it is served; return what that gave (for an end: all acts)."""
        self._refuse_after_failure()
        while True:
            acts = self.communicator.exchange(act)
            for other in acts:
                if isinstance(other, Failed):
                    self._failure = other
                    self._refuse_after_failure()
                if other.tag != act.tag:
                    raise H5FlowError(f"ranks are in different hooks: {act.tag}; {other.tag}")
            if all(isinstance(other, EndOfHook) for other in acts):
                return acts
            mine = None
            served = self._ledger.turns(acts)
            for rank in served:
                result = self._serve(acts[rank])
                if rank == self.communicator.rank:
                    mine = result
            if self.communicator.rank in served:
                return mine

    def _serve(self, act: Act) -> slice | None:
        if isinstance(act, Reserve):
            start = self.catalogue.table(act.path).length
            self.catalogue.grow(act.path, start + act.rows)
            return slice(start, start + act.rows)
        if isinstance(act, Extend):
            self.catalogue.grow(act.path, act.stop)
        elif isinstance(act, Create):
            missing = [table for table in act.tables if self.catalogue.find(table.path) is None]
            try:
                self.storage.apply(Batch(self._tag.iteration, creates=missing))
            finally:
                self.catalogue.forget(table.path for table in missing)
        elif isinstance(act, Flush):
            self._place(act.paths)
        elif isinstance(act, Delete):
            self._place(None)
            for path in act.paths:
                self.storage.delete(path)
                self.catalogue.versions[path] += 1
            self.catalogue.forget(act.paths)
        return None

    def _place(self, paths: Iterable[str] | None) -> None:
        wanted = None if paths is None else frozenset(paths)
        grown = self.catalogue.take_grown(wanted)
        batch = self._queue.drain(self._tag.iteration, grown, wanted)
        try:
            self.storage.apply(batch)
        except BaseException as error:
            # Part of the batch may be in the file: nothing here knows how long its tables are.
            self._failure = Failed(self._tag, f"{type(error).__name__}: {error}", "")
            raise
        # Reference tables grow as references are appended, which the storage does.
        for link in batch.links:
            self.catalogue.forget((link.path, *link.regions))
