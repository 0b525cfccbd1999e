"""A project of two workflows on one output, that runs which are stopped are tried on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

__all__ = ["COMMAND", "EVENTS", "make_project"]

EVENTS = 3000
STAGES = """
import time
import numpy as np
from h5flow import H5FlowStage


def note(source_name, rows):
    # which chunks were run, for the test to see
    with open("chunks.txt", "a") as file:
        print(source_name, rows.start, file=file)


class Sums(H5FlowStage):
    pause = {pause}

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
        note(source_name, source_slice)
        time.sleep(self.pause)
        manager = self.data_manager
        kept = events["id"] % 3 > 0
        rows = manager.reserve_data("sums", int(kept.sum()))
        manager.write_data("sums", rows, dict(x=events["x"][kept], n=events["id"][kept]))
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
        if len(x):
            note(source_name, source_slice)
        rows = self.data_manager.reserve_data("twice", len(x))
        self.data_manager.write_data("twice", rows, 2 * x)
"""
FIRST = """
flow: {source: loop, stages: [sums], drop: [scratch]}
loop: {classname: H5FlowDatasetLoopGenerator, dset_name: events, params: {chunk_size: CHUNK}}
sums: {classname: Sums}
"""
# The first one, and nothing is dropped.
KEEPING = FIRST.replace(", drop: [scratch]", "")
SECOND = """
flow: {source: loop, stages: [twice]}
loop: {classname: H5FlowDatasetLoopGenerator, dset_name: sums, params: {chunk_size: CHUNK}}
twice: {classname: Twice}
"""
COMMAND = (
    *("run", "-q", "--resume", "--overwrite", "-i", "in.h5", "-o", "out.h5", "a.yaml", "b.yaml"),
)


def make_project(
    folder: Path, *, chunk_size: int, pause: float = 0.0, bounds: str = "v110", **filters: Any
) -> None:
    """Write workflows, stages, an input, and an older output that runs are to replace.

    Parameters
    ----------
    chunk_size : int
        Of both workflows.
    pause : float
        Seconds that a stage waits in each chunk.
    bounds : str
        The format of the input: a run copies an older one object by object.
    **filters
        Of the input's dataset.
    """
    (folder / "h5flow_modules").mkdir()
    (folder / "h5flow_modules" / "stages.py").write_text(STAGES.replace("{pause}", str(pause)))
    for name, text in (("a", FIRST), ("b", SECOND), ("keeping", KEEPING)):
        (folder / f"{name}.yaml").write_text(text.replace("CHUNK", str(chunk_size)))
    events = np.zeros(EVENTS, [("id", "i8"), ("x", "f4")])
    events["id"], events["x"] = np.arange(EVENTS), np.arange(EVENTS) / 7
    with h5py.File(folder / "in.h5", "w", libver=(bounds, "latest")) as file:
        file.create_dataset("events/data", data=events, maxshape=(None,), chunks=(512,), **filters)
    with h5py.File(folder / "old.h5", "w") as file:
        file["old"] = 1
