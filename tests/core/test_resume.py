"""A run that did not end goes on from its last checkpoint, and makes what it would have made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from file_contents import file_contents, last_written

from h5flow import H5FlowGenerator, H5FlowResource, H5FlowStage, run
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.errors import HookError, UsageError
from h5flow.events import ConfigFinished
from h5flow.io.edit import edit_at_once
from h5flow.io.superblock import HEAD_BYTES, closed_head, lookup3, read_superblock
from h5flow.journal.checkpoint import PLACES, Checkpoint, pack, read_checkpoint, unpack
from h5flow.modules import H5FlowDatasetLoopGenerator
from h5flow.storage import writer as writer_module
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]
LOOP = (H5FlowDatasetLoopGenerator, {"params": {"chunk_size": 2}})


class Mistake(Exception):
    """Of the user's, once."""


class Sums(H5FlowStage):
    """Writes in every hook, keeps a total, and fails where it is told to."""

    class_version = "1"
    fail_at: int | None = None  # the chunk's first row, or -1 for `finish`

    def init(self, source_name: str) -> None:
        manager = self.data_manager
        manager.create_dset("sums", [("x", "f8"), ("n", "i4")])
        manager.create_ref(source_name, "sums")
        manager.create_dset("heads", "i8")
        manager.write_data("heads", manager.reserve_data("heads", 2), [7, 8])
        manager.set_attrs("sums", unit="GeV")
        self.total, self.seen = 0, np.zeros(2)

    def state(self) -> dict[str, Any]:
        return {"total": self.total, "seen": self.seen}

    def restore(self, state: dict[str, Any]) -> None:
        self.total += state["total"]
        self.seen = self.seen + state["seen"]

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        events = cache[source_name]
        if not len(events):
            return
        if source_slice.start == self.fail_at:
            raise Mistake
        kept = events["id"] % 3 > 0
        rows = self.data_manager.reserve_data("sums", int(kept.sum()))
        self.data_manager.write_data(
            "sums", rows, {"x": events["x"][kept], "n": events["id"][kept]}
        )
        parents = np.arange(source_slice.start, source_slice.stop)[kept]
        pairs = np.stack([parents, np.arange(rows.start, rows.stop)], axis=1)
        self.data_manager.write_ref(source_name, "sums", pairs)
        if source_slice.start == 2:
            self.data_manager.write_data("heads", slice(0, 1), [99])  # over what `init` has written
        self.total += int(events["id"].sum())
        self.seen[source_slice.start % 4 // 2] += 1

    def finish(self, source_name: str) -> None:
        if self.fail_at == -1:
            raise Mistake
        totals = self.comm.allreduce(self.total)
        seen = self.comm.allreduce(self.seen)
        self.data_manager.set_attrs("sums", total=totals, seen=seen)
        rows = self.data_manager.reserve_data("heads", 1)
        self.data_manager.write_data("heads", rows, [totals])


class Second(H5FlowStage):
    """Of a workflow that reads what the first has made."""

    fail_at: int | None = None

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("twice", "f8")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        if source_slice.start == self.fail_at:
            raise Mistake
        x = cache[source_name]["x"]
        rows = self.data_manager.reserve_data("twice", len(x))
        self.data_manager.write_data("twice", rows, 2 * x)


@pytest.fixture
def content(workflow: MakeWorkflow) -> list[dict[str, Any]]:
    return [workflow(Sums, generator=LOOP), workflow(Second, generator=LOOP, source="sums")]


@pytest.fixture
def request_of(events: Path, content: Any) -> Callable[..., RunRequest]:
    """Return a function that makes a request of the two workflows."""

    def make(output: str = "out.h5", **more: Any) -> RunRequest:
        plain = RunRequest(
            configs=tuple(content), output=output, input="in.h5", strict=True, checkpoint_every=0
        )
        return replace(plain, **more)

    return make


@pytest.fixture
def whole(request_of: Callable[..., RunRequest]) -> dict[str, Any]:
    """What a run makes that is not interrupted."""
    execute(request_of("whole.h5"))
    return file_contents("whole.h5")


FAULTS = [(Sums, 4), (Sums, 8), (Sums, -1), (Second, 0), (Second, 4)]


@pytest.mark.parametrize(("cls", "at"), FAULTS, ids=[f"{c.__name__}-{at}" for c, at in FAULTS])
def test_a_run_that_failed_goes_on(
    request_of: Callable[..., RunRequest],
    whole: Any,
    monkeypatch: pytest.MonkeyPatch,
    cls: Any,
    at: int,
) -> None:
    monkeypatch.setattr(cls, "fail_at", at)
    with pytest.raises(HookError, match="Mistake"):
        execute(request_of())
    assert Path("out.h5.partial").exists()
    assert not Path("out.h5").exists()
    monkeypatch.setattr(cls, "fail_at", None)
    execute(request_of(resume=True))
    assert file_contents("out.h5") == whole
    assert not Path("out.h5.partial").exists()


def test_what_was_done_is_not_done_again(
    request_of: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sums, "fail_at", 6)
    with pytest.raises(HookError):
        execute(request_of())
    monkeypatch.setattr(Sums, "fail_at", 4)  # a chunk that is not run again
    execute(request_of(resume=True))


def test_what_earlier_runs_took_is_told(
    request_of: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sums, "fail_at", 6)
    with pytest.raises(HookError):
        execute(request_of())
    monkeypatch.setattr(Sums, "fail_at", None)
    seen: list[Any] = []
    execute(request_of(resume=True), seen.append)
    first, second = (event for event in seen if isinstance(event, ConfigFinished))
    assert 0 < first.earlier < first.seconds
    assert second.earlier == 0


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 3), (3, 2)])
def test_it_goes_on_with_another_number_of_ranks(
    request_of: Callable[..., RunRequest],
    whole: Any,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    after: int,
) -> None:
    monkeypatch.setattr(Sums, "fail_at", 8)

    def fails(ranks: Any) -> None:
        with pytest.raises(Exception, match=r"Mistake|has failed"):
            execute(request_of(), communicator=ranks)

    run_on_ranks(before, fails)
    monkeypatch.setattr(Sums, "fail_at", None)
    run_on_ranks(after, lambda ranks: execute(request_of(resume=True), communicator=ranks) and None)
    assert file_contents("out.h5") == whole


def test_without_a_run_that_did_not_end_it_begins(
    request_of: Callable[..., RunRequest], whole: Any
) -> None:
    execute(request_of(resume=True))
    assert file_contents("out.h5") == whole


def test_a_lock_that_is_left_beside_a_finished_output_is_removed(
    request_of: Callable[..., RunRequest], whole: Any
) -> None:
    left = Path("whole.h5.lock")
    left.write_text("process 1 on a machine")
    assert execute(request_of("whole.h5", resume=True)).nothing_to_do
    assert not left.exists()


def test_where_the_output_is_there_nothing_is_done(
    request_of: Callable[..., RunRequest], whole: Any
) -> None:
    execute(request_of())
    before = last_written("out.h5")
    assert execute(request_of(resume=True)).nothing_to_do
    assert last_written("out.h5") == before


def test_an_output_of_another_command_is_not_taken_for_its_own(
    request_of: Callable[..., RunRequest], content: Any
) -> None:
    execute(request_of(configs=tuple(content[:1])))
    with pytest.raises(UsageError, match="exists already"):
        execute(request_of(resume=True))


@pytest.fixture
def stopped(
    request_of: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RunRequest]:
    """Return `request_of`, after a run that failed in its fourth chunk."""
    with monkeypatch.context() as patch:
        patch.setattr(Sums, "fail_at", 6)
        with pytest.raises(HookError):
            execute(request_of())
    return request_of


def test_another_workflow_is_refused(stopped: Callable[..., RunRequest], content: Any) -> None:
    content[0]["sums"]["params"] = {"comment": "new"}
    with pytest.raises(UsageError, match=r"cannot be resumed: .*the workflow of .* has changed"):
        execute(stopped(configs=tuple(content), resume=True))
    execute(stopped(configs=tuple(content), resume=True, force=True))


def test_another_range_is_refused(stopped: Callable[..., RunRequest]) -> None:
    with pytest.raises(UsageError, match="the end of the range"):
        execute(stopped(end=9, resume=True))


def test_another_number_of_workflows_is_refused(
    stopped: Callable[..., RunRequest], content: Any
) -> None:
    with pytest.raises(UsageError, match="number of workflows has changed from 2 to 1"):
        execute(stopped(configs=tuple(content[:1]), resume=True))


def test_an_input_that_has_changed_is_refused(stopped: Callable[..., RunRequest]) -> None:
    with h5py.File("in.h5", "r+") as file:
        file["events/data"][0] = (99, 9.0)
        file["h5flow_more"] = 1
    with pytest.raises(UsageError, match="the input of"):
        execute(stopped(resume=True))


def test_a_class_of_another_version_is_refused(
    stopped: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sums, "class_version", "2")
    with pytest.raises(UsageError, match="class_version"):
        execute(stopped(resume=True))


def test_a_class_that_cannot_go_on_is_named_at_once(
    stopped: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sums, "resumable", False)
    with pytest.raises(UsageError, match="Sums declares `resumable = False`"):
        execute(stopped(resume=True))


def test_full_memory_is_cured_by_smaller_chunks(
    request_of: Callable[..., RunRequest],
    content: Any,
    whole: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full(Sums):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            if source_slice.start >= 4 and source_slice.stop - source_slice.start > 1:
                raise MemoryError
            super().run(source_name, source_slice, cache)

    module = content[0]["sums"]["path"]
    monkeypatch.setattr(sys.modules[module], "Sums", Full)
    with pytest.raises(HookError, match="--chunk-size"):
        execute(request_of())
    execute(request_of(resume=True, chunk_size=1))
    found = file_contents("out.h5")
    seen = {name: item for name, item in found.items() if name != "sums"}  # counts of chunks
    assert seen == {name: whole[name] for name in seen}


class Counts(H5FlowStage):
    """Keeps a number from chunk to chunk, and does not say so."""

    fail_at: int | None = None

    def init(self, source_name: str) -> None:
        self.number = 0

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        if source_slice.start == self.fail_at:
            raise Mistake
        self.number += len(cache[source_name])


def test_what_keeps_something_without_a_word_is_found_out(
    request_of: Callable[..., RunRequest],
    workflow: MakeWorkflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = request_of(configs=(workflow(Counts, generator=LOOP),))
    monkeypatch.setattr(Counts, "fail_at", 6)
    # as a kill would leave it
    monkeypatch.setattr("h5flow.journal.working_file.WorkingFile.discard", lambda self: None)
    with pytest.raises(HookError):
        execute(wanted)
    with pytest.raises(UsageError, match=r"'counts' kept something.*no state\(\)"):
        execute(replace(wanted, resume=True))


def test_what_declares_that_it_can_go_on_is_believed(
    request_of: Callable[..., RunRequest],
    workflow: MakeWorkflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Cached(Counts):
        resumable = True

    wanted = request_of(configs=(workflow(Cached, generator=LOOP),))
    monkeypatch.setattr(Cached, "fail_at", 6)
    with pytest.raises(HookError):
        execute(wanted)
    monkeypatch.setattr(Cached, "fail_at", None)
    assert not execute(replace(wanted, resume=True)).nothing_to_do


def test_without_resume_it_begins_anew(stopped: Callable[..., RunRequest], whole: Any) -> None:
    with pytest.warns(UserWarning, match="removed .*out.h5.partial"):
        execute(stopped())
    assert file_contents("out.h5") == whole


def test_the_older_output_is_as_it_was_until_the_end(
    request_of: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch, whole: Any
) -> None:
    Path("out.h5").write_bytes(Path("in.h5").read_bytes())
    monkeypatch.setattr(Sums, "fail_at", 6)
    with pytest.raises(HookError):
        execute(request_of(on_existing="overwrite"))
    assert Path("out.h5").read_bytes() == Path("in.h5").read_bytes()
    monkeypatch.setattr(Sums, "fail_at", None)
    execute(request_of(on_existing="overwrite", resume=True))
    assert file_contents("out.h5") == whole


class Counter(H5FlowGenerator):
    """Makes numbers; its state is the position of all ranks."""

    fail_at: int | None = None

    def init(self) -> None:
        self.data_manager.create_dset(self.dset_name, "i8")
        self.position = 0

    def state(self) -> int:
        return self.position

    def restore(self, state: int) -> None:
        self.position = state

    def next(self) -> slice:
        mine = self.position + self.rank
        self.position += self.size
        if mine >= 7:
            return self.EMPTY
        if mine == self.fail_at:
            raise Mistake
        rows = self.data_manager.reserve_data(self.dset_name, 3)
        self.data_manager.write_data(self.dset_name, rows, 10 * mine + np.arange(3))
        return rows


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_generator_goes_on_from_its_state(
    working_directory: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch, ranks: int
) -> None:
    wanted = RunRequest(
        configs=(workflow(H5FlowStage, generator=Counter, source="rows"),),
        output="out.h5",
        checkpoint_every=0,
    )
    monkeypatch.setattr(Counter, "fail_at", 4)
    with pytest.raises(HookError):
        execute(wanted)
    monkeypatch.setattr(Counter, "fail_at", None)

    def goes_on(communicator: Any) -> None:
        execute(replace(wanted, resume=True), communicator=communicator)

    run_on_ranks(ranks, goes_on)
    with h5py.File("out.h5") as file:
        assert file["rows/data"][:].tolist() == [10 * n + k for n in range(7) for k in range(3)]


class Tidies(H5FlowStage):
    """Deletes what was there and makes it anew, and what it needs no more."""

    class_version = "1"
    fail_at: int | None = None

    def init(self, source_name: str) -> None:
        if self.data_manager.dset_exists("hits"):
            self.data_manager.delete("hits")
        self.data_manager.create_dset("hits", "i8")
        self.data_manager.create_dset("scratch", "i8")
        self.data_manager.create_ref(source_name, "scratch")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        if source_slice.start == self.fail_at:
            raise Mistake
        if not len(cache[source_name]):
            return
        rows = self.data_manager.reserve_data("hits", 1)
        self.data_manager.write_data("hits", rows, [source_slice.start])
        if source_slice.start == 2:
            self.data_manager.delete("scratch")


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("fail_at", [2, 6, 8])
def test_what_init_deletes_and_makes_is_not_deleted_and_made_again(
    events: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch, fail_at: int, ranks: int
) -> None:
    content = workflow(Tidies, generator=LOOP)
    request = RunRequest((content,), "whole.h5", "in.h5", strict=True, checkpoint_every=0)
    execute(request)
    monkeypatch.setattr(Tidies, "fail_at", fail_at)
    request = replace(request, output="out.h5")
    with pytest.raises(HookError):
        execute(request)
    monkeypatch.setattr(Tidies, "fail_at", None)
    request = replace(request, resume=True)
    run_on_ranks(ranks, lambda ours: execute(request, communicator=ours))
    assert file_contents("out.h5") == file_contents("whole.h5")


class Marks(H5FlowStage):
    """Has a row for each of the source's: of those that are there, and of each chunk."""

    class_version = "1"
    fail_at: int | None = None

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("marks", "i8")
        length = len(self.data_manager.get_dset(source_name))
        self.data_manager.reserve_data("marks", slice(0, length))

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        if source_slice.start == self.fail_at:
            raise Mistake
        if source_slice.start < 9:
            self.data_manager.reserve_data("marks", source_slice)

    def finish(self, source_name: str) -> None:
        if self.fail_at == -1:
            raise Mistake


@pytest.mark.parametrize("fail_at", [6, 12, -1])
def test_init_reserves_no_rows_for_what_the_loop_has_made_since(
    working_directory: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    content = workflow(Marks, generator=Counter, source="rows")
    request = RunRequest((content,), "whole.h5", checkpoint_every=0)
    execute(request)
    monkeypatch.setattr(Marks, "fail_at", fail_at)
    request = replace(request, output="out.h5")
    with pytest.raises(HookError):
        execute(request)
    monkeypatch.setattr(Marks, "fail_at", None)
    execute(replace(request, resume=True))
    assert file_contents("out.h5") == file_contents("whole.h5")


def test_a_generator_without_a_state_leaves_nothing(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    class Plain(H5FlowGenerator):
        calls = 0

        def init(self) -> None:
            self.data_manager.create_dset(self.dset_name, "i8")

        def next(self) -> slice:
            self.calls += 1
            if self.calls == 3:
                raise Mistake
            return self.data_manager.reserve_data(self.dset_name, 1)

    content = workflow(H5FlowStage, generator=Plain, source="rows")
    with pytest.raises(HookError):
        execute(RunRequest(configs=(content,), output="out.h5", checkpoint_every=0))
    assert os.listdir() == []


def test_a_state_that_cannot_be_saved_is_an_error(events: Path, workflow: MakeWorkflow) -> None:
    class Odd(H5FlowResource):
        def state(self) -> Any:
            return object()

    with pytest.raises(Exception, match=r"state of a part cannot be saved.*object"):
        run(workflow(H5FlowStage, resources=[Odd]), "out.h5", "in.h5")


# -- what is in the file -----------------------------------------------------------------------


def test_states_keep_their_values_and_arrays() -> None:
    states = {"a": [{"x": np.arange(3, dtype="f4"), "n": 2, "t": ["u", None]}], "b": [1.5]}
    found = unpack(pack(Checkpoint(3, [{"text": "t"}], states=states)).tobytes())
    assert found is not None
    assert found.number == 3
    assert found.states["a"][0]["x"].dtype == np.float32
    assert found.states["a"][0]["x"].tolist() == [0, 1, 2]
    assert found.states["b"] == [1.5]


def test_a_checkpoint_that_is_not_whole_does_not_count() -> None:
    raw = pack(Checkpoint(1, [])).tobytes()
    assert unpack(raw + b"\0\0") is not None
    for broken in (raw[:-1], raw[:10], b"", b"x" + raw[1:], raw[:-1] + b"?"):
        assert unpack(broken) is None


def test_the_later_of_two_checkpoints_counts(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w", libver=("v110", "latest")) as file:
        file[PLACES[0]] = pack(Checkpoint(4, [], chunks=40))
        file[PLACES[1]] = pack(Checkpoint(5, [], chunks=50))[:-1]
    found = read_checkpoint(tmp_path / "w.h5")
    assert found is not None
    assert found.chunks == 40
    assert read_checkpoint(tmp_path / "missing.h5") is None


WRITER = """
import os, signal, sys
import h5py, numpy as np
file = h5py.File(sys.argv[1], "w", libver=("v110", "latest"))
table = file.create_dataset("t", (0,), "f8", maxshape=(None,), chunks=(64,))
file.swmr_mode = True
for n in range(1, 50):
    table.resize(100 * n, 0)
    table[100 * (n - 1):] = n
    file.create_dataset(f"made{n}", data=np.arange(n))
    file.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


class Nests(H5FlowStage):
    """Makes a dataset, and another below its group."""

    class_version = "1"

    def init(self, source_name: str) -> None:
        for name in ("scratch", "scratch/kept", "last"):
            self.data_manager.create_dset(name, "i8")
            self.data_manager.create_ref(source_name, name)

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        of_source = np.arange(source_slice.start, source_slice.stop)
        for name in ("scratch", "scratch/kept", "last"):
            rows = self.data_manager.reserve_data(name, len(of_source))
            self.data_manager.write_data(name, rows, of_source)
            pairs = np.stack([of_source, np.arange(rows.start, rows.stop)], axis=1)
            self.data_manager.write_ref(source_name, name, pairs)


def test_a_name_that_every_workflow_drops_does_not_take_what_lies_below_it(
    events: Path, workflow: MakeWorkflow
) -> None:
    run([workflow(Nests), workflow()], "out.h5", "in.h5", drop="scratch", strict=True)
    found = file_contents("out.h5")
    assert "scratch/data" not in found
    assert "scratch/kept/data" in found


def test_a_run_that_is_stopped_at_any_edit_of_dropping_drops_whole_datasets_and_no_others(
    events: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = workflow(Nests, generator=LOOP, drop=["scratch", "last"])
    request = RunRequest((dropped,), "whole.h5", "in.h5", strict=True, checkpoint_every=0)
    execute(request)
    whole, edits, edit = file_contents("whole.h5"), 0, writer_module.edit_at_once
    assert "scratch/kept/data" in whole
    assert "scratch/data" not in whole
    for stop_at in range(100):
        output, edits = f"{stop_at}.h5", 0

        def edit_or_stop(path: Path, stop_at: int = stop_at) -> Any:
            nonlocal edits
            edits += 1
            if edits > stop_at:
                raise Mistake
            return edit(path)

        monkeypatch.setattr(writer_module, "edit_at_once", edit_or_stop)
        stopped = False
        try:
            execute(replace(request, output=output))
        except Mistake:
            stopped = True
        monkeypatch.setattr(writer_module, "edit_at_once", edit)
        execute(replace(request, output=output, resume=True))
        assert file_contents(output) == whole, stop_at
        if not stopped:
            break
    assert stop_at >= 2  # an edit for each that is dropped


def test_a_file_whose_writer_was_killed_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    done = subprocess.run([sys.executable, "-c", WRITER, str(path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(OSError, match="open"):
        h5py.File(path, "r+")
    with edit_at_once(path):
        pass
    head = read_superblock(path)
    assert head is not None
    assert head.is_closed
    with h5py.File(path, "r+") as file:
        assert file["t"].shape == (4900,)
        assert file["made49"][:].tolist() == list(range(49))
        file["t"].resize(10, 0)
    with h5py.File(path) as file:
        assert file["t"][:].tolist() == [1.0] * 10


def test_a_head_that_is_not_ours_is_left_alone() -> None:
    for raw in (b"", b"no HDF5 at all" * 10, b"\x89HDF\r\n\x1a\n\x03\x08" + bytes(60)):
        assert closed_head(raw[:HEAD_BYTES], len(raw)) is None


def test_the_checksum_is_lookup3() -> None:
    assert lookup3(b"Four score and seven years ago") == 0x17770551  # of its author
