"""Everything that is shown of a run, behind one observer."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from h5flow.events import ChunkDone, ConfigFinished, ConfigStarted, Event, Published
from h5flow.observe.watch import Watch

Clock = Any  # of conftest.py
Terminal = Any

PUBLISHED = Published("out.h5", 2048, 0.1)
EVENTS: list[Event] = [
    ConfigStarted("events.yaml", "events", (), 10),
    ChunkDone(0, 10, 0, 10),
    ConfigFinished("events.yaml", 1, 10, 1.0),
    PUBLISHED,
]


def test_progress_comes_first_and_the_summary_last(clock: Clock) -> None:
    log = io.StringIO()
    with Watch(log, clock=clock) as watch:
        for event in EVENTS:
            watch(event)
        clock.now += 80
        watch.summarize()
    lines = log.getvalue().splitlines()
    assert lines[0] == "events.yaml: done, 10 rows in 1 chunk, 1.0 s"
    assert lines[-1] == "wrote out.h5 (2.05 kB) in 1 min 20 s"


def test_a_quiet_watch_shows_nothing_and_knows_what_was_published() -> None:
    log = io.StringIO()
    with Watch(log, quiet=True) as watch:
        assert watch.published is None
        for event in EVENTS:
            watch(event)
        watch.summarize()
    assert log.getvalue() == ""
    assert watch.published is PUBLISHED


def test_a_stream_that_is_gone_does_not_end_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with Watch(Gone()) as watch:
        for event in EVENTS:
            watch(event)
        watch.summarize()
    assert watch.published is PUBLISHED


def test_an_error_leaves_the_terminal_without_a_bar(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)

    def fail() -> None:
        with Watch(terminal) as watch:
            watch(EVENTS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert sys.stderr is terminal
    # the cursor is shown again, and the line is erased
    assert "\x1b[?25h" in terminal.getvalue()
    assert "\x1b[2K" in terminal.getvalue()
