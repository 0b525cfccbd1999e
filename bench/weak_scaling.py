"""Weak scaling: a stage that computes, on 1, 2, … ranks with equally many chunks for each.

Efficiency is the time of the loop on one rank over that on N. Cores that are busy together may be
slower by themselves, so the same computation without h5flow is timed on as many ranks, in turns.

    python -m bench.weak_scaling [--ranks 2] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# One thread a rank, set before NumPy reads it.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import pytest

from bench.harness import Compare
from bench.processes import ROOT, answer_of

CHUNKS, ROWS, WORK_SECONDS = 25, 4096, 0.04
SIZE = 160


def compute(seed: int, rounds: int) -> float:
    """Keep one core busy."""
    matrix = np.random.default_rng(seed).normal(size=(SIZE, SIZE))
    product = np.empty_like(matrix)  # no memory is asked for in the loop: its price varies
    total = 0.0
    for _ in range(rounds):
        np.matmul(matrix, matrix, out=product)
        total += float(np.tanh(product, out=product).sum())
    return total


def calibrate() -> int:
    """Return the rounds that take about `WORK_SECONDS`."""
    compute(0, 3)
    begin = time.perf_counter()
    compute(0, 20)
    return max(1, round(20 * WORK_SECONDS / (time.perf_counter() - begin)))


def timed_loop(rounds: int) -> float:
    """Run a workflow on the ranks that there are; return the seconds of its loop."""
    from h5flow.core import H5FlowGenerator, H5FlowManager, H5FlowStage

    class Numbers(H5FlowGenerator):
        def init(self) -> None:
            self.data_manager.create_dset(self.dset_name, "i8")
            self.left = CHUNKS

        def next(self) -> slice:
            self.left -= 1
            if self.left < 0:
                return self.EMPTY
            rows = self.data_manager.reserve_data(self.dset_name, ROWS)
            self.data_manager.write_data(self.dset_name, rows, np.arange(rows.start, rows.stop))
            return rows

    class Compute(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("results", "f8")
            self.data_manager.create_ref(source_name, "results")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            numbers = cache[source_name]
            value = compute(int(numbers[0]), rounds)
            rows = self.data_manager.reserve_data("results", len(numbers))
            self.data_manager.write_data("results", rows, numbers * value)
            own = np.arange(rows.start, rows.stop)
            refs = np.stack([np.arange(source_slice.start, source_slice.stop), own], axis=1)
            self.data_manager.write_ref(source_name, "results", refs)

    # Classes are found in modules, and this one is the main program.
    sys.modules["h5flow_bench"] = module = type(sys)("h5flow_bench")
    for cls in (Numbers, Compute):
        cls.__module__ = "h5flow_bench"
        setattr(module, cls.__name__, cls)
    config = {
        "flow": {"source": "numbers", "stages": ["compute"]},
        "numbers": {"classname": "Numbers", "path": "h5flow_bench", "dset_name": "numbers"},
        "compute": {"classname": "Compute", "path": "h5flow_bench"},
    }
    manager = H5FlowManager(config, "out.h5")
    manager.init()
    begin = time.perf_counter()
    manager.run()
    seconds = time.perf_counter() - begin
    manager.finish()
    return seconds


def timed_compute(rounds: int) -> float:
    """Do the same work without h5flow, on all ranks at once."""
    from mpi4py import MPI

    MPI.COMM_WORLD.barrier()
    begin = time.perf_counter()
    for chunk in range(CHUNKS):
        compute(chunk, rounds)
    MPI.COMM_WORLD.barrier()
    return time.perf_counter() - begin


def work(rounds: int) -> None:
    bare = timed_compute(rounds)
    seconds = timed_loop(rounds)
    if os.environ.get("PMI_RANK", "0") == "0":
        print(json.dumps({"bare": bare, "loop": seconds}))


def measure(ranks: int, rounds: int) -> dict[str, float]:
    """Start `ranks` ranks; return their times."""
    beside = Path(sys.executable).parent / "mpiexec"
    command = [str(beside if beside.exists() else "mpiexec"), "-n", str(ranks), sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, "-m", "bench.weak_scaling", "--work", str(rounds)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("ranks", [1, 2])
def test_weak_scaling(compare: Compare, folder: Path, ranks: int) -> None:
    times: list[dict[str, float]] = []
    # in a process of its own: in this one NumPy has threads already
    rounds = answer_of("bench.weak_scaling", "--calibrate")["rounds"]

    def take_turns() -> None:
        times.extend(measure(ranks, rounds) for _ in range(3))

    compare.elsewhere(take_turns)
    compare.measured(
        f"{CHUNKS} chunks on each of {ranks} {'rank' if ranks == 1 else 'ranks'}, 40 ms of "
        "computing each",
        [each["bare"] for each in times],
        [each["loop"] for each in times],
        floor_is="the same computation on as many ranks, without h5flow",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Weak scaling of a stage that computes.")
    parser.add_argument("--ranks", type=int, nargs="+", default=[2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--calibrate", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.calibrate:
        print(json.dumps({"rounds": calibrate()}))
        return
    if options.work:
        work(options.work)
        return
    rounds = calibrate()
    counts = [1, *options.ranks]
    times: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    for _ in range(options.repeats):
        for count in counts:
            times[count].append(measure(count, rounds))
    medians = {
        count: {key: statistics.median(each[key] for each in found) for key in ("bare", "loop")}
        for count, found in times.items()
    }
    print(f"{CHUNKS} chunks a rank, medians of {options.repeats}")
    print("ranks  computing alone  with h5flow  efficiency  of computing alone")
    for count, found in medians.items():
        print(
            f"{count:5}  {found['bare']:13.2f} s  {found['loop']:9.2f} s"
            f"  {medians[1]['loop'] / found['loop']:10.2f}"
            f"  {medians[1]['bare'] / found['bare']:18.2f}"
        )


if __name__ == "__main__":
    main()
