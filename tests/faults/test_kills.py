"""A run that is killed at any moment: the old output, or the new one whole, or one to be resumed.

Thirty kills each time, of runs on one and on three ranks, and with gzip; any number with
``--kills N``.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from faults.project import COMMAND, make_project
from file_contents import file_contents
from ranks import clean_environment, mpiexec

RUN = ["-m", "h5flow", *COMMAND, "--checkpoint-every", "0.02"]
LONGEST = 2.0  # seconds from the start of a run to its kill
MOST_KILLS = 60  # of one output


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    make_project(folder, chunk_size=50, pause=0.01, bounds="earliest")
    return folder


def start(folder: Path, ranks: int, options: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    launcher = [mpiexec(), "-n", str(ranks)] if ranks > 1 else []
    return subprocess.Popen(
        [*launcher, sys.executable, *RUN, *options],
        cwd=folder,
        env={**clean_environment(), "H5FLOW_TEST_KILLS": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def kill(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Kill every process of a run at once: ranks are in sessions of their own."""
    mark = f"H5FLOW_TEST_KILLS={folder}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone, or somebody else's
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
    process.communicate(timeout=20)


@pytest.fixture(scope="module")
def whole(project: Path) -> dict[str, Any]:
    """What a run makes that is left alone."""
    process = start(project, 1)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed.decode()
    (project / "out.h5").rename(project / "whole.h5")
    return file_contents(project / "whole.h5")


def run_until_done(
    folder: Path, ranks: list[int], options: list[str], left: int, draw: random.Random
) -> int:
    """Run, kill and resume until the output is there; return the kills of as many ranks as can be.

    Others do not count, and are there so that a run is resumed on another number of ranks.
    """
    kills = 0
    for _ in range(MOST_KILLS):
        size = draw.choice(ranks)
        process = start(folder, size, options)
        moment = time.monotonic() + draw.uniform(0.2, LONGEST)
        while process.poll() is None and (kills >= left or time.monotonic() < moment):
            time.sleep(0.005)
        if process.poll() is None:
            kill(folder, process)
            kills += size == max(ranks)
            continue
        printed, _ = process.communicate()
        assert process.returncode == 0, printed.decode()
        return kills
    raise AssertionError(f"the run has not ended after {MOST_KILLS} kills")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("ranks", "options", "share"),
    [([1], [], 0.4), ([1], ["-z", "gzip"], 0.3), ([1, 2, 3, 3, 3, 3], [], 0.3)],
    ids=["one", "packed", "ranks"],
)
def test_a_killed_run_is_resumed_and_makes_what_it_would_have_made(
    project: Path,
    whole: Any,
    pytestconfig: pytest.Config,
    ranks: list[int],
    options: list[str],
    share: float,
) -> None:
    wanted = round(pytestconfig.getoption("--kills") * share)
    draw, kills = random.Random(len(ranks)), 0
    while kills < wanted:
        shutil.copy(project / "old.h5", project / "out.h5")
        process_kills = run_until_done(project, ranks, options, wanted - kills, draw)
        kills += process_kills
        assert file_contents(project / "out.h5") == whole
        assert not (project / "out.h5.partial").exists()


def test_the_old_output_is_untouched_by_a_kill(project: Path, whole: Any) -> None:
    shutil.copy(project / "old.h5", project / "out.h5")
    process = start(project, 1)
    working = project / "out.h5.partial"
    deadline = time.monotonic() + 30
    while not working.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.1)
    kill(project, process)
    assert (project / "out.h5").read_bytes() == (project / "old.h5").read_bytes()
    working.unlink()
