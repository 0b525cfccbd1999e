"""What a rank wants to know of the file: looked up on rank 0, told to all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import h5py

from h5flow.io.damage import damage_named
from h5flow.io.metadata import Metadata

if TYPE_CHECKING:
    from h5flow.storage.protocol import Storage
    from h5flow.transaction.acts import Tag
    from h5flow.transaction.channel import Channel

__all__ = ["Question", "Questions"]

Question: TypeAlias = Callable[[h5py.File, str], Any]


class Questions:
    """Looks things up in the file of a storage.

    Parameters
    ----------
    channel : Channel
    storage : Storage
    """

    def __init__(self, channel: Channel, storage: Storage) -> None:
        self._channel = channel
        self._storage = storage
        self._known: dict[str, Question] = {
            "table": lambda _, path: storage.describe(path),
            "attributes": lambda _, path: _metadata(storage.attributes(path)),
        }

    def add(self, name: str, question: Question) -> None:
        """Make a question known."""
        self._known[name] = question

    def answer(self, name: str, about: str, tag: Tag) -> Any:
        """Return the answer. Collective.

        Raises
        ------
        Refused
            There is none, as an `H5FlowError` says.
        """

        def look() -> Any:
            file = self._storage.file
            with damage_named(file.filename, about):
                return self._known[name](file, about)

        return self._channel.conclude(tag, look if self._channel.rank == 0 else None, fatal=False)


def _metadata(values: Mapping[str, Any] | None) -> Metadata | None:
    return None if values is None else Metadata(values)
