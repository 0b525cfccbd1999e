"""What escapes a user's code: named, and nothing is published."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from h5flow import H5FlowGenerator, H5FlowResource, H5FlowStage, resources, run
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.errors import H5FlowError, HookError
from h5flow.events import HookTimed
from h5flow.storage.protocol import Batch
from h5flow.storage.single_process import SingleProcessStorage

MakeWorkflow = Callable[..., dict[str, Any]]


class OwnError(Exception):
    """What a user's class raises."""


def fail(*_arguments: Any) -> None:
    raise OwnError("on purpose")


class Rows(H5FlowGenerator):
    """Two chunks of three rows."""

    def init(self) -> None:
        self.left = 2
        self.data_manager.create_dset(self.dset_name, "i8")

    def next(self) -> slice:
        if not self.left:
            return self.EMPTY
        self.left -= 1
        return self.data_manager.reserve_data(self.dset_name, 3)


def part(base: type, hook: str, action: Callable[..., Any]) -> type:
    """Return a class whose hook does something bad."""

    def construct(self: Any, **params: Any) -> None:
        super(made, self).__init__(**params)  # type: ignore[misc]
        action()

    made: type = type(
        "Bad",
        (base,),
        {hook: construct if hook == "__init__" else lambda self, *_: action()},
    )
    return made


STAGE = [(H5FlowStage, hook) for hook in ("__init__", "init", "run", "finish")]
GENERATOR = [(Rows, hook) for hook in ("__init__", "init", "next", "finish", "__len__")]
RESOURCE = [(H5FlowResource, hook) for hook in ("__init__", "init", "finish")]


def with_part(workflow: MakeWorkflow, base: type, bad: type) -> dict[str, Any]:
    if base is H5FlowStage:
        return workflow(bad, source="rows", generator=Rows)
    if base is H5FlowResource:
        return workflow(H5FlowStage, source="rows", generator=Rows, resources=[bad])
    return workflow(H5FlowStage, source="rows", generator=bad)


def left_after(hook: str) -> list[str]:
    """Return what a run leaves that fails in a hook: what a whole loop has made can be resumed."""
    return ["out.h5.partial"] if hook == "finish" else []


@pytest.mark.parametrize(("base", "hook"), STAGE + GENERATOR + RESOURCE)
def test_an_exception_names_the_part_and_the_hook(
    working_directory: Path, workflow: MakeWorkflow, base: type, hook: str
) -> None:
    with pytest.raises(
        HookError, match=rf"\(Bad\) failed in {hook}.*OwnError: on purpose"
    ) as found:
        run(with_part(workflow, base, part(base, hook, fail)), "out.h5")
    assert isinstance(found.value.__cause__, OwnError)
    assert traceback.extract_tb(found.value.__cause__.__traceback__)[-1].name == "fail"
    assert os.listdir() == left_after(hook)


@pytest.mark.parametrize(("base", "hook"), STAGE + GENERATOR + RESOURCE)
def test_sys_exit_is_an_error_also_with_status_0(
    working_directory: Path, workflow: MakeWorkflow, base: type, hook: str
) -> None:
    content = with_part(workflow, base, part(base, hook, lambda: sys.exit(0)))
    with pytest.raises(HookError, match=rf"failed in {hook}.*it called sys.exit\(0\)"):
        run(content, "out.h5")
    assert os.listdir() == left_after(hook)


class OwnEnd(BaseException):
    """What libraries raise to get past ``except Exception``."""


def test_an_exception_beside_the_usual_tree_names_its_place_too(
    events: Path, workflow: MakeWorkflow
) -> None:
    def end() -> None:
        raise OwnEnd("over")

    content = with_part(workflow, H5FlowStage, part(H5FlowStage, "run", end))
    with pytest.raises(HookError, match=r"failed in run, chunk 0.*OwnEnd: over"):
        run(content, "out.h5", "in.h5")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("base", "hook"), STAGE + GENERATOR + RESOURCE)
def test_an_interrupt_passes_and_nothing_is_published(
    working_directory: Path, workflow: MakeWorkflow, base: type, hook: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(with_part(workflow, base, part(base, hook, interrupt)), "out.h5")
    assert os.listdir() == left_after(hook)


def test_an_exception_in_run_names_chunk_and_rows(events: Path, workflow: MakeWorkflow) -> None:
    class Picky(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            if source_slice.start >= 8:
                fail()

    content = workflow(Picky)
    content["flow"]["source"] = "loop"
    content["loop"] = {
        "classname": "H5FlowDatasetLoopGenerator",
        "dset_name": "events",
        "params": {"chunk_size": 4},
    }
    expected = r"'picky' \(Picky\) failed in run, chunk 2, rows 8:10 of 'events': OwnError"
    with pytest.raises(HookError, match=expected):
        run(content, "out.h5", str(events))


def test_an_error_of_h5flow_in_a_users_hook_is_the_users(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Asking(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.get_dset("hitz")

    with pytest.raises(HookError, match=r"'asking'.*init: NoSuchDatasetError.*did you mean 'hits'"):
        run(workflow(Asking), "out.h5", str(events))


def test_a_constructor_that_does_not_call_its_base_is_told_so(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Lonely(H5FlowStage):
        def __init__(self, **params: Any) -> None:
            pass

    with pytest.raises(HookError, match=r"Lonely.*does not call super\(\).__init__\(\*\*params\)"):
        run(workflow(Lonely), "out.h5", str(events))


def test_what_cannot_be_stored_names_the_stage_that_wrote_it(
    events: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = SingleProcessStorage.apply

    def apply_unless_rows(storage: SingleProcessStorage, batch: Batch) -> None:
        if any(write.path == "/calib/data" for write in batch.writes):
            raise OSError(28, "No space left on device")
        apply(storage, batch)

    class Writing(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            self.data_manager.write_data("calib", source_slice, np.zeros(10))

    monkeypatch.setattr(SingleProcessStorage, "apply", apply_unless_rows)
    expected = r"what 'writing' \(Writing\) wrote in run, chunk 0, rows 0:10 .*No space left"
    with pytest.raises(H5FlowError, match=expected):
        run(workflow(Writing), "out.h5", str(events))
    assert os.listdir() == ["in.h5"]


def test_rows_that_were_written_before_a_failure_are_not_stored(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Failing(H5FlowStage):
        def finish(self, source_name: str) -> None:
            self.data_manager.write_data("calib", slice(0, 10), np.zeros(10))
            fail()

    before = events.read_bytes()
    with pytest.raises(HookError):
        run(workflow(Failing), "in.h5")
    assert events.read_bytes() == before


def test_resources_of_a_run_that_failed_do_not_reach_the_next(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Geometry(H5FlowResource):
        pass

    class Failing(H5FlowStage):
        def init(self, source_name: str) -> None:
            fail()

    with pytest.raises(HookError):
        run(workflow(Failing, resources=[Geometry]), "out.h5", str(events))
    run(workflow(H5FlowStage), "out.h5", str(events))
    assert resources == {}


def test_hooks_that_return_something_are_no_trouble(events: Path, workflow: MakeWorkflow) -> None:
    class Returning(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> Any:
            return cache

    assert run(workflow(Returning), "out.h5", str(events)).rows == (10,)


def test_every_hook_is_timed(events: Path, workflow: MakeWorkflow) -> None:
    seen = []
    execute(RunRequest((workflow(H5FlowStage),), "out.h5", str(events)), seen.append)
    hooks = {event.hook for event in seen if isinstance(event, HookTimed) and event.name}
    assert {"__init__", "init", "run", "finish", "next"} <= hooks
    assert all(event.seconds >= 0 for event in seen if isinstance(event, HookTimed))
