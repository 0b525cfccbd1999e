"""What ranks of a run say, rank 0 says: each warning once."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ranks import run_ranks

from h5flow import H5FlowStage, run
from h5flow.errors import UsageError
from h5flow.testing.ranks import ThreadCommunicator, run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]
here: ContextVar[ThreadCommunicator] = ContextVar("here")

STAGES = """
import warnings

from h5flow import H5FlowStage
from h5flow.errors import H5FlowWarning


class Careful(H5FlowStage):
    def run(self, source_name, source_slice, cache):
        if self.rank == 1:
            warnings.warn("the pedestal is old", H5FlowWarning, stacklevel=1)
        warnings.warn("there is no survey", H5FlowWarning, stacklevel=1)
"""
WORKFLOW = "flow: {source: numbers, stages: [careful]}\ncareful: {classname: Careful}\n"


def test_warnings_of_all_ranks_are_shown_by_rank_0_and_once(working_directory: Path) -> None:
    Path("stages.py").write_text(STAGES, "utf-8")
    Path("careful.yaml").write_text(WORKFLOW, "utf-8")
    with h5py.File("in.h5", "w") as file:
        file["numbers/data"] = np.arange(100)
    words = ["-m", "h5flow", "run", "-i", "in.h5", "-o", "out.h5", "--chunk-size", "9"]
    done = run_ranks(3, [*words, "careful.yaml"], folder=working_directory)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("there is no survey") == 1
    assert done.stderr.count("h5flow: warning: rank 1: the pedestal is old") == 1


def test_a_run_inside_of_a_run_on_several_ranks_is_refused(
    events: Path, workflow: MakeWorkflow
) -> None:
    refused: list[str] = []

    class Outer(H5FlowStage):
        def init(self, source_name: str) -> None:
            with pytest.raises(UsageError) as caught:
                run(content, "inner.h5", "in.h5", comm=here.get())
            refused.append(caught.value.message)

    content = workflow(Outer)

    def on_rank(communicator: ThreadCommunicator) -> str:
        here.set(communicator)
        return run(content, "out.h5", "in.h5", comm=communicator).output

    assert run_on_ranks(2, on_rank) == ["out.h5"] * 2
    assert len(refused) == 2
    assert "inside of another one" in refused[0]
