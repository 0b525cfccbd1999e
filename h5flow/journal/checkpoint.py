"""How far a run has come, recorded in the file that it writes.

Two tables of bytes take turns, so that one is whole whenever the process is killed.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from h5flow.data.layout import RECORDS
from h5flow.errors import DataError
from h5flow.io.edit import open_left

__all__ = [
    "CHECKPOINTS",
    "PLACES",
    "Checkpoint",
    "pack",
    "read_checkpoint",
    "unpack",
]

CHECKPOINTS = f"/{RECORDS}/checkpoint"
PLACES = (f"{CHECKPOINTS}/0", f"{CHECKPOINTS}/1")
HEAD = struct.Struct("<8sQQI")  # mark, number, length, CRC of the rest
MARK = b"h5flow\r\n"


@dataclass(frozen=True)
class Checkpoint:
    """A moment from which a run can go on.

    Attributes
    ----------
    number : int
        How many there were before.
    command : sequence of mapping
        What identifies the run: for each workflow its record, as plain values.
    position : int
        The workflow that was under way.
    is_looped, is_finished : bool
        Whether its loop has ended; whether all of its hooks have, and datasets are being dropped.
    chunks, rows : int
        How far its loop had come, in the order of one process.
    seconds : float
        What the workflow had taken by then.
    lengths, lengths_before : mapping of str to int
        Rows of every table of the file: now, and when the workflow began.
    states : mapping of str to sequence
        What parts of the workflow have given to be saved, by name; from each rank.
    unsaved : sequence of str
        Parts that have kept something, and do not say what.
    skipped : sequence of mapping
        Chunks of the workflow that were left out.
    outcomes : sequence of mapping
        Chunks, rows and seconds of the workflows that are done.
    deleted, grown, linked : sequence of str
        What the command has removed, and the tables that it has added to: they are looked at in
        the end.
    """

    number: int
    command: Sequence[Mapping[str, Any]]
    position: int = 0
    is_looped: bool = False
    is_finished: bool = False
    chunks: int = 0
    rows: int = 0
    seconds: float = 0.0
    lengths: Mapping[str, int] = field(default_factory=dict)
    lengths_before: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    unsaved: Sequence[str] = ()
    skipped: Sequence[Mapping[str, Any]] = ()
    outcomes: Sequence[Mapping[str, Any]] = ()
    deleted: Sequence[str] = ()
    grown: Sequence[str] = ()
    linked: Sequence[str] = ()


def pack(checkpoint: Checkpoint) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a checkpoint as bytes, uint8, shape (n,).

    Raises
    ------
    DataError
        A state is neither plain values, as JSON has them, nor an array of numbers.
    """
    try:
        text = json.dumps(asdict(checkpoint), default=_from_array).encode()
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the state of a part cannot be saved: {error}",
            advice="state() returns numbers, text, lists, dicts with names, and arrays of numbers.",
        ) from error
    head = HEAD.pack(MARK, checkpoint.number, len(text), zlib.crc32(text))
    return np.frombuffer(head + text, np.uint8)


def unpack(raw: bytes) -> Checkpoint | None:
    """Return the checkpoint that `pack` made these bytes of, None where they are not whole."""
    if len(raw) < HEAD.size:
        return None
    mark, number, length, crc = HEAD.unpack_from(raw)
    text = raw[HEAD.size : HEAD.size + length]
    if mark != MARK or len(text) != length or zlib.crc32(text) != crc:
        return None
    try:
        return Checkpoint(**{**json.loads(text, object_hook=_to_array), "number": number})
    except (TypeError, ValueError):
        return None  # of another version


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Return the last whole checkpoint of a working file, None where there is none.

    The file may have been left by a process that was killed.
    """
    try:
        with open_left(path) as file:
            found = [unpack(file[place][:].tobytes()) for place in PLACES if place in file]
    except (OSError, KeyError, RuntimeError, ValueError, TypeError):
        return None
    return max((each for each in found if each), key=lambda each: each.number, default=None)


def _from_array(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        return {"__array__": base64.b64encode(buffer.getvalue()).decode()}
    raise TypeError(f"{type(value).__name__} is no plain value")


def _to_array(value: dict[str, Any]) -> Any:
    if value.keys() != {"__array__"}:
        return value
    return np.load(io.BytesIO(base64.b64decode(value["__array__"])), allow_pickle=False)
