"""Ending all ranks from a thread, whatever hangs."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator

__all__ = ["Verdict", "execute", "within"]

STDERR = 2
REPORT_SECONDS = 1.0

ResultT = TypeVar("ResultT")


class Verdict(NamedTuple):
    """That all ranks are to be stopped: what to print, and the exit status."""

    text: str
    status: int


def execute(verdict: Verdict, communicator: Communicator) -> None:
    """Print the report and end every rank; for any thread."""

    def report() -> None:
        # Not through sys.stderr, whose lock a thread that hangs may hold.
        data = f"{verdict.text}\n".encode(errors="replace")
        while data:
            data = data[os.write(STDERR, data) :]

    within(REPORT_SECONDS, report)
    communicator.abort(verdict.status)


def within(seconds: float, work: Callable[[], ResultT]) -> ResultT | None:
    """Return what `work` returns, None if it fails or has not ended in time.

    A file system that does not answer, or a terminal that takes no more, may be why ranks hang.
    """
    results: list[ResultT] = []

    def run() -> None:
        with contextlib.suppress(Exception):
            results.append(work())

    thread = threading.Thread(target=run, name="h5flow report", daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else None
