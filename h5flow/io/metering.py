"""How many bytes are read from files, and how long that takes: counted where they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["ReadMeter", "count_read", "metered"]


class ReadMeter:
    """Bytes, and the seconds in which they were read, unpacked where they are compressed."""

    __slots__ = ("seconds", "size_bytes")

    def __init__(self) -> None:
        self.size_bytes = 0
        self.seconds = 0.0


_meter: ContextVar[ReadMeter | None] = ContextVar("read_meter", default=None)


@contextmanager
def metered() -> Iterator[ReadMeter]:
    """Count what this thread reads inside of ``with``."""
    meter = ReadMeter()
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


def count_read(size_bytes: int, seconds: float) -> None:
    """Tell the meter, if there is one."""
    meter = _meter.get()
    if meter is not None:
        meter.size_bytes += size_bytes
        meter.seconds += seconds
