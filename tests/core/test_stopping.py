"""A run that is asked to stop ends its chunk, saves a checkpoint, and can be resumed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from file_contents import file_contents

from h5flow import H5FlowGenerator, H5FlowStage
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.core.stopping import IN_TIME, StopRequest
from h5flow.errors import H5FlowWarning, OtherRankError, Stopped
from h5flow.events import ChunkDone, Event, Observer, ignore_event
from h5flow.journal.checkpoint import read_checkpoint
from h5flow.modules import H5FlowDatasetLoopGenerator
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]
LOOP = (H5FlowDatasetLoopGenerator, {"params": {"chunk_size": 2}})
PARTIAL = Path("out.h5.partial")


class Doubles(H5FlowStage):
    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("twice", "f8")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        rows = self.data_manager.reserve_data("twice", len(cache[source_name]))
        self.data_manager.write_data("twice", rows, 2 * cache[source_name]["x"])


class Counts(Doubles):
    """Keeps something, and does not say how it is saved."""

    def init(self, source_name: str) -> None:
        super().init(source_name)
        self.chunks = 0

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        super().run(source_name, source_slice, cache)
        self.chunks += 1


class Numbers(H5FlowGenerator):
    """Cannot be resumed, for it has no state()."""

    def init(self) -> None:
        self.data_manager.create_dset(self.dset_name, [("x", "f8")])
        self.left = 3

    def next(self) -> slice:
        self.left -= 1
        return self.data_manager.reserve_data(self.dset_name, 1) if self.left >= 0 else self.EMPTY


def after(chunk: int, stop: StopRequest, number: int) -> Observer:
    """Return an observer that notes a signal when a chunk is done, as a handler would."""

    def observe(event: Event) -> None:
        if isinstance(event, ChunkDone) and event.iteration == chunk and stop.is_awaited:
            stop.note(number)

    return observe


@pytest.fixture
def request_of(events: Path, workflow: MakeWorkflow) -> Callable[..., RunRequest]:
    def make(cls: type = Doubles, output: str = "out.h5", **more: Any) -> RunRequest:
        content = workflow(cls, generator=LOOP)
        return RunRequest(configs=(content,), output=output, input="in.h5", strict=True, **more)

    return make


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, IN_TIME)]


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_stops_a_run_at_the_end_of_its_chunk(
    request_of: Callable[..., RunRequest], number: int, status: int
) -> None:
    stop = StopRequest()
    with pytest.raises(Stopped, match="after chunk 1 of 'events'") as stopped:
        execute(request_of(), after(1, stop, number), stop=stop)
    assert stopped.value.exit_status == status
    checkpoint = read_checkpoint(PARTIAL)
    assert checkpoint is not None
    assert checkpoint.chunks == 2


def test_a_run_that_was_stopped_goes_on(request_of: Callable[..., RunRequest]) -> None:
    request, stop = request_of(), StopRequest()
    execute(replace(request, output="whole.h5"))
    with pytest.raises(Stopped):
        execute(request, after(1, stop, signal.SIGTERM), stop=stop)
    execute(replace(request, resume=True))
    assert file_contents("out.h5") == file_contents("whole.h5")


def test_the_time_limit_stops_a_run(request_of: Callable[..., RunRequest]) -> None:
    now = [0.0]

    def tick(event: Event) -> None:
        now[0] += isinstance(event, ChunkDone)

    stop = StopRequest(3, clock=lambda: now[0])
    with pytest.raises(Stopped, match="stopped in time after chunk 2 of 'events'") as stopped:
        execute(request_of(), tick, stop=stop)
    assert stopped.value.exit_status == IN_TIME


def test_time_that_is_over_before_the_loop_stops_a_run(
    request_of: Callable[..., RunRequest],
) -> None:
    request = request_of()
    with pytest.raises(Stopped, match="stopped in time before the first chunk of 'events'"):
        execute(replace(request, time_limit=1e-9))
    assert not PARTIAL.exists()
    execute(replace(request, resume=True))


def test_a_run_that_is_stopped_after_its_last_chunk_goes_on(
    request_of: Callable[..., RunRequest],
) -> None:
    request, stop = request_of(), StopRequest()
    with pytest.raises(Stopped, match="after chunk 4 of 'events'"):
        execute(request, after(4, stop, signal.SIGUSR1), stop=stop)
    done: list[Event] = []
    execute(replace(request, resume=True), done.append)
    assert not any(isinstance(event, ChunkDone) for event in done)


def test_the_next_workflow_does_not_begin(events: Path, workflow: MakeWorkflow) -> None:
    two = [workflow(Doubles, generator=LOOP), workflow(Doubles, generator=LOOP, source="twice")]
    request = RunRequest(configs=tuple(two), output="out.h5", input="in.h5")
    stop = StopRequest()

    def ask(event: Event) -> None:
        if type(event).__name__ == "ConfigFinished":
            stop.note(signal.SIGUSR1)

    with pytest.raises(Stopped, match="before the first chunk of 'twice'"):
        execute(request, ask, stop=stop)
    assert PARTIAL.exists()


def test_time_stops_nothing_where_all_would_be_lost(request_of: Callable[..., RunRequest]) -> None:
    stop = StopRequest()
    with pytest.warns(H5FlowWarning, match="cannot be resumed: a stage keeps something"):
        execute(request_of(Counts), after(1, stop, signal.SIGUSR1), stop=stop)
    assert Path("out.h5").exists()


def test_ctrl_c_stops_also_where_all_is_lost(request_of: Callable[..., RunRequest]) -> None:
    stop = StopRequest()
    with pytest.raises(Stopped):
        execute(request_of(Counts), after(1, stop, signal.SIGINT), stop=stop)
    assert not PARTIAL.exists()


def test_no_signal_is_noted_where_the_loop_cannot_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workflow: MakeWorkflow
) -> None:
    monkeypatch.chdir(tmp_path)
    stop, awaited = StopRequest(), []

    def look(event: Event) -> None:
        if isinstance(event, ChunkDone):
            awaited.append(stop.is_awaited)

    content = workflow(Doubles, generator=(Numbers, {}), source="numbers")
    execute(RunRequest(configs=(content,), output="out.h5"), look, stop=stop)
    assert awaited == [False] * 3


def test_a_limit_is_said_to_be_idle_where_the_loop_cannot_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workflow: MakeWorkflow
) -> None:
    monkeypatch.chdir(tmp_path)
    content = workflow(Doubles, generator=(Numbers, {}), source="numbers")
    with pytest.warns(H5FlowWarning, match="Numbers has no state.*--time-limit stops nothing"):
        execute(RunRequest(configs=(content,), output="out.h5", time_limit=1e-9))
    assert Path("out.h5").exists()


@pytest.mark.parametrize("rank", [0, 2])
def test_a_signal_to_one_rank_stops_all_alike(
    request_of: Callable[..., RunRequest], rank: int
) -> None:
    request = request_of()

    class Asks(Doubles):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            super().run(source_name, source_slice, cache)
            if self.rank == rank:
                stops[rank].note(signal.SIGTERM)

    stops = [StopRequest() for _ in range(3)]
    request = request_of(Asks)
    ended: list[tuple[type, int]] = []

    def one(communicator: Any) -> None:
        try:
            execute(request, ignore_event, communicator=communicator, stop=stops[communicator.rank])
        except (Stopped, OtherRankError) as error:
            ended.append((type(error), error.exit_status))

    run_on_ranks(3, one)
    assert sorted(ended, key=str) == sorted([(Stopped, 143)] + 2 * [(OtherRankError, 143)], key=str)
    checkpoint = read_checkpoint(PARTIAL)
    assert checkpoint is not None
    assert checkpoint.chunks == 3


class TestStopRequest:
    def test_nobody_has_asked(self) -> None:
        assert (StopRequest().status(), StopRequest(100).status()) == (0, 0)

    def test_the_first_signal_counts(self) -> None:
        stop = StopRequest()
        stop.note(signal.SIGTERM)
        stop.note(signal.SIGINT)
        assert stop.status() == 143

    def test_a_signal_counts_more_than_the_time(self) -> None:
        stop = StopRequest(0)
        stop.note(signal.SIGINT)
        assert stop.status() == 130

    def test_it_is_awaited_in_the_loop_only(self) -> None:
        stop = StopRequest()
        with stop.awaited():
            assert stop.is_awaited
        assert not stop.is_awaited
