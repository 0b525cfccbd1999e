"""The output of a run has an index for references whose regions overlap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from file_contents import file_contents

from h5flow import H5FlowStage
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.data.layout import reference_paths
from h5flow.errors import FileFormatError, H5FlowWarning, HookError, NoRoomError
from h5flow.journal import indexing
from h5flow.journal.indexing import index_is_wrong
from h5flow.journal.inspection import inspect_file
from h5flow.modules import H5FlowDatasetLoopGenerator
from h5flow.references import index as index_module
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]
PATHS = reference_paths("events", "stars")


@pytest.fixture(autouse=True)
def of_use_in_small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a region of 4 rows be a wide one."""
    monkeypatch.setattr(index_module, "WIDE_ROWS", 4)


class Stars(H5FlowStage):
    """Links its rows to their events, and in each chunk one more to the first event."""

    fail_at: int | None = None

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("stars", "i8")
        self.data_manager.create_ref(source_name, "stars")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        events = cache[source_name]["id"]
        if not len(events):
            return
        if source_slice.start == self.fail_at:
            raise RuntimeError
        rows = self.data_manager.reserve_data("stars", len(events) + 1)
        parents = np.append(np.arange(source_slice.start, source_slice.stop), 0)
        self.data_manager.write_data("stars", rows, np.append(events, 0))
        pairs = np.stack([parents, np.arange(rows.start, rows.stop)], axis=1)
        self.data_manager.write_ref(source_name, "stars", pairs)


@pytest.fixture
def request_of(events: Path, workflow: MakeWorkflow) -> Callable[..., RunRequest]:
    loop = (H5FlowDatasetLoopGenerator, {"params": {"chunk_size": 2}})
    config = workflow(Stars, generator=loop)

    def make(**more: Any) -> RunRequest:
        known = {"input": "in.h5", "output": "out.h5", "strict": True, "checkpoint_every": 0}
        return RunRequest(configs=(config,), **{**known, **more})

    return make


def index_of(path: str) -> dict[str, list[int]]:
    with h5py.File(path) as file:
        assert not index_is_wrong(file, PATHS, 0)
        group = file[file[PATHS.ref].attrs["index0"]]
        return {name: table[:].tolist() for name, table in group.items()}


def test_a_published_file_has_the_children_of_each_row_together(request_of) -> None:
    execute(request_of())
    children = index_of("out.h5")["children"]
    assert children[:6] == [0, 2, 5, 8, 11, 14]
    assert sorted(children) == list(range(15))
    assert list(inspect_file(Path("out.h5"))) == []


def test_references_that_need_none_have_none(request_of) -> None:
    execute(request_of())
    with h5py.File("out.h5") as file:
        assert not [name for name in file["events/ref/hits/ref"].attrs if name.startswith("index")]


def test_it_is_made_anew_where_a_later_run_adds_references(request_of) -> None:
    execute(request_of())
    execute(request_of(input=None, on_existing="append"))
    children = index_of("out.h5")["children"]
    assert len(children) == 30
    assert children[:7] == [0, 2, 5, 8, 11, 14, 15]
    assert list(inspect_file(Path("out.h5"))) == []


def test_ranks_make_the_same(request_of) -> None:
    execute(request_of())
    wanted = request_of(output="ranks.h5")
    run_on_ranks(3, lambda communicator: execute(wanted, communicator=communicator))
    assert index_of("ranks.h5") == index_of("out.h5")


@pytest.mark.parametrize("fail_at", [4, 8])
def test_a_resumed_run_makes_the_same(
    request_of, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    execute(request_of(output="whole.h5"))
    monkeypatch.setattr(Stars, "fail_at", fail_at)
    with pytest.raises(HookError):
        execute(request_of())
    monkeypatch.setattr(Stars, "fail_at", None)
    execute(request_of(resume=True))
    assert index_of("out.h5") == index_of("whole.h5")
    assert file_contents("out.h5") == file_contents("whole.h5")


def test_a_file_that_cannot_be_indexed_is_published_with_a_warning(
    request_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise FileFormatError("a region cannot be read")

    monkeypatch.setattr(indexing, "_build", fail)
    with pytest.warns(H5FlowWarning, match="not indexed: a region cannot be read"):
        execute(request_of())
    assert list(inspect_file(Path("out.h5"))) == []


def test_a_disk_without_room_for_an_index_gets_none(
    request_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise NoRoomError("no room")

    monkeypatch.setattr(indexing, "check_free_space", full)
    with pytest.warns(H5FlowWarning, match="not indexed: no room"):
        execute(request_of())
    with h5py.File("out.h5") as file:
        assert "h5flow/index" not in file
