"""The rows, references and metadata that a hook has made and that are not placed yet."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from h5flow.io.metadata import Metadata
from h5flow.storage.protocol import Batch, Link, SetAttributes, Write
from h5flow.transaction.acts import Linked, Queued

__all__ = ["Queue", "summary_of"]

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
        self._attributes.append(SetAttributes(path, Metadata(values)))
        self.size_bytes += ENTRY_BYTES

    def clear(self) -> None:
        """Forget everything that is queued."""
        self._writes, self._links, self._attributes = [], [], []
        self.size_bytes = 0

    def writes_to(self, path: str) -> list[Write]:
        """Return the rows that are queued for a table."""
        return [write for write in self._writes if write.path == path]

    def links_in(self, path: str) -> list[Link]:
        """Return the references that are queued and change the table at `path`."""
        return [link for link in self._links if path == link.path or path in link.regions]

    def attributes_of(self, path: str) -> Metadata | None:
        """Return the metadata of a group that are queued, None where nothing makes the group."""
        found = [item.values for item in self._attributes if item.path == path]
        below = f"{path.rstrip('/')}/"
        if found or any(item.path.startswith(below) for item in self._attributes):
            return Metadata(ChainMap(*(dict(values) for values in reversed(found))))
        return None

    def everything(self, paths: Collection[str] | None = None) -> Batch:
        """Return what is queued for the objects at `paths`, for all with None, as a batch."""
        if paths is None:
            return Batch(writes=self._writes, links=self._links, attributes=self._attributes)
        wanted = frozenset(paths)
        return Batch(
            writes=[write for write in self._writes if write.path in wanted],
            links=[link for link in self._links if _touches(link, wanted)],
            attributes=[item for item in self._attributes if item.path in wanted],
        )

    def drain(
        self, iteration: int, lengths: Mapping[str, int], paths: Collection[str] | None = None
    ) -> Batch:
        """Take out what is queued for the objects at `paths`, all with None, as a batch."""
        batch = replace(self.everything(paths), iteration=iteration, lengths=lengths)
        if paths is None:
            self.clear()
            return batch
        wanted = frozenset(paths)
        self._writes = [write for write in self._writes if write.path not in wanted]
        self._links = [link for link in self._links if not _touches(link, wanted)]
        self._attributes = [item for item in self._attributes if item.path not in wanted]
        self.size_bytes -= sum(map(_size, batch.writes)) + sum(map(_size, batch.links))
        self.size_bytes -= ENTRY_BYTES * len(batch.attributes)
        return batch


def summary_of(batch: Batch, *, digest: bool, elsewhere: Collection[str] = ()) -> Queued:
    """Return what the other ranks need to know of a batch.

    Parameters
    ----------
    digest : bool
        With a digest of the references, by which ranks see that they have the same.
    elsewhere : collection of str
        Paths of tables of which it writes rows that were not given to this rank.
    """
    links: dict[str, Linked] = {}
    for link in batch.links:
        known = links.get(link.path) or Linked(link.path, link.regions, 0, (0, 0))
        first, second = link.stops
        stops = max(first, known.stops[0]), max(second, known.stops[1])
        links[link.path] = Linked(link.path, link.regions, known.rows + len(link.pairs), stops)
    return Queued(
        writes=tuple(dict.fromkeys(write.path for write in batch.writes)),
        links=tuple(links.values()),
        attributes=tuple(dict.fromkeys(attributes.path for attributes in batch.attributes)),
        digest=_digest(batch.links) if digest and batch.links else b"",
        elsewhere=tuple(dict.fromkeys(elsewhere)),
    )


def _digest(links: Collection[Link]) -> bytes:
    import hashlib  # with OpenSSL, which takes its time

    made = hashlib.blake2b(digest_size=16)
    for link in links:
        made.update(link.path.encode())
        made.update(np.ascontiguousarray(link.pairs).data)
    return made.digest()


def _touches(link: Link, paths: frozenset[str]) -> bool:
    return not paths.isdisjoint({link.path, *link.regions})


def _size(entry: Write | Link) -> int:
    rows = entry.data if isinstance(entry, Write) else entry.pairs
    return rows.nbytes + ENTRY_BYTES
