"""What a loop tells about its time, to h5flow's own profile and to those of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from libraries import DEVICES, make_backend

from h5flow import H5FlowStage
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.events import Event, HookTimed, LoopFinished, Moved
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]


class Doubles(H5FlowStage):
    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("doubles", "i8")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        source = cache[source_name]
        rows = self.data_manager.reserve_data("doubles", len(source))
        self.data_manager.write_data("doubles", rows, 2 * source["id"])


def events_of(workflow: dict[str, Any], backend: str) -> list[Event]:
    seen: list[Event] = []
    execute(
        RunRequest((workflow,), output="out.h5", input="in.h5", backend=backend, chunk_size=4),
        seen.append,
    )
    return seen


def in_loop(events: list[Event], name: str) -> list[HookTimed]:
    timed = [event for event in events if isinstance(event, HookTimed)]
    return [event for event in timed if event.name == name and event.hook in {"next", "run"}]


def test_saving_and_publishing_are_timed_beside_the_hooks(
    events: Path, workflow: MakeWorkflow
) -> None:
    timed = [one for one in events_of(workflow(Doubles), "numpy") if isinstance(one, HookTimed)]
    ours = {one.name for one in timed if not one.classname}
    assert ours == {"copy input", "read", "write", "save", "publish"}
    spans = sorted((one.begin, one.begin + one.seconds) for one in timed if one.name == "save")
    # after init, and after the loop
    assert len(spans) == 2
    assert spans[0][1] <= spans[1][0]


@pytest.mark.parametrize("name", DEVICES)
def test_each_hook_says_what_moved_in_it(events: Path, workflow: MakeWorkflow, name: str) -> None:
    make_backend(name)
    seen = events_of(workflow(Doubles), name)
    read, ran = in_loop(seen, "read"), in_loop(seen, "doubles")
    row = np.dtype([("id", "i8"), ("x", "f4")]).itemsize
    assert [event.moved.bytes_up for event in read] == [4 * row, 4 * row, 2 * row]
    assert [event.moved.bytes_down for event in ran] == [32, 32, 16]
    assert all(event.seconds >= event.moved.seconds > 0 for event in (*read, *ran))


def test_on_numpy_nothing_moves(events: Path, workflow: MakeWorkflow) -> None:
    timed = [event for event in events_of(workflow(Doubles), "numpy") if hasattr(event, "moved")]
    assert {event.moved for event in timed} == {Moved()}


@pytest.mark.parametrize("name", ["numpy", *DEVICES])
def test_the_hooks_of_a_loop_are_within_its_time(
    events: Path, workflow: MakeWorkflow, name: str
) -> None:
    make_backend(name)
    seen = events_of(workflow(Doubles), name)
    (finished,) = [event for event in seen if isinstance(event, LoopFinished)]
    names = ("read", "write", "events", "doubles")
    seconds = sum(event.seconds for part in names for event in in_loop(seen, part))
    assert 0 < seconds <= finished.seconds


def test_a_loop_names_its_backends_in_the_order_of_the_stages(
    events: Path, workflow: MakeWorkflow
) -> None:
    make_backend("array-api-strict")

    class OnHost(H5FlowStage):
        pass

    content = workflow(Doubles, (OnHost, {"backend": "numpy"}))
    (finished,) = [
        event for event in events_of(content, "array-api-strict") if isinstance(event, LoopFinished)
    ]
    assert (finished.backends, finished.ranks) == (("array-api-strict", "numpy"), 1)


def test_on_ranks_the_first_tells_how_many_there_are(events: Path, workflow: MakeWorkflow) -> None:
    content = workflow(Doubles)
    seen: list[Event] = []

    def on_rank(comm: Any) -> None:
        request = RunRequest((content,), output="out.h5", input="in.h5", chunk_size=4)
        execute(request, seen.append, communicator=comm)

    run_on_ranks(3, on_rank)
    assert [event.ranks for event in seen if isinstance(event, LoopFinished)] == [3]


# -- what profilers see, and what a device has still to do ------------------------------------


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a backend that is not the host is asked, beside moving rows."""
    strict = type(make_backend("array-api-strict"))
    seen: list[str] = []

    @contextmanager
    def named_range(_self: Any, name: str) -> Iterator[None]:
        seen.append(f"begin {name}")
        yield
        seen.append(f"end {name}")

    monkeypatch.setattr(strict, "named_range", named_range)
    monkeypatch.setattr(strict, "synchronise", lambda _self: seen.append("awaited"))
    return seen


def test_chunks_and_stages_are_ranges_for_profilers(
    events: Path, workflow: MakeWorkflow, device: list[str]
) -> None:
    class First(H5FlowStage):
        pass

    class Second(H5FlowStage):
        pass

    events_of(workflow(First, Second), "array-api-strict")
    loop = device[device.index("begin chunk 0") : device.index("end chunk 2") + 1]
    # between two chunks the generator is asked for the next one
    ranges = [each for each in loop if each not in {"awaited", "begin events", "end events"}]
    stages = ["begin first", "end first", "begin second", "end second"]
    assert ranges == [
        each
        for chunk in range(3)
        for each in (f"begin chunk {chunk}", *stages, f"end chunk {chunk}")
    ]


def test_the_work_of_a_stage_on_a_device_is_awaited_when_its_run_returns(
    events: Path, workflow: MakeWorkflow, device: list[str]
) -> None:
    class Works(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            device.append("worked")

    events_of(workflow(Works), "array-api-strict")
    after = device[device.index("worked") :]
    assert after[:3] == ["worked", "awaited", "end works"]
