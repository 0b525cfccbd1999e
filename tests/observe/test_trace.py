"""A run as a time line."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.errors import UsageError
from h5flow.events import ConfigFinished, FileTraffic, HookTimed, Waited
from h5flow.observe.trace import Trace


def spans_of(path: Path) -> list[dict[str, Any]]:
    events = json.loads(path.read_text("utf-8"))["traceEvents"]
    return [event for event in events if event["ph"] == "X"]


def written(path: Path, *events: Any, limit: int = 100) -> list[dict[str, Any]]:
    trace = Trace(str(path), limit)
    trace._origin = 0.0
    for event in events:
        trace(event)
    trace.write([trace.spans()])
    return spans_of(path)


def test_a_hook_is_a_span_in_microseconds_since_the_beginning(tmp_path: Path) -> None:
    files = FileTraffic(bytes_read=80, seconds_reading=0.1)
    hook = HookTimed("pairs", "MuonPairs", "run", 0.5, begin=2.0, files=files, iteration=3)
    (span,) = written(tmp_path / "run.json", hook)
    assert (span["name"], span["pid"], span["ts"], span["dur"]) == ("pairs", 0, 2e6, 5e5)
    assert span["args"] == {"hook": "run", "chunk": 3, "bytes read": 80}


def test_each_kind_of_work_is_a_thread(tmp_path: Path) -> None:
    events = [
        HookTimed("read", "", "run", 1.0, begin=0.0),
        HookTimed("pairs", "MuonPairs", "run", 1.0, begin=1.0),
        HookTimed("write", "", "run", 1.0, begin=2.0),
        Waited(2.5, 0.5),
        HookTimed("read", "Reader", "run", 1.0, begin=3.0),
        ConfigFinished("events.yaml", 1, 10, 4.0),
    ]
    spans = written(tmp_path / "run.json", *events)
    assert [(span["name"], span["cat"]) for span in spans] == [
        ("read", "read"),
        ("pairs", "source and stages"),
        ("write", "write"),
        ("wait", "wait for other ranks"),
        ("read", "source and stages"),
    ]


def test_each_rank_is_a_process_with_a_name(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    trace = Trace(str(path))
    trace(Waited(1.0, 1.0))
    trace.write([trace.spans(), (7, [])])
    events = json.loads(path.read_text("utf-8"))["traceEvents"]
    names = [each["args"]["name"] for each in events if each["name"] == "process_name"]
    assert names == ["rank 0", "rank 1, 7 short spans left out"]


@given(
    pauses=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=60),
    limit=st.integers(2, 20),
)
def test_memory_is_bounded_and_the_longest_spans_stay(
    tmp_path_factory: pytest.TempPathFactory, pauses: list[tuple[float, float]], limit: int
) -> None:
    trace, now = Trace(str(tmp_path_factory.getbasetemp() / "run.json"), limit), 0.0
    trace._origin = 0.0
    lengths = []
    for pause, seconds in pauses:
        trace(Waited(now + pause, seconds))
        lengths.append(round((now + pause + seconds) * 1e9) - round((now + pause) * 1e9))
        now += pause + seconds
    left_out, spans = trace.spans()
    assert len(spans) <= limit
    assert left_out + len(spans) == len(pauses)
    kept = sorted((span.end - span.begin for span in spans), reverse=True)
    assert kept == sorted(lengths, reverse=True)[: len(kept)]
    assert all(one.end <= two.begin for one, two in itertools.pairwise(spans))


def test_a_trace_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old", "utf-8")
    with pytest.raises(TypeError):
        Trace(str(path)).write([(0, [(object(), object(), 1, "", "", 0, 0, 0)])])
    assert [(each.name, each.read_text("utf-8")) for each in tmp_path.iterdir()] == [
        ("run.json", "old")
    ]


@pytest.mark.parametrize("name", ["out.h5", "missing/run.json", "folder.json"])
def test_a_place_where_it_would_do_harm_or_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UsageError, match="the trace '"):
        Trace(str(tmp_path / name))
