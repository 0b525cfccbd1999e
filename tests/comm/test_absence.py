"""Ranks that cannot join the others, and do not leave them waiting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ranks import clean_environment, mpiexec, run_ranks

PROGRAM = """
import os, sys

if int(os.environ["PMI_RANK"]) in {without}:
    sys.modules["mpi4py"] = None
from h5flow.comm import choose_communicator
from h5flow.errors import UsageError

try:
    print("chosen", choose_communicator().size)
except UsageError:
    if {alone}:
        print("chosen", choose_communicator("serial").size)
    else:
        raise
"""


def on_mpich(without: set[int], *, alone: bool = False) -> subprocess.CompletedProcess[str]:
    if not (Path(mpiexec()).parent / "mpiexec.hydra").exists():
        pytest.skip("other launchers end a job when a process fails")
    return run_ranks(3, PROGRAM.format(without=without, alone=alone), timeout=20)


def test_a_rank_without_mpi_ends_those_that_wait_for_it():
    done = on_mpich({1})
    assert done.returncode == 2
    assert done.stderr.count("UsageError: MPI cannot be used") == 1
    assert "chosen" not in done.stdout


def test_processes_that_then_choose_to_be_alone_are_left_alone():
    done = on_mpich({0, 1, 2}, alone=True)
    assert (done.returncode, done.stdout.split()) == (0, ["chosen", "1"] * 3)


def test_a_file_that_has_the_number_of_the_launchers_socket_is_not_written(tmp_path: Path):
    path = tmp_path / "file"
    with open(path, "wb") as file:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; sys.modules['mpi4py'] = None; import h5flow.comm as comm; "
                "comm.choose_communicator()",
            ],
            env={**clean_environment(), "PMI_SIZE": "2", "PMI_FD": str(file.fileno())},
            pass_fds=[file.fileno()],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "MPI cannot be used" in done.stderr
    assert path.read_bytes() == b""
