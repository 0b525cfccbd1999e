"""Moments that a run can go back to: after a kill, or after a chunk that failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.storage.protocol import Batch, CreateTable, Storage, TableDescription, Write

if TYPE_CHECKING:
    from h5flow.transaction.acts import Tag
    from h5flow.transaction.catalogue import Catalogue, Standing
    from h5flow.transaction.channel import Channel
    from h5flow.transaction.placement import Placement

__all__ = ["Milestones"]


class Milestones:
    """What the ranks have made by a moment, kept on disk or in mind. All calls are collective.

    Parameters
    ----------
    channel : Channel
    storage : Storage
    catalogue : Catalogue
    placement : Placement
    flush : callable
        Places everything that is queued.
    find : callable
        Returns what the table at a path is, None where there is none.
    """

    def __init__(
        self,
        channel: Channel,
        storage: Storage,
        catalogue: Catalogue,
        placement: Placement,
        flush: Callable[[], None],
        find: Callable[[str], TableDescription | None],
    ) -> None:
        self._channel, self._storage = channel, storage
        self._catalogue, self._placement = catalogue, placement
        self._flush, self._find = flush, find
        self._standing: Standing | None = None

    def commit(self) -> None:
        """Have all that was written where a kill of any process cannot take it."""
        self._flush()
        self._channel.conclude(self._channel.tag, self._storage.commit)

    def record(self, path: str, data: np.ndarray[Any, Any]) -> None:
        """Write the first rows of a table of h5flow's own, which is made first.

        Parameters
        ----------
        data : numpy.ndarray
            Of the same length on all ranks; rank 0's rows are written.
        """
        tag = self._channel.tag
        missing = self._find(path) is None
        creates = [CreateTable(path, data.dtype)] if missing else []
        writes = [] if self._channel.rank else [Write(path, slice(0, len(data)), data)]
        batch = Batch(creates=creates, lengths={path: len(data)}, writes=writes)

        def work() -> TableDescription | None:
            self._storage.apply(batch)
            return None if self._channel.rank else self._storage.describe(path)

        self._catalogue.learn(path, self._channel.conclude(tag, work))
        self._placement.share_all(tag)
        self._channel.conclude(tag, self._storage.commit)

    def mark(self) -> None:
        """Be able to go back to what is placed by now, until the next mark."""
        self._standing = self._catalogue.standing()
        self._storage.mark()

    def go_back(self, tag: Tag) -> None:
        """Undo what was placed since the mark, and forget what is queued.

        Raises
        ------
        H5FlowError
            Objects were removed since.
        """
        assert self._standing is not None
        self._placement.forget()
        self._channel.conclude(tag, self._storage.go_back)
        self._catalogue.go_back(self._standing)
        self._placement.share_all(tag)
