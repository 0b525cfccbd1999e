"""What ran and how long each part took."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import Any

import pytest

from h5flow.events import ConfigFinished, ConfigStarted, Event, HookTimed, Published
from h5flow.observe.summary import Summary, print_summary

Terminal = Any  # of conftest.py

STARTED = ConfigStarted("events.yaml", "events", ("pairs", "plots"), 1_000)
FINISHED = ConfigFinished("events.yaml", 4, 1_000, 10.0)
PUBLISHED = Published("out.h5", 123_456_789, 0.1)


def run_of_two_stages() -> list[Event]:
    return [
        STARTED,
        HookTimed("pairs", "MuonPairs", "init", 1.0),
        HookTimed("plots", "SpectrumPlot", "init", 0.5),
        HookTimed("read", "", "read", 0.25),
        HookTimed("events", "H5FlowDatasetLoopGenerator", "next", 0.25),
        HookTimed("pairs", "MuonPairs", "run", 2.0),
        HookTimed("pairs", "MuonPairs", "run", 3.0),
        HookTimed("plots", "SpectrumPlot", "finish", 1.5),
        FINISHED,
        PUBLISHED,
    ]


def summary_of(events: Iterable[Event]) -> Summary:
    summary = Summary()
    for event in events:
        summary(event)
    return summary


def log_of(events: Iterable[Event]) -> list[str]:
    log = io.StringIO()
    print_summary(summary_of(events), log, 12.3)
    return log.getvalue().splitlines()


def test_a_log_has_an_aligned_table_and_the_output() -> None:
    assert log_of(run_of_two_stages()) == [
        "",
        "events.yaml: 1,000 rows of events in 4 chunks",
        "  part    class                       init   run  finish  seconds  share",
        "  pairs   MuonPairs                   1.00  5.00             6.00   60 %",
        "  plots   SpectrumPlot                0.50          1.50     2.00   20 %",
        "  events  H5FlowDatasetLoopGenerator        0.25             0.25    2 %",
        "  read                                      0.25             0.25    2 %",
        "  other                                                      1.50   15 %",
        "  total                               1.50  5.50    1.50    10.00  100 %",
        "",
        "wrote out.h5 (123 MB) in 12 s",
    ]


def test_two_stages_of_one_class_are_two_parts() -> None:
    events = [HookTimed(name, "MuonPairs", "run", 1.0) for name in ("a", "b", "a")]
    (table,) = summary_of([STARTED, *events, FINISHED]).tables()
    assert [(row["part"], row["seconds"]) for row in table.rows[:2]] == [
        ("a", "2.00"),
        ("b", "1.00"),
    ]


def test_the_same_workflow_twice_has_two_tables() -> None:
    run = run_of_two_stages()[:-1]
    assert len(summary_of([*run, *run, PUBLISHED]).tables()) == 2


def test_the_copy_before_a_workflow_is_counted_with_it() -> None:
    events = [HookTimed("copy input", "", "init", 3.0), *run_of_two_stages()]
    (table,) = summary_of(events).tables()
    assert table.title.startswith("events.yaml")
    seconds = {row["part"]: row["seconds"] for row in table.rows}
    assert seconds["copy input"] == "3.00"
    assert seconds["other"] == "1.50"
    assert seconds["total"] == "13.00"


def test_completing_the_output_is_counted_with_the_last_workflow() -> None:
    second = ConfigStarted("plots.yaml", "events", (), 10)
    events = [*run_of_two_stages(), second, ConfigFinished("plots.yaml", 1, 10, 2.0)]
    events.append(HookTimed("publish", "", "finish", 3.0))
    first, last = summary_of(events).tables()
    assert "publish" not in {row["part"] for row in first.rows}
    seconds = {row["part"]: row["seconds"] for row in last.rows}
    assert (seconds["publish"], seconds["total"]) == ("3.00", "5.00")


def test_what_a_resumed_run_has_taken_before_is_said() -> None:
    finished = FINISHED._replace(earlier=1.0)
    (table,) = summary_of([*run_of_two_stages()[:-2], finished]).tables()
    seconds = {row["part"]: row["seconds"] for row in table.rows}
    assert seconds["earlier runs"] == "1.00"
    assert (seconds["other"], seconds["total"]) == ("0.50", "10.00")


def test_a_constructor_counts_as_init() -> None:
    events = [HookTimed("pairs", "MuonPairs", hook, 1.0) for hook in ("__init__", "init")]
    (table,) = summary_of([*events, STARTED, FINISHED]).tables()
    assert table.rows[0]["init"] == "2.00"


def test_what_comes_after_the_last_workflow_is_shown() -> None:
    tables = summary_of([STARTED, FINISHED, HookTimed("write", "", "write", 3.0)]).tables()
    assert tables[-1].title == "after the last workflow"
    assert tables[-1].rows[0]["seconds"] == "3.00"


def test_a_workflow_that_took_no_time_has_no_share() -> None:
    finished = ConfigFinished("events.yaml", 0, 0, 0.0)
    assert log_of([STARTED, HookTimed("pairs", "P", "run", 0.0), finished])[-1].split() == [
        "total",
        "0.00",
        "0.00",
    ]


def test_without_an_output_none_is_named() -> None:
    assert not any("wrote" in line for line in log_of(run_of_two_stages()[:-1]))


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (100, "part class init run finish seconds share"),
        (60, "part init run finish seconds share"),
        (40, "part seconds share"),
        (24, "part seconds share"),
    ],
)
def test_a_terminal_shows_the_columns_that_fit(
    width: int, columns: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_summary(summary_of(run_of_two_stages()), terminal, 12.3)
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert text.splitlines()[2].split() == columns.split()
    assert "wrote out.h5 (123 MB) in 12 s" in text


def test_names_are_shown_as_they_are(terminal: Terminal) -> None:
    events = [STARTED, HookTimed("[red]x[/red]", ":smile:", "run", 1.0), FINISHED]
    print_summary(summary_of(events), terminal, 1.0)
    assert "[red]x[/red]  :smile:" in terminal.getvalue()
