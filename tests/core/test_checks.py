"""What is refused before anything is created."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest

from h5flow import H5FlowGenerator, H5FlowStage, run
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.errors import ConfigError, UsageError

MakeWorkflow = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _nothing_is_created(events: Path) -> Any:
    """Whatever is refused here: the folder is as it was."""
    before = events.read_bytes()
    yield
    assert os.listdir() == ["in.h5"]
    assert events.read_bytes() == before


# -- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (10, None, "the start is at or beyond the end"),
        (11, 20, "the start is at or beyond the end"),
        (5, 4, "the start is after the end"),
        (-2, -5, "the start is after the end"),
        (-11, None, "before the first row"),
        (None, -11, "before the first row"),
    ],
)
def test_a_range_without_rows_is_refused(
    workflow: MakeWorkflow, start: int | None, end: int | None, expected: str
) -> None:
    with pytest.raises(UsageError, match=rf"{expected}; events has 10 rows"):
        run(workflow(), "out.h5", "in.h5", start, end)


@pytest.mark.parametrize("position", ["5", 5.0])
def test_a_range_is_of_whole_numbers(workflow: MakeWorkflow, position: Any) -> None:
    with pytest.raises(UsageError, match="the start is a whole number of rows"):
        run(workflow(), "out.h5", "in.h5", position)


@pytest.mark.parametrize("name", ["data", "hits/ref/tracks", "h5flow", ""])
def test_a_name_that_cannot_be_dropped_is_refused(workflow: MakeWorkflow, name: str) -> None:
    with pytest.raises(UsageError, match="dropped"):
        run(workflow(), "out.h5", "in.h5", drop=[name])


@pytest.mark.parametrize("chunk_size", [0, -1, 2.5, "large", True])
def test_a_chunk_size_that_is_none_is_refused(workflow: MakeWorkflow, chunk_size: Any) -> None:
    with pytest.raises(UsageError, match="chunk_size is a positive whole number of rows or 'auto'"):
        execute(RunRequest((workflow(),), "out.h5", "in.h5", chunk_size=chunk_size))


@pytest.mark.parametrize("chunk_size", [0, "large"])
def test_a_chunk_size_in_a_workflow_is_refused_with_its_place(
    workflow: MakeWorkflow, chunk_size: Any
) -> None:
    content = workflow(source="loop")
    content["loop"] = {
        "classname": "H5FlowDatasetLoopGenerator",
        "dset_name": "events",
        "params": {"chunk_size": chunk_size},
    }
    with pytest.raises(ConfigError, match=r"loop: chunk_size is"):
        run(content, "out.h5", "in.h5")


def test_a_param_that_the_loop_does_not_have_is_refused(workflow: MakeWorkflow) -> None:
    content = workflow(source="loop")
    content["loop"] = {
        "classname": "H5FlowDatasetLoopGenerator",
        "dset_name": "events",
        "params": {"chunksize": 5},
    }
    with pytest.raises(ConfigError, match=r"no parameter 'chunksize' \(did you mean 'chunk_size'"):
        run(content, "out.h5", "in.h5")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"compression": "gzap"}, "there is no compression 'gzap' .did you mean 'gzip'"),
        ({"backend": "nunpy"}, "there is no backend 'nunpy' .did you mean 'numpy'.*Installed"),
        ({"comm": "seriel"}, "there is no communicator 'seriel' .did you mean 'serial'"),
        ({"overwrite": True, "append": True}, "overwrite and append exclude each other"),
    ],
)
def test_strategies_that_do_not_exist_are_refused(
    workflow: MakeWorkflow, option: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        run(workflow(), "out.h5", "in.h5", **option)


@pytest.mark.parametrize("key", ["backend", "compression"])
def test_strategies_of_every_workflow_are_looked_up(workflow: MakeWorkflow, key: str) -> None:
    with pytest.raises(UsageError, match=f"there is no {key} 'xyz'"):
        run([workflow(), workflow(**{key: "xyz"})], "out.h5", "in.h5")


def test_a_launcher_with_several_processes_is_refused(
    workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("H5FLOW_NOMPI", raising=False)
    monkeypatch.setenv("PMI_SIZE", "4")
    with pytest.raises(UsageError, match="the launcher started 4 processes"):
        run(workflow(), "out.h5", "in.h5")


def test_no_workflow_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no workflow"):
        run([], "out.h5", "in.h5")


# -- the source -------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
def test_a_source_that_is_not_there_is_refused_with_the_nearest_name(
    workflow: MakeWorkflow, strict: bool
) -> None:
    expected = r"flow.source: there is no dataset 'event' in .*did you mean 'events'.*; there are"
    with pytest.raises(ConfigError, match=expected):
        run(workflow(source="event"), "out.h5", "in.h5", strict=strict)


def test_a_source_that_is_a_group_is_refused_with_what_it_holds(
    workflow: MakeWorkflow, events: Path
) -> None:
    before = events.read_bytes()
    with h5py.File(events, "r+") as file:
        file["charge/raw/data"] = [1, 2]
        file["charge/calib/data"] = [1, 2]
    with pytest.raises(
        ConfigError, match=r"'charge' is a group in .*; it holds charge/calib, charge/raw"
    ):
        run(workflow(source="charge"), "out.h5", "in.h5")
    events.write_bytes(before)


@pytest.mark.parametrize(("value", "what"), [(5, "a single value"), (h5py.Empty("f4"), "empty")])
def test_a_source_without_rows_is_refused(
    workflow: MakeWorkflow, events: Path, value: Any, what: str
) -> None:
    before = events.read_bytes()
    with h5py.File(events, "r+") as file:
        file["odd/data"] = value
    with pytest.raises(ConfigError, match=rf"'odd' .* has no rows to loop over: it is {what}"):
        run(workflow(source="odd"), "out.h5", "in.h5")
    events.write_bytes(before)


def test_a_file_that_is_not_in_h5flows_layout_is_told_so(
    workflow: MakeWorkflow, events: Path
) -> None:
    before = events.read_bytes()
    events.unlink()
    with h5py.File(events, "w") as file:
        file["x"] = np.arange(3)
    with pytest.raises(ConfigError, match=r"no dataset 'events' .* nor any other in h5flow's"):
        run(workflow(), "out.h5", "in.h5")
    events.write_bytes(before)


@pytest.mark.parametrize("name", ["hits/data", "h5flow/runs", "ref"])
def test_a_reserved_name_is_refused_as_source_requirement_and_drop(
    workflow: MakeWorkflow, name: str
) -> None:
    with pytest.raises(ConfigError, match="reserved by the file format") as found:
        run(workflow((H5FlowStage, {"requires": [name]}), source=name), "out.h5", "in.h5")
    assert len(found.value.problems) == 2
    with pytest.raises(ConfigError, match="reserved by the file format"):
        run(workflow(drop=name), "out.h5", "in.h5")


def test_a_chain_cannot_be_aligned(workflow: MakeWorkflow) -> None:
    chain = {"name": "x", "path": ["hits", "tracks"], "layout": "aligned"}
    with pytest.raises(ConfigError, match="takes one dataset row by row"):
        run(workflow((H5FlowStage, {"requires": [chain]})), "out.h5", "in.h5")


# -- classes ----------------------------------------------------------------------------------


def test_a_class_that_is_no_stage_is_refused(workflow: MakeWorkflow) -> None:
    class NoStage:
        pass

    with pytest.raises(ConfigError, match=r"'NoStage' .* is not a stage"):
        run(workflow(NoStage), "out.h5", "in.h5")


def test_a_generator_is_no_stage(workflow: MakeWorkflow) -> None:
    class Makes(H5FlowGenerator):
        pass

    with pytest.raises(ConfigError, match=r"is not a stage"):
        run(workflow(Makes), "out.h5", "in.h5")


def test_all_problems_of_all_workflows_are_reported_at_once(workflow: MakeWorkflow) -> None:
    class Bare(H5FlowStage):
        parameters: ClassVar = {}

    first = workflow((Bare, {"params": {"a": 1}}), (Bare, {"name": "x", "params": {"b": 1}}))
    second = workflow((Bare, {"params": {"c": 1}}))
    with pytest.raises(ConfigError) as found:
        run([first, second], "out.h5", "in.h5")
    assert len(found.value.problems) == 3
