"""With ``--on-error skip`` nothing of a chunk that fails stays behind, and the run goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest
from file_contents import file_contents

from h5flow import H5FlowStage
from h5flow.core.request import RunRequest, RunSummary
from h5flow.core.runner import execute
from h5flow.core.stopping import StopRequest
from h5flow.errors import H5FlowError, H5FlowWarning, HookError, OrderError, OtherRankError, Stopped
from h5flow.events import ChunkSkipped, Event, ignore_event
from h5flow.journal.provenance import read_records
from h5flow.modules import H5FlowDatasetLoopGenerator
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]
LOOP = (H5FlowDatasetLoopGenerator, {"params": {"chunk_size": 2}})
LEFT_OUT = pytest.mark.filterwarnings("ignore:a chunk is left out")


class Mistake(Exception):
    """Of the user's."""


class Writes(H5FlowStage):
    """Makes rows, references and metadata of every kind."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("sums", "f8")
        self.data_manager.create_ref(source_name, "sums")
        self.data_manager.create_dset("seen", "i4")
        self.data_manager.reserve_data("seen", 10)

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        manager, events = self.data_manager, cache[source_name]
        if not len(events):
            return
        rows = manager.reserve_data("sums", 3)
        manager.write_data("sums", rows, np.full(3, events["x"].sum()))
        first = source_slice.start
        parents = np.array([first, first + 1, (first + 2) % 10])
        pairs = np.stack([parents, np.arange(rows.start, rows.stop)], axis=1)
        manager.write_ref(source_name, "sums", pairs)
        manager.write_data("seen", source_slice, np.full(len(events), first + 1))
        manager.write_data("seen", slice(9, 10), [first])
        manager.set_attrs("sums", last=first, **{f"chunk_{first}": 1})
        manager.create_dset(f"of_chunk_{first}", "i2")
        manager.write_data(f"of_chunk_{first}", manager.reserve_data(f"of_chunk_{first}", 1), [1])


class Fails(H5FlowStage):
    """Comes after it, and fails at some rows."""

    at: ClassVar[tuple[int, ...]] = (4,)

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        if source_slice.start in self.at:
            raise Mistake(f"at {source_slice.start}")


class Leaves(H5FlowStage):
    """Leaves the same rows out by itself: what comes of the others is the oracle."""

    at: ClassVar[tuple[int, ...]] = (4,)

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        if source_slice.start not in self.at:
            self.inner.run(source_name, source_slice, cache)

    def init(self, source_name: str) -> None:
        self.inner = Writes(data_manager=self.data_manager)
        self.inner.init(source_name)


@pytest.fixture
def request_of(events: Path, workflow: MakeWorkflow) -> Callable[..., RunRequest]:
    """Return a function that makes a request for stages."""

    def make(*stages: type, output: str = "out.h5", **more: Any) -> RunRequest:
        content = workflow(*stages, generator=LOOP)
        return RunRequest(
            configs=(content,),
            output=output,
            input="in.h5",
            strict=True,
            on_error="skip",
            checkpoint_every=0,
            **more,
        )

    return make


def on_ranks(size: int, request: RunRequest) -> RunSummary:
    if size == 1:
        return execute(request)
    return run_on_ranks(size, lambda ours: execute(request, ignore_event, communicator=ours))[0]


WHERE = [(4,), (0,), (8,), (0, 2), (4, 6), (0, 4, 8)]


@LEFT_OUT
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("at", WHERE, ids=str)
def test_the_others_are_what_they_would_be_without_it(
    request_of: Callable[..., RunRequest],
    monkeypatch: pytest.MonkeyPatch,
    at: tuple[int, ...],
    size: int,
) -> None:
    monkeypatch.setattr(Fails, "at", at)
    monkeypatch.setattr(Leaves, "at", at)
    execute(request_of(Leaves, output="expected.h5"))
    summary = on_ranks(size, request_of(Writes, Fails))
    assert sorted((chunk.start, chunk.stop) for chunk in summary.skipped) == [
        (start, start + 2) for start in at
    ]
    assert file_contents("out.h5") == file_contents("expected.h5")


@LEFT_OUT
def test_chunks_that_fail_are_recorded(request_of: Callable[..., RunRequest]) -> None:
    execute(request_of(Writes, Fails))
    with h5py.File("out.h5") as file:
        (record,) = read_records(file)
        rows = file["h5flow/runs/0000/skipped"][:]
    assert (record.chunks, record.rows) == (4, 8)
    (chunk,) = record.skipped
    assert (chunk.start, chunk.stop) == (4, 6)
    assert "(Fails) failed in run, chunk 2, rows 4:6 of 'events': Mistake: at 4" in chunk.error
    assert rows["start"].tolist() == [4]


def test_each_is_said_as_it_fails(request_of: Callable[..., RunRequest]) -> None:
    with pytest.warns(H5FlowWarning, match="a chunk is left out: .*rows 4:6.*Mistake: at 4"):
        execute(request_of(Writes, Fails))


@LEFT_OUT
def test_rows_that_cannot_be_read_are_left_out(
    request_of: Callable[..., RunRequest], workflow: MakeWorkflow
) -> None:
    with h5py.File("in.h5", "r+") as file:
        rows = file["events/data"][:]
        del file["events/data"]
        made = file.create_dataset("events/data", data=rows, chunks=(2,), fletcher32=True)
        file.flush()
        damaged = made.id.get_chunk_info(1).byte_offset
    with open("in.h5", "r+b") as raw:
        raw.seek(damaged)
        raw.write(b"\xff\xff")
    summary = execute(request_of(Writes))
    assert [(chunk.start, chunk.stop) for chunk in summary.skipped] == [(2, 4)]
    assert "rows 2 to 4 of /events/data" in summary.skipped[0].error


@LEFT_OUT
@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_a_stage_keeps_is_given_back(request_of: Callable[..., RunRequest], size: int) -> None:
    class Counts(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.total, self.list = 0, list[int]()

        def state(self) -> Any:
            return [self.total, self.list]

        def restore(self, state: Any) -> None:
            self.total, self.list = state

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            self.total += int(cache[source_name]["id"].sum())
            if len(cache[source_name]):
                self.list.append(source_slice.start)

        def finish(self, source_name: str) -> None:
            total = self.comm.allreduce(self.total)
            seen = sorted(first for each in self.comm.allgather(self.list) for first in each)
            self.data_manager.set_attrs(source_name, total=total, seen=seen)

    on_ranks(size, request_of(Counts, Fails))
    with h5py.File("out.h5") as file:
        ids = file["events/data"]["id"]
        assert file["events"].attrs["total"] == ids.sum() - ids[4:6].sum()
        assert file["events"].attrs["seen"].tolist() == [0, 2, 6, 8]


@pytest.mark.parametrize("size", [1, 3])
def test_a_stage_that_keeps_something_without_saying_so_ends_the_run(
    request_of: Callable[..., RunRequest], size: int
) -> None:
    class Silent(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.total = 0

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            self.total += len(cache[source_name])

    refused = (HookError, OtherRankError)  # rank 0 hears of it
    with pytest.raises(refused, match="Mistake: at 4; the chunk cannot be left out, for 'silent"):
        on_ranks(size, request_of(Silent, Fails))


@LEFT_OUT
@pytest.mark.parametrize("size", [1, 2])
def test_a_workflow_of_which_every_chunk_fails_is_an_error(
    request_of: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(Fails, "at", (0, 2, 4, 6, 8))
    with pytest.raises(
        H5FlowError, match=r"every chunk of 'events' has failed, the first one: .* 0:2"
    ):
        on_ranks(size, request_of(Writes, Fails))
    assert not Path("out.h5").exists()


@LEFT_OUT
@pytest.mark.parametrize("size", [1, 3])
def test_a_run_that_was_killed_goes_on_with_what_it_left_out(
    request_of: Callable[..., RunRequest], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stops(H5FlowStage):
        at = 8

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            if source_slice.start == self.at:
                raise KeyboardInterrupt

    request = request_of(Writes, Fails, Stops)
    with pytest.raises((KeyboardInterrupt, OtherRankError)):
        on_ranks(size, request)
    monkeypatch.setattr(Stops, "at", 99)
    summary = on_ranks(size, replace(request, resume=True))
    assert [chunk.start for chunk in summary.skipped] == [4]
    monkeypatch.setattr(Leaves, "at", (4,))
    execute(request_of(Leaves, output="expected.h5"))
    assert file_contents("out.h5") == file_contents("expected.h5")


@LEFT_OUT
@pytest.mark.parametrize("size", [1, 3])
def test_a_run_that_was_killed_before_its_output_had_its_name_says_what_it_left_out(
    request_of: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    request = request_of(Writes, Fails)
    uninterrupted = execute(replace(request, output="expected.h5"))

    def killed(new: Path, path: Path) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("h5flow.journal.working_file.put_in_place", killed)
        with pytest.raises(H5FlowError, match="complete in"):
            execute(request)
    summary = on_ranks(size, replace(request, resume=True))
    assert Path("out.h5").exists()
    assert summary.skipped == uninterrupted.skipped
    assert (summary.chunks, summary.rows) == (uninterrupted.chunks, uninterrupted.rows)


@pytest.mark.parametrize("size", [1, 2])
def test_without_it_the_run_ends(request_of: Callable[..., RunRequest], size: int) -> None:
    with pytest.raises(HookError, match="Mistake: at 4"):
        on_ranks(size, replace(request_of(Writes, Fails), on_error="stop"))


@pytest.mark.parametrize("hook", ["init", "finish"])
def test_other_hooks_end_the_run(request_of: Callable[..., RunRequest], hook: str) -> None:
    def fail(self: Any, *_: object) -> None:
        raise Mistake

    broken = type("Broken", (H5FlowStage,), {hook: fail})
    with pytest.raises(HookError, match=f"failed in {hook}"):
        execute(request_of(broken))


def test_ctrl_c_is_no_failure_of_a_chunk(request_of: Callable[..., RunRequest]) -> None:
    class Interrupts(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(request_of(Interrupts))


@LEFT_OUT
def test_a_rank_that_fails_without_rows_ends_the_run(
    request_of: Callable[..., RunRequest],
) -> None:
    class NeedsRows(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            cache[source_name]["x"].max()

    with pytest.raises(H5FlowError, match="A rank without rows cannot be left out"):
        on_ranks(3, request_of(NeedsRows))


@LEFT_OUT
def test_objects_that_were_removed_cannot_be_given_back(
    request_of: Callable[..., RunRequest],
) -> None:
    class Removes(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            if source_slice.start == 4:
                self.data_manager.delete("sums")

    with pytest.raises(H5FlowError, match="objects were removed meanwhile"):
        execute(request_of(Writes, Removes, Fails))


@LEFT_OUT
@pytest.mark.parametrize("size", [2, 3])
def test_chunks_that_fail_one_after_the_other_in_an_iteration_are_left_out(
    request_of: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    class FailsFirst(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            if source_slice.start == 0:
                raise Mistake("at 0")

    monkeypatch.setattr(Fails, "at", (2,))
    monkeypatch.setattr(Leaves, "at", (0, 2))
    execute(request_of(Leaves, output="expected.h5"))
    summary = on_ranks(size, request_of(FailsFirst, Writes, Fails))
    assert sorted(chunk.start for chunk in summary.skipped) == [0, 2]
    assert file_contents("out.h5") == file_contents("expected.h5")


@pytest.mark.parametrize("size", [1, 2])
def test_what_cannot_be_given_back_ends_the_run(
    request_of: Callable[..., RunRequest], size: int
) -> None:
    class OfItsClass(H5FlowStage):
        seen: ClassVar[list[int]] = []  # of all objects: no copy is made of it

        def state(self) -> Any:
            return self.seen

        def restore(self, state: Any) -> None:
            self.seen[:] = state

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            type(self).seen = [*self.seen, source_slice.start]

    refused = (HookError, OtherRankError)
    with pytest.raises(refused, match=r"'ofitsclass' keeps something .* cannot be given back"):
        on_ranks(size, request_of(OfItsClass, Fails))


@LEFT_OUT
def test_what_two_attributes_share_is_given_back_shared(
    request_of: Callable[..., RunRequest],
) -> None:
    class Shares(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.log = list[int]()
            self.alias = self.log

        def state(self) -> Any:
            return self.log

        def restore(self, state: Any) -> None:
            self.log = self.alias = state

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            self.alias.append(source_slice.start)

        def finish(self, source_name: str) -> None:
            self.data_manager.set_attrs(source_name, seen=self.log)

    execute(request_of(Shares, Fails))
    with h5py.File("out.h5") as file:
        assert file["events"].attrs["seen"].tolist() == [0, 2, 6, 8]


def test_rows_out_of_order_are_no_failure_of_a_chunk(
    request_of: Callable[..., RunRequest],
) -> None:
    class Twice(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("twice", "i4")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            for _ in range(2):
                self.data_manager.reserve_data("twice", len(cache[source_name]))

    with pytest.raises((OrderError, HookError, OtherRankError), match="will not lie where one"):
        on_ranks(2, request_of(Twice))


@LEFT_OUT
def test_ctrl_c_after_another_chunk_has_failed_ends_the_run(
    request_of: Callable[..., RunRequest],
) -> None:
    class Interrupted(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            if self.rank == 0:
                raise Mistake
            try:
                self.comm.allreduce(1)
            finally:
                raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, OtherRankError)):
        on_ranks(2, request_of(Interrupted))
    assert not Path("out.h5").exists()


@LEFT_OUT
def test_a_run_stops_in_time_where_all_chunks_so_far_were_left_out(
    request_of: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fails, "at", (0,))
    stop = StopRequest()

    def ask(event: Event) -> None:
        if isinstance(event, ChunkSkipped):
            stop.note(signal.SIGUSR1)

    with pytest.raises(Stopped, match="after chunk 0"):
        execute(request_of(Writes, Fails), ask, stop=stop)
    assert Path("out.h5.partial").exists()
