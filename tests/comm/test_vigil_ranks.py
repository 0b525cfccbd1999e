"""Under a real mpiexec: whatever a rank is stuck in, all ranks end, and one report says where."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from ranks import Ranks, start_ranks

from h5flow.comm.grace import GRACE_SECONDS

LIMIT = 10.0  # seconds from a signal, or from the end of the stall time-out, to the last process
SHORT = 1.0  # seconds of grace, where its length does not matter

# What a run does, in short: user's code on each rank, then an exchange that tells how it went.
PROGRAM = """
import hashlib, sys, time
from pathlib import Path

from h5flow.cli.signals import interruptible
from h5flow.comm import grace, last_resort
from h5flow.comm.mpi import load_mpi, world_communicator
from h5flow.comm.vigil import Vigil

MPI, comm = load_mpi(), world_communicator()
stuck, where, stall_seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
grace.GRACE_SECONDS = float(sys.argv[4])
last_resort.MARGIN = 3.0

def sleep():
    time.sleep(100)

def receive():
    MPI.COMM_WORLD.recv(source=0)

def compute():
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)

def keep_the_lock():
    sum(range(10**12))

def run_hook():
    print("READY", comm.rank, flush=True)
    if comm.rank == stuck:
        globals()[where]()

def describe():
    return f"hook {comm.rank}"

told = []  # the worst status of all ranks, once they have met

def tell(status):
    with vigil.shielded():
        told.append(max(message[0] for message in comm.exchange(bytes([status]))))
        afterwards.ignored = told[-1] != 0  # as the command does

def path():
    return Path("out.partial")

with interruptible() as afterwards, Vigil(comm, stall_seconds, describe, path) as vigil:
    with vigil.shielded():
        comm.exchange(b"")
    try:
        run_hook()
        vigil.raise_if_interrupted()
        tell(0)
    except KeyboardInterrupt as error:
        # it may come at any moment, also between the hook and the exchange
        status = getattr(error, "exit_status", 130)
        vigil.ending(status)
        if not told:
            tell(status)
    (status,) = told
    if status:
        vigil.ending(status)
        print("IN ORDER", flush=True)
sys.exit(status)
"""


def start(
    folder: Path, stuck: int, where: str, *, stall_seconds: float = 0, grace: float = SHORT
) -> Ranks:
    script = folder / "program.py"
    script.write_text(PROGRAM)
    arguments = [str(script), str(stuck), where, str(stall_seconds), str(grace)]
    ranks = start_ranks(3, arguments, folder=folder)
    for rank in range(3):
        ranks.wait_for(f"READY {rank}")
    return ranks


def pid_of(ranks: Ranks, rank: int) -> int:
    for pid in ranks.pids():
        if f"PMI_RANK={rank}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return pid
    raise AssertionError(f"no rank {rank}\n{ranks.printed()}")


def reports(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("h5flow: ")]


def test_a_signal_to_one_rank_in_python_ends_all_in_order(tmp_path: Path) -> None:
    with start(tmp_path, 1, "sleep") as ranks:
        os.kill(pid_of(ranks, 1), signal.SIGINT)
        done = ranks.wait(LIMIT)
    assert (done.returncode, done.stdout.count("IN ORDER"), reports(done.stderr)) == (130, 3, [])


@pytest.mark.parametrize("where", ["receive", "compute"])
def test_a_signal_to_one_rank_that_runs_no_python_ends_all(tmp_path: Path, where: str) -> None:
    with start(tmp_path, 1, where) as ranks:
        os.kill(pid_of(ranks, 1), signal.SIGINT)
        done = ranks.wait(LIMIT)
    assert done.returncode == 130
    assert reports(done.stderr) == [
        "h5flow: rank 1 was interrupted and is still in hook 1; all ranks are stopped"
    ]


def test_a_signal_to_a_rank_that_waits_for_one_that_is_stuck_ends_all(tmp_path: Path) -> None:
    with start(tmp_path, 1, "receive") as ranks:
        os.kill(pid_of(ranks, 2), signal.SIGTERM)
        done = ranks.wait(LIMIT)
    assert done.returncode == 143
    assert reports(done.stderr) == [
        "h5flow: rank 2 was interrupted and still waits for the others in hook 2; "
        "all ranks are stopped"
    ]


def test_ctrl_c_at_mpiexec_ends_all_in_order(tmp_path: Path) -> None:
    with start(tmp_path, 0, "sleep") as ranks:
        ranks.process.send_signal(signal.SIGINT)
        done = ranks.wait(LIMIT)
    assert (done.returncode, reports(done.stderr)) == (130, [])


@pytest.mark.parametrize("where", ["receive", "keep_the_lock"])
def test_ctrl_c_at_mpiexec_ends_ranks_that_run_no_python(tmp_path: Path, where: str) -> None:
    with start(tmp_path, 1, where, grace=GRACE_SECONDS) as ranks:
        ranks.process.send_signal(signal.SIGINT)
        done = ranks.wait(LIMIT)
    assert done.returncode == 130
    (report,) = reports(done.stderr)
    assert report.endswith("all ranks are stopped")


@pytest.mark.parametrize("stuck", [0, 1])
def test_a_hook_that_never_returns_is_shown_with_its_stack(tmp_path: Path, stuck: int) -> None:
    with start(tmp_path, stuck, "sleep", stall_seconds=2) as ranks:
        done = ranks.wait(2 + LIMIT)
    assert done.returncode == 1
    (headline,) = reports(done.stderr)
    assert "told each other nothing for 2 s" in headline
    report = done.stderr[done.stderr.index(headline) :].splitlines()
    others = {0: "ranks 1-2", 1: "ranks 0, 2"}[stuck]
    assert report[1] == f"rank {stuck}: hook {stuck}"
    assert "time.sleep(100)" in report[report.index(f"{others}: waiting for the others") - 1]
    assert [path.name for path in tmp_path.iterdir()] == ["program.py"]


def test_a_rank_that_keeps_the_interpreters_lock_gives_no_answer(tmp_path: Path) -> None:
    with start(tmp_path, 1, "keep_the_lock", stall_seconds=2) as ranks:
        done = ranks.wait(2 + LIMIT)
    assert done.returncode == 1
    assert "rank 1: no answer: it has left, is stuck outside of Python, or" in done.stderr
    assert "ranks 0, 2: waiting for the others" in done.stderr


def test_rank_0_ends_all_also_when_it_keeps_the_interpreters_lock(tmp_path: Path) -> None:
    with start(tmp_path, 0, "keep_the_lock", stall_seconds=2) as ranks:
        done = ranks.wait(2 + LIMIT)
    assert done.returncode  # 1, or 9 for the ranks that mpiexec has killed then
    assert done.stderr.startswith("Timeout (0:00:05)!")
    assert "in keep_the_lock" in done.stderr
