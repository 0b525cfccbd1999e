"""Ranks that the command starts by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ranks import MARK, clean_environment

from h5flow.comm import launch as module
from h5flow.comm.launch import find_mpiexec, launch, mpi_library, physical_cores
from h5flow.errors import UsageError

SAYS = "from mpi4py import MPI; print('rank', MPI.COMM_WORLD.rank, 'of', MPI.COMM_WORLD.size)"


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)


@contextmanager
def started(program: str, mark: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has launched two ranks, both of which are there."""
    parent = (
        "import sys; from h5flow.comm.launch import launch; "
        f"sys.exit(launch(2, [], ['-c', {program!r}]))"
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
    assert launch(3, [], ["-c", SAYS]) == 0
    assert sorted(capfd.readouterr().out.split("\n")[:3]) == [f"rank {k} of 3" for k in range(3)]


def test_auto_takes_the_cores_of_the_machine(capfd: pytest.CaptureFixture[str]):
    assert launch("auto", [], ["-c", SAYS]) == 0
    assert capfd.readouterr().out.count("rank") == physical_cores()


@pytest.mark.parametrize("status", [1, 2, 130])
def test_the_exit_status_is_passed_on(status: int):
    program = f"from mpi4py import MPI; import sys; sys.exit({status})"
    assert launch(2, [], ["-c", program]) == status


def test_words_are_passed_on(capfd: pytest.CaptureFixture[str]):
    words = ["a b", "-x", "ü"]
    assert launch(1, words, ["-c", "import sys; print(sys.argv[1:])"]) == 0
    assert capfd.readouterr().out.strip() == str(words)


def test_a_rank_that_is_killed_is_said(capfd: pytest.CaptureFixture[str]):
    program = "import os, time; from mpi4py import MPI; os.kill(os.getpid(), 9)"
    assert launch(2, [], ["-c", program]) == 1
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
    with started(DOES_NOT_END, "launch-kill") as job:
        begin = time.monotonic()
        job.send_signal(signal.SIGTERM)
        assert job.wait(12) == 143
        assert time.monotonic() - begin < 10
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
    with pytest.raises(UsageError, match=r"started 4 processes already.* Leave --ranks out"):
        launch(2, [])


def fake_mpi4py(folder: Path, text: str) -> dict[str, str]:
    (folder / "mpi4py").mkdir()
    (folder / "mpi4py" / "__init__.py").write_text(text)
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise ImportError('no mpi4py')", "no mpi4py"),
        ("raise RuntimeError('cannot load MPI library')", "cannot load MPI library"),
        ("import os; os._exit(7)", "status 7"),
        ("import time; time.sleep(30)", "does not answer"),
    ],
)
def test_mpi_that_cannot_be_used_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
):
    monkeypatch.setenv("PYTHONPATH", fake_mpi4py(tmp_path, text)["PYTHONPATH"])
    with pytest.raises(UsageError, match=rf"{why}.*pip install 'h5flow\[mpi\]'"):
        mpi_library(seconds=2.0)


def fake_launcher(folder: Path, says: str, name: str = "mpiexec") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_the_launcher_of_another_library_is_not_taken(tmp_path: Path):
    fake_launcher(tmp_path, "mpiexec (Open MPI) 5.0.8")
    own = fake_launcher(tmp_path, "HYDRA build details", "mpirun")
    assert find_mpiexec("MPICH Version: 5.0", str(tmp_path)) == str(own)
    own.unlink()
    assert find_mpiexec("MPICH Version: 5.0", str(tmp_path)) is None
    assert find_mpiexec("Open MPI v5.0.8", str(tmp_path)) == str(tmp_path / "mpiexec")


def test_a_library_without_its_launcher_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "mpi_library", lambda: "Open MPI v5.0.8, package: x\nmore")
    monkeypatch.setattr(module, "find_mpiexec", lambda _library: None)
    with pytest.raises(UsageError, match=r"mpi4py uses Open MPI v5.0.8, and there is no mpiexec"):
        launch(2, [])


def test_two_threads_of_a_core_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3}, raising=False)
    for cpu, core in enumerate((0, 1, 0, 1)):
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "core_id").write_text(f"{core}\n")
        (topology / "physical_package_id").write_text("0\n")
    limit = tmp_path / "cpu.max"
    assert physical_cores(tmp_path, limit) == 2
    limit.write_text("max 100000")
    assert physical_cores(tmp_path, limit) == 2
    limit.write_text("100000 100000")
    assert physical_cores(tmp_path, limit) == 1
    assert physical_cores(tmp_path / "missing", tmp_path / "missing") == 4
