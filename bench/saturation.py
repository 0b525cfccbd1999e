"""The number of ranks at which the single writer saturates: the formula of docs/cluster.md, tried.

A stage that takes `T` seconds a chunk without a core (it sleeps) and writes `b` bytes: `w`, the
writer's rate, and `T` are those of the line that fits best, compared with N / (T + N b / w).

    python -m bench.saturation [--ranks 1 2 4 8] [--milliseconds 20] [--megabytes 4]
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

import numpy as np

from bench.harness import Compare
from bench.processes import ROOT

ITERATIONS = 20
ROW_BYTES = 8


def chunk_rate(seconds: float, rows_per_chunk: int) -> float:
    """Run a workflow on the ranks that there are; return chunks per second."""
    from h5flow.core import H5FlowGenerator, H5FlowManager, H5FlowStage

    class Numbers(H5FlowGenerator):
        def init(self) -> None:
            self.data_manager.create_dset(self.dset_name, "i8")
            self.left = ITERATIONS

        def next(self) -> slice:
            self.left -= 1
            return self.EMPTY if self.left < 0 else self.data_manager.reserve_data("numbers", 1)

    class Write(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("results", "f8")
            self.values = np.arange(rows_per_chunk, dtype="f8")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            time.sleep(seconds)
            rows = self.data_manager.reserve_data("results", rows_per_chunk)
            self.data_manager.write_data("results", rows, self.values)

    # Classes are found in modules, and this one is the main program.
    sys.modules["h5flow_bench"] = module = type(sys)("h5flow_bench")
    for cls in (Numbers, Write):
        cls.__module__ = "h5flow_bench"
        setattr(module, cls.__name__, cls)
    config = {
        "flow": {"source": "numbers", "stages": ["write"]},
        "numbers": {"classname": "Numbers", "path": "h5flow_bench", "dset_name": "numbers"},
        "write": {"classname": "Write", "path": "h5flow_bench"},
    }
    manager = H5FlowManager(config, "out.h5")
    manager.init()
    begin = time.perf_counter()
    manager.run()
    taken = time.perf_counter() - begin
    size = manager.stages[0].size
    manager.finish()
    return ITERATIONS * size / taken


def on_rank(seconds: float, rows_per_chunk: int) -> None:
    from h5flow.comm.choose import launched_rank

    rate = chunk_rate(seconds, rows_per_chunk)
    if launched_rank() == 0:
        print(json.dumps(rate))


def measure(ranks: int, seconds: float, rows_per_chunk: int) -> float:
    beside = Path(sys.executable).parent / "mpiexec"
    command = [str(beside if beside.exists() else "mpiexec"), "-n", str(ranks), sys.executable]
    words = ["--on-rank", str(seconds), str(rows_per_chunk)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, "-m", "bench.saturation", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    return float(json.loads(done.stdout.splitlines()[-1]))


def test_saturation(compare: Compare, folder: Path) -> None:
    """Two ranks that sleep half of the time and share one writer."""
    rates: dict[int, list[float]] = {1: [], 2: []}

    def take_turns() -> None:
        for _ in range(3):
            for ranks, found in rates.items():
                found.append(measure(ranks, 0.02, 500_000))

    compare.elsewhere(take_turns)
    base, own = ([1 / rate for rate in found] for found in rates.values())
    compare.measured(
        "a chunk on 2 ranks with one writer, 20 ms asleep and 4 MB written",
        base,
        own,
        floor_is="the same on 1 rank: 0.5 x is twice as fast",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="When one writer is not enough.")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--milliseconds", type=float, default=20.0, help="a chunk's work")
    parser.add_argument("--megabytes", type=float, default=4.0, help="written for a chunk")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--on-rank", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.on_rank:
        on_rank(float(options.on_rank[0]), int(options.on_rank[1]))
        return
    work, rows = options.milliseconds / 1e3, round(options.megabytes * 1e6 / ROW_BYTES)
    found: dict[int, list[float]] = {count: [] for count in options.ranks}
    for _ in range(options.repeats):
        for count in options.ranks:
            found[count].append(measure(count, work, rows))
    rates = {count: statistics.median(each) for count, each in found.items()}
    # the time of an iteration is T + N b / w: a line through what was measured
    slope, start = np.polyfit(list(rates), [count / rate for count, rate in rates.items()], 1)
    print(
        f"T = {start * 1e3:.1f} ms (of which the stage sleeps {options.milliseconds:g}), "
        f"w = {rows * ROW_BYTES / slope / 1e6:.0f} MB/s, "
        f"half of the writer's rate at N = {start / slope:.1f}"
    )
    print("ranks  chunks/s  formula  of saturation")
    for count, rate in rates.items():
        formula = count / (start + count * slope)
        print(f"{count:5}  {rate:8.1f}  {formula:7.1f}  {rate * slope:13.0%}")


if __name__ == "__main__":
    main()
