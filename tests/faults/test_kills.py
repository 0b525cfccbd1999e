"""A run that is killed at any moment: the old output, or the new one whole, or one to be resumed.

Thirty kills each time, of runs on one and on three ranks; any number with ``--kills N``.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from file_contents import file_contents
from ranks import clean_environment, mpiexec

PROJECT = """
import time
import numpy as np
from h5flow import H5FlowStage


class Sums(H5FlowStage):
    pause = 0.01

    def init(self, source_name):
        manager = self.data_manager
        manager.create_dset("sums", [("x", "f8"), ("n", "i4")])
        manager.create_ref(source_name, "sums")
        manager.create_dset("scratch", "i8")
        manager.write_data("scratch", manager.reserve_data("scratch", 2), [7, 8])
        self.total = 0

    def state(self):
        return self.total

    def restore(self, state):
        self.total += state

    def run(self, source_name, source_slice, cache):
        events = cache[source_name]
        if not len(events):
            return
        time.sleep(self.pause)
        manager = self.data_manager
        kept = events["id"] % 3 > 0
        rows = manager.reserve_data("sums", int(kept.sum()))
        manager.write_data("sums", rows, {"x": events["x"][kept], "n": events["id"][kept]})
        parents = np.arange(source_slice.start, source_slice.stop)[kept]
        pairs = np.stack([parents, np.arange(rows.start, rows.stop)], axis=1)
        manager.write_ref(source_name, "sums", pairs)
        if source_slice.start >= 1000:
            manager.create_dset("late", "i8")          # an object that is made in the loop
            late = manager.reserve_data("late", 1)
            manager.write_data("late", late, [source_slice.start])
        self.total += int(events["id"].sum())

    def finish(self, source_name):
        self.data_manager.set_attrs("sums", total=self.comm.allreduce(self.total))


class Twice(H5FlowStage):
    def init(self, source_name):
        self.data_manager.create_dset("twice", "f8")

    def run(self, source_name, source_slice, cache):
        x = cache[source_name]["x"]
        rows = self.data_manager.reserve_data("twice", len(x))
        self.data_manager.write_data("twice", rows, 2 * x)
"""
FIRST = """
flow: {source: loop, stages: [sums], drop: [scratch]}
loop: {classname: H5FlowDatasetLoopGenerator, dset_name: events, params: {chunk_size: 50}}
sums: {classname: Sums}
"""
SECOND = """
flow: {source: loop, stages: [twice]}
loop: {classname: H5FlowDatasetLoopGenerator, dset_name: sums, params: {chunk_size: 50}}
twice: {classname: Twice}
"""
COMMAND = [
    *("-m", "h5flow", "run", "-q", "--resume", "--overwrite", "--checkpoint-every", "0.02"),
    *("-i", "in.h5", "-o", "out.h5", "a.yaml", "b.yaml"),
]
LONGEST = 2.0  # seconds from the start of a run to its kill
MOST_KILLS = 60  # of one output


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    (folder / "h5flow_modules").mkdir()
    (folder / "h5flow_modules" / "stages.py").write_text(PROJECT)
    (folder / "a.yaml").write_text(FIRST)
    (folder / "b.yaml").write_text(SECOND)
    events = np.zeros(3000, [("id", "i8"), ("x", "f4")])
    events["id"], events["x"] = np.arange(3000), np.arange(3000) / 7
    with h5py.File(folder / "in.h5", "w") as file:
        file.create_dataset("events/data", data=events, maxshape=(None,), chunks=(512,))
    with h5py.File(folder / "old.h5", "w") as file:
        file["old"] = 1
    return folder


def start(folder: Path, ranks: int) -> subprocess.Popen[bytes]:
    launcher = [mpiexec(), "-n", str(ranks)] if ranks > 1 else []
    return subprocess.Popen(
        [*launcher, sys.executable, *COMMAND],
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


def run_until_done(folder: Path, ranks: list[int], left: int, draw: random.Random) -> int:
    """Run, kill and resume until the output is there; return how many kills that took."""
    kills = 0
    while kills < MOST_KILLS:
        process = start(folder, draw.choice(ranks))
        moment = time.monotonic() + draw.uniform(0.2, LONGEST)
        while process.poll() is None and (kills >= left or time.monotonic() < moment):
            time.sleep(0.005)
        if process.poll() is None:
            kill(folder, process)
            kills += 1
            continue
        printed, _ = process.communicate()
        assert process.returncode == 0, printed.decode()
        return kills
    raise AssertionError(f"the run has not ended after {kills} kills")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("ranks", "share"), [([1], 0.7), ([1, 2, 3], 0.3)], ids=["one", "ranks"])
def test_a_killed_run_is_resumed_and_makes_what_it_would_have_made(
    project: Path, whole: Any, pytestconfig: pytest.Config, ranks: list[int], share: float
) -> None:
    wanted = round(pytestconfig.getoption("--kills") * share)
    draw, kills = random.Random(len(ranks)), 0
    while kills < wanted:
        shutil.copy(project / "old.h5", project / "out.h5")
        process_kills = run_until_done(project, ranks, wanted - kills, draw)
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
