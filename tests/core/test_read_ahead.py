"""The next chunk is read while stages work on this one, and is what it would be otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import h5py
import numpy as np
import pytest
from file_contents import file_contents

from h5flow import H5FlowStage
from h5flow.core import next_chunk, read_ahead
from h5flow.core.read_ahead import ReadAhead
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.errors import FileFormatError, H5FlowWarning
from h5flow.events import ignore_event
from h5flow.io.metering import count_read, metered
from h5flow.modules import H5FlowDatasetLoopGenerator
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]
LOOP = (H5FlowDatasetLoopGenerator, {"params": {"chunk_size": 2}})
REQUIRES = ["hits", {"name": "tracks", "path": ["hits", "tracks"], "layout": "jagged"}]


@pytest.fixture(autouse=True)
def _chunks_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_chunk, "LEAST_BYTES", 0)
    monkeypatch.setattr(next_chunk, "LEAST_SECONDS", 0)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether entries that were asked for had been read ahead."""
    found: list[bool] = []
    take = ReadAhead.take

    def noting(self: ReadAhead, key: Any) -> Any:
        entry = take(self, key)
        found.append(entry is not None)
        return entry

    monkeypatch.setattr(ReadAhead, "take", noting)
    return found


class Copies(H5FlowStage):
    """Writes what it is given."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("sums", [("x", "f8"), ("q", "f8"), ("n", "i8")])

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        events, hits, tracks = cache[source_name], cache["hits"], cache["tracks"]
        rows = self.data_manager.reserve_data("sums", len(events))
        sums = hits["q"].sum(axis=1).filled(0)
        values = {"x": events["x"], "q": sums, "n": np.diff(tracks.offsets)}
        self.data_manager.write_data("sums", rows, values)


class Doubles(H5FlowStage):
    """Comes first, and changes rows of the source and of hits that later chunks are to see."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        if source_slice.start == 2:
            events = self.data_manager["events", 4:6]
            events["x"] = 100
            self.data_manager.write_data("events", slice(4, 6), events)
            hits = self.data_manager["hits", :]
            hits["q"] += 1000
            self.data_manager.write_data("hits", slice(0, 20), hits)


class Links(H5FlowStage):
    """Gives events further hits."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        if source_slice.start == 2:
            self.data_manager.write_ref("events", "hits", [[5, 0], [8, 1]])


def request(content: dict[str, Any], output: str = "out.h5") -> RunRequest:
    return RunRequest(configs=(content,), output=output, input="in.h5", strict=True)


def test_all_but_the_first_chunk_is_read_ahead(
    events: Path, workflow: MakeWorkflow, taken: list[bool]
) -> None:
    execute(request(workflow((Copies, {"requires": REQUIRES}), generator=LOOP)))
    assert taken == 3 * [False] + 4 * 3 * [True]


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("changes", [None, Doubles, Links])
def test_the_output_is_what_it_is_without(
    events: Path,
    workflow: MakeWorkflow,
    monkeypatch: pytest.MonkeyPatch,
    changes: type | None,
    size: int,
) -> None:
    stages = [changes] if changes else []
    content = workflow(*stages, (Copies, {"requires": REQUIRES}), generator=LOOP)
    monkeypatch.setattr(next_chunk, "LEAST_BYTES", 2**40)
    execute(request(content, "expected.h5"))
    monkeypatch.setattr(next_chunk, "LEAST_BYTES", 0)
    if size == 1:
        execute(request(content))
    elif changes is None:  # what others write in the same iteration is seen or not, with size 2
        run_on_ranks(size, lambda ours: execute(request(content), ignore_event, communicator=ours))
    else:
        return
    assert file_contents("out.h5") == file_contents("expected.h5")


def test_it_begins_when_stages_work_long_enough_and_ends_when_they_do_not(
    events: Path, workflow: MakeWorkflow, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    class Works(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            clock[0] += 1.0 if source_slice.start == 2 else 0.1

    monkeypatch.setattr(next_chunk, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(next_chunk, "LEAST_SECONDS", 0.5)
    execute(request(workflow(Works, generator=LOOP)))
    # chunk 1 takes long; when it is over, it is known that chunk 3 is worth it
    assert taken == [False, False, False, True, False]


def test_what_the_workflow_writes_is_not_read_ahead(
    events: Path, workflow: MakeWorkflow, taken: list[bool]
) -> None:
    content = workflow(Doubles, (Copies, {"requires": REQUIRES}), generator=LOOP)
    execute(request(content))
    # events and hits are written in chunk 1; from then on tracks alone are read ahead
    assert taken[-3 * 3 :].count(True) == 0 or taken.count(True) < 4 * 3


def test_what_another_workflow_wrote_before_is_read_ahead(
    events: Path, workflow: MakeWorkflow, taken: list[bool]
) -> None:
    class Nothing(H5FlowStage):
        pass

    first = workflow((Copies, {"requires": REQUIRES}), generator=LOOP)
    second = workflow(Nothing, source="sums", generator=LOOP)
    both = RunRequest(configs=(first, second), output="out.h5", input="in.h5", strict=True)
    execute(both)
    assert taken[-5:] == [False] + 4 * [True]


def test_rows_that_cannot_be_read_are_an_error_of_their_own_chunk(
    events: Path, workflow: MakeWorkflow
) -> None:
    with h5py.File("in.h5", "r+") as file:
        rows = file["events/data"][:]
        del file["events/data"]
        made = file.create_dataset("events/data", data=rows, chunks=(2,), fletcher32=True)
        file.flush()
        place = made.id.get_chunk_info(2).byte_offset
    with open("in.h5", "r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff\xff")
    with pytest.raises(FileFormatError, match="for chunk 2, rows 4:6 of 'events'"):
        execute(request(workflow((Copies, {"requires": REQUIRES}), generator=LOOP)))


def test_a_warning_of_the_next_chunk_is_given(events: Path, workflow: MakeWorkflow) -> None:
    with h5py.File("in.h5", "r+") as file:
        file["events/ref/hits/ref"][-1] = [9, 999]
    with pytest.warns(H5FlowWarning, match="rows that do not exist"):
        execute(request(workflow((Copies, {"requires": REQUIRES}), generator=LOOP)))


def test_no_thread_is_left(events: Path, workflow: MakeWorkflow) -> None:
    class Fails(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            if source_slice.start:
                raise ValueError

    with pytest.raises(Exception, match="ValueError"):
        execute(request(workflow(Fails, generator=LOOP)))
    assert not [each for each in threading.enumerate() if "read-ahead" in each.name]


def test_chunks_that_bring_too_much_along_are_not_read_ahead(
    events: Path, workflow: MakeWorkflow, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "MOST_BYTES", 8)
    execute(request(workflow((Copies, {"requires": REQUIRES}), generator=LOOP)))
    assert taken == 3 * [False] + 3 * [True] + 3 * 3 * [False]


class TestReadAhead:
    def test_what_was_read_is_given_once(self) -> None:
        with ReadAhead() as ahead:
            ahead.read("a", lambda: np.arange(3))
            assert ahead.take("a").tolist() == [0, 1, 2]
            assert ahead.take("a") is None

    def test_what_fails_was_not_read(self) -> None:
        with ReadAhead() as ahead:
            ahead.read("a", lambda: 1 / 0)
            assert ahead.take("a") is None

    def test_what_nobody_has_taken_is_forgotten(self) -> None:
        with ReadAhead() as ahead:
            ahead.read("a", lambda: np.arange(3))
            ahead.begin()
            assert ahead.take("a") is None

    def test_reading_takes_whoever_needs_it_no_longer_than_the_wait(self) -> None:
        with ReadAhead() as ahead, metered() as meter:
            ahead.read("a", lambda: count_read(24, seconds=1_000.0))
            begin = perf_counter()
            ahead.take("a")
            waited = perf_counter() - begin
        assert meter.size_bytes == 24
        assert meter.seconds <= waited


def test_what_is_written_through_a_handle_is_seen(events: Path, workflow: MakeWorkflow) -> None:
    class WritesNext(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            handle = self.data_manager.get_dset(source_name)
            seen.append(float(cache[source_name]["x"][0]))
            if source_slice.stop < 10:
                rows = handle[source_slice.stop : source_slice.stop + 1]
                rows["x"] = -1
                handle[source_slice.stop : source_slice.stop + 1] = rows

    seen: list[float] = []
    execute(request(workflow(WritesNext, generator=LOOP)))
    assert seen == [0, -1, -1, -1, -1]
