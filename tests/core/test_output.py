"""What an existing output means, and what becomes of it when a run fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow import H5FlowDataManager, H5FlowGenerator, H5FlowStage, run
from h5flow.core import runner
from h5flow.core.preparation import Preparation
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.errors import (
    ConfigError,
    FileFormatError,
    H5FlowError,
    H5FlowWarning,
    HookError,
    UsageError,
)
from h5flow.io import space
from h5flow.transaction.channel import Channel

MakeWorkflow = Callable[..., dict[str, Any]]


class Sums(H5FlowStage):
    """One row for each event."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("sums", "f8")
        self.data_manager.create_ref(source_name, "sums")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        events = cache[source_name]
        rows = self.data_manager.reserve_data("sums", len(events))
        self.data_manager.write_data("sums", rows, events["id"] * 1.5)
        parents = np.arange(source_slice.start, source_slice.stop)
        refs = np.stack([parents, np.arange(rows.start, rows.stop)], axis=1)
        self.data_manager.write_ref(source_name, "sums", refs)


class Numbers(H5FlowGenerator):
    """Three chunks of two rows."""

    def init(self) -> None:
        self.left = 3
        self.data_manager.create_dset(self.dset_name, [("id", "i8")])

    def next(self) -> slice:
        if not self.left:
            return self.EMPTY
        self.left -= 1
        rows = self.data_manager.reserve_data(self.dset_name, 2)
        self.data_manager.write_data(self.dset_name, rows, {"id": [rows.start, rows.start + 1]})
        return rows


def lengths(path: str | Path = "out.h5") -> dict[str, int]:
    with h5py.File(path) as file:
        return {
            name: len(file[f"{name}/data"])
            for name in ("events", "hits", "sums", "numbers")
            if f"{name}/data" in file
        }


# -- no output --------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [{}, {"append": True}, {"overwrite": True}])
def test_an_output_that_does_not_exist_is_made(
    events: Path, workflow: MakeWorkflow, option: dict[str, bool]
) -> None:
    run(workflow(Sums), "out.h5", str(events), **option)
    assert lengths() == {"events": 10, "hits": 20, "sums": 10}
    assert sorted(os.listdir()) == ["in.h5", "out.h5"]


@pytest.mark.parametrize("option", [{}, {"append": True}, {"overwrite": True}])
def test_a_generator_makes_an_output_that_does_not_exist(
    working_directory: Path, workflow: MakeWorkflow, option: dict[str, bool]
) -> None:
    run(workflow(generator=Numbers, source="numbers"), "out.h5", **option)
    assert lengths() == {"numbers": 6}


def test_a_loop_without_input_needs_the_output(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    with pytest.raises(UsageError, match=r"no input is named and the output out.h5 does not exist"):
        run(workflow(Sums), "out.h5")
    assert os.listdir() == []


def test_an_input_that_does_not_exist_is_named(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    with pytest.raises(UsageError, match=r"the input nowhere.h5 does not exist"):
        run(workflow(Sums), "out.h5", "nowhere.h5")


def test_without_any_output_there_is_a_clear_error(events: Path, workflow: MakeWorkflow) -> None:
    with pytest.raises(UsageError, match=r"there is no output file.*-o OUT.h5.*flow: output"):
        run(workflow(Sums), None, str(events))


def test_the_workflow_can_name_output_and_input(events: Path, workflow: MakeWorkflow) -> None:
    run(workflow(Sums, input="in.h5", output="made.xyz"), None)
    assert lengths("made.xyz")["sums"] == 10


def test_what_is_asked_for_comes_before_what_the_workflow_says(
    events: Path, workflow: MakeWorkflow
) -> None:
    run(workflow(Sums, input="nowhere.h5", output="other.h5"), "out.h5", str(events))
    assert sorted(os.listdir()) == ["in.h5", "out.h5"]


# -- an output that exists: a custom generator ------------------------------------------------


def test_a_generator_adds_to_an_output_that_exists(events: Path, workflow: MakeWorkflow) -> None:
    run(workflow(Sums), "out.h5", str(events))
    run(workflow(generator=Numbers, source="numbers"), "out.h5")
    assert lengths() == {"events": 10, "hits": 20, "sums": 10, "numbers": 6}


def test_a_generator_appends_again_when_asked(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    for _ in range(2):
        run(workflow(generator=Numbers, source="numbers"), "out.h5", append=True)
    with h5py.File("out.h5") as file:
        assert file["numbers/data"]["id"].tolist() == list(range(12))


def test_a_generator_replaces_the_output_with_overwrite(
    events: Path, workflow: MakeWorkflow
) -> None:
    run(workflow(Sums), "out.h5", str(events))
    run(workflow(generator=Numbers, source="numbers"), "out.h5", overwrite=True)
    assert lengths() == {"numbers": 6}


def test_a_generator_cannot_overwrite_its_input(events: Path, workflow: MakeWorkflow) -> None:
    content = workflow(generator=Numbers, source="numbers")
    with pytest.raises(UsageError, match=r"it is the input of this run as well"):
        run(content, "in.h5", str(events), overwrite=True)
    assert lengths("in.h5")["events"] == 10


# -- an output that exists: the input is the output, or there is no input ---------------------


@pytest.mark.parametrize("option", [{}, {"append": True}])
@pytest.mark.parametrize("named", [None, "in.h5", "./in.h5", "symlink.h5", "hardlink.h5"])
def test_a_loop_over_the_output_adds_to_it(
    events: Path, workflow: MakeWorkflow, named: str | None, option: dict[str, bool]
) -> None:
    os.symlink("in.h5", "symlink.h5")
    os.link("in.h5", "hardlink.h5")
    run(workflow(Sums), "in.h5", named, **option)
    assert lengths("in.h5") == {"events": 10, "hits": 20, "sums": 10}


@pytest.mark.parametrize("named", [None, "in.h5", "symlink.h5"])
def test_a_loop_over_the_output_cannot_overwrite_it(
    events: Path, workflow: MakeWorkflow, named: str | None
) -> None:
    os.symlink("in.h5", "symlink.h5")
    before = events.read_bytes()
    with pytest.raises(UsageError, match=r"--overwrite cannot replace"):
        run(workflow(Sums), "in.h5", named, overwrite=True)
    assert events.read_bytes() == before


def test_an_output_behind_a_symbolic_link_stays_behind_it(
    events: Path, workflow: MakeWorkflow
) -> None:
    os.symlink("in.h5", "link.h5")
    run(workflow(Sums), "link.h5")
    assert os.path.islink("link.h5")
    assert lengths("in.h5")["sums"] == 10


# -- an output that exists: a loop over another input -----------------------------------------


@pytest.mark.parametrize("option", [{}, {"append": True}])
def test_a_loop_over_another_input_does_not_touch_an_output_that_exists(
    events: Path, workflow: MakeWorkflow, option: dict[str, bool]
) -> None:
    Path("out.h5").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"out.h5 exists already.*--overwrite"):
        run(workflow(Sums), "out.h5", str(events), **option)
    assert Path("out.h5").read_bytes() == b"precious"


def test_a_loop_over_another_input_replaces_the_output_with_overwrite(
    events: Path, workflow: MakeWorkflow
) -> None:
    for _ in range(2):
        run(workflow(Sums), "out.h5", str(events), overwrite=True)
    assert lengths() == {"events": 10, "hits": 20, "sums": 10}


# -- the same run again -----------------------------------------------------------------------


def test_a_run_that_is_recorded_is_refused_with_both_ways_to_go_on(
    events: Path, workflow: MakeWorkflow
) -> None:
    run(workflow(Sums), "in.h5")
    before = events.read_bytes()
    with pytest.raises(UsageError, match=r"'events', stages sums.*--append.*--overwrite"):
        run(workflow((Sums, {"params": {"ignored": 1}})), "in.h5")
    assert events.read_bytes() == before


def test_a_run_on_the_output_is_refused_whatever_file_its_rows_came_from(
    events: Path, workflow: MakeWorkflow
) -> None:
    run(workflow(Sums), "out.h5", "in.h5")
    before = Path("out.h5").read_bytes()
    with pytest.raises(UsageError, match=r"recorded in out.h5 already"):
        run(workflow(Sums), "out.h5")
    assert Path("out.h5").read_bytes() == before


def test_a_run_that_is_recorded_is_added_again_with_append(
    events: Path, workflow: MakeWorkflow
) -> None:
    run(workflow(Sums), "in.h5")
    run(workflow(Sums), "in.h5", append=True)
    assert lengths("in.h5")["sums"] == 20


def test_a_generators_run_that_is_recorded_is_refused(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    run(workflow(generator=Numbers, source="numbers"), "out.h5")
    with pytest.raises(UsageError, match=r"the same run is recorded"):
        run(workflow(generator=Numbers, source="numbers"), "out.h5")
    assert lengths() == {"numbers": 6}


@pytest.mark.parametrize(
    "change",
    [
        {"start_position": 2},
        {"end_position": 5},
    ],
)
def test_another_range_is_another_run(
    events: Path, workflow: MakeWorkflow, change: dict[str, int]
) -> None:
    run(workflow(Sums), "in.h5")
    run(workflow(Sums), "in.h5", **change)
    assert lengths("in.h5")["sums"] > 10


def test_another_stage_or_name_of_a_stage_is_another_run(
    events: Path, workflow: MakeWorkflow
) -> None:
    run(workflow(Sums), "in.h5")
    run(workflow((Sums, {"name": "again"})), "in.h5")
    run(workflow(Sums, H5FlowStage), "in.h5")
    assert lengths("in.h5")["sums"] == 30


def test_another_input_is_another_run_and_a_copy_of_it_is_the_same(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    Path("one.raw").write_bytes(b"one")
    Path("two.raw").write_bytes(b"two")
    Path("copy.raw").write_bytes(b"one")
    content = workflow(generator=Numbers, source="numbers")
    run(content, "out.h5", "one.raw")
    run(content, "out.h5", "two.raw")
    with pytest.raises(UsageError, match=r"the same run"):
        run(content, "out.h5", "copy.raw")
    assert lengths() == {"numbers": 12}


def test_the_same_config_three_times_in_one_command_is_three_runs(
    events: Path, workflow: MakeWorkflow
) -> None:
    summary = run([workflow(Sums)] * 3, "out.h5", str(events))
    assert lengths()["sums"] == 30
    assert summary.rows == (10, 10, 10)


# -- failure ----------------------------------------------------------------------------------


class Failing(Sums):
    """Fails in the second chunk, when rows and references have been written."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        super().run(source_name, source_slice, cache)
        raise ValueError("on purpose")


def test_a_run_that_fails_leaves_an_output_as_it_was(events: Path, workflow: MakeWorkflow) -> None:
    before = events.read_bytes()
    with pytest.raises(HookError):
        run(workflow(Failing), "in.h5")
    assert events.read_bytes() == before
    assert os.listdir() == ["in.h5"]


def test_a_run_that_fails_with_overwrite_leaves_the_old_output(
    events: Path, workflow: MakeWorkflow
) -> None:
    Path("out.h5").write_bytes(b"precious")
    with pytest.raises(HookError):
        run(workflow(Failing), "out.h5", str(events), overwrite=True)
    assert Path("out.h5").read_bytes() == b"precious"
    assert sorted(os.listdir()) == ["in.h5", "out.h5"]


def test_a_failing_second_config_takes_the_first_with_it(
    events: Path, workflow: MakeWorkflow
) -> None:
    with pytest.raises(HookError):
        run([workflow(Sums), workflow(Failing)], "out.h5", str(events))
    assert sorted(os.listdir()) == ["in.h5", "out.h5.partial"]  # to be resumed


def test_the_next_run_works_after_one_that_failed(events: Path, workflow: MakeWorkflow) -> None:
    with pytest.raises(HookError):
        run(workflow(Failing), "out.h5", str(events))
    run(workflow(Sums), "out.h5", str(events))
    assert lengths()["sums"] == 10
    with H5FlowDataManager("out.h5") as dm:  # not read only any more
        dm.create_dset("more", "i4")


def test_an_error_while_closing_does_not_hide_what_went_wrong(
    events: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking(Sums):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            def broken(_storage: object) -> None:
                raise OSError("no space left")

            monkeypatch.setattr("h5flow.storage.single_process.SingleProcessStorage.close", broken)
            raise ValueError("the real reason")

    with pytest.raises(HookError, match="the real reason"):
        run(workflow(Breaking), "out.h5", str(events))
    assert os.listdir() == ["in.h5"]


def test_a_source_that_is_no_hdf5_file_is_named(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    Path("in.h5").write_text("not HDF5")
    with pytest.raises(FileFormatError, match=r"in\.h5"):
        run(workflow(Sums), "out.h5", "in.h5")
    assert os.listdir() == ["in.h5"]


def test_the_output_is_another_file_while_the_run_goes_on(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Looking(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert not Path("out.h5").exists()
            assert self.data_manager.filepath == "out.h5"
            assert Path(self.data_manager.working_path).exists()

    run(workflow(Looking), "out.h5", str(events))
    assert sorted(os.listdir()) == ["in.h5", "out.h5"]


# -- reading beside the run -------------------------------------------------------------------


def test_the_input_can_be_read_beside_the_run(events: Path, workflow: MakeWorkflow) -> None:
    class Reading(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            with h5py.File("in.h5", "r") as file:
                assert len(file["hits/data"]) == 20
            with H5FlowDataManager("in.h5") as dm:
                assert dm["events", "hits", source_slice].shape == (10, 4)
                with pytest.raises(H5FlowError, match="only its own data manager writes"):
                    dm.create_dset("more", "i4")

    before = events.read_bytes()
    run(workflow(Reading), "out.h5", str(events))
    assert events.read_bytes() == before


def test_a_run_inside_of_a_stage_does_not_end_the_outer_one(
    events: Path, workflow: MakeWorkflow
) -> None:
    inner = workflow((Sums, {"name": "inner"}))

    class Outer(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            run(inner, "inner.h5", "in.h5")
            assert H5FlowDataManager.run_in_progress

    run(workflow(Outer), "out.h5", str(events))
    assert not H5FlowDataManager.run_in_progress
    assert lengths("inner.h5")["sums"] == 10


# -- input data that stay in the input --------------------------------------------------------


def test_linked_input_data_are_read_and_stay_where_they_are(
    events: Path, workflow: MakeWorkflow
) -> None:

    before = events.read_bytes()
    request = RunRequest((workflow(Sums),), "out.h5", str(events), input_data="link", strict=True)
    execute(request)
    with h5py.File("out.h5") as file:
        assert isinstance(file.get("events/data", getlink=True), h5py.ExternalLink)
        assert file["sums/data"][:].tolist() == [row * 1.5 for row in range(10)]
    assert events.read_bytes() == before


def test_rows_of_linked_input_data_cannot_be_written(events: Path, workflow: MakeWorkflow) -> None:

    class Writer(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            self.data_manager.write_data(source_name, source_slice, cache[source_name])

    before = events.read_bytes()
    request = RunRequest((workflow(Writer),), "out.h5", str(events), input_data="link")
    with pytest.raises(H5FlowError, match=r"'writer' \(Writer\).*run, chunk 0.*--input-data copy"):
        execute(request)
    assert events.read_bytes() == before
    assert os.listdir() == ["in.h5"]


def test_linked_input_data_can_be_dropped(events: Path, workflow: MakeWorkflow) -> None:

    before = events.read_bytes()
    execute(RunRequest((workflow(Sums, drop="hits"),), "out.h5", str(events), input_data="link"))
    with h5py.File("out.h5") as file:
        assert "hits" not in file
        assert len(file["events/data"]) == 10
    assert events.read_bytes() == before


def test_a_linked_source_whose_file_is_gone_is_told_so(
    events: Path, workflow: MakeWorkflow
) -> None:
    execute(RunRequest((workflow(),), "out.h5", str(events), input_data="link"))
    events.rename("moved.h5")
    with pytest.raises(ConfigError, match=r"'events' in out.h5 .* linked to a missing file"):
        run(workflow(Sums), "out.h5")


def test_the_option_of_a_later_config_that_is_not_used_is_mentioned(
    events: Path, workflow: MakeWorkflow
) -> None:
    later = workflow((Sums, {"name": "more"}), input="other.h5", output="other.h5")
    with pytest.warns(H5FlowWarning, match=r"`flow: input:` is not used"):
        run([workflow(Sums), later], "out.h5", str(events))


def test_an_output_that_is_published_while_the_run_starts_is_not_replaced(
    events: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runner.prepare

    def prepare(request: RunRequest, channel: Channel) -> Preparation:
        prepared = real(request, channel)
        Path("out.h5").write_bytes(b"precious")
        return prepared

    monkeypatch.setattr(runner, "prepare", prepare)
    with pytest.raises(UsageError, match=r"out.h5 was made or changed while this run"):
        run(workflow(Sums), "out.h5", "in.h5")
    assert Path("out.h5").read_bytes() == b"precious"
    assert sorted(path.name for path in Path().iterdir()) == ["in.h5", "out.h5"]


def test_an_output_that_is_a_folder_is_told_so(events: Path, workflow: MakeWorkflow) -> None:
    with pytest.raises(UsageError, match=r"the output \. is a folder"):
        run(workflow(Sums), ".", "in.h5")


def test_a_full_disk_is_one_clear_error_and_what_was_done_is_left_to_be_resumed(
    events: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fill(Sums):
        def finish(self, source_name: str) -> None:
            monkeypatch.setattr(space, "free_bytes", lambda _folder: 1)
            rows = self.data_manager.reserve_data("sums", 500_000)
            self.data_manager.write_data("sums", rows, np.ones(500_000))

    with pytest.raises(H5FlowError, match=r"there is no room for .*out.h5.partial"):
        run(workflow(Fill), "out.h5", "in.h5")
    assert sorted(path.name for path in Path().iterdir()) == ["in.h5", "out.h5.partial"]


def test_what_a_stage_deletes_takes_no_space(events: Path, workflow: MakeWorkflow) -> None:
    class Scratch(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("scratch", "f8")
            rows = self.data_manager.reserve_data("scratch", 500_000)
            self.data_manager.write_data("scratch", rows, np.ones(500_000))

        def finish(self, source_name: str) -> None:
            self.data_manager.delete("scratch")

    run(workflow(Scratch), "out.h5", "in.h5")
    assert Path("out.h5").stat().st_size < 500_000
