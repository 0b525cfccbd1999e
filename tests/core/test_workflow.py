"""A workflow as a whole: the order of its hooks, several on one output, drop, compression."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow import (
    H5FlowDataManager,
    H5FlowGenerator,
    H5FlowManager,
    H5FlowResource,
    H5FlowStage,
    run,
)
from h5flow.config import load_workflow
from h5flow.errors import ConfigError, H5FlowWarning, HookError, UsageError
from h5flow.modules import H5FlowDatasetLoopGenerator

MakeWorkflow = Callable[..., dict[str, Any]]


class Doubles(H5FlowStage):
    """A row for each of the source's, under a name from the params."""

    target = "doubles"
    field = "id"

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset(self.target, "i8")
        self.data_manager.create_ref(source_name, self.target)

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        values = cache[source_name]
        values = values[self.field] if values.dtype.names else values
        rows = self.data_manager.reserve_data(self.target, len(values))
        self.data_manager.write_data(self.target, rows, 2 * values)
        parents = np.arange(source_slice.start, source_slice.stop)
        refs = np.stack([parents, np.arange(rows.start, rows.stop)], axis=1)
        self.data_manager.write_ref(source_name, self.target, refs)


def recorder(seen: list[tuple[Any, ...]], base: type, label: str) -> type:
    """Return a class that records which of its hooks are called, with what."""

    def construct(self: Any, **params: Any) -> None:
        super(cls, self).__init__(**params)  # type: ignore[misc]
        seen.append((label, "construct"))

    def hook(name: str) -> Callable[..., Any]:
        def record(self: Any, *arguments: Any) -> Any:
            seen.append((label, name, *arguments))
            return H5FlowGenerator.EMPTY if name == "next" else None

        return record

    hooks = {name: hook(name) for name in ("init", "next", "run", "finish")}
    cls: type = type(label, (base,), {"__init__": construct, **hooks})
    return cls


# -- H5FlowManager ----------------------------------------------------------------------------


def test_construction_init_and_finish_go_in_their_orders(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    seen: list[tuple[Any, ...]] = []
    stages = [recorder(seen, H5FlowStage, label) for label in ("First", "Second")]
    shared = [recorder(seen, H5FlowResource, label) for label in ("Alpha", "Beta")]
    source = recorder(seen, H5FlowGenerator, "Source")
    manager = H5FlowManager(
        workflow(*stages, source="raw", generator=source, resources=shared), "out.h5"
    )
    order = ["Alpha", "Beta", "Source", "First", "Second"]
    assert seen == [(label, "construct") for label in order]
    seen.clear()
    manager.init()
    source_name = {label: () if label == "Source" else ("raw",) for label in order}
    assert seen == [(label, "init", *source_name[label]) for label in order]
    seen.clear()
    manager.run()
    assert seen == [("Source", "next")]
    seen.clear()
    manager.finish()
    order = ["Source", "First", "Second", "Alpha", "Beta"]
    assert seen == [(label, "finish", *source_name[label]) for label in order]


def test_the_output_appears_when_finish_has_ended(events: Path, workflow: MakeWorkflow) -> None:
    manager = H5FlowManager(workflow(Doubles), "out.h5", "in.h5")
    assert isinstance(manager.data_manager, H5FlowDataManager)
    assert isinstance(manager.generator, H5FlowDatasetLoopGenerator)
    assert [type(stage) for stage in manager.stages] == [Doubles]
    manager.init()
    manager.run()
    assert not Path("out.h5").exists()
    manager.finish()
    with h5py.File("out.h5") as file:
        assert file["doubles/data"][:].tolist() == list(range(0, 20, 2))


def test_a_config_may_be_a_path_a_dict_or_a_workflow(events: Path, workflow: MakeWorkflow) -> None:
    Path("flow.yaml").write_text("flow: {source: events}\n")
    for number, config in enumerate(
        ["flow.yaml", Path("flow.yaml"), workflow(), load_workflow("flow.yaml")]
    ):
        manager = H5FlowManager(config, f"out{number}.h5", Path("in.h5"))
        manager.init()
        manager.run()
        manager.finish()
    assert len(list(Path().glob("out*.h5"))) == 4


def test_the_range_and_the_filter_are_those_of_the_constructor(
    events: Path, workflow: MakeWorkflow
) -> None:
    manager = H5FlowManager(workflow(Doubles), "out.h5", "in.h5", 2, -3, "gzip:1")
    manager.init()
    manager.run()
    manager.finish()
    with h5py.File("out.h5") as file:
        assert file["doubles/data"][:].tolist() == [4, 6, 8, 10, 12]
        assert file["doubles/data"].compression_opts == 1


@pytest.mark.parametrize(
    "steps", [["run"], ["finish"], ["init", "finish"], ["init", "init"], ["init", "run", "run"]]
)
def test_steps_out_of_turn_are_refused(
    events: Path, workflow: MakeWorkflow, steps: list[str]
) -> None:
    manager = H5FlowManager(workflow(Doubles), "out.h5", "in.h5")
    for step in steps[:-1]:
        getattr(manager, step)()
    with pytest.raises(UsageError, match=r"is out of turn.*init\(\), run\(\) and finish\(\)"):
        getattr(manager, steps[-1])()
    assert not Path("out.h5").exists()


def test_a_manager_that_fails_removes_what_it_made(events: Path, workflow: MakeWorkflow) -> None:
    class Failing(H5FlowStage):
        def init(self, source_name: str) -> None:
            raise ValueError("no")

    manager = H5FlowManager(workflow(Failing), "out.h5", "in.h5")
    with pytest.raises(HookError):
        manager.init()
    assert os.listdir() == ["in.h5"]
    assert not H5FlowDataManager.run_in_progress


def test_a_manager_that_is_given_up_leaves_nothing(events: Path, workflow: MakeWorkflow) -> None:
    manager = H5FlowManager(workflow(Doubles), "out.h5", "in.h5")
    manager.init()
    assert H5FlowDataManager.run_in_progress
    del manager
    gc.collect()
    assert os.listdir() == ["in.h5"]
    assert not H5FlowDataManager.run_in_progress


def test_a_manager_checks_as_run_does(events: Path, workflow: MakeWorkflow) -> None:
    with pytest.raises(UsageError, match="the start is at or beyond the end"):
        H5FlowManager(workflow(Doubles), "out.h5", "in.h5", 10)
    with pytest.raises(ConfigError, match="did you mean 'events'"):
        H5FlowManager(workflow(Doubles, source="event"), "out.h5", "in.h5")
    with pytest.raises(UsageError, match="no compression"):
        H5FlowManager(workflow(Doubles), "out.h5", "in.h5", compression="gzap")
    run(workflow(Doubles), "in.h5")
    with pytest.raises(UsageError, match="the same run"):
        H5FlowManager(workflow(Doubles), "in.h5")


# -- which input ------------------------------------------------------------------------------


def test_generators_and_resources_see_the_input_as_the_user_named_it(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class Run(H5FlowResource):
        def init(self, source_name: str) -> None:
            same = self.input_filename == self.data_manager.filepath
            seen.append((self.input_filename, self.data_manager.filepath, same))

    content = workflow(resources=[Run])
    run([content, content], Path("out.h5"), Path("in.h5"))
    run(content, "in.h5", "in.h5")
    run(content, "out.h5", append=True)
    assert seen == [
        ("in.h5", "out.h5", False),
        ("out.h5", "out.h5", True),
        ("in.h5", "in.h5", True),
        (None, "out.h5", False),
    ]


# -- several workflows ------------------------------------------------------------------------


def test_a_second_config_loops_over_what_the_first_made(
    events: Path, workflow: MakeWorkflow
) -> None:
    params = {"target": "quadruples"}
    quadruples = (Doubles, {"name": "again", "params": params, "requires": ["events"]})
    configs = [workflow(Doubles), workflow(quadruples, source="doubles")]
    run(configs, "out.h5", "in.h5", strict=True)
    with h5py.File("out.h5") as file:
        assert file["quadruples/data"][:].tolist() == [4 * row for row in range(10)]


def test_a_range_applies_to_every_config_each_to_its_own_source(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append((source_name, source_slice))

    configs = [workflow(Looker), workflow(Looker, source="hits")]
    run(configs, "out.h5", "in.h5", start_position=-4, end_position=-1)
    assert seen == [("events", slice(6, 9)), ("hits", slice(16, 19))]


def test_a_generator_and_a_loop_on_one_output(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    class Makes(H5FlowGenerator):
        def init(self) -> None:
            self.data_manager.create_dset(self.dset_name, "i8")
            self.given = False

        def next(self) -> slice:
            if self.given:
                return self.EMPTY
            self.given = True
            rows = self.data_manager.reserve_data(self.dset_name, 4)
            self.data_manager.write_data(self.dset_name, rows, [1, 2, 3, 4])
            return rows

    first = workflow(source="raw", generator=Makes)
    run([first, workflow(Doubles, source="raw")], "out.h5", strict=True)
    with H5FlowDataManager("out.h5", "r") as dm:
        assert dm["raw", "doubles", :].tolist() == [[2], [4], [6], [8]]


# -- drop -------------------------------------------------------------------------------------


def datasets(path: str) -> set[str]:
    found = set()

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("h5flow"):
            found.add(name)

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def test_a_dropped_dataset_goes_with_its_references_and_metadata(
    events: Path, workflow: MakeWorkflow
) -> None:
    run(workflow(drop="hits"), "out.h5", "in.h5")
    assert datasets("out.h5") == {
        name for name in datasets("in.h5") if "hits" not in name.split("/")
    }
    with h5py.File("out.h5") as file:
        assert "hits" not in file


def test_drop_by_option_and_by_workflow_add_up(events: Path, workflow: MakeWorkflow) -> None:
    run(workflow(drop=["hits", "calib"]), "out.h5", "in.h5", drop=("empty", "/labels/"))
    assert {name for name in datasets("out.h5") if name.endswith("/data")} == {
        "events/data",
        "tracks/data",
        "clusters/data",
    }


def test_names_match_whole_paths_only(events: Path, workflow: MakeWorkflow) -> None:
    names = ["hits_calib", "my/hits", "hits/calib", "its", "group/one", "group/two"]
    stages = [
        (Doubles, {"name": f"stage{k}", "params": {"target": name}}) for k, name in enumerate(names)
    ]
    run(workflow(*stages, drop=["hits", "group"]), "out.h5", "in.h5", strict=True)
    with h5py.File("out.h5") as file:
        for name in ("hits_calib", "my/hits", "hits/calib", "its"):
            assert len(file[f"{name}/data"]) == 10
            assert len(file[f"events/ref/{name}/ref"]) == 10
        assert "hits/data" not in file
        assert "group" not in file


def test_drop_is_done_when_the_config_that_names_it_has_finished(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class Looker(H5FlowStage):
        def init(self, source_name: str) -> None:
            seen.append(self.data_manager.dset_exists("hits"))

        def finish(self, source_name: str) -> None:
            seen.append(self.data_manager.dset_exists("hits"))

    run([workflow(Looker), workflow(Looker, drop="hits"), workflow(Looker)], "out.h5", "in.h5")
    assert seen == [True, True, True, True, False, False]


def test_a_dropped_dataset_can_be_made_again(events: Path, workflow: MakeWorkflow) -> None:
    configs = [workflow(Doubles, drop="doubles"), workflow(Doubles)]
    run(configs, "out.h5", "in.h5", strict=True)
    with H5FlowDataManager("out.h5", "r") as dm:
        assert dm["events", "doubles", :].tolist() == [[2 * row] for row in range(10)]


def test_a_dropped_dataset_takes_no_space(events: Path, workflow: MakeWorkflow) -> None:
    class Large(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            self.data_manager.create_dset("scratch", "f8")
            rows = self.data_manager.reserve_data("scratch", 500_000)
            self.data_manager.write_data("scratch", rows, np.arange(500_000.0))

    run(workflow(Large, drop="scratch"), "out.h5", "in.h5")
    assert Path("out.h5").stat().st_size < 2 * events.stat().st_size


def test_by_option_a_name_is_dropped_after_each_config_without_a_warning(
    events: Path, workflow: MakeWorkflow
) -> None:
    run([workflow(), workflow(H5FlowStage)], "out.h5", "in.h5", drop="hits")
    assert "hits/data" not in datasets("out.h5")


def test_by_option_a_group_is_dropped_after_each_config_with_what_that_has_made(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Scribbles(H5FlowStage):
        def init(self, source_name: str) -> None:
            for part in ("a", "b"):
                self.data_manager.create_dset(f"tmp/{part}", "i8")

    run([workflow(Scribbles), workflow(Scribbles)], "out.h5", "in.h5", drop="tmp", strict=True)
    with h5py.File("out.h5") as file:
        assert "tmp" not in file


def test_what_lies_below_a_dataset_that_a_stage_has_deleted_stays_where_that_is_dropped(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Deletes(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("tmp", "i8")
            self.data_manager.create_dset("tmp/kept", "i8")

        def finish(self, source_name: str) -> None:
            self.data_manager.delete("tmp")

    run(workflow(Deletes, drop="tmp"), "out.h5", "in.h5", strict=True)
    with h5py.File("out.h5") as file:
        assert "tmp/data" not in file
        assert "tmp/kept/data" in file


def test_a_name_that_is_not_there_to_drop_is_mentioned(
    events: Path, workflow: MakeWorkflow
) -> None:
    with pytest.warns(H5FlowWarning, match=r"no dataset 'hit' to drop \(did you mean 'hits'"):
        run(workflow(drop="hit"), "out.h5", "in.h5")


def test_the_source_can_be_dropped(events: Path, workflow: MakeWorkflow) -> None:
    run(workflow(Doubles, drop="events"), "out.h5", "in.h5")
    with h5py.File("out.h5") as file:
        assert "events" not in file
        assert len(file["doubles/data"]) == 10


# -- compression ------------------------------------------------------------------------------


def test_a_filter_applies_to_new_datasets_of_every_config(
    events: Path, workflow: MakeWorkflow
) -> None:
    more = workflow((Doubles, {"params": {"target": "more"}}), compression="lzf")
    run([workflow(Doubles), more], "out.h5", "in.h5", compression="gzip:7")
    with h5py.File("out.h5") as file:
        for path in ("doubles/data", "more/data", "events/ref/more/ref"):
            assert (file[path].compression, file[path].compression_opts) == ("gzip", 7)
        assert file["events/data"].compression == "lzf"  # as it was in the input


def test_a_workflow_can_name_its_filter(events: Path, workflow: MakeWorkflow) -> None:
    more = workflow((Doubles, {"params": {"target": "more"}}))
    run([workflow(Doubles, compression="gzip"), more], "out.h5", "in.h5")
    with h5py.File("out.h5") as file:
        assert file["doubles/data"].compression == "gzip"
        assert file["more/data"].compression is None
