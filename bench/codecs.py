"""Reading and writing packed rows, against h5py in the same process.

The subjects are what storages use: `direct_rows` and `direct_chunks`, the first with its index of
chunks made anew, the second on a file in the format that h5flow writes. The floor is h5py with the
same rows, chunks of 1 MiB and filter: `dataset[:]`, and one write of all rows into a new dataset.
All of it is interleaved, and ratios are paired. Files lie in memory where the machine has a folder
for that, so that disks do not count.

Goals, with two threads on two cores: 0.35 x for reading, 0.3 x for writing, sizes within 10 %. The
ratio of all cores' seconds, in brackets, is what machines that others use as well can tell: half of
it is what two free cores would take. Measured on two x86-64 cores with a load of 4 to 6, medians of
7 turns of 400,000 rows, cores' seconds of one thread and of two:

                          read            write           size
    36 bytes, gzip        0.59, 0.62      0.54, 0.55      0.556 against 0.547
    36 bytes, shuffled    0.57, 0.58      0.53, 0.53      0.480 against 0.476
    20 bytes, gzip        0.65, 0.69      0.50, 0.51      0.480 against 0.468
    20 bytes, shuffled    0.50, 0.53      0.49, 0.49      0.228 against 0.225

so 0.27 to 0.35 x for reading and 0.25 to 0.28 x for writing, if both cores are free. By the clock
it was hardly less than with one thread then, for there was no second core.

Run with ``python -m bench.codecs`` from the repository's root.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from h5flow.io.chunks import rows_per_hdf5_chunk
from h5flow.io.direct_reading import direct_rows
from h5flow.io.direct_writing import direct_chunks
from h5flow.io.workers import Workers

HIT = np.dtype(
    [("id", "i8"), ("t", "f8"), ("x", "f4"), ("y", "f4"), ("z", "f4"), ("q", "f4"), ("pad", "i4")]
)
READOUT = np.dtype(
    [("packet", "u4"), ("chip", "u1"), ("pad", "u1"), ("adc", "u2"), ("t", "u8"), ("q", "f4")]
)
FILTERS = {
    "gzip": {"compression": "gzip"},
    "shuffle, gzip": {"compression": "gzip", "shuffle": True},
}


def hits(count: int) -> np.ndarray[Any, Any]:
    """Return rows of 36 bytes: numbers, times to 0.1, places on a grid, charges to 0.01."""
    random, rows = np.random.default_rng(1), np.zeros(count, HIT)
    rows["id"] = np.arange(count)
    rows["t"] = np.sort(random.uniform(0, 1e6, count).round(1))
    for axis in "xyz":
        rows[axis] = np.round(random.uniform(-300, 300, count) / 0.4434) * 0.4434
    rows["q"] = random.exponential(20, count).round(2)
    rows["pad"] = random.integers(0, 50_000, count)
    return rows


def readout(count: int) -> np.ndarray[Any, Any]:
    """Return rows of 20 bytes, as a readout gives them: counters, addresses, times in ticks."""
    random, rows = np.random.default_rng(2), np.zeros(count, READOUT)
    rows["packet"] = np.arange(count)
    rows["chip"] = random.integers(11, 110, count)
    rows["pad"] = random.integers(0, 64, count)
    rows["adc"] = np.clip(random.normal(80, 20, count), 0, 1023)
    rows["t"] = np.cumsum(random.integers(0, 40, count))
    rows["q"] = rows["adc"] * 4.0
    return rows


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that passed, and those of all cores."""
    begin, begin_of_cores = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - begin, time.process_time() - begin_of_cores


class Case:
    """Rows in a file, and ways to read and write them."""

    def __init__(self, folder: Path, rows: np.ndarray[Any, Any], filters: dict[str, Any]) -> None:
        chunk_rows = rows_per_hdf5_chunk(rows.dtype)
        self.rows = rows[: len(rows) // chunk_rows * chunk_rows]
        self.chunk_rows, self.filters = chunk_rows, filters
        self.source, self.target = folder / "source.h5", folder / "target.h5"
        self.sizes: dict[str, int] = {}
        self.written_by_h5py()
        self.target.rename(self.source)

    def _written(self, name: str, write: Callable[[h5py.Dataset], object]) -> None:
        with h5py.File(self.target, "w", libver=("v110", "latest")) as file:
            options = {"chunks": (self.chunk_rows,), "maxshape": (None,), **self.filters}
            dataset = file.create_dataset("x", self.rows.shape, self.rows.dtype, **options)
            write(dataset)
            self.sizes[name] = dataset.id.get_storage_size()

    def written_by_h5py(self) -> None:
        everything = h5py.h5s.ALL
        self._written("h5py", lambda dataset: dataset.id.write(everything, everything, self.rows))

    def written_directly(self, workers: Workers) -> None:
        def write(dataset: h5py.Dataset) -> None:
            chunks = direct_chunks(dataset, workers)
            assert chunks is not None
            chunks.write(0, self.rows)

        self._written("direct", write)

    def read_by_h5py(self) -> None:
        with h5py.File(self.source) as file:
            self.found = file["x"][:]

    def read_directly(self, workers: Workers) -> None:
        with h5py.File(self.source) as file:
            direct = direct_rows(file["x"], workers)
            assert direct is not None
            self.found = direct[:]

    def check(self) -> None:
        """Compare what was read and written last with the rows."""
        assert self.found.tobytes() == self.rows.tobytes()
        with h5py.File(self.target) as file:
            assert file["x"][:].tobytes() == self.rows.tobytes()


def ratios(
    floor: Callable[[], object], subject: Callable[[], object], turns: int
) -> tuple[float, float, float]:
    """Return the floor's seconds, the median of the paired ratios, and that of cores' seconds."""
    pairs = [(seconds(floor), seconds(subject)) for _ in range(turns + 1)][1:]
    base = statistics.median(one for (one, _), _ in pairs)
    passed = statistics.median(two / one for (one, _), (two, _) in pairs)
    return base, passed, statistics.median(two / one for (_, one), (_, two) in pairs)


def lines(case: Case, teams: list[Workers], turns: int) -> Iterator[str]:
    size = case.rows.nbytes
    for what in ("read", "write"):
        text = f"  {what:5}"
        reads = what == "read"
        floor = case.read_by_h5py if reads else case.written_by_h5py
        subject = case.read_directly if reads else case.written_directly
        for workers in teams:
            base, ratio, of_cores = ratios(floor, partial(subject, workers), turns)
            text += f"  {size / base / 1e6:6.0f} MB/s {ratio:5.2f} x ({of_cores:.2f})"
        if what == "write":
            mine, theirs = case.sizes["direct"], case.sizes["h5py"]
            text += f"   size {mine / size:.3f} against {theirs / size:.3f}: {mine / theirs:.3f} x"
        yield text
    case.check()


def main() -> None:
    parser = argparse.ArgumentParser(description="Reading and writing packed rows.")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    teams = [Workers(lambda count=count: count) for count in options.threads]
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() else None
    print(f"h5py's speed, and ratios to its time (to its cores' time): {options.threads} threads")
    for rows in (hits(options.rows), readout(options.rows)):
        for name, filters in FILTERS.items():
            print(f"{rows.dtype.itemsize} bytes a row, {name}")
            with tempfile.TemporaryDirectory(dir=place) as folder:
                for line in lines(Case(Path(folder), rows, filters), teams, options.turns):
                    print(line, flush=True)


if __name__ == "__main__":
    main()
