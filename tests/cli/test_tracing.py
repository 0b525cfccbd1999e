"""``--trace``: a time line of a run, also of one that failed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ranks import clean_environment

LIMIT = 60
STAGES = """
from h5flow import H5FlowStage


class Fails(H5FlowStage):
    at = 1000

    def run(self, source_name, source_slice, cache):
        if source_slice.start >= self.at:
            raise ValueError("no such number")
"""


@pytest.fixture
def folder(working_directory: Path) -> Path:
    (working_directory / "stages.py").write_text(STAGES, "utf-8")
    for name, at in (("good", 1000), ("bad", 500)):
        text = (
            f"flow: {{source: numbers, stages: [f]}}\nf: {{classname: Fails, params: {{at: {at}}}}}"
        )
        (working_directory / f"{name}.yaml").write_text(text, "utf-8")
    with h5py.File("in.h5", "w") as file:
        file["numbers/data"] = np.arange(1000)
    return working_directory


def h5flow(*words: str) -> subprocess.CompletedProcess[str]:
    given = ["run", "-q", "-i", "in.h5", "-o", "out.h5", "--chunk-size", "100", *words]
    return subprocess.run(
        [sys.executable, "-m", "h5flow", *given],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def chunks_of(path: str) -> list[tuple[int, int]]:
    """Return rank and number of each chunk that the stage has seen to its end."""
    events: list[dict[str, Any]] = json.loads(Path(path).read_text("utf-8"))["traceEvents"]
    return sorted(
        (event["pid"], event["args"]["chunk"])
        for event in events
        if event["name"] == "f" and event["args"].get("hook") == "run"
    )


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_trace_has_every_chunk_of_every_rank(folder: Path, ranks: int) -> None:
    done = h5flow("good.yaml", "--trace", "run.json", "--ranks", str(ranks))
    assert (done.returncode, done.stderr) == (0, "")
    each = range(10 // ranks)
    assert chunks_of("run.json") == [(rank, chunk) for rank in range(ranks) for chunk in each]


def test_a_run_that_fails_leaves_what_was_done_until_then(folder: Path) -> None:
    assert h5flow("bad.yaml", "--trace", "run.json").returncode == 1
    assert chunks_of("run.json") == [(0, chunk) for chunk in range(5)]


@pytest.mark.parametrize("place", ["in.h5", "missing/run.json"])
def test_a_trace_that_cannot_be_is_refused_before_anything_runs(folder: Path, place: str) -> None:
    done = h5flow("good.yaml", "--trace", place)
    assert done.returncode == 2
    assert done.stderr.startswith(f"h5flow: error: the trace '{place}'")
    assert len(done.stderr.splitlines()) == 1
    assert not Path("out.h5").exists()


def test_a_trace_replaces_no_workflow(folder: Path) -> None:
    text = Path("good.yaml").read_text("utf-8")
    Path("good.json").write_text(text, "utf-8")
    done = h5flow("good.json", "--trace", "good.json")
    assert (done.returncode, "would replace a workflow file" in done.stderr) == (2, True)
    assert Path("good.json").read_text("utf-8") == text
