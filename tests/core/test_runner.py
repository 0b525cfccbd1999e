"""`run` and `execute`: arguments, and what they give back."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from h5flow import H5FlowStage, run
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.errors import H5FlowError, H5FlowWarning
from h5flow.events import ConfigFinished, ConfigStarted, Published
from h5flow.journal.provenance import read_records
from h5flow.modules import H5FlowTestStage
from h5flow.testing.ranks import ThreadCommunicator, run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]


def test_the_signature_of_run_is_what_users_rely_on() -> None:
    parameters = inspect.signature(run).parameters
    assert [(each.name, each.default) for each in parameters.values()][:9] == [
        ("configs", inspect.Parameter.empty),
        ("output_filename", inspect.Parameter.empty),
        ("input_filename", None),
        ("start_position", None),
        ("end_position", None),
        ("verbose", 0),
        ("drop", None),
        ("nompi", False),
        ("compression", None),
    ]
    keywords = {
        each.name: each.default
        for each in parameters.values()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert keywords == {
        "backend": "auto",
        "comm": "auto",
        "overwrite": False,
        "append": False,
        "resume": False,
        "strict": False,
        "allow_external_links": False,
    }


def test_run_takes_one_config_or_several_by_path_or_content(
    events: Path, workflow: MakeWorkflow
) -> None:
    Path("flow.yaml").write_text("flow: {source: events}\n")
    assert run("flow.yaml", "one.h5", "in.h5").configs == ("flow.yaml",)
    assert run(Path("flow.yaml"), Path("two.h5"), Path("in.h5")).output == "two.h5"
    assert run(workflow(), "three.h5", "in.h5").rows == (10,)
    assert run(["flow.yaml", Path("flow.yaml"), workflow()], "four.h5", "in.h5").rows == (10,) * 3


def test_run_is_lenient_unless_it_is_told_otherwise(events: Path, workflow: MakeWorkflow) -> None:
    content = workflow((H5FlowStage, {"requires": ["nothing"]}))
    with pytest.warns(H5FlowWarning, match="'nothing'"):
        run(content, "out.h5", "in.h5")
    with pytest.raises(H5FlowError, match="'nothing'"):
        run(content, "strict.h5", "in.h5", strict=True)


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        (None, None, range(10)),
        (3, 7, range(3, 7)),
        (0, None, range(10)),
        (-3, None, range(7, 10)),
        (None, -3, range(7)),
        (-4, -2, range(6, 8)),
        (2, 2, range(2, 2)),
        (None, 0, range(0)),
        (9, 10, range(9, 10)),
    ],
)
def test_a_range_is_half_open_and_negative_numbers_count_from_the_end(
    events: Path, workflow: MakeWorkflow, start: int | None, end: int | None, rows: range
) -> None:
    seen = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.extend(cache[source_name]["id"].tolist())

    run(workflow(Looker), "out.h5", "in.h5", start, end)
    assert seen == list(rows)


def test_the_chunk_size_of_the_request_comes_before_the_workflows(
    events: Path, workflow: MakeWorkflow
) -> None:
    content = workflow(source="loop")
    content["loop"] = {
        "classname": "H5FlowDatasetLoopGenerator",
        "dset_name": "events",
        "params": {"chunk_size": 5},
    }
    assert execute(RunRequest((content,), "a.h5", "in.h5")).chunks == (2,)
    assert execute(RunRequest((content,), "b.h5", "in.h5", chunk_size=3)).chunks == (4,)
    assert execute(RunRequest((content,), "c.h5", "in.h5", chunk_size="auto")).chunks == (1,)


def test_the_summary_says_what_was_done(events: Path, workflow: MakeWorkflow) -> None:
    summary = run([workflow(), workflow(source="hits")], "out.h5", "in.h5")
    assert summary.output == "out.h5"
    assert summary.rows == (10, 20)
    assert summary.chunks == (1, 1)
    assert summary.seconds > 0
    with h5py.File("out.h5") as file:
        assert file["h5flow"].attrs["run_id"] == summary.run_id


def test_runs_are_recorded_in_the_output(events: Path, workflow: MakeWorkflow) -> None:
    class Versioned(H5FlowStage):
        class_version = 3  # type: ignore[assignment]

    run([workflow(Versioned), workflow(source="hits")], "out.h5", "in.h5", 1, -1)
    with h5py.File("out.h5") as file:
        first, second = read_records(file)
    assert (first.source, first.start, first.end, first.rows) == ("events", 1, -1, 8)
    assert first.input == str(events.resolve())
    assert first.stages[0].class_version == "3"
    assert "classname: Versioned" in first.text
    assert (second.source, second.input, second.rows) == ("hits", "", 18)


def test_who_watches_is_told_of_each_config_and_of_the_output(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen: list[Any] = []
    execute(RunRequest((workflow(), workflow(source="hits")), "out.h5", "in.h5"), seen.append)
    kept = [
        event for event in seen if isinstance(event, ConfigStarted | ConfigFinished | Published)
    ]
    assert [type(event).__name__ for event in kept] == [
        "ConfigStarted",
        "ConfigFinished",
        "ConfigStarted",
        "ConfigFinished",
        "Published",
    ]
    assert kept[-1].bytes_written == Path("out.h5").stat().st_size
    assert [event.rows for event in kept if isinstance(event, ConfigFinished)] == [10, 20]


def test_verbose_shows_what_is_logged_and_leaves_logging_as_it_was(
    events: Path, workflow: MakeWorkflow, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("h5flow")
    before = logger.level, list(logger.handlers)
    content = workflow((H5FlowTestStage, {"requires": ["hits"]}))
    run(content, "quiet.h5", "in.h5")
    assert not caplog.records
    run(content, "loud.h5", "in.h5", verbose=1)
    assert any("cache['hits']: (10, 4)" in record.getMessage() for record in caplog.records)
    assert (logger.level, logger.handlers) == before


def test_nompi_is_the_serial_communicator(
    events: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    assert run(workflow(), "one.h5", "in.h5", nompi=True).rows == (10,)
    assert run(workflow(), "two.h5", "in.h5", comm="serial").rows == (10,)
    monkeypatch.setenv("H5FLOW_NOMPI", "1")
    assert run(workflow(), "three.h5", "in.h5").rows == (10,)


def test_ranks_that_exist_can_be_given(events: Path, workflow: MakeWorkflow) -> None:
    sizes: list[int] = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            sizes.append(self.size)

    def on_rank(ranks: ThreadCommunicator) -> tuple[int, ...]:
        return run(workflow(Looker), "out.h5", "in.h5", comm=ranks).rows

    assert run_on_ranks(3, on_rank) == [(10,)] * 3
    assert sizes == [3, 3, 3]
    with h5py.File("out.h5") as file:
        assert len(file["events/data"]) == 10
