"""The default generator: a loop over the rows of a dataset that exists."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from h5flow.core.component import surroundings
from h5flow.core.generator import H5FlowGenerator
from h5flow.errors import H5FlowWarning, UsageError
from h5flow.io.chunks import row_bytes, rows_per_loop_chunk

if TYPE_CHECKING:
    from h5flow.core.linked_bytes import LinkedBytes
    from h5flow.storage.protocol import TableDescription

__all__ = ["H5FlowDatasetLoopGenerator", "check_chunk_size", "chunk_rows", "loop_range"]

# What a chunk is taken to need of a device's memory, for each byte of the source's rows. They are
# there twice while they come apart into fields; linked rows are taken to be ten times as much, and
# twice that when they are padded and have masks; what stages compute of it is taken to be as much
# again. That is 42, and a power of two from there leaves some room. An ordinary chunk of 4 MiB asks
# for 256 MiB then, which a GPU has that is not shared by many.
DEVICE_BYTES_PER_BYTE = 64


class H5FlowDatasetLoopGenerator(H5FlowGenerator):
    """Loops over a dataset in chunks, in order.

    Parameters
    ----------
    chunk_size : int or "auto"
        Rows per chunk; ``"auto"`` takes 2 to 4 MiB, a multiple of the dataset's HDF5 chunk,
        whatever the backend and the number of ranks are; and less where a chunk and the rows
        linked to it would take more than 64 MiB, as far as that is known before the loop. Where
        4 MiB are too much for a device, it takes less everywhere, and warns.
    """

    class_version = "1.0.0"
    copies_input: ClassVar[bool] = True
    parameters: ClassVar[Mapping[str, Any]] = {"chunk_size": "auto"}
    chunk_size: int | str

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        check_chunk_size(self.chunk_size)
        #: The rows that the loop goes over, known after `init`.
        self.rows = range(0)
        self._chunk_rows = 1
        self._iteration = 0
        self._first_row = 0
        self._room, self._linked = surroundings().room, surroundings().linked
        #: Where chunks begin, and the last one ends; None where all are of equal size.
        self._bounds: list[int] | None = None

    def init(self) -> None:
        """Find the range of the loop and the size of its chunks."""
        source = self.data_manager.describe(self.dset_name)
        self.rows = loop_range(
            self.dset_name, source.length, self.start_position, self.end_position
        )
        self._first_row = self.rows.start
        self._chunk_rows = chunk_rows(source, self.chunk_size)
        if self.chunk_size == "auto" and self._room is not None:
            self._chunk_rows = self._fitting_rows(source, self._room)
        if self.chunk_size == "auto" and self._linked is not None and self._linked.begin():
            self._bounds = self._cut(self._linked, row_bytes(source.dtype, source.row_shape))

    def _cut(self, linked: LinkedBytes, source_row_bytes: int) -> list[int]:
        """Return the bounds of chunks, which rank 0 finds out; collective."""
        bounds = None
        if self.rank == 0:
            bounds = linked.cut(self.rows, self._chunk_rows, source_row_bytes)
        if self.size > 1:
            bounds = self.comm.bcast(bounds)
        assert bounds is not None
        return bounds

    def _fitting_rows(self, source: TableDescription, room: int) -> int:
        """Return the rows of a chunk, fewer where a device has no room for them."""
        rows = min(self._chunk_rows, max(len(self.rows), 1))
        fitting = rows_that_fit(source, room)
        if rows <= fitting:
            return self._chunk_rows
        warnings.warn(
            f"there is so little memory left on a device that chunks have {fitting:,} rows of "
            f"'{self.dset_name}' in place of {rows:,}: what depends on the bounds of chunks is not "
            f"what other runs make, unless they have --chunk-size {fitting} too",
            H5FlowWarning,
            stacklevel=2,
        )
        return fitting

    def __len__(self) -> int:
        """Return the number of iterations."""
        if self._bounds is not None:
            return math.ceil((len(self._bounds) - 1) / self.size)
        return math.ceil(len(self.rows) / (self._chunk_rows * self.size))

    def state(self) -> dict[str, Any]:
        """Return which row comes next, and how large chunks are; the same on all ranks."""
        bounds = None
        if self._bounds is not None:
            done = min(self._iteration * self.size, len(self._bounds) - 1)
            bounds = self._bounds[done:]
        return {"row": self._row_of(0), "chunk_rows": self._chunk_rows, "bounds": bounds}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with the row that came next; the number of ranks may be another one.

        Chunks are as large as they were, unless their size is given: smaller ones are what helps
        where memory was full.
        """
        self._first_row, self._iteration = state["row"], 0
        if self.chunk_size == "auto":
            # found before the loop, which may have changed since what they depend on
            self._chunk_rows, self._bounds = state["chunk_rows"], state.get("bounds")

    def next(self) -> slice:
        """Return the next chunk; chunks are dealt in turn by iteration and rank."""
        rows = self.upcoming()
        self._iteration += 1
        return rows

    def upcoming(self) -> slice:
        """Return the chunk that comes next."""
        start, stop = self._row_of(self.rank), self._row_of(self.rank + 1)
        return slice(start, stop) if start < stop else self.EMPTY

    def _row_of(self, rank: int) -> int:
        """Return where the next chunk of a rank begins, the end where there is none."""
        chunk = self._iteration * self.size + rank
        if self._bounds is not None:
            return self._bounds[min(chunk, len(self._bounds) - 1)]
        return min(self._first_row + chunk * self._chunk_rows, self.rows.stop)


def check_chunk_size(chunk_size: Any) -> None:
    """Refuse what cannot be the number of rows of a chunk.

    Raises
    ------
    UsageError
        It is neither a positive whole number nor ``"auto"``.
    """
    is_number = isinstance(chunk_size, Integral) and not isinstance(chunk_size, bool)
    if chunk_size != "auto" and not (is_number and chunk_size > 0):
        raise UsageError(
            f"chunk_size is a positive whole number of rows or 'auto', not {chunk_size!r}"
        )


def chunk_rows(source: TableDescription, chunk_size: int | str) -> int:
    """Return the rows of a chunk; the bounds of chunks do not depend on the number of ranks."""
    if not isinstance(chunk_size, str):
        return int(chunk_size)
    return rows_per_loop_chunk(source.dtype, source.row_shape, source.chunk_rows)


def rows_that_fit(source: TableDescription, room: int) -> int:
    """Return how many rows of the source a chunk may have in `room` bytes of a device, at least 1.

    What else a chunk brings is not known before it is read: memory that is full after all ends the
    run with advice.
    """
    return max(1, room // (DEVICE_BYTES_PER_BYTE * row_bytes(source.dtype, source.row_shape)))


def loop_range(source: str, length: int, start: int | None, end: int | None) -> range:
    """Return the rows that a range selects of a dataset.

    Parameters
    ----------
    start, end : int or None
        Half open; negative counts from the end. `end` beyond the dataset's is clipped.

    Raises
    ------
    UsageError
        `start` is at or beyond the end, or after `end`, or either lies before the first row.
    """
    first = 0 if start is None else start + length if start < 0 else start
    last = length if end is None else end + length if end < 0 else end
    asked = f"rows {'' if start is None else start}:{'' if end is None else end}"
    has = f"{source} has {length:,} rows"
    if first < 0 or last < 0:
        raise UsageError(f"{asked}: before the first row; {has}")
    if first > 0 and first >= length:
        raise UsageError(
            f"{asked}: the start is at or beyond the end; {has}",
            advice=f"Take a start below {length}." if length else None,
        )
    if first > last:
        raise UsageError(f"{asked}: the start is after the end; {has}")
    if last > length:
        warnings.warn(
            f"{asked}: {has}; the end is clipped to {length}", H5FlowWarning, stacklevel=2
        )
        last = length
    return range(first, last)
