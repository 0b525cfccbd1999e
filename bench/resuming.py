"""What checkpoints take of a run, and how soon a run that was stopped goes on."""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.harness import Compare, Sizes
from bench.parts import make_source
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.core.stopping import StopRequest
from h5flow.errors import Stopped
from h5flow.events import ChunkDone, ConfigStarted, Event

WORKFLOW = {
    "flow": {"source": "events", "stages": ["appends"]},
    "appends": {"classname": "Appends", "path": "bench.parts"},
}
NEVER = 10.0**9


def test_checkpoints(compare: Compare, sizes: Sizes, folder: Path) -> None:
    make_source(folder / "in.h5", sizes.of(20_000_000, 1_000_000), 65_536)
    plain = RunRequest((WORKFLOW,), "out.h5", "in.h5", on_existing="overwrite", strict=True)
    compare(
        "a run with checkpoints as often as they may come",
        floor=lambda: execute(replace(plain, checkpoint_every=NEVER)),
        floor_is="the same run, saved after init and the loop alone",
        # what one takes decides how often they come
        subject=lambda: execute(replace(plain, checkpoint_every=0.001)),
        goal=1.01,
        rounds=9,
    )


def test_going_on(compare: Compare, sizes: Sizes, folder: Path) -> None:
    rows, stop = sizes.of(20_000_000, 1_000_000), StopRequest()
    make_source(folder / "in.h5", rows, 65_536)
    request = RunRequest((WORKFLOW,), "out.h5", "in.h5", strict=True, checkpoint_every=0)

    def stop_half_way(event: Event) -> None:
        if isinstance(event, ChunkDone) and event.stop > rows // 2:
            stop.note(signal.SIGUSR1)

    with pytest.raises(Stopped):
        execute(request, stop_half_way, stop=stop)
    shutil.copy("out.h5.partial", "left.h5")
    begun: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, ConfigStarted):
            begun.append(time.perf_counter())

    def go_on() -> float:
        shutil.copy("left.h5", "out.h5.partial")
        begin = time.perf_counter()
        with pytest.raises(Stopped):
            execute(replace(request, resume=True), note, stop=StopRequest(1e-6))
        return begun.pop() - begin

    def copied() -> float:
        begin = time.perf_counter()
        shutil.copy("left.h5", "copy.h5")
        return time.perf_counter() - begin

    def measure() -> None:
        pairs = [(copied(), go_on()) for _ in range(5)]
        compare.measured(
            f"start of a resume, {Path('left.h5').stat().st_size / 1e6:,.0f} MB by then",
            [one for one, _ in pairs],
            [two for _, two in pairs],
            floor_is="copying the file, which it does not do",
        )

    compare.elsewhere(measure)
    compare.note(beside=f"{1e3 * compare.info['seconds']:.0f} ms (goal 2 s)")
