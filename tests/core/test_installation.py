"""What ``h5flow doctor`` finds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError

import h5py
import numpy as np
import pytest

from h5flow.core.installation import Installation, survey

LIBRARY = "4.1.2\nMPICH Version:      5.0.2\n"
Ask = Callable[[Sequence[str]], str]


def machine(mpi: str | None = LIBRARY, launchers: str | None = "HYDRA build details:") -> Ask:
    """Return what asks a machine with this MPI and these launchers, and no array library."""

    def ask(words: Sequence[str]) -> str:
        program = words[-1]
        if program == "--version":
            answer = launchers
        elif "mpi4py" in program:
            answer = mpi
        else:
            name = "cupy" if "cupy" in program else "torch"
            raise OSError(f"ModuleNotFoundError: No module named '{name}'")
        if answer is None:
            raise OSError("ModuleNotFoundError: No module named 'mpi4py'")
        return answer

    return ask


def value(installation: Installation, name: str) -> str:
    facts = [fact for section in installation.sections for fact in section.facts]
    return next(fact.value for fact in facts if fact.name == name)


def missing(installation: Installation) -> dict[str, str | None]:
    return {fact.name: fact.to_install for fact in installation.missing}


def test_the_versions_are_those_in_use() -> None:
    found = survey(machine(), {})
    assert value(found, "h5py") == h5py.version.version
    assert value(found, "HDF5") == h5py.version.hdf5_version
    assert value(found, "numpy") == f"{np.__version__}: host"
    assert sys.executable in value(found, "Python")


def test_a_library_of_mpi_is_named() -> None:
    found = survey(machine(), {})
    assert value(found, "mpi4py") == "4.1.2"
    assert value(found, "library") == "MPICH 5.0.2"
    assert "mpi4py" not in missing(found)


def test_without_mpi4py_the_extra_is_named() -> None:
    found = survey(machine(mpi=None), {})
    assert "No module named 'mpi4py'" in value(found, "mpi4py")
    assert "pip install 'h5flow[mpi]'" in str(missing(found)["mpi4py"])


@pytest.mark.parametrize(
    ("absent", "said"),
    [("hdf5plugin", "more with hdf5plugin"), ("imagecodecs", "on one core without imagecodecs")],
)
def test_without_the_libraries_of_filters_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, absent: str, said: str
) -> None:
    def version(package: str) -> str:
        if package == absent:
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr("importlib.metadata.version", version)
    found = survey(machine(), {})
    assert said in value(found, "filters")
    assert missing(found)["filters"] == "pip install 'h5flow[filters]'"


def test_an_mpiexec_of_another_library_is_none() -> None:
    found = survey(machine(launchers="mpiexec (OpenRTE) 4.1"), {})
    assert "no mpiexec" in value(found, "mpiexec")
    assert missing(found)["mpiexec"]


def test_array_libraries_that_are_missing_are_named() -> None:
    found = survey(machine(), {})
    assert value(found, "torch") == "not installed"
    assert missing(found)["torch"] == "pip install 'h5flow[torch]'"
    assert "h5flow[cuda12]" in str(missing(found)["cupy"])


@pytest.mark.parametrize(("setting", "said"), [(None, "not set"), ("FALSE", "FALSE")])
def test_the_locking_of_files_is_said(setting: str | None, said: str) -> None:
    environ = {} if setting is None else {"HDF5_USE_FILE_LOCKING": setting}
    assert value(survey(machine(), environ), "HDF5_USE_FILE_LOCKING").startswith(said)


def test_a_launcher_is_said() -> None:
    found = survey(machine(), {"PMI_SIZE": "3", "PMI_RANK": "0"})
    assert value(found, "launcher") == "has started 3 processes"
    assert value(survey(machine(), {}), "launcher") == "none has started this process"


def test_runs_that_are_kept_serial_are_said() -> None:
    assert "serial" in value(survey(machine(), {"H5FLOW_NOMPI": "1"}), "H5FLOW_NOMPI")


def test_this_installation_has_mpi() -> None:
    found = survey()
    assert value(found, "library")
    assert "mpiexec" in value(found, "mpiexec")
