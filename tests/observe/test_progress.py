"""A bar on a terminal, lines in a log."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from h5flow.events import ChunkDone, ConfigFinished, ConfigStarted, CopyProgress, Event, HookTimed
from h5flow.observe.progress import BarProgress, LogProgress, make_progress

Clock = Any  # of conftest.py
Terminal = Any


def seen_on(terminal: Terminal) -> list[str]:
    """Return all lines that were ever drawn, without control sequences."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    return [line for line in re.split(r"[\r\n]+", text) if line]


def started(name: str = "events.yaml") -> ConfigStarted:
    return ConfigStarted(name, "events", ("pairs",), 10_000_000)


def finished(name: str = "events.yaml") -> ConfigFinished:
    return ConfigFinished(name, 20, 10_000_000, 20.0)


def a_second_each(clock: Clock, seconds: int, rows: int = 500_000) -> Iterator[Event]:
    for _ in range(seconds):
        clock.now += 1
        yield HookTimed("pairs", "MuonPairs", "run", 0.1)
        yield ChunkDone(0, rows, 0, rows)


def test_a_log_has_a_line_every_few_seconds_and_one_at_the_end(clock: Clock) -> None:
    log = io.StringIO()
    progress = LogProgress(log, clock)
    progress(started())
    for event in a_second_each(clock, 12):
        progress(event)
    progress(finished())
    assert log.getvalue().splitlines() == [
        "events.yaml: 2,500,000 of 10,000,000 rows (25 %), 500 k rows/s, 15 s left",
        "events.yaml: 5,000,000 of 10,000,000 rows (50 %), 500 k rows/s, 10 s left",
        "events.yaml: done, 10,000,000 rows in 20 chunks, 20 s",
    ]


def test_a_log_of_a_short_run_has_one_line(clock: Clock) -> None:
    log = io.StringIO()
    progress = LogProgress(log, clock)
    progress(started())
    for event in a_second_each(clock, 3):
        progress(event)
    progress(finished())
    assert len(log.getvalue().splitlines()) == 1


def test_a_log_shows_the_copy_of_the_input(clock: Clock) -> None:
    log = io.StringIO()
    progress = LogProgress(log, clock)
    for done in range(8):
        progress(CopyProgress("in.h5", done * 10**9, 8 * 10**9))
        clock.now += 1
    assert log.getvalue().splitlines() == [
        "copying in.h5: 5.00 GB of 8.00 GB (62 %), 1.00 GB/s, 3.0 s left"
    ]


def test_a_terminal_has_a_bar(terminal: Terminal, clock: Clock) -> None:
    progress = BarProgress(terminal, clock)
    progress(started())
    for event in a_second_each(clock, 5):
        progress(event)
    progress.close()
    last = seen_on(terminal)[-1]
    assert last.startswith("events.yaml ━━")
    assert last.endswith("25 %  2.50 M of 10.0 M rows  500 k rows/s  15 s left")


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 120])
@pytest.mark.parametrize("total", [(None,), (0,), (10_000_000,), (None, 9), (None, 0)])
@pytest.mark.parametrize("name", ["a.yaml", "workflows/charge/light/" + "x" * 40 + ".yaml"])
def test_a_bar_fits_any_width(
    width: int,
    total: tuple[int | None, ...],
    name: str,
    terminal: Terminal,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    progress = BarProgress(terminal, clock)
    progress(ConfigStarted(name, "events", (), *total))
    for event in a_second_each(clock, 5):
        progress(event)
    progress.close()
    lines = seen_on(terminal)
    assert max(map(len, lines)) < width
    assert name[-5:] in lines[-1]


def test_a_narrow_terminal_keeps_share_and_time_left(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    progress = BarProgress(terminal, clock)
    progress(started())
    for event in a_second_each(clock, 5):
        progress(event)
    progress.close()
    assert re.fullmatch(r"events.yaml [━╸╺]+ 25 %  15 s left", seen_on(terminal)[-1])


def test_a_terminal_without_utf8_has_a_bar_of_ascii(terminal: Terminal, clock: Clock) -> None:
    terminal.encoding = "iso-8859-1"
    progress = BarProgress(terminal, clock)
    progress(started())
    for event in a_second_each(clock, 5):
        progress(event)
    progress.close()
    assert terminal.getvalue().isascii()


def test_the_bar_is_not_drawn_at_every_chunk(terminal: Terminal, clock: Clock) -> None:
    progress = BarProgress(terminal, clock)
    progress(started())
    for _ in range(1_000):
        clock.now += 0.001
        progress(ChunkDone(0, 1, 0, 1))
    progress.close()
    assert len(seen_on(terminal)) < 20


def test_what_is_printed_meanwhile_stands_above_the_bar(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = BarProgress(terminal, clock)
    progress(started())
    print("h5flow: warning: rows are clipped", file=sys.stderr)
    print("not ended", end="", file=sys.stderr)
    progress.close()
    assert sys.stderr is terminal
    assert "h5flow: warning: rows are clipped" in seen_on(terminal)
    assert "not ended" in seen_on(terminal)


def test_stdout_goes_where_it_is_sent(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    progress = BarProgress(terminal, clock)
    progress(started())
    print("a table of results")
    progress.close()
    assert file.getvalue() == "a table of results\n"


def test_workflows_that_are_done_are_listed_when_the_next_begins(
    terminal: Terminal, clock: Clock
) -> None:
    progress = BarProgress(terminal, clock)
    for name in ("a.yaml", "b.yaml"):
        progress(started(name))
        for event in a_second_each(clock, 2):
            progress(event)
        progress(finished(name))
    progress.close()
    lines = seen_on(terminal)
    assert "a.yaml: done, 10,000,000 rows in 20 chunks, 20 s" in lines
    # the summary follows, and says as much
    assert not any(line.startswith("b.yaml: done") for line in lines)


def test_a_terminal_that_cannot_draw_is_a_log(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(make_progress(terminal, clock), BarProgress)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_progress(terminal, clock), LogProgress)
    assert isinstance(make_progress(io.StringIO(), clock), LogProgress)
