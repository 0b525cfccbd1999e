"""A run as a time line: what each rank did when, in a file that Perfetto and Chrome open."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from h5flow.errors import UsageError
from h5flow.events import Event, HookTimed, Waited

__all__ = ["LIMIT", "Span", "Trace"]

# Of one rank: about 6 MB of memory, and 4 MB of the file.
LIMIT = 20_000
# Threads of the time line: spans of one kind never overlap.
STAGES, READ, WRITE, WAIT = range(1, 5)
THREADS = {STAGES: "source and stages", READ: "read", WRITE: "write", WAIT: "wait for other ranks"}
OURS = {"read": READ, "write": WRITE}


class Span(NamedTuple):
    """Nanoseconds since the run began, and what was done in them."""

    begin: int
    end: int
    thread: int
    name: str
    hook: str
    iteration: int
    bytes_read: int
    bytes_written: int


class Trace:
    """Collects the spans of one rank; rank 0 writes those of all.

    Where there are too many the shorter half is left out, and from then on all that are as short:
    the file says how many.

    Parameters
    ----------
    path : str
        The file, whose name ends in ``.json``.
    limit : int
        The most spans that are kept.

    Raises
    ------
    UsageError
        There can be no such file.
    """

    def __init__(self, path: str, limit: int = LIMIT) -> None:
        folder = os.path.dirname(os.path.abspath(path))
        # no option that was forgotten may have a trace replace data
        if not path.endswith(".json"):
            raise UsageError(
                f"the trace '{path}' does not end in .json", advice="For example: --trace run.json."
            )
        if os.path.isdir(path) or not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(
                f"the trace '{path}' cannot be written: there is no folder {folder} in which you "
                "may make such a file",
                advice="Choose another place.",
            )
        self.path = path
        self._limit = limit
        self._spans: list[Span] = []
        self._left_out = 0
        self._shortest = 0
        self._origin = time.perf_counter()

    def begin(self) -> None:
        """Count time from now on; all ranks call this at the same moment."""
        self._origin = time.perf_counter()

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, Waited):
            self._add(event.begin, event.seconds, WAIT, "wait")
        elif isinstance(event, HookTimed):
            # h5flow's own work has no class
            thread = STAGES if event.classname else OURS.get(event.name, STAGES)
            read, written = event.files.bytes_read, event.files.bytes_written
            more = (event.hook, event.iteration, read, written)
            self._add(event.begin, event.seconds, thread, event.name, *more)

    def spans(self) -> tuple[int, list[Span]]:
        """Return how many spans were left out, and the others in the order of their time."""
        return self._left_out, sorted(self._spans)

    def write(self, of_ranks: Sequence[tuple[int, Sequence[Sequence[Any]]]]) -> None:
        """Write what `spans` returned on each rank, in rank order, whole or not at all.

        Raises
        ------
        OSError
        """
        beside = f"{self.path}.{os.getpid()}.partial"
        try:
            with open(beside, "w", encoding="utf-8") as file:
                file.write('{"displayTimeUnit": "ms", "traceEvents": [\n')
                file.write(",\n".join(map(json.dumps, _events(of_ranks))))
                file.write("\n]}\n")
            os.replace(beside, self.path)
        except BaseException:
            if os.path.exists(beside):
                os.unlink(beside)
            raise

    def _add(
        self,
        begin: float,
        seconds: float,
        thread: int,
        name: str,
        hook: str = "",
        iteration: int = -1,
        bytes_read: int = 0,
        bytes_written: int = 0,
    ) -> None:
        # both ends are rounded alike, so that spans which touch do not come to overlap
        start, end = (_nanoseconds(each - self._origin) for each in (begin, begin + seconds))
        if end - start < self._shortest:
            self._left_out += 1
            return
        self._spans.append(
            Span(start, end, thread, name, hook, iteration, bytes_read, bytes_written)
        )
        if len(self._spans) > self._limit:
            self._spans.sort(key=lambda span: span.begin - span.end)
            kept = self._spans[: self._limit // 2]
            self._left_out += len(self._spans) - len(kept)
            self._spans = kept
            self._shortest = kept[-1].end - kept[-1].begin


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _events(of_ranks: Sequence[tuple[int, Sequence[Sequence[Any]]]]) -> Iterator[dict[str, Any]]:
    """Yield Chrome's trace events; a process is a rank, and a thread a kind of work."""
    for rank, (left_out, spans) in enumerate(of_ranks):
        without = f", {left_out:,} short spans left out" if left_out else ""
        yield _name("process_name", rank, 0, f"rank {rank}{without}")
        yield {"ph": "M", "name": "process_sort_index", "pid": rank, "args": {"sort_index": rank}}
        for thread, name in THREADS.items():
            yield _name("thread_name", rank, thread, name)
        for span in map(Span._make, spans):
            detail = {
                "hook": span.hook or None,
                "chunk": span.iteration if span.iteration >= 0 else None,
                "bytes read": span.bytes_read or None,
                "bytes written": span.bytes_written or None,
            }
            yield {
                "ph": "X",
                "name": span.name,
                "cat": THREADS[span.thread],
                "pid": rank,
                "tid": span.thread,
                # Chrome's unit is the microsecond
                "ts": span.begin / 1e3,
                "dur": (span.end - span.begin) / 1e3,
                "args": {key: value for key, value in detail.items() if value is not None},
            }


def _name(kind: str, rank: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": rank, "tid": thread, "args": {"name": name}}
