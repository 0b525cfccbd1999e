"""Strict: a required name that nothing can provide is an error before anything is created."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from h5flow import H5FlowGenerator, H5FlowStage, run
from h5flow.errors import ConfigError, H5FlowError

MakeWorkflow = Callable[..., dict[str, Any]]


class Maker(H5FlowStage):
    """Makes what its param says, linked to the source."""

    target = ""

    def init(self, source_name: str) -> None:
        if self.target:
            self.data_manager.create_dset(self.target, "f8")
            self.data_manager.create_ref(source_name, self.target)


class Literal(Maker):
    """Holds a name in its source."""

    target = "literal"


class Declared(Maker):
    """Declares what it makes."""

    makes: ClassVar = ("decl" + "ared",)

    def init(self, source_name: str) -> None:
        self.target = self.makes[0]
        super().init(source_name)


class DeclaredAsText(Declared):
    """Declares one name as text."""

    makes: ClassVar = "decl" + "ared"  # type: ignore[assignment]

    def init(self, source_name: str) -> None:
        self.target = type(self).makes
        Maker.init(self, source_name)


def reader(*requires: Any) -> tuple[type, dict[str, Any]]:
    return H5FlowStage, {"name": "reader", "requires": list(requires)}


def test_what_is_in_the_input_is_fine(events: Path, workflow: MakeWorkflow) -> None:
    chain = {"name": "chain", "path": ["hits", "tracks"]}
    aligned = {"name": "calib", "layout": "aligned"}
    run(workflow(reader("hits", chain, aligned)), "out.h5", "in.h5", strict=True)


def test_a_name_that_nothing_makes_is_refused_with_place_and_nearest_name(
    events: Path, workflow: MakeWorkflow
) -> None:
    with pytest.raises(ConfigError) as found:
        run(workflow(reader("hitz", "tracs")), "out.h5", "in.h5", strict=True)
    assert [str(problem) for problem in found.value.problems] == [
        "<dict>: reader.requires[0]: 'hitz' is not in the input, and no earlier stage makes it "
        "(did you mean 'hits'?)",
        "<dict>: reader.requires[1]: 'tracs' is not in the input, and no earlier stage makes it "
        "(did you mean 'tracks'?)",
    ]
    assert found.value.exit_status == 2
    assert os.listdir() == ["in.h5"]


def test_references_that_nothing_makes_are_refused(events: Path, workflow: MakeWorkflow) -> None:
    with pytest.raises(ConfigError, match=r"no references events -> calib .*layout: aligned"):
        run(workflow(reader("calib")), "out.h5", "in.h5", strict=True)


def test_references_in_the_middle_of_a_chain_are_looked_up(
    events: Path, workflow: MakeWorkflow
) -> None:
    chain = {"name": "chain", "path": ["hits", "labels"]}
    with pytest.raises(ConfigError, match=r"no references hits -> labels"):
        run(workflow(reader(chain)), "out.h5", "in.h5", strict=True)


def test_an_optional_requirement_need_not_be_there(events: Path, workflow: MakeWorkflow) -> None:
    run(workflow(reader({"name": "hitz", "optional": True})), "out.h5", "in.h5", strict=True)


@pytest.mark.parametrize(
    ("maker", "name"),
    [
        ((Maker, {"params": {"target": "made"}}), "made"),
        (Literal, "literal"),
        (Declared, "declared"),
        (DeclaredAsText, "declared"),
    ],
    ids=["params", "source", "makes", "makes as text"],
)
def test_an_earlier_stage_can_make_it(
    events: Path, workflow: MakeWorkflow, maker: Any, name: str
) -> None:
    run(workflow(maker, reader(name)), "out.h5", "in.h5", strict=True)


def test_a_name_nested_in_params_counts(events: Path, workflow: MakeWorkflow) -> None:
    class Nested(Maker):
        targets: ClassVar[dict[str, Any]] = {}

        def init(self, source_name: str) -> None:
            (self.target,) = self.targets["all"][0]
            super().init(source_name)

    maker = Nested, {"params": {"targets": {"all": [{"deep/name": 1}]}}}
    run(workflow(maker, reader("deep/name")), "out.h5", "in.h5", strict=True)


def test_a_later_stage_does_not_count(events: Path, workflow: MakeWorkflow) -> None:
    with pytest.raises(ConfigError, match="'literal' is not in the input"):
        run(workflow(reader("literal"), Literal), "out.h5", "in.h5", strict=True)


def test_a_letter_of_a_declared_name_does_not_count(events: Path, workflow: MakeWorkflow) -> None:
    with pytest.raises(ConfigError, match="'d' is not in the input"):
        run(workflow(DeclaredAsText, reader("d")), "out.h5", "in.h5", strict=True)


def test_an_earlier_config_can_make_it(events: Path, workflow: MakeWorkflow) -> None:
    run([workflow(Literal), workflow(reader("literal"))], "out.h5", "in.h5", strict=True)


def test_a_later_config_can_loop_over_what_an_earlier_one_makes(
    events: Path, workflow: MakeWorkflow
) -> None:
    second = workflow(reader("events"), source="literal")
    run([workflow(Literal), second], "out.h5", "in.h5", strict=True)


def test_the_source_of_a_later_config_is_looked_up_before_the_first_runs(
    events: Path, workflow: MakeWorkflow
) -> None:
    configs = [workflow(Literal), workflow(source="literel"), workflow(reader("hitz"))]
    with pytest.raises(ConfigError) as found:
        run(configs, "out.h5", "in.h5", strict=True)
    assert len(found.value.problems) == 2
    assert "'literel' is not in the input" in str(found.value)
    assert "did you mean 'literal'" in str(found.value)


def test_lenient_the_source_of_a_later_config_is_looked_up_when_its_turn_comes(
    events: Path, workflow: MakeWorkflow
) -> None:
    with pytest.raises(ConfigError, match=r"no dataset 'literel' to loop over.*'literal'"):
        run([workflow(Literal), workflow(source="literel")], "out.h5", "in.h5")
    assert sorted(os.listdir()) == ["in.h5", "out.h5.partial"]  # what the first has made


@pytest.mark.parametrize("drop", [{"drop": ["hits"]}, {}])
def test_what_an_earlier_config_drops_is_not_there(
    events: Path, workflow: MakeWorkflow, drop: dict[str, Any]
) -> None:
    configs = [workflow(**drop), workflow(reader("hits"))]
    with pytest.raises(ConfigError, match="'hits' is not in the input"):
        run(configs, "out.h5", "in.h5", strict=True, drop=None if drop else "hits")


def test_a_custom_generator_can_make_anything(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    class Makes(H5FlowGenerator):
        def init(self) -> None:
            self.data_manager.create_dset(self.dset_name, "i8")
            for name in ("a", "b"):
                self.data_manager.create_dset(f"made_{name}", "i8")
                self.data_manager.create_ref(self.dset_name, f"made_{name}")

        def next(self) -> slice:
            return self.EMPTY

    first = workflow(reader("made_a"), source="raw", generator=Makes)
    run([first, workflow(reader("made_b"), source="raw")], "out.h5", strict=True)


def test_what_was_not_made_after_all_is_an_error_when_it_is_needed(
    events: Path, workflow: MakeWorkflow
) -> None:
    maker = Maker, {"params": {"comment": "made"}}
    with pytest.raises(H5FlowError, match=r"requirement 'made' cannot be loaded.*no dataset"):
        run(workflow(maker, reader("made")), "out.h5", "in.h5", strict=True)
    assert os.listdir() == ["in.h5"]
