"""SIGTERM as an exception, so that what is open is closed and working files are removed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Terminated", "terminable"]


class Terminated(KeyboardInterrupt):
    """The process was asked to end.

    Like Ctrl-C it comes from outside and is no failure of what it interrupts.
    """


@contextmanager
def terminable() -> Iterator[None]:
    """Raise `Terminated` at the first SIGTERM; later ones do not disturb the clean-up."""
    if threading.current_thread() is not threading.main_thread():
        # only the main thread may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        # None: a handler that was not set from Python cannot be put back
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated
