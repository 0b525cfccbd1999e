"""The rows, references and metadata that a hook has made and that are not placed yet."""

from __future__ import annotations

from collections.abc import Mapping, Set
from itertools import compress
from typing import Any

from h5flow.storage.protocol import Batch, Link, SetAttributes, Write

__all__ = ["Queue"]

# What an entry takes beside its rows: objects of Python.
ENTRY_BYTES = 512


class Queue:
    """What one rank has queued, in the order of its calls.

    Attributes
    ----------
    size_bytes : int
        Memory that all of it takes, about.
    """

    def __init__(self) -> None:
        self._writes: list[Write] = []
        self._links: list[Link] = []
        self._attributes: list[SetAttributes] = []
        self.size_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._writes or self._links or self._attributes)

    def write(self, write: Write) -> None:
        """Queue rows."""
        self._writes.append(write)
        self.size_bytes += _size(write)

    def link(self, link: Link) -> None:
        """Queue references."""
        self._links.append(link)
        self.size_bytes += _size(link)

    def set_attributes(self, path: str, values: Mapping[str, Any]) -> None:
        """Queue metadata; without values the group is made all the same."""
        self._attributes.append(SetAttributes(path, values))
        self.size_bytes += ENTRY_BYTES

    def clear(self) -> None:
        """Forget everything that is queued."""
        self._writes, self._links, self._attributes = [], [], []
        self.size_bytes = 0

    def drain(
        self, iteration: int, lengths: Mapping[str, int], paths: Set[str] | None = None
    ) -> Batch:
        """Take out what is queued for the tables at `paths`, all with None, as a batch."""
        if paths is None:
            batch = Batch(
                iteration,
                lengths=lengths,
                writes=self._writes,
                links=self._links,
                attributes=self._attributes,
            )
            self.clear()
            return batch
        links_out = [not paths.isdisjoint({link.path, *link.regions}) for link in self._links]
        batch = Batch(
            iteration,
            lengths=lengths,
            writes=[write for write in self._writes if write.path in paths],
            links=list(compress(self._links, links_out)),
        )
        self._writes = [write for write in self._writes if write.path not in paths]
        self._links = list(compress(self._links, [not out for out in links_out]))
        self.size_bytes -= sum(map(_size, batch.writes)) + sum(map(_size, batch.links))
        return batch


def _size(entry: Write | Link) -> int:
    rows = entry.data if isinstance(entry, Write) else entry.pairs
    return rows.nbytes + ENTRY_BYTES
