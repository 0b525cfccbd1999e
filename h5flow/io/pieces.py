"""All rows of a dataset in pieces of bounded size: what can be read, and where it cannot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import h5py

from h5flow.io.chunks import row_bytes
from h5flow.io.damage import DAMAGE, reason_of
from h5flow.io.direct_reading import direct_rows
from h5flow.io.packing.fletcher import CHECKSUM_BYTES
from h5flow.io.workers import Workers

__all__ = ["LARGEST_CHUNK", "pieces", "unreadable_pieces"]

Part: TypeAlias = tuple[slice, ...]

PIECE_BYTES = 2**26
# A chunk is read as a whole. HDF5 allows 4 GiB; one of more than this is a wrong size.
LARGEST_CHUNK = 2**30


def pieces(dataset: h5py.Dataset) -> Iterator[Part]:
    """Yield selections that together hold all that is stored of a dataset.

    Of a chunked dataset these are its chunks, but for those that were never written: so a wrong
    length of a million million rows takes no time.
    """
    if not dataset.shape:
        yield ()
        return
    if dataset.chunks is None:
        size = row_bytes(dataset.dtype, dataset.shape[1:])
        rows = max(1, PIECE_BYTES // size)
        for start in range(0, dataset.shape[0], rows):
            yield (slice(start, min(start + rows, dataset.shape[0])),)
        return
    offsets: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    for offset in sorted(offsets):
        yield tuple(
            slice(start, min(start + length, end))
            for start, length, end in zip(offset, dataset.chunks, dataset.shape, strict=True)
        )


def unreadable_pieces(dataset: h5py.Dataset) -> Iterator[tuple[str, str]]:
    """Read all of a dataset, and yield the place and the reason where that is not possible."""
    try:
        if dataset.shape is None:
            return
        if dataset.chunks and row_bytes(dataset.dtype, dataset.chunks) > LARGEST_CHUNK:
            chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize
            yield "all rows", f"a chunk would take {chunk:,} bytes, which cannot be meant"
            return
        parts = list(pieces(dataset))
        read = _reader(dataset)
    except DAMAGE as error:
        yield "all rows", reason_of(error)
        return
    for part in parts:
        reason = _reason_not_to_read(read, part)
        if reason is not None:
            rows = f"rows {part[0].start} to {part[0].stop}" if part else "its value"
            yield rows, reason


def _reader(dataset: h5py.Dataset) -> Callable[[Part], object]:
    """Return what reads a part of a dataset, and survives it."""
    # What a run would unpack itself is unpacked here as well: it may see damage that HDF5 does
    # not, and some of HDF5's filters do not survive it. Such chunks hold whole rows.
    direct = direct_rows(dataset, Workers(lambda: 1))
    if direct is not None:
        return lambda part: direct[part[0]]
    has_checksums = dataset.fletcher32

    def read(part: Part) -> object:
        if not has_checksums:
            return dataset[part]
        chunk = dataset.id.get_chunk_info_by_coord(tuple(along.start for along in part))
        if chunk.size < CHECKSUM_BYTES and not chunk.filter_mask:
            raise OSError(f"the chunk has {chunk.size} bytes, fewer than its checksum")
        return dataset[part]

    return read


def _reason_not_to_read(read: Callable[[Part], object], part: Part) -> str | None:
    try:
        read(part)
    except (*DAMAGE, MemoryError) as error:
        return reason_of(error)
    return None
