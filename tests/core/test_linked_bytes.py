"""Automatic chunks are cut by what is linked to them, as it is known before the loop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from h5flow import H5FlowStage
from h5flow.config.workflow import Requirement
from h5flow.core import linked_bytes
from h5flow.core.linked_bytes import LinkedBytes
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.core.stopping import StopRequest
from h5flow.data import H5FlowDataManager
from h5flow.errors import OtherRankError, Stopped
from h5flow.events import ChunkDone, ConfigStarted, ignore_event
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]

EVENT, HIT = 12, 12  # bytes of a row
MASK = 2


class Reads(H5FlowStage):
    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        pass


class Writes(H5FlowStage):
    """Makes references that the next run of the same file finds."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("parts", "f8")
        self.data_manager.create_ref(source_name, "parts")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        if source_slice.start == self.fail_at:
            raise ValueError
        rows = self.data_manager.reserve_data("parts", 4 * len(cache[source_name]))
        parents = np.repeat(np.arange(source_slice.start, source_slice.stop), 4)
        pairs = np.stack([parents, np.arange(rows.start, rows.stop)], axis=1)
        self.data_manager.write_ref(source_name, "parts", pairs)

    fail_at = 99


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sets how much a chunk may take with all that is linked to it."""
    return lambda size: monkeypatch.setattr(linked_bytes, "LINKED_CHUNK_BYTES", size)


def chunks_of(content: dict[str, Any], size: int = 1, **more: Any) -> list[tuple[int, int]]:
    done: list[tuple[int, int]] = []

    def take(event: Any) -> None:
        if isinstance(event, ChunkDone):
            done.append((event.start, event.stop))

    request = RunRequest(
        configs=(content,), output="out.h5", input="in.h5", strict=True,
        on_existing="overwrite", **more,
    )  # fmt: skip
    if size == 1:
        execute(request, take)
    else:
        run_on_ranks(
            size,
            lambda ours: execute(request, ignore_event if ours.rank else take, communicator=ours),
        )
    return done


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_chunk_is_halved_until_it_fits_on_any_number_of_ranks(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None], size: int
) -> None:
    # events have 0 1 2 3 4 0 1 2 3 4 hits, so 3 rows from row 0 are padded to 2, and 4 from 3 to 4
    content = workflow((Reads, {"requires": ["hits"]}))
    room(300)
    assert chunks_of(content, size) == [(0, 3), (3, 7), (7, 10)]
    room(10_000)
    assert chunks_of(content, size) == [(0, 10)]


def test_a_jagged_requirement_takes_what_it_has(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None]
) -> None:
    requires = [{"name": "hits", "path": ["hits"], "layout": "jagged"}]
    content = workflow((Reads, {"requires": requires}))
    room(10 * EVENT + 20 * HIT)
    assert chunks_of(content) == [(0, 10)]
    room(10 * EVENT + 20 * HIT - 1)
    assert chunks_of(content) == [(0, 5), (5, 10)]


def test_further_links_count_on_average(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None]
) -> None:
    requires = [{"name": "t", "path": ["hits", "tracks"], "layout": "jagged", "index_only": True}]
    content = workflow((Reads, {"requires": requires}))
    room(10 * EVENT + 20 * 8)  # 20 hits have 20 references to tracks
    assert chunks_of(content) == [(0, 10)]
    room(10 * EVENT + 20 * 8 - 1)
    assert len(chunks_of(content)) == 2


def test_a_size_that_is_given_is_kept(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None]
) -> None:
    room(1)
    content = workflow((Reads, {"requires": ["hits"]}))
    assert chunks_of(content, chunk_size=5) == [(0, 5), (5, 10)]


def test_what_is_linked_by_nothing_yet_does_not_count(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None]
) -> None:
    room(1)
    content = workflow(Writes, (Reads, {"requires": ["parts", {"name": "calib", "path": "calib",
                                                              "layout": "aligned"}]}))  # fmt: skip
    assert chunks_of(content) == [(0, 10)]


def test_regions_that_overlap_do_not_count(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None]
) -> None:
    with H5FlowDataManager("in.h5") as manager:
        manager.write_ref("events", "hits", [[0, 1], [9, 0], [0, 2]])
    room(10 * EVENT)
    assert chunks_of(workflow((Reads, {"requires": ["hits"]}))) == [(0, 10)]


def test_the_number_of_chunks_is_told(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None]
) -> None:
    room(300)
    told: list[ConfigStarted] = []
    content = workflow((Reads, {"requires": ["hits"]}))
    request = RunRequest(configs=(content,), output="out.h5", input="in.h5")
    execute(request, lambda event: told.append(event) if isinstance(event, ConfigStarted) else None)
    assert told[0].total_chunks == 3


def test_a_run_that_goes_on_has_the_chunks_it_would_have_had(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None], monkeypatch: Any
) -> None:
    room(300)
    content = workflow(Writes, (Reads, {"requires": ["hits", "parts"]}))
    whole = chunks_of(content, checkpoint_every=0)
    monkeypatch.setattr(Writes, "fail_at", 7)
    with pytest.raises(Exception, match="ValueError"):
        chunks_of(content, checkpoint_every=0)
    monkeypatch.setattr(Writes, "fail_at", 99)
    assert chunks_of(content, resume=True) == [chunk for chunk in whole if chunk[0] >= 7]


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    chunk_rows=st.integers(1, 40),
    size=st.integers(1, 2000),
    begin=st.integers(0, 5),
)
def test_chunks_cover_all_rows_and_fit_or_are_one_row(
    tmp_path_factory: pytest.TempPathFactory,
    counts: list[int],
    chunk_rows: int,
    size: int,
    begin: int,
) -> None:
    path = tmp_path_factory.mktemp("cut") / "in.h5"
    begin = min(begin, len(counts) - 1)
    with H5FlowDataManager(path) as manager, pytest.MonkeyPatch.context() as patch:
        patch.setattr(linked_bytes, "LINKED_CHUNK_BYTES", size)
        for name in ("a", "b"):
            manager.create_dset(name, "f8")
            manager.reserve_data(name, max(len(counts), sum(counts)))
        manager.create_ref("a", "b")
        parents = np.repeat(np.arange(len(counts)), counts)
        manager.write_ref("a", "b", np.stack([parents, np.arange(len(parents))], axis=1))
        linked = LinkedBytes(manager._open(), "a", [Requirement("b", ("b",))])
        assert linked.begin()
        bounds = linked.cut(range(begin, len(counts)), chunk_rows, 8)
    assert (bounds[0], bounds[-1]) == (begin, len(counts))
    for start, stop in pairwise(bounds):
        assert 0 < stop - start <= chunk_rows
        takes = (stop - start) * (8 + 9 * max(counts[start:stop]))
        assert stop - start == 1 or takes <= size


def test_the_regions_of_other_files_count_as_well(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None]
) -> None:
    with h5py.File("in.h5", "r+") as file:
        regions = file["events/ref/hits/ref_region"][:]
        del file["events/ref/hits/ref_region"]
        file["events/ref/hits/ref_region"] = regions.astype([("start", "u4"), ("stop", "u4")])
    room(300)
    assert len(chunks_of(workflow((Reads, {"requires": ["hits"]})))) == 3


@pytest.mark.parametrize(("first", "second"), [(2, 1), (2, 2), (1, 2)])
def test_a_run_that_was_stopped_in_its_last_iteration_goes_on(
    events: Path, workflow: MakeWorkflow, room: Callable[[int], None], first: int, second: int
) -> None:
    room(300)  # three chunks

    class Stops(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            if source_slice.stop == 10 or source_slice.start == -1:
                stop.note(signal.SIGTERM)

    content = workflow((Stops, {"requires": ["hits"]}))
    plain = RunRequest(configs=(content,), output="out.h5", input="in.h5")
    stop = StopRequest()
    run = partial(execute, plain, ignore_event, stop=stop)
    with pytest.raises((Stopped, OtherRankError)):
        run_on_ranks(first, lambda ours: run(communicator=ours))
    again = partial(execute, replace(plain, resume=True), ignore_event)
    run_on_ranks(second, lambda ours: again(communicator=ours))
    assert Path("out.h5").exists()
