"""Threads that share out work which frees Python's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Workers"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Workers:
    """Threads, which begin when there is something to share out.

    Parameters
    ----------
    count : callable
        Returns how many; asked once, when it matters.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    @cached_property
    def threads(self) -> int:
        """How many there are, at least 1."""
        return max(1, self._count())

    def each(
        self, work: Callable[[ItemT], ResultT], items: Iterable[ItemT], *, ahead: int = 2
    ) -> Iterator[ResultT]:
        """Yield the result of each item, in order.

        Parameters
        ----------
        work : callable
        items : iterable
        ahead : int
            How many results for each thread may wait to be taken.

        Raises
        ------
        BaseException
            What `work` raises first, in the order of items; no work goes on then.
        """
        if self.threads == 1:
            yield from map(work, items)
            return
        from concurrent.futures import wait  # small runs do without

        started: deque[Future[ResultT]] = deque()
        try:
            for item in items:
                started.append(self._start(work, item))
                if len(started) > ahead * self.threads:
                    yield started.popleft().result()
            while started:
                yield started.popleft().result()
        finally:
            for future in started:
                future.cancel()
            wait(started)

    def close(self) -> None:
        """End the threads; they begin again where there is more to do."""
        if self._pool is not None and self._process == os.getpid():
            self._pool.shutdown()
        self._pool = None

    def _start(self, work: Callable[[ItemT], ResultT], item: ItemT) -> Future[ResultT]:
        from concurrent.futures import ThreadPoolExecutor

        if self._pool is None or self._process != os.getpid():
            # A process that was forked has none of the threads.
            self._pool, self._process = ThreadPoolExecutor(self.threads), os.getpid()
        try:
            return self._pool.submit(work, item)
        except RuntimeError:
            # Python ends and starts no threads any more; what is still to be written is.
            return _done(work, item)


def _done(work: Callable[[ItemT], ResultT], item: ItemT) -> Future[ResultT]:
    from concurrent.futures import Future

    future: Future[ResultT] = Future()
    future.set_result(work(item))
    return future
