"""Memory that is full, in a stage or while its rows are brought: one error that says what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from libraries import DEVICES, make_backend

from h5flow import H5FlowStage, run
from h5flow.cli.app import main
from h5flow.errors import H5FlowError, HookError, PaddingError

MakeWorkflow = Callable[..., dict[str, Any]]

TOO_MANY = 1 << 50


class Greedy(H5FlowStage):
    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        self.xp.zeros((TOO_MANY,), dtype=self.xp.float64)


@pytest.fixture(params=["numpy", *DEVICES])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name != "numpy":
        make_backend(name)
    return name


def test_a_stage_that_fills_the_memory_is_told_to_take_smaller_chunks(
    events: Path, workflow: MakeWorkflow, backend: str
) -> None:
    expected = r"'greedy' \(Greedy\) failed in run, chunk 0, rows 0:10.*--chunk-size ROWS"
    with pytest.raises(HookError, match=expected):
        run(workflow(Greedy), "out.h5", "in.h5", backend=backend)
    assert os.listdir() == ["in.h5"]


def test_the_command_shows_the_line_of_the_stage_and_then_the_error(
    events: Path, workflow: MakeWorkflow, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flow.yaml").write_text(yaml.safe_dump(workflow(Greedy)), "utf-8")
    words = ["run", "-i", "in.h5", "-o", "out.h5", "--backend", backend, "flow.yaml"]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert told.index("Traceback") < told.index("self.xp.zeros") < told.index("h5flow: error:")
    assert told.count("h5flow: error:") == told.count("--chunk-size") == 1


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize(
    ("requires", "what"), [([], "the source 'events'"), (["hits"], "the requirement 'hits'")]
)
def test_memory_that_is_full_while_rows_are_brought_names_what_was_to_be_loaded(
    events: Path,
    workflow: MakeWorkflow,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    requires: list[str],
    what: str,
) -> None:
    made = make_backend(name)
    upload = type(made).upload

    def fill(self: Any, parts: Any) -> Any:
        if not requires or any("q" in (part.dtype.names or ()) for part in parts):
            self.namespace.zeros((TOO_MANY,), dtype=self.namespace.float64)
        return upload(self, parts)

    monkeypatch.setattr(type(made), "upload", fill)
    expected = f"{what} cannot be loaded for chunk 0, rows 0:10.*--chunk-size ROWS"
    with pytest.raises(H5FlowError, match=expected) as found:
        run(workflow((H5FlowStage, {"requires": requires})), "out.h5", "in.h5", backend=name)
    assert not isinstance(found.value, HookError)
    assert os.listdir() == ["in.h5"]


def test_an_error_that_has_advice_of_its_own_keeps_it(events: Path, workflow: MakeWorkflow) -> None:
    class Pads(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            raise PaddingError("the padded rows do not fit", advice="Take them jagged.")

    with pytest.raises(HookError, match="Take them jagged") as found:
        run(workflow(Pads), "out.h5", "in.h5")
    assert "--chunk-size" not in str(found.value)


def test_in_init_chunks_are_not_to_blame(events: Path, workflow: MakeWorkflow) -> None:
    class Hoards(H5FlowStage):
        def init(self, source_name: str) -> None:
            raise MemoryError

    with pytest.raises(HookError, match="failed in init: MemoryError") as found:
        run(workflow(Hoards), "out.h5", "in.h5")
    assert "--chunk-size" not in str(found.value)
