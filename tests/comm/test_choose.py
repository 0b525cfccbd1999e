"""Which communicator a run takes, and whether a launcher started several processes."""

from __future__ import annotations

import pytest

import h5flow
from h5flow.comm.choose import choose_communicator, launched_ranks
from h5flow.comm.serial import SerialCommunicator
from h5flow.errors import UsageError


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "H5FLOW_NOMPI",
        "PMI_SIZE",
        "OMPI_COMM_WORLD_SIZE",
        "PMIX_SIZE",
        "MPI_LOCALNRANKS",
        "SLURM_STEP_NUM_TASKS",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "ranks"),
    [
        ({}, 1),
        ({"PMI_SIZE": "4"}, 4),
        ({"OMPI_COMM_WORLD_SIZE": "32"}, 32),
        ({"SLURM_STEP_NUM_TASKS": "2"}, 2),
        ({"PMI_SIZE": "1"}, 1),
        ({"PMI_SIZE": "0"}, 1),
        ({"PMI_SIZE": "many"}, 1),
        # what a batch script sees, which is one process
        ({"SLURM_NTASKS": "64"}, 1),
    ],
)
def test_launchers_are_known_by_what_they_set(environment: dict[str, str], ranks: int) -> None:
    assert launched_ranks(environment) == ranks


def test_one_process_is_serial() -> None:
    assert isinstance(choose_communicator(), SerialCommunicator)
    assert isinstance(choose_communicator("serial"), SerialCommunicator)
    assert h5flow.H5FLOW_MPI is False


def test_several_processes_are_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "4")
    with pytest.raises(UsageError, match=r"started 4 processes.*--comm serial.*H5FLOW_NOMPI=1"):
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
def test_nompi_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PMI_SIZE", "4")
    monkeypatch.setenv("H5FLOW_NOMPI", value)
    with pytest.raises(UsageError):
        choose_communicator()


def test_a_communicator_that_does_not_exist_is_an_error_that_lists_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"no communicator 'mpo'.*Installed: serial"):
        choose_communicator("mpo")
