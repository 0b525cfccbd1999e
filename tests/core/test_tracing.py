"""What a recorder is told on every rank, and that rank 0 writes it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from h5flow import H5FlowStage
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.errors import H5FlowWarning
from h5flow.observe.trace import Trace
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]


class Doubles(H5FlowStage):
    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("doubles", "i8")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        source = cache[source_name]
        rows = self.data_manager.reserve_data("doubles", len(source))
        self.data_manager.write_data("doubles", rows, 2 * source["id"])


def spans_of_run(content: dict[str, Any], ranks: int) -> list[dict[str, Any]]:
    request = RunRequest((content,), output="out.h5", input="in.h5", chunk_size=4)

    def on_rank(comm: Any) -> None:
        execute(request, communicator=comm, recorder=Trace("run.json"))

    run_on_ranks(ranks, on_rank)
    events = json.loads(Path("run.json").read_text("utf-8"))["traceEvents"]
    return [event for event in events if event["ph"] == "X"]


@pytest.mark.parametrize("ranks", [1, 2])
def test_spans_of_a_thread_follow_each_other(
    events: Path, workflow: MakeWorkflow, ranks: int
) -> None:
    spans = spans_of_run(workflow(Doubles), ranks)
    threads = {(span["pid"], span["tid"]) for span in spans}
    for thread in threads:
        own = sorted(
            (round(span["ts"] * 1e3), round((span["ts"] + span["dur"]) * 1e3))
            for span in spans
            if (span["pid"], span["tid"]) == thread
        )
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(own))


def test_every_rank_shows_what_it_did(events: Path, workflow: MakeWorkflow) -> None:
    spans = spans_of_run(workflow(Doubles), 2)
    runs = [
        (span["pid"], span["args"]["chunk"])
        for span in spans
        if span["name"] == "doubles" and span["args"]["hook"] == "run"
    ]
    assert sorted(runs) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {span["pid"] for span in spans if span["name"] == "wait"} == {0, 1}


def test_spans_know_the_bytes_that_were_read_and_written(
    events: Path, workflow: MakeWorkflow
) -> None:
    spans = spans_of_run(workflow(Doubles), 1)
    row = np.dtype([("id", "i8"), ("x", "f4")]).itemsize
    read = [span["args"].get("bytes read") for span in spans if span["name"] == "read"]
    assert read == [4 * row, 4 * row, 2 * row]
    assert all(
        span["args"]["bytes written"] >= 16
        for span in spans
        if span["name"] == "write" and span["args"]["hook"] == "run"
    )


def test_a_trace_that_cannot_be_written_is_a_warning_for_the_output_stands(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Full(Trace):
        def write(self, of_ranks: Any) -> None:
            raise OSError("no room")

    request = RunRequest((workflow(Doubles),), output="out.h5", input="in.h5")
    with pytest.warns(H5FlowWarning, match="the trace is not written: no room"):
        execute(request, recorder=Full("run.json"))
    assert Path("out.h5").exists()
