"""What a class of a workflow is called with, and which attributes it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from h5flow import (
    H5FlowDataManager,
    H5FlowGenerator,
    H5FlowManager,
    H5FlowResource,
    H5FlowStage,
    resources,
    run,
)
from h5flow.errors import ConfigError

MakeWorkflow = Callable[..., dict[str, Any]]

OF_EVERY_PART = {"name", "classname", "data_manager", "requires"}
OF_RESOURCES = OF_EVERY_PART | {"input_filename", "start_position", "end_position"}


# -- arguments --------------------------------------------------------------------------------


def recording(base: type) -> tuple[type, dict[str, Any]]:
    """Return a class that keeps the arguments of its constructor."""
    given: dict[str, Any] = {}

    def construct(self: Any, **params: Any) -> None:
        given.update(params)
        super(cls, self).__init__(**params)  # type: ignore[misc]

    cls = type("Recording", (base,), {"__init__": construct})
    return cls, given


def test_a_stage_is_called_with_its_name_class_requirements_and_params(
    events: Path, workflow: MakeWorkflow
) -> None:
    cls, given = recording(H5FlowStage)
    block = {"params": {"cut": 1.5, "flag": True}, "requires": ["hits"]}
    manager = H5FlowManager(workflow((cls, block)), "out.h5", str(events))
    assert given.keys() == OF_EVERY_PART | {"cut", "flag"}
    assert (given["name"], given["classname"]) == ("recording", "Recording")
    assert (given["cut"], given["flag"]) == (1.5, True)
    assert given["data_manager"] is manager.data_manager
    assert given["requires"] == [
        {
            "name": "hits",
            "path": ["hits"],
            "layout": "padded",
            "index_only": False,
            "optional": False,
        }
    ]


def test_a_resource_is_called_with_input_and_range_too(
    events: Path, workflow: MakeWorkflow
) -> None:
    cls, given = recording(H5FlowResource)
    content = workflow(resources=[(cls, {"params": {"file": "geometry.yaml"}})])
    H5FlowManager(content, "out.h5", "in.h5", 2, -1)
    assert given.keys() == OF_RESOURCES | {"file"}
    assert given["input_filename"] == "in.h5"
    assert (given["start_position"], given["end_position"]) == (2, -1)


def test_a_generator_is_called_with_its_dataset_too(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    cls, given = recording(H5FlowGenerator)
    H5FlowManager(workflow(generator=cls, source="raw"), "out.h5")
    assert given.keys() == OF_RESOURCES | {"dset_name"}
    assert given["dset_name"] == "raw"
    assert given["name"] == "generator"
    assert given["input_filename"] is None


def test_a_constructor_may_name_the_arguments_it_takes(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Strict(H5FlowStage):
        def __init__(
            self, name: str, classname: str, data_manager: Any, requires: Any, cut: float
        ) -> None:
            super().__init__(
                name=name, classname=classname, data_manager=data_manager, requires=requires
            )
            self.cut = cut

    (stage,) = H5FlowManager(
        workflow((Strict, {"params": {"cut": 2}})), "out.h5", str(events)
    ).stages
    assert (stage.cut, stage.rank, stage.size, stage.xp) == (2, 0, 1, np)


def test_whole_number_keys_of_params_come_as_text(events: Path, workflow: MakeWorkflow) -> None:
    cls, given = recording(H5FlowStage)
    H5FlowManager(workflow((cls, {"params": {0x3800000: [1, 2]}})), "out.h5", str(events))
    assert given["58720256"] == [1, 2]


def test_params_are_copies(events: Path, workflow: MakeWorkflow) -> None:
    class Editing(H5FlowStage):
        names: ClassVar[list[str]] = []

        def init(self, source_name: str) -> None:
            assert self.names == ["a"]
            self.names.append("b")

    content = workflow((Editing, {"params": {"names": ["a"]}}))
    run([content] * 2, "out.h5", str(events))


@pytest.mark.parametrize(
    ("kind", "name"), [("stage", "name"), ("stage", "requires"), ("generator", "dset_name")]
)
def test_params_cannot_have_the_names_of_h5flows_own_arguments(
    events: Path, workflow: MakeWorkflow, kind: str, name: str
) -> None:
    params = {"params": {name: "x"}}
    if kind == "stage":
        content = workflow((H5FlowStage, params))
    else:
        content = workflow(generator=(H5FlowGenerator, params))
    with pytest.raises(ConfigError, match=rf"'{name}' cannot be a param"):
        run(content, "out.h5", str(events))
    assert not Path("out.h5").exists()


# -- attributes -------------------------------------------------------------------------------


def test_every_attribute_is_usable_in_the_constructor(events: Path, workflow: MakeWorkflow) -> None:
    seen: dict[str, Any] = {}

    class Looking(H5FlowStage):
        class_version = "2.1.0"
        cut = 1.0

        def __init__(self, **params: Any) -> None:
            super().__init__(**params)
            names = "name classname class_version data_manager requires comm rank size xp cut"
            seen.update({name: getattr(self, name) for name in names.split()})
            seen["hits"] = len(self.data_manager.get_dset("hits"))

    run(workflow((Looking, {"params": {"cut": 3.0}})), "out.h5", str(events))
    assert seen["name"] == "looking"
    assert seen["classname"] == "Looking"
    assert seen["class_version"] == "2.1.0"
    assert isinstance(seen["data_manager"], H5FlowDataManager)
    assert (seen["requires"], seen["rank"], seen["size"], seen["cut"]) == ([], 0, 1, 3.0)
    assert seen["xp"] is np
    assert seen["hits"] == 20


def test_comm_has_mpi4pys_methods_in_one_process(events: Path, workflow: MakeWorkflow) -> None:
    class Communicating(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert self.comm.Get_size() == 1
            assert self.comm.allgather(self.rank) == [0]
            total = np.zeros(1)
            self.comm.Allreduce(np.array([2.5]), total)
            assert total[0] == 2.5
            self.comm.Barrier()

    run(workflow(Communicating), "out.h5", str(events))


def test_class_attributes_are_defaults_of_params(events: Path, workflow: MakeWorkflow) -> None:
    class Cutting(H5FlowStage):
        low = 1
        kind = float

    given = workflow((Cutting, {"params": {"low": 5, "other": 1}}), (Cutting, {"name": "default"}))
    stages = H5FlowManager(given, "out.h5", str(events)).stages
    assert [stage.low for stage in stages] == [5, 1]
    assert not hasattr(stages[0], "other")
    assert Cutting.low == 1


def test_a_class_attribute_can_be_a_class(events: Path, workflow: MakeWorkflow) -> None:
    class Typed(H5FlowStage):
        kind: Any = float

    (stage,) = H5FlowManager(
        workflow((Typed, {"params": {"kind": "f4"}})), "out.h5", str(events)
    ).stages
    assert stage.kind == "f4"


def test_methods_and_attributes_of_h5flow_are_no_defaults(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Plain(H5FlowStage):
        def helper(self) -> int:
            return 7

        @property
        def shown(self) -> int:
            return 8

    params = {"helper": 1, "shown": 2, "rank": 3, "run": 4}
    (stage,) = H5FlowManager(workflow((Plain, {"params": params})), "out.h5", str(events)).stages
    assert (stage.helper(), stage.shown, stage.rank) == (7, 8, 0)
    stage.run("events", slice(0, 0), {})


def test_a_class_can_be_used_without_a_run() -> None:
    stage = H5FlowStage(name="alone", data_manager=SimpleNamespace())
    assert (stage.name, stage.rank, stage.size, stage.xp) == ("alone", 0, 1, np)


# -- declared params --------------------------------------------------------------------------


class Declaring(H5FlowStage):
    """Declares its params."""

    parameters: ClassVar = {"low": 0.5, "names": ["a"]}


def test_declared_params_become_attributes_with_their_defaults(
    events: Path, workflow: MakeWorkflow
) -> None:
    content = workflow((Declaring, {"params": {"low": 2.5}}))
    (stage,) = H5FlowManager(content, "out.h5", str(events)).stages
    assert (stage.low, stage.names) == (2.5, ["a"])
    stage.names.append("b")
    assert Declaring.parameters["names"] == ["a"]


@pytest.mark.parametrize("strict", [False, True])
def test_a_param_that_is_not_declared_is_refused_before_anything_is_created(
    events: Path, workflow: MakeWorkflow, strict: bool
) -> None:
    content = workflow((Declaring, {"params": {"lov": 2.5}}), (Declaring, {"name": "two"}))
    content["two"]["params"] = {"high": 1}
    with pytest.raises(ConfigError) as found:
        run(content, "out.h5", str(events), strict=strict)
    assert [str(problem) for problem in found.value.problems] == [
        "<dict>: declaring: Declaring has no parameter 'lov' (did you mean 'low'?); "
        "it has low, names",
        "<dict>: two: Declaring has no parameter 'high'; it has low, names",
    ]
    assert found.value.exit_status == 2
    assert sorted(path.name for path in Path().iterdir()) == ["in.h5"]


def test_a_class_without_params_says_so(events: Path, workflow: MakeWorkflow) -> None:
    class Bare(H5FlowStage):
        parameters: ClassVar = {}

    with pytest.raises(ConfigError, match=r"Bare has no parameter 'x'; it has none"):
        run(workflow((Bare, {"params": {"x": 1}})), "out.h5", str(events))


def test_a_refused_param_is_refused_also_without_a_run() -> None:
    with pytest.raises(ConfigError, match="no parameter 'lov'"):
        Declaring(lov=1)


def test_a_subclass_may_add_defaults_of_its_own() -> None:
    class Special(Declaring):
        low = 9.0
        high = 1.0

    stage = Special(high=4.0)
    assert (stage.low, stage.high, stage.names) == (9.0, 4.0, ["a"])
    with pytest.raises(ConfigError, match="it has low, names, high"):
        Special(hih=4.0)


def test_a_subclass_with_a_constructor_of_its_own_takes_any_params() -> None:
    class Open(Declaring):
        def __init__(self, **params: Any) -> None:
            super().__init__(**params)
            self.extra = params["extra"]

    stage = Open(extra=1, low=3.0)
    assert (stage.extra, stage.low) == (1, 3.0)


# -- resources --------------------------------------------------------------------------------


def test_resources_are_one_dict_reached_by_class_name(events: Path, workflow: MakeWorkflow) -> None:
    before = resources

    class Geometry(H5FlowResource):
        pitch = 4.4

    class Using(H5FlowStage):
        def __init__(self, **params: Any) -> None:
            super().__init__(**params)
            assert resources["Geometry"].pitch == 3.8

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert before["Geometry"].pitch == 3.8

    content = workflow(Using, resources=[(Geometry, {"params": {"pitch": 3.8}})])
    run(content, "out.h5", str(events))
    from h5flow.core import resources as again

    assert again is before
