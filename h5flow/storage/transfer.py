"""A batch from one rank to another, in pieces that fit in memory.

Each piece is a message with the shape of things, pickled, and one for every array that is not
small, as it lies in memory. An empty message ends the transfer, also where the sender failed.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from h5flow.storage.protocol import Batch, Link, SetAttributes, Write

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator

__all__ = ["LARGEST_PIECE", "receive_batches", "send_batch", "split"]

LARGEST_PIECE = 64 * 2**20
# Arrays below this travel with the shape of things.
SMALL_ARRAY = 4096
# What the path, the dtype and the pickled shape of an entry take beside its rows.
ENTRY_BYTES = 512
COUNT = struct.Struct("<Q")

Entry: TypeAlias = Write | Link


def send_batch(
    batch: Batch, communicator: Communicator, rank: int, largest: int = LARGEST_PIECE
) -> None:
    """Send what this rank has queued; what all ranks know alike does not travel."""
    try:
        for piece in split(replace(batch, creates=(), lengths={}), largest):
            arrays: list[pickle.PickleBuffer] = []
            header = pickle.dumps(piece, 5, buffer_callback=_keep_large(arrays))
            communicator.send(COUNT.pack(len(arrays)) + header, rank)
            for array in arrays:
                communicator.send(array.raw(), rank)
    finally:
        communicator.send(b"", rank)


def receive_batches(communicator: Communicator, rank: int) -> Iterator[Batch]:
    """Yield the pieces that a rank sends, until it has sent all."""
    while message := communicator.receive(rank):
        (count,) = COUNT.unpack_from(message)
        arrays = [communicator.receive(rank) for _ in range(count)]
        piece: Batch = pickle.loads(message[COUNT.size :], buffers=arrays)
        yield piece


def split(batch: Batch, largest: int) -> Iterator[Batch]:
    """Yield batches that make the same, one after the other, each of about `largest` bytes at most.

    A batch without anything yields nothing.
    """
    writes: list[Write] = []
    links: list[Link] = []
    size = 0
    entries: list[Entry] = [*batch.writes, *batch.links]
    for entry in entries:
        for part in _parts(entry, largest):
            added = _entry_bytes(part)
            if size and size + added > largest:
                yield replace(batch, writes=writes, links=links, attributes=())
                writes, links, size = [], [], 0
            size += added
            if isinstance(part, Write):
                writes.append(part)
            else:
                links.append(part)
    attributes: list[SetAttributes] = list(batch.attributes)
    if writes or links or attributes:
        yield replace(batch, writes=writes, links=links, attributes=attributes)


def _parts(entry: Entry, largest: int) -> Iterator[Entry]:
    """Yield an entry in parts of `largest` bytes, all of it where it is no longer than that."""
    data = _data(entry)
    size = _entry_bytes(entry)
    if size <= largest or len(data) == 1:
        yield entry
        return
    step = max(1, len(data) * largest // size)
    for start in range(0, len(data), step):
        part = _part(entry, start, start + step)
        # Rows of fixed size are in parts already; texts may all be in one of them.
        yield from _parts(part, largest) if data.dtype.hasobject else [part]


def _part(entry: Entry, start: int, stop: int) -> Entry:
    part = _data(entry)[start:stop]
    if isinstance(entry, Link):
        return replace(entry, pairs=part)
    if isinstance(entry.rows, slice):
        first = entry.rows.start + start
        return replace(entry, rows=slice(first, first + len(part)), data=part)
    return replace(entry, rows=entry.rows[start:stop], data=part)


def _entry_bytes(entry: Entry) -> int:
    """Return what an entry takes in a message: its rows, their numbers, and the words around."""
    numbered = isinstance(entry, Write) and isinstance(entry.rows, np.ndarray)
    numbers = entry.rows.nbytes if numbered else 0  # type: ignore[union-attr]
    return _bytes(_data(entry)) + numbers + ENTRY_BYTES


def _bytes(data: np.ndarray[Any, Any]) -> int:
    """Return what rows take, with the texts and arrays of any length that they hold."""
    if data.dtype.names is not None:
        held = sum(_bytes(data[name]) for name in data.dtype.names if data.dtype[name].hasobject)
    elif data.dtype.hasobject:
        held = sum(map(_held_bytes, data.flat))
    else:
        held = 0
    return data.nbytes + held


def _held_bytes(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    return len(value) if isinstance(value, str | bytes) else 0


def _data(entry: Entry) -> np.ndarray[Any, Any]:
    return entry.data if isinstance(entry, Write) else entry.pairs


def _keep_large(arrays: list[pickle.PickleBuffer]) -> Callable[[pickle.PickleBuffer], bool]:
    def keep(buffer: pickle.PickleBuffer) -> bool:
        with memoryview(buffer) as memory:
            if memory.nbytes < SMALL_ARRAY or not memory.contiguous:
                return True
        arrays.append(buffer)
        return False

    return keep
