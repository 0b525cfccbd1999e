"""Ranks that the command starts by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from ranks import MARK, clean_environment

from h5flow.comm.cores import physical_cores
from h5flow.comm.grace import (
    DEFERRED_SECONDS,
    GRACE_SECONDS,
    LONGEST_RANK_EXTRA,
    WAITING_EXTRA,
)
from h5flow.comm.job import END_SECONDS
from h5flow.comm.launch import job_environment, launch, status_of_job
from h5flow.comm.library import Library, ask_child, find_library, find_mpiexec, python_words
from h5flow.errors import UsageError

SAYS = "from mpi4py import MPI; print('rank', MPI.COMM_WORLD.rank, 'of', MPI.COMM_WORLD.size)"


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)


@contextmanager
def started(
    program: str, mark: str, seconds: float = END_SECONDS
) -> Iterator[subprocess.Popen[str]]:
    """A process that has launched two ranks, both of which are there."""
    parent = (
        "import sys; from h5flow.comm import job; from h5flow.comm.launch import launch; "
        f"job.END_SECONDS = {seconds}; "
        f"sys.exit(launch(2, [], program=[sys.executable, '-c', {program!r}]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean_environment(), MARK: mark},
        start_new_session=True,
    ) as job:
        assert job.stdout is not None
        assert [job.stdout.readline() for _ in range(2)] == ["there\n"] * 2
        yield job


def alive(mark: str) -> list[int]:
    """Processes of a job."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            ended = b"\nState:\tZ" in (entry / "status").read_bytes()
        except OSError:
            continue
        if f"{MARK}={mark}".encode() in variables and not ended:
            found.append(int(entry.name))
    return found


def wait_until_gone(mark: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while alive(mark):
        assert time.monotonic() < deadline, f"{alive(mark)} are left"
        time.sleep(0.05)


def test_ranks_are_started_and_what_they_print_is_shown(capfd: pytest.CaptureFixture[str]):
    assert launch(3, [], program=[sys.executable, "-c", SAYS]) == 0
    assert sorted(capfd.readouterr().out.split("\n")[:3]) == [f"rank {k} of 3" for k in range(3)]


def test_auto_takes_the_cores_of_the_machine(capfd: pytest.CaptureFixture[str]):
    assert launch("auto", [], program=[sys.executable, "-c", SAYS]) == 0
    assert capfd.readouterr().out.count("rank") == physical_cores()


@pytest.mark.parametrize("status", [1, 2, 130])
def test_the_exit_status_is_passed_on(status: int):
    program = f"from mpi4py import MPI; import sys; sys.exit({status})"
    assert launch(2, [], program=[sys.executable, "-c", program]) == status


def test_words_are_passed_on(capfd: pytest.CaptureFixture[str]):
    words = ["a b", "-x", "ü"]
    assert launch(1, words, program=[sys.executable, "-c", "import sys; print(sys.argv[1:])"]) == 0
    assert capfd.readouterr().out.strip() == str(words)


def test_a_rank_that_is_killed_is_said(capfd: pytest.CaptureFixture[str]):
    program = "import os, time; from mpi4py import MPI; os.kill(os.getpid(), 9)"
    assert launch(2, [], program=[sys.executable, "-c", program]) == 1
    assert "h5flow: error: a rank was killed" in capfd.readouterr().err


ENDS_IN_ORDER = """
import sys, time
from mpi4py import MPI
print("there", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""
DOES_NOT_END = """
import signal, time
from mpi4py import MPI
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("there", flush=True)
time.sleep(60)
"""


def test_ctrl_c_ends_all_ranks():
    with started(ENDS_IN_ORDER, "launch-int") as job:
        os.killpg(job.pid, signal.SIGINT)  # as a terminal does
        assert job.wait(10) == 130
    wait_until_gone("launch-int", 2)


def test_ranks_that_do_not_end_are_killed():
    with started(DOES_NOT_END, "launch-kill", 3) as job:
        begin = time.monotonic()
        job.send_signal(signal.SIGTERM)
        assert job.wait(12) == 143
        assert 3 <= time.monotonic() - begin < 6
    wait_until_gone("launch-kill", 2)


def test_a_second_ctrl_c_ends_them_at_once():
    with started(DOES_NOT_END, "launch-twice") as job:
        job.send_signal(signal.SIGINT)
        time.sleep(1.2)
        begin = time.monotonic()
        job.send_signal(signal.SIGINT)
        assert job.wait(5) == 130
        assert time.monotonic() - begin < 3
    wait_until_gone("launch-twice", 2)


def test_ranks_do_not_outlive_the_process_that_started_them():
    with started(ENDS_IN_ORDER, "launch-orphan") as job:
        job.kill()
        job.wait(5)
    wait_until_gone("launch-orphan", 10)


def test_inside_of_a_launcher_no_more_ranks_are_started(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PMI_SIZE", "4")
    with pytest.raises(UsageError, match=r"each of the 4 processes.* Leave --ranks out"):
        launch(2, [])


def test_mpi_that_cannot_be_used_says_what_to_install():
    def broken(_words: Sequence[str]) -> str:
        raise ChildProcessError("RuntimeError: cannot load MPI library")

    with pytest.raises(UsageError, match=r"cannot load MPI library.*pip install 'h5flow\[mpi\]'"):
        find_library(broken)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("raise ImportError('no mpi4py')", "ImportError: no mpi4py"),
        ("import os; os._exit(7)", "exit status 7"),
        ("import os; os.abort()", "exit status -6"),
    ],
)
def test_a_child_that_fails_says_why(program: str, why: str):
    with pytest.raises(OSError, match=why):
        ask_child(python_words(program))


def test_the_library_of_this_installation_is_found_with_its_launcher():
    library = find_library()
    assert library.family in {"MPICH", "Open MPI"}
    assert os.access(find_mpiexec(library), os.X_OK)


def fake_launcher(folder: Path, says: str, name: str = "mpiexec") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def says(words: Sequence[str]) -> str:
    """What a fake launcher answers; those of this installation do not work."""
    if "venv" in words[0] or "fake" not in words[0]:
        raise ChildProcessError("broken")
    return ask_child(words)


def test_the_launcher_of_another_library_is_not_taken(tmp_path: Path):
    folder = tmp_path / "fake"
    folder.mkdir()
    fake_launcher(folder, "mpiexec (Open MPI) 5.0.8")
    own = fake_launcher(folder, "HYDRA build details", "mpirun")
    mpich = Library("4.1", "MPICH 5.0", "MPICH")
    assert find_mpiexec(mpich, says, str(folder)) == str(own)
    own.unlink()
    with pytest.raises(UsageError, match=r"uses MPICH 5.0, and there is no mpiexec that belongs"):
        find_mpiexec(mpich, says, str(folder))
    open_mpi = Library("4.1", "Open MPI v5.0.8", "Open MPI")
    assert find_mpiexec(open_mpi, says, str(folder)) == str(folder / "mpiexec")


@pytest.mark.parametrize(
    ("status", "passed_on", "expected"),
    [(0, None, 0), (2, None, 2), (9, None, 1), (-9, None, 1), (9, 2, 130), (1, 15, 1)],
)
def test_the_status_of_mpiexec_becomes_one_of_h5flow(
    status: int, passed_on: int | None, expected: int
):
    assert status_of_job(status, passed_on)[0] == expected


def test_open_mpi_is_told_that_more_ranks_than_cores_are_meant():
    assert "PRTE_MCA_rmaps_default_mapping_policy" in job_environment(3, 2)
    assert "PRTE_MCA_rmaps_default_mapping_policy" not in job_environment(2, 2)


def test_two_threads_of_a_core_count_once(tmp_path: Path):
    for cpu, core in enumerate((0, 1, 0, 1)):
        topology = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "core_id").write_text(f"{core}\n")
        (topology / "physical_package_id").write_text("0\n")
    assert physical_cores(range(4), tmp_path) == 2
    assert physical_cores([0, 2], tmp_path) == 1
    assert physical_cores(range(4), tmp_path / "elsewhere") == 4


@pytest.mark.parametrize(("limit", "cores"), [("max 100000", 4), ("150000 100000", 2)])
def test_the_limit_of_a_container_counts(tmp_path: Path, limit: str, cores: int):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/job/step\n")
    (tmp_path / "sys/fs/cgroup/job").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/job/cpu.max").write_text(limit)
    assert physical_cores(range(4), tmp_path) == cores


def test_ranks_may_end_their_chunk_before_they_are_killed():
    ranks = DEFERRED_SECONDS + GRACE_SECONDS + LONGEST_RANK_EXTRA + WAITING_EXTRA
    assert ranks < END_SECONDS + 1 < 30  # batch systems kill after 30 s


def test_that_time_is_short_is_passed_on():
    program = ENDS_IN_ORDER.replace("import sys, time", "import signal, sys, time")
    handler = "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75)); "
    program = program.replace("print(", f"{handler}print(")
    with started(program, "launch-usr1") as job:
        job.send_signal(signal.SIGUSR1)
        assert job.wait(10) == 75
    wait_until_gone("launch-usr1", 2)
