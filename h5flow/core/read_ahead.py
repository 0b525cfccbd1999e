"""The rows of the next chunk, read in a thread while stages work on this one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.io.metering import ReadMeter, count_read, metered

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["MOST_BYTES", "ReadAhead"]

# What may wait to be taken, beside the chunk that stages work on. Where chunks bring more along
# than this, nothing more is read ahead.
MOST_BYTES = 2**25


class ReadAhead:
    """Reads entries of a cache before they are asked for; also a ``with``.

    HDF5 and NumPy free the interpreter while they read, unpack and gather. What fails here is done
    once more by whoever needs it, and fails there.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._entries: dict[Hashable, Future[tuple[Any, ReadMeter]]] = {}
        #: Whether chunks have turned out to be small enough.
        self.is_useful = True

    def begin(self) -> None:
        """Forget what nobody has taken: another chunk comes next."""
        for entry in self._entries.values():
            entry.cancel()
        self._entries = {}

    def read(self, key: Hashable, work: Callable[[], Any]) -> None:
        """Have `work` done meanwhile, in the order of these calls."""
        if self._pool is None:
            # a run of a single chunk needs no threads, and is not kept waiting for the module
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, "h5flow read-ahead")
        self._entries[key] = self._pool.submit(_metered, work)

    def take(self, key: Hashable) -> Any:
        """Return what was read under a key, None where nothing was; waits for it."""
        entry = self._entries.pop(key, None)
        if entry is None or entry.cancelled():
            return None
        begin = perf_counter()
        try:
            found, meter = entry.result()
        except Exception:
            return None  # it is read again, and fails where it is needed
        # what was read while stages worked has kept nobody waiting
        count_read(meter.size_bytes, min(meter.seconds, perf_counter() - begin))
        if size_of(found) > MOST_BYTES:
            self.is_useful = False
        return found

    def close(self) -> None:
        """Wait for what is being read, and end the thread."""
        self.begin()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _metered(work: Callable[[], Any]) -> tuple[Any, ReadMeter]:
    with metered() as meter:
        return work(), meter


def size_of(found: Any) -> int:
    """Return the bytes of rows that were read."""
    values = getattr(found, "values", found)
    return int(values.nbytes) if isinstance(values, np.ndarray) else 0
