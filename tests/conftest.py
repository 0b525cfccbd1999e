"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

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


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--with-mpi"):
        # Each rank is a run of its own; without this h5flow refuses to start under a launcher.
        os.environ["H5FLOW_NOMPI"] = "1"


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
