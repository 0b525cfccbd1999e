"""Bytes unpacked by a library into the room that there is for them, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from h5flow.io.packing.protocol import DamagedChunk

__all__ = ["unpacked"]

Array = np.ndarray[Any, Any]


def unpacked(
    unpack: Callable[..., Any], data: Array, size: int, out: Array | None, **options: int
) -> Array:
    """Return the bytes that a chunk holds.

    Parameters
    ----------
    unpack : callable
        Of imagecodecs: takes packed bytes, room as `out` and the options; returns what it has
        filled of the room.
    data : numpy.ndarray
        Shape (N,).
    size : int
        Bytes that it must hold.
    out : numpy.ndarray or None
        Room for so many bytes, used where there is some.
    **options : int

    Raises
    ------
    DamagedChunk
        The library cannot read it, or it holds another number of bytes.
    """
    room = np.empty(size, np.uint8) if out is None else out
    try:
        found = unpack(data, out=room, **options).nbytes
    # All errors of imagecodecs are a RuntimeError; the others come for sizes that are wrong.
    except (RuntimeError, ValueError, OverflowError) as error:
        raise DamagedChunk(str(error)) from error
    if found != size:
        raise DamagedChunk(f"it holds {found} bytes in place of {size}")
    return room
