"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cupy_double
import pytest
from hypothesis import HealthCheck, settings

# How long an example takes is the machine's affair. CI draws the same examples each time, so that
# a change is blamed for what it broke; development draws new ones.
settings.register_profile(
    "h5flow",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("h5flow")

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--with-mpi",
        action="store_true",
        help="the suite is started by mpiexec: every rank runs it for itself, on files of its own",
    )
    parser.addoption(
        "--fuzz",
        type=int,
        default=40,
        metavar="N",
        help="damaged inputs that tests/faults/test_fuzzed_inputs.py runs (default: 40)",
    )
    parser.addoption(
        "--kills",
        type=int,
        default=30,
        metavar="N",
        help="how often runs are killed at random moments and resumed (default 30)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--with-mpi"):
        # Each rank is a run of its own; without this h5flow refuses to start under a launcher.
        os.environ["H5FLOW_NOMPI"] = "1"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Put the double of CuPy into its place for tests that have "cupy" for a parameter."""
    call = getattr(item, "callspec", None)
    names = [each for each in (call.params.values() if call else ()) if isinstance(each, str)]
    if any(name.partition(":")[0] == "cupy" for name in names) and not item.get_closest_marker(
        "gpu"
    ):
        cupy_double.install()
    else:
        cupy_double.remove()


def pytest_sessionfinish() -> None:
    cupy_double.remove()


@pytest.fixture
def gpus() -> Iterator[cupy_double.Machine]:
    """A machine with GPUs that are none, whose CuPy is the double."""
    yield cupy_double.install()
    cupy_double.remove()


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def collisions() -> Path:
    """The file of real collision data, which lies beside the repository."""
    folder = Path(os.environ.get("H5FLOW_SHARED", ROOT.parent / "shared"))
    path = folder / "data" / "cms_dimuon_2012.h5"
    if not path.is_file():
        pytest.skip(f"NOT TESTED ON REAL DATA: {path} is absent (set H5FLOW_SHARED to its folder)")
    return path
