"""``h5flow run --ranks N`` makes what ``h5flow run`` makes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from ranks import clean_environment

LIMIT = 60
STAGES = """
import time

from h5flow import H5FlowStage


class Squares(H5FlowStage):
    pause = 0.0

    def init(self, source_name):
        self.data_manager.create_dset("squares", "i8")
        self.data_manager.set_attrs("squares", by=self.classname)

    def run(self, source_name, source_slice, cache):
        time.sleep(self.pause)
        if self.pause:
            print("running", flush=True)
        numbers = cache[source_name]
        rows = self.data_manager.reserve_data("squares", len(numbers))
        self.data_manager.write_data("squares", rows, numbers**2)
"""
WORKFLOW = """
flow: {{source: numbers, stages: [squares]}}
squares: {{classname: Squares, params: {{pause: {pause}}}}}
"""


@pytest.fixture
def folder(working_directory: Path) -> Path:
    (working_directory / "stages.py").write_text(STAGES, "utf-8")
    (working_directory / "squares.yaml").write_text(WORKFLOW.format(pause=0), "utf-8")
    (working_directory / "slow.yaml").write_text(WORKFLOW.format(pause=0.2), "utf-8")
    with h5py.File("in.h5", "w") as file:
        file["numbers/data"] = np.arange(1000)
    return working_directory


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "h5flow", "run", "-i", "in.h5", "--chunk-size", "7", *words]


def h5flow(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


@pytest.mark.parametrize("ranks", ["2", "3", "auto"])
def test_ranks_that_the_command_starts_make_the_same_rows(folder: Path, ranks: str) -> None:
    done = h5flow("-o", "out.h5", "--ranks", ranks, "squares.yaml")
    assert done.returncode == 0, done.stderr
    with h5py.File("out.h5") as file:
        assert file["squares/data"][:].tolist() == [number**2 for number in range(1000)]
        assert file["squares"].attrs["by"] == "Squares"
    assert not Path("out.h5.partial").exists()


def test_what_is_wrong_is_said_once_with_its_exit_status(folder: Path) -> None:
    done = h5flow("-o", "out.h5", "--ranks", "3", "no_such.yaml")
    assert done.returncode == 2
    assert done.stderr.count("no_such.yaml") == 1
    assert not Path("out.h5").exists()


def test_an_interrupt_ends_all_ranks(folder: Path) -> None:
    words = command("-o", "out.h5", "--ranks", "3", "slow.yaml")
    with subprocess.Popen(
        words,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, printed = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "interrupted" in printed
    assert "Traceback" not in printed
    assert time.monotonic() - begin < 10
    assert not Path("out.h5").exists()
