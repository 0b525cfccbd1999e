"""Which communicator a run takes, and what it finds out about its launcher."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from ranks import clean_environment, run_ranks

import h5flow
from h5flow.comm import choose
from h5flow.comm.choose import Launcher, choose_communicator, find_launcher
from h5flow.comm.serial import SerialCommunicator
from h5flow.errors import UsageError

NO_MPI4PY = "import sys; sys.modules['mpi4py'] = None\n"
CHOICE = """
import h5flow, sys
from h5flow.comm import choose_communicator
try:
    chosen = choose_communicator()
    print(chosen.name, chosen.rank, chosen.size, h5flow.H5FLOW_MPI, "mpi4py" in sys.modules)
except h5flow.errors.UsageError as error:
    print(f"UsageError: {error}")
"""


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(choose, "_chosen", None)


def choice(program: str = CHOICE, **environment: str) -> str:
    """Return what a new process prints that some launcher seems to have started."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("environment", "launcher"),
    [
        ({}, None),
        ({"PMI_SIZE": "4"}, Launcher(4)),
        ({"OMPI_COMM_WORLD_SIZE": "32"}, Launcher(32)),
        ({"PMI_SIZE": "1"}, Launcher(1)),
        ({"PMI_SIZE": "0"}, Launcher(1)),
        ({"PMI_SIZE": "many"}, None),
        ({"PMIX_RANK": "0"}, Launcher(None)),
        ({"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"}, Launcher(2)),
        # an interactive shell in a job
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, Launcher(1, is_shell=True)),
        # what a batch script sees, which is one process
        ({"SLURM_NTASKS": "64", "SLURM_PROCID": "0"}, None),
        # mpiexec in a job, whose helpers srun has started, one on each machine
        ({"PMI_SIZE": "8", "SLURM_STEP_NUM_TASKS": "2"}, Launcher(8)),
        # mpiexec in a shell that another launcher has started
        ({"PMI_SIZE": "1", "OMPI_COMM_WORLD_SIZE": "4"}, Launcher(4)),
    ],
)
def test_launchers_are_known_by_what_they_set(
    environment: dict[str, str], launcher: Launcher | None
) -> None:
    assert find_launcher(environment) == launcher


def test_one_process_is_serial() -> None:
    assert isinstance(choose_communicator(), SerialCommunicator)
    assert isinstance(choose_communicator("serial"), SerialCommunicator)
    assert h5flow.H5FLOW_MPI is False


@pytest.mark.parametrize(
    "environment",
    [{}, {"SLURM_STEP_NUM_TASKS": "1"}, {"PMI_SIZE": "4", "H5FLOW_NOMPI": "1"}],
    ids=str,
)
def test_without_a_launcher_mpi4py_is_never_imported(environment: dict[str, str]) -> None:
    assert choice(**environment) == "serial 0 1 False False"


def test_launched_processes_are_on_mpi() -> None:
    done = run_ranks(2, CHOICE)
    assert sorted(done.stdout.splitlines()) == ["mpi 0 2 True True", "mpi 1 2 True True"]
    assert run_ranks(1, CHOICE).stdout.strip() == "mpi 0 1 True True"


def test_mpi_can_be_asked_for_without_a_launcher() -> None:
    assert choice(CHOICE.replace("or()", "or('mpi')")) == "mpi 0 1 True True"


def test_mpi_is_one_communicator_however_often_it_is_chosen() -> None:
    program = """
        from h5flow.comm import choose_communicator
        print(choose_communicator("mpi") is choose_communicator("mpi"))
    """
    assert choice(program) == "True"


@pytest.mark.parametrize(
    "environment",
    [{"PMI_SIZE": "4"}, {"OMPI_COMM_WORLD_SIZE": "4"}, {"PMIX_RANK": "0"}],
    ids=str,
)
def test_several_processes_without_mpi_are_refused_with_what_to_do(
    environment: dict[str, str],
) -> None:
    message = choice(NO_MPI4PY + CHOICE, **environment)
    assert message.startswith("UsageError: MPI cannot be used: ")
    for words in ("pip install 'h5flow[mpi]'", "--comm serial", "H5FLOW_NOMPI=1"):
        assert words in message


def test_an_mpi4py_that_finds_no_library_is_refused_as_well(tmp_path: Path) -> None:
    package = tmp_path / "mpi4py"
    package.mkdir()
    (package / "__init__.py").write_text("", "utf-8")
    (package / "MPI.py").write_text("raise RuntimeError('cannot load MPI library')", "utf-8")
    message = choice(OMPI_COMM_WORLD_SIZE="4", PYTHONPATH=str(tmp_path))
    assert "MPI cannot be used: RuntimeError: cannot load MPI library" in message


def test_one_launched_process_without_mpi_is_serial() -> None:
    assert choice(NO_MPI4PY + CHOICE, PMI_SIZE="1") == "serial 0 1 False True"


@pytest.mark.parametrize(
    "environment", [{"OMPI_COMM_WORLD_SIZE": "4"}, {"SLURM_STEP_NUM_TASKS": "4"}], ids=str
)
def test_an_mpi_that_is_not_the_launchers_is_refused(environment: dict[str, str]) -> None:
    message = choice(**environment)
    assert "the launcher started 4 processes, but MPI counts 1" in message
    assert "--comm serial" in message


@pytest.mark.parametrize(("rank", "size"), [("0", 1), ("0", 3), ("2", 3)])
def test_a_launcher_that_does_not_count_is_believed(
    monkeypatch: pytest.MonkeyPatch, rank: str, size: int
) -> None:
    monkeypatch.setenv("PMIX_RANK", rank)
    monkeypatch.setattr(choose, "communicators", {"mpi": lambda: SimpleNamespace(size=size)})
    assert choose_communicator().size == size


def test_a_rank_that_mpi_does_not_know_of_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMIX_RANK", "1")
    monkeypatch.setattr(choose, "communicators", {"mpi": lambda: SimpleNamespace(size=1)})
    with pytest.raises(UsageError, match="the launcher started several processes, but MPI counts"):
        choose_communicator()


@pytest.mark.parametrize("value", ["1", "yes"])
def test_several_processes_may_be_runs_of_their_own(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PMI_SIZE", "4")
    assert choose_communicator("serial").size == 1
    monkeypatch.setenv("H5FLOW_NOMPI", value)
    assert choose_communicator().size == 1


@pytest.mark.parametrize("value", ["", "0"])
def test_nompi_can_be_switched_off(value: str) -> None:
    assert "UsageError" in choice(OMPI_COMM_WORLD_SIZE="4", H5FLOW_NOMPI=value)


@pytest.mark.parametrize(
    ("environment", "is_on_mpi"),
    [
        ({}, False),
        ({"PMI_SIZE": "4"}, True),
        ({"PMI_SIZE": "1"}, False),
        ({"PMI_SIZE": "4", "H5FLOW_NOMPI": "1"}, False),
    ],
)
def test_before_a_run_the_launcher_tells_whether_it_will_be_on_mpi(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], is_on_mpi: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert h5flow.H5FLOW_MPI is is_on_mpi


def test_in_a_run_what_was_chosen_tells_whether_it_is_on_mpi(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PMI_SIZE", "4")
    choose_communicator("serial")
    assert h5flow.H5FLOW_MPI is False


def test_a_communicator_that_does_not_exist_is_an_error_that_lists_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"no communicator 'mpo'.*Installed: serial, mpi"):
        choose_communicator("mpo")
