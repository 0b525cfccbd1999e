"""What goes wrong on one rank ends them all: soon, with one readable error, nothing published."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import h5py
import pytest
from ranks import Ranks, run_ranks, start_ranks

# What the stage, the generator and the resource do, they read from the environment.
MODULE = """
import json, os, signal, sys, time

import numpy as np

from h5flow import H5FLOW_MPI, H5FlowGenerator, H5FlowResource, H5FlowStage
from h5flow.comm.choose import launched_rank

assert H5FLOW_MPI
FAULT = json.loads(os.environ["FAULT"])


def fault(part, hook, rank, iteration=0):
    if FAULT.get("part") != part or FAULT["hook"] != hook or rank not in FAULT["ranks"]:
        return
    if hook in ("run", "next") and iteration != 1:
        return
    how = FAULT["how"]
    print(f"fault on rank {rank}", flush=True)
    if how == "raise":
        raise ValueError("a mistake of the user")
    if how == "exit":
        sys.exit(0)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "signal":
        os.kill(os.getpid(), FAULT["signal"])
        time.sleep(60)
    if how == "sleep":
        time.sleep(60)
    if how == "nap":
        time.sleep(2)
    if how == "receive":
        from mpi4py import MPI

        MPI.COMM_WORLD.recv(source=(rank + 1) % MPI.COMM_WORLD.size)
    if how == "unlike":
        return "unlike"
    if how == "swallow":
        return "swallow"


fault("module", "import", launched_rank())


class Geometry(H5FlowResource):
    def __init__(self, **params):
        super().__init__(**params)
        fault("resource", "__init__", self.rank)

    def init(self, source_name):
        fault("resource", "init", self.rank)

    def finish(self, source_name):
        fault("resource", "finish", self.rank)


class Numbers(H5FlowGenerator):
    def __init__(self, **params):
        super().__init__(**params)
        self.iteration = 0
        fault("generator", "__init__", self.rank)

    def init(self):
        self.data_manager.create_dset(self.dset_name, "i4")
        fault("generator", "init", self.rank)

    def next(self):
        self.iteration += 1
        fault("generator", "next", self.rank, self.iteration - 1)
        if self.iteration > 4:
            return self.EMPTY
        rows = self.data_manager.reserve_data(self.dset_name, 10)
        self.data_manager.write_data(self.dset_name, rows, np.arange(10))
        return rows

    def finish(self):
        fault("generator", "finish", self.rank)


class Copy(H5FlowStage):
    def __init__(self, **params):
        super().__init__(**params)
        self.iteration = 0
        fault("stage", "__init__", self.rank)

    def init(self, source_name):
        fault("stage", "init", self.rank)
        self.data_manager.create_dset("copies", "i4")

    def run(self, source_name, source_slice, cache):
        self.iteration += 1
        found = fault("stage", "run", self.rank, self.iteration - 1)
        if FAULT["how"] == "unlike":
            self.comm.barrier() if found else self.comm.allgather(1)
        if FAULT["how"] == "left out" and self.rank not in FAULT["ranks"]:
            self.comm.reduce(1)
        if FAULT["how"] == "no pickle":
            self.comm.bcast(lambda: None if self.rank in FAULT["ranks"] else None)
        if FAULT["how"] == "swallow" and self.rank in FAULT["ranks"]:
            raise ValueError("a mistake of the user")
        try:
            rows = self.data_manager.reserve_data("copies", len(cache[source_name]))
            self.data_manager.write_data("copies", rows, cache[source_name])
        except Exception:
            if FAULT["how"] != "swallow":
                raise

    def finish(self, source_name):
        fault("stage", "finish", self.rank)
"""

RESUMABLE = """
Numbers.state = lambda self: self.iteration
Numbers.restore = lambda self, state: setattr(self, "iteration", state)
Copy.resumable = True  # what it keeps is for the faults only
"""
WORKFLOW = """
flow: {source: numbers, stages: [copy]}
resources: [{classname: Geometry}]
numbers: {classname: Numbers, dset_name: numbers}
copy: {classname: Copy}
"""
RUN = ["-m", "h5flow", "run", "-o", "out.h5", "workflow.yaml"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "h5flow_modules").mkdir()
    (tmp_path / "h5flow_modules" / "faulty.py").write_text(MODULE)
    (tmp_path / "workflow.yaml").write_text(WORKFLOW)
    return tmp_path


@pytest.fixture
def resumable_folder(folder: Path) -> Path:
    (folder / "h5flow_modules" / "faulty.py").write_text(MODULE + RESUMABLE)
    return folder


def run_with(folder: Path, *options: str, size: int = 3, **fault: object):
    """Run the workflow with a fault."""
    return run_ranks(
        size,
        [*RUN, *options],
        timeout=40,
        environment={"FAULT": json.dumps({"ranks": [], "hook": "", "how": "", **fault})},
        folder=folder,
    )


def start_with(folder: Path, *options: str, size: int = 3, **fault: object) -> Ranks:
    return start_ranks(
        size,
        [*RUN, *options],
        environment={"FAULT": json.dumps({"ranks": [], "hook": "", "how": "", **fault})},
        folder=folder,
    )


def check_nothing_is_published(folder: Path, *, killed: bool = False, hook: str = "") -> None:
    there = {path.name for path in folder.iterdir()}
    expected = {"h5flow_modules", "workflow.yaml"}
    # A killed process cleans nothing up; the next run does, or goes on with it. So it can where the
    # loop had ended.
    kept = {"out.h5.partial", "out.h5.lock"} if killed or hook == "finish" else {"out.h5.lock"}
    assert there - expected <= kept


def check_one_error(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.stderr.count("h5flow: ") == 1, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_without_a_fault_all_is_well(folder: Path):
    done = run_with(folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "out.h5").exists()


HOOKS = [
    ("module", "import"),
    ("resource", "__init__"),
    ("resource", "init"),
    ("generator", "__init__"),
    ("generator", "init"),
    ("generator", "next"),
    ("generator", "finish"),
    ("stage", "__init__"),
    ("stage", "init"),
    ("stage", "run"),
    ("stage", "finish"),
    ("resource", "finish"),
]


@pytest.mark.parametrize(("part", "hook"), HOOKS)
def test_an_exception_in_any_hook_ends_all_ranks(folder: Path, part: str, hook: str):
    done = run_with(folder, part=part, hook=hook, how="raise", ranks=[1])
    assert done.returncode == (2 if part == "module" else 1)
    check_one_error(done, "ValueError", "a mistake of the user")
    assert part == "module" or "on rank 1: ValueError" in done.stderr
    check_nothing_is_published(folder, hook=hook)


@pytest.mark.parametrize(("part", "hook"), [HOOKS[0], HOOKS[5], HOOKS[9]])
def test_sys_exit_is_a_failure(folder: Path, part: str, hook: str):
    done = run_with(folder, part=part, hook=hook, how="exit", ranks=[2])
    assert done.returncode in {1, 2}
    check_one_error(done, "SystemExit" if part == "module" else "sys.exit(0)")
    check_nothing_is_published(folder)


def test_of_many_failures_one_is_reported(folder: Path):
    done = run_with(folder, part="stage", hook="run", how="raise", ranks=[0, 1, 2])
    assert done.returncode == 1
    check_one_error(done, "ValueError: a mistake of the user", "chunk 1", "on rank 0")
    check_nothing_is_published(folder)


def test_a_failure_that_another_rank_swallows_ends_it_all_the_same(folder: Path):
    done = run_with(folder, part="stage", hook="run", how="swallow", ranks=[1])
    assert done.returncode == 1
    check_one_error(done, "ValueError: a mistake of the user")
    check_nothing_is_published(folder)


@pytest.mark.parametrize("ranks", [[0], [2], [0, 1, 2]])
def test_keyboard_interrupt_ends_all_ranks(folder: Path, ranks: list[int]):
    done = run_with(folder, part="stage", hook="run", how="interrupt", ranks=ranks)
    assert done.returncode == 130
    check_one_error(done, "interrupted")
    check_nothing_is_published(folder)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_rank_ends_all(folder: Path, number: int, status: int, rank: int):
    fault = {"part": "stage", "hook": "run", "how": "signal", "signal": number, "ranks": [rank]}
    done = run_with(folder, **fault)
    assert done.returncode == status
    check_one_error(done)
    check_nothing_is_published(folder)


@pytest.mark.parametrize("rank", [0, 2])
def test_a_rank_that_is_killed_ends_all(folder: Path, rank: int):
    begin = time.monotonic()
    fault = {"part": "stage", "hook": "run", "how": "signal", "ranks": [rank]}
    done = run_with(folder, **fault, signal=signal.SIGKILL)
    assert time.monotonic() - begin < 15
    assert done.returncode != 0
    check_nothing_is_published(folder, killed=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_mpiexec_ends_all(folder: Path, number: int):
    ranks = start_with(folder, part="stage", hook="run", how="sleep", ranks=[1])
    ranks.wait_for("fault on rank 1")
    time.sleep(0.5)
    begin = time.monotonic()
    os.kill(ranks.process.pid, number)
    done = ranks.wait(timeout=20)
    assert time.monotonic() - begin < 10
    assert done.returncode != 0
    check_nothing_is_published(folder, killed=True)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_stage_that_never_returns_is_stopped(folder: Path, rank: int):
    begin = time.monotonic()
    fault = {"part": "stage", "hook": "run", "how": "sleep", "ranks": [rank]}
    done = run_with(folder, "--stall-timeout", "2", **fault)
    assert time.monotonic() - begin < 20
    assert done.returncode == 1
    check_one_error(done, f"rank {rank}", "time.sleep(60)", "'copy'", "chunk 1")
    check_nothing_is_published(folder, killed=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_rank_that_waits_in_mpi_itself_is_interrupted(folder: Path, number: int):
    ranks = start_with(folder, part="stage", hook="run", how="receive", ranks=[1])
    ranks.wait_for("fault on rank 1")
    time.sleep(0.5)
    begin = time.monotonic()
    os.kill(ranks.process.pid, number)
    done = ranks.wait(timeout=20)
    assert time.monotonic() - begin < 10
    assert done.returncode != 0
    check_nothing_is_published(folder, killed=True)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 75)]
)
def test_a_signal_to_mpiexec_lets_all_end_the_chunk(
    resumable_folder: Path, number: int, status: int
):
    folder = resumable_folder
    ranks = start_with(folder, part="stage", hook="run", how="nap", ranks=[1])
    ranks.wait_for("fault on rank 1")
    os.kill(ranks.process.pid, number)
    done = ranks.wait(timeout=20)
    assert done.returncode == status
    assert "after chunk 5 of 'numbers'" in done.stderr
    assert (folder / "out.h5.partial").exists()
    done = run_with(folder, "--resume")
    assert done.returncode == 0, done.stderr
    with h5py.File(folder / "out.h5") as file:
        assert file["copies/data"][:].tolist() == 12 * list(range(10))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_wait_for_the_chunk(resumable_folder: Path, number: int):
    fault = {"part": "stage", "hook": "run", "how": "sleep", "ranks": [1]}
    ranks = start_with(resumable_folder, "--checkpoint-every", "0", **fault)
    ranks.wait_for("fault on rank 1")
    os.kill(ranks.process.pid, number)
    ranks.wait_for("stopping at the end of this chunk")
    time.sleep(1.5)
    begin = time.monotonic()
    os.kill(ranks.process.pid, number)
    ranks.wait(timeout=20)  # after a second Ctrl-C a launcher has a status of its own
    assert time.monotonic() - begin < 10
    assert not (resumable_folder / "out.h5").exists()
    assert (resumable_folder / "out.h5.partial").exists()


def test_different_collectives_are_one_error_that_names_both(folder: Path):
    done = run_with(folder, part="stage", hook="run", how="unlike", ranks=[1])
    assert done.returncode == 1
    check_one_error(done, "rank 0 waits in comm.allgather() and rank 1 in comm.barrier()")
    check_nothing_is_published(folder)


def test_a_collective_that_a_rank_leaves_out_is_one_error(folder: Path):
    done = run_with(folder, how="left out", ranks=[0])
    assert done.returncode == 1
    check_one_error(done, "rank 1 waits in comm.reduce()", "rank 0 has ended this hook")
    check_nothing_is_published(folder)


def test_a_root_that_cannot_send_ends_those_who_wait_for_it(folder: Path):
    begin = time.monotonic()
    done = run_with(folder, how="no pickle", ranks=[0])
    assert time.monotonic() - begin < 15
    assert done.returncode == 1
    assert done.stderr.count("h5flow: error: ") == 1
    assert "Can't pickle local object" in done.stderr
    check_nothing_is_published(folder, killed=True)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_full_disk_ends_all_ranks(folder: Path, rank: int):
    """Rows that cannot be stored are the failure of all, whoever made them."""
    module = folder / "h5flow_modules" / "faulty.py"
    module.write_text(
        MODULE
        + """

from h5flow.io import space

if FAULT["how"] == "full":
    space.free_bytes = lambda _folder: 1
"""
    )
    done = run_with(folder, how="full", ranks=[rank])
    assert done.returncode == 1
    check_one_error(done, "there is no room for")
    check_nothing_is_published(folder)


def test_a_writer_that_cannot_take_what_others_send_ends_all_ranks(folder: Path):
    """The others send on, and never come to where failures are told."""
    module = folder / "h5flow_modules" / "faulty.py"
    module.write_text(
        MODULE.replace("10)", "100_000)")  # more than MPI sends before it is received
        + """

from h5flow.comm.mpi import MpiCommunicator

receive = MpiCommunicator.receive


def receive_little(communicator, rank):
    if len(memory := receive(communicator, rank)):
        raise MemoryError("no room for rows")
    return memory


MpiCommunicator.receive = receive_little
"""
    )
    begin = time.monotonic()
    done = run_with(folder)
    assert time.monotonic() - begin < 15
    assert done.returncode == 1
    assert done.stderr.count("h5flow: error: ") == 1
    assert "MemoryError: no room for rows" in done.stderr
    check_nothing_is_published(folder, killed=True)
