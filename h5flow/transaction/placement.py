"""From what the ranks have queued to the file: each step is one that all ranks take together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from h5flow.storage.protocol import Batch, CreateTable, Storage, TableDescription, Write
from h5flow.transaction.acts import Flush, Outcome, Queued, Tag
from h5flow.transaction.queue import Queue, summary_of

if TYPE_CHECKING:
    from h5flow.transaction.catalogue import Catalogue
    from h5flow.transaction.channel import Channel
    from h5flow.transaction.ledger import Ledger

__all__ = ["Placement"]

NOTHING_QUEUED = Queued()


class Placement:
    """Places rows in (rank, call) order, and lets every rank read them when one wants to.

    Parameters
    ----------
    channel : Channel
    storage : Storage
    catalogue : Catalogue
        Is told what changes.
    ledger : Ledger
        Is told of references that are placed before a hook has ended.

    Attributes
    ----------
    queue : Queue
        Of this rank.
    watched : set of str
        Tables that are up to date for readers after every hook.
    """

    def __init__(
        self, channel: Channel, storage: Storage, catalogue: Catalogue, ledger: Ledger
    ) -> None:
        self._channel = channel
        self._storage = storage
        self._catalogue = catalogue
        self._ledger = ledger
        self.queue = Queue()
        self.watched: set[str] = set()
        self._shared_rows: list[tuple[str, slice]] = []
        self._iteration = -1
        self._given: list[tuple[str, slice]] = []

    def begin(self, iteration: int) -> None:
        """Enter a hook."""
        self._shared_rows = []
        if iteration != self._iteration:
            self._iteration, self._given = iteration, []

    def forget(self) -> None:
        """Forget what is queued, and which rows this rank was given in this iteration."""
        self.queue.clear()
        self._shared_rows, self._given = [], []

    def give(self, path: str, rows: slice) -> None:
        """Take down that this rank was given new rows."""
        if self._channel.size > 1:
            self._given.append((path, rows))

    def is_given(self, write: Write) -> bool:
        """Return whether this rank was given these rows in this iteration, as one process was."""
        return self._channel.size == 1 or _is_within(write, self._given)

    def share_rows(self, path: str, rows: slice) -> None:
        """Take down that all ranks were given the same rows in this hook: rank 0 writes them."""
        self._shared_rows.append((path, rows))

    def summary(self, tag: Tag) -> Queued:
        """Return what this rank has queued by now."""
        return self._summary(None, tag)

    def place(self, queued: Sequence[Queued], tag: Tag) -> None:
        """Place all that the ranks have queued, as they have told each other. Collective.

        Raises
        ------
        H5FlowError
            It cannot be stored.
        OtherRankError
            Another rank has found that.
        """
        if any(queued) or any(map(self._catalogue.is_grown, self.watched)):
            self._place(None, queued, tag, readable=())

    def flush(self, act: Flush) -> None:
        """Let every rank read tables, after what is queued for them was placed if `act` says so.

        Collective.
        """
        if act.watches:
            self.watched.update(act.paths or ())
        if act.places:
            outcomes = self._channel.exchange(
                Outcome(act.tag, answer=self._summary(act.paths, act.tag))
            )
            queued = [other.answer for other in outcomes if isinstance(other, Outcome)]
            self._place(act.paths, queued, act.tag, readable=act.paths)
        else:
            self._share(act.paths, act.tag)

    def share_all(self, tag: Tag) -> None:
        """Let every rank read what is placed. Collective."""
        self._share(None, tag)

    def create(self, tables: Sequence[CreateTable], tag: Tag) -> None:
        """Make tables. Collective.

        Raises
        ------
        Refused
            One of them cannot be made, and none was.
        """

        def make() -> list[tuple[str, TableDescription | None]]:
            self._storage.apply(Batch(tag.iteration, creates=tables))
            if self._channel.rank:
                return []
            return [(table.path, self._storage.describe(table.path)) for table in tables]

        self._catalogue.made(self._channel.conclude(tag, make, fatal=False))
        self._keep_watched_readable(tag)

    def delete(self, paths: Sequence[str], tag: Tag) -> None:
        """Remove objects. Collective."""
        self.queue.drain(tag.iteration, {}, paths)
        self.watched.difference_update(paths)
        self._channel.conclude(tag, lambda: self._storage.delete(*paths))
        self._catalogue.removed(paths)
        self._keep_watched_readable(tag)

    def _summary(self, paths: Collection[str] | None, tag: Tag) -> Queued:
        if not self.queue:
            return NOTHING_QUEUED
        batch = self.queue.everything(paths)
        elsewhere = [write.path for write in batch.writes if not self.is_given(write)]
        return summary_of(batch, digest=tag.iteration < 0, elsewhere=elsewhere)

    def _place(
        self,
        paths: Collection[str] | None,
        queued: Sequence[Queued],
        tag: Tag,
        readable: Collection[str] | None,
    ) -> None:
        """Place what is queued for `paths`, then let every rank read the tables `readable`."""
        queued, alike = _without_repeats(queued)
        grown = self._catalogue.take_grown(paths)
        batch = self._own_part(self.queue.drain(tag.iteration, grown, paths), alike=alike)
        self._tell(queued, tag)
        share = self._to_share(readable)

        def work() -> None:
            if any(queued) or grown:
                self._storage.apply(batch)
            if share is None or share:
                self._storage.share(share)

        self._channel.conclude(tag, work)
        self._shared(share)

    def _tell(self, queued: Sequence[Queued], tag: Tag) -> None:
        """Let catalogue and ledger know what changes."""
        catalogue = self._catalogue
        for rank, each in enumerate(queued):
            catalogue.dirty.update(each.writes)
            catalogue.touched.update(each.writes)
            if rank != self._channel.rank:
                catalogue.overwritten.update(each.elsewhere)
            for link in each.links:
                catalogue.dirty.update((link.path, *link.regions))
                catalogue.touched.update((link.path, *link.regions))
                if tag.iteration >= 0:
                    self._ledger.note_links(rank, link.path)
            catalogue.linked(each.links)
            if each.attributes:
                catalogue.described(each.attributes)

    def _own_part(self, batch: Batch, *, alike: bool) -> Batch:
        """Leave out what rank 0 writes for all."""
        if self._channel.rank == 0 or not (alike or self._shared_rows):
            return batch
        writes = [write for write in batch.writes if not self._is_shared(write)]
        return replace(batch, writes=writes, links=() if alike else batch.links)

    def _is_shared(self, write: Write) -> bool:
        return bool(write.stop) and _is_within(write, self._shared_rows)

    def _to_share(self, readable: Collection[str] | None) -> Collection[str] | None:
        """Return what has to be shared so that `readable` and what is watched can be read."""
        if readable is None or (self._catalogue.outdated and (readable or self.watched)):
            return None
        return {*readable, *self.watched.intersection(self._catalogue.dirty)}

    def _share(self, readable: Collection[str] | None, tag: Tag) -> None:
        share = self._to_share(readable)
        self._channel.conclude(tag, lambda: self._storage.share(share))
        self._shared(share)

    def _shared(self, share: Collection[str] | None) -> None:
        if share is None or share:
            self._storage.refresh()
            self._catalogue.shared(share)

    def _keep_watched_readable(self, tag: Tag) -> None:
        if self.watched:
            self._share(None, tag)


def _is_within(write: Write, tables: Sequence[tuple[str, slice]]) -> bool:
    """Return whether all rows of a write are in one of these pieces of tables."""
    if not write.stop:
        return True
    first = write.rows.start if isinstance(write.rows, slice) else int(write.rows[0])
    return any(
        path == write.path and rows.start <= first and write.stop <= rows.stop
        for path, rows in tables
    )


def _without_repeats(queued: Sequence[Queued]) -> tuple[list[Queued], bool]:
    """Count references once that all ranks have queued alike, outside of the loop.

    Returns them, and whether it was so.
    """
    digests = {each.digest for each in queued}
    if len(queued) < 2 or len(digests) != 1 or digests == {b""}:
        return list(queued), False
    return [queued[0], *(replace(each, links=()) for each in queued[1:])], True
