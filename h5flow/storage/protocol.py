"""All that a storage ever receives, and what it must do with it.

Below the data manager everything goes by HDF5 path: a storage knows tables, not datasets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import h5py
import numpy as np

if TYPE_CHECKING:
    from h5flow.io.reading import RowSource

__all__ = [
    "Batch",
    "CreateTable",
    "Link",
    "Rows",
    "SetAttributes",
    "Storage",
    "TableDescription",
    "Write",
]

Rows = slice | np.ndarray[Any, Any]


@dataclass(frozen=True)
class TableDescription:
    """What a table is.

    Attributes
    ----------
    dtype, row_shape
        Of a row.
    length : int
        Number of rows.
    chunk_rows : int or None
        Rows per HDF5 chunk; None where the table is contiguous.
    most_rows : int or None
        How long it can grow; None where there is no limit.
    linked_from : str or None
        The other file that it is in; its rows cannot be written.
    """

    dtype: np.dtype[Any]
    row_shape: tuple[int, ...]
    length: int
    chunk_rows: int | None = None
    most_rows: int | None = None
    linked_from: str | None = None


@dataclass(frozen=True)
class CreateTable:
    """A table to be made, empty."""

    path: str
    dtype: np.dtype[Any]
    row_shape: tuple[int, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    compression: str | None = None


@dataclass(frozen=True)
class Write:
    """Rows for a table; `rows` is a slice with a start and stop, or sorted unique indices."""

    path: str
    rows: Rows
    data: np.ndarray[Any, Any]

    @property
    def stop(self) -> int:
        """One past the last row."""
        if isinstance(self.rows, slice):
            return int(self.rows.stop)
        return int(self.rows[-1]) + 1 if len(self.rows) else 0


@dataclass(frozen=True)
class Link:
    """References to append: `pairs` is (n, 2) int64, column k indexes what `regions[k]` covers."""

    path: str
    regions: tuple[str, str]
    pairs: np.ndarray[Any, Any]

    @cached_property
    def stops(self) -> tuple[int, int]:
        """One past the last row on either side; there is at least one reference."""
        return int(self.pairs[:, 0].max()) + 1, int(self.pairs[:, 1].max()) + 1


@dataclass(frozen=True)
class SetAttributes:
    """Metadata for a group, which is made if there is none."""

    path: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Batch:
    """What one rank has made in one hook, in the order of its calls."""

    iteration: int = -1
    creates: Sequence[CreateTable] = ()
    lengths: Mapping[str, int] = field(default_factory=dict)
    writes: Sequence[Write] = ()
    links: Sequence[Link] = ()
    attributes: Sequence[SetAttributes] = ()


class Storage(Protocol):
    """A way for bytes to reach an HDF5 file, and to be read back.

    On several ranks every rank has one, of the same file. *Collective* calls are made by all
    ranks, in the same order and with nothing else between them. An error is raised on the rank
    where it happened, after its part of the call is done, so that no other rank waits for it;
    whoever calls tells the others.
    """

    name: str

    @property
    def file(self) -> h5py.File:
        """The open file, for reading, with everything in it that was shared."""
        ...

    def describe(self, path: str, /) -> TableDescription | None:
        """Return what the table at `path` is, None where there is none. On rank 0 only."""
        ...

    def attributes(self, path: str, /) -> dict[str, Any] | None:
        """Return the metadata of the object at `path`, None where none is. On rank 0 only."""
        ...

    def apply(self, batch: Batch, /) -> None:
        """Take the batches of all ranks, in rank order. Collective.

        They may stay in memory until they are shared. `creates` and `lengths` are alike on all
        ranks; what is refused in `creates` is refused before any of them is made.
        """
        ...

    def delete(self, *paths: str) -> None:
        """Remove the objects at `paths`, in this order. Collective.

        In a file that lasts through kills all of them go at once: no one finds half of them.
        """
        ...

    def share(self, paths: Collection[str] | None = None, /) -> None:
        """Have what was applied to these tables, to all with None, where every rank can read it.

        Collective. None is needed after objects were made, given metadata or removed. Ranks read
        only after `refresh`.
        """
        ...

    def refresh(self) -> None:
        """See what was shared, also through datasets that `table` returned before. Collective.

        Comes after every rank has ended `share`.
        """
        ...

    def table(self, path: str, /) -> h5py.Dataset:
        """Return the table at `path` with every row that was shared.

        It is the same object each time, and stays valid until `close`.
        """
        ...

    def rows(self, path: str, /) -> RowSource:
        """Return the rows of the table at `path`, as `table` does, for reading them at once.

        It may be any object that gives the same rows. It holds until the next call that is
        collective.
        """
        ...

    def flush(self) -> None:
        """Write everything that was applied to the file. Collective."""
        ...

    def commit(self) -> None:
        """Have everything that was applied where a kill of a process cannot take it. Collective.

        It was shared with all ranks before. Storages that cannot do so flush.
        """
        ...

    def mark(self) -> None:
        """Be able to undo what is applied from now on, until the next mark. Collective."""
        ...

    def go_back(self) -> None:
        """Undo what was applied since the mark. Collective; `share` and `refresh` come next.

        Raises
        ------
        H5FlowError
            Objects were removed since.
        """
        ...

    def close(self) -> None:
        """Flush and close the file. Collective."""
        ...

    def abandon(self) -> None:
        """Close the file, which nobody wants any more, without writing what is in memory."""
        ...
