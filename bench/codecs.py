"""Reading and writing packed rows, against h5py in the same process.

The subjects are what storages use: `direct_rows` and `direct_chunks`, the first with its index of
chunks made anew, the second on a file in the format that h5flow writes. The floor is h5py with the
same rows, chunks of 1 MiB and filter: `dataset[:]`, and one write of all rows into a new dataset.
Files lie in memory where the machine has a folder for that, so that disks do not count.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.harness import Compare, Sizes
from h5flow.io.chunks import rows_per_hdf5_chunk
from h5flow.io.direct_reading import direct_rows
from h5flow.io.direct_writing import direct_chunks
from h5flow.io.filters import filter_arguments
from h5flow.io.workers import Workers
from h5flow.storage.protocol import Batch, CreateTable, Write
from h5flow.storage.single_process import SingleProcessStorage

HIT = np.dtype(
    [("id", "i8"), ("t", "f8"), ("x", "f4"), ("y", "f4"), ("z", "f4"), ("q", "f4"), ("pad", "i4")]
)
READOUT = np.dtype(
    [("packet", "u4"), ("chip", "u1"), ("pad", "u1"), ("adc", "u2"), ("t", "u8"), ("q", "f4")]
)
Rows = np.ndarray[Any, Any]
THREADS = 2
FILTERS: dict[str, dict[str, Any]] = {
    "gzip": {"compression": "gzip"},
    "shuffle, gzip": {"compression": "gzip", "shuffle": True},
}
# As `-z` names them, but for bzip2, which takes minutes. Where memory decides the goal is not to
# be slower than h5py.
OTHERS = ("lzf", "zstd", "lz4", "blosc", "bitshuffle")


def options(filters: str) -> dict[str, Any]:
    """Return the arguments of ``create_dataset``; a filter that is not installed is skipped."""
    if filters in FILTERS:
        return FILTERS[filters]
    pytest.importorskip("hdf5plugin", reason="NOT MEASURED WITHOUT hdf5plugin")
    pytest.importorskip("imagecodecs", reason="NOT MEASURED WITHOUT imagecodecs")
    return filter_arguments(filters)


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a folder that lies in memory, where there is one."""
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=place if place.is_dir() else None) as folder:
        yield Path(folder)


def hits(count: int) -> Rows:
    """Return rows of 36 bytes: numbers, times to 0.1, places on a grid, charges to 0.01."""
    random, rows = np.random.default_rng(1), np.zeros(count, HIT)
    rows["id"] = np.arange(count)
    rows["t"] = np.sort(random.uniform(0, 1e6, count).round(1))
    for axis in "xyz":
        rows[axis] = np.round(random.uniform(-300, 300, count) / 0.4434) * 0.4434
    rows["q"] = random.exponential(20, count).round(2)
    rows["pad"] = random.integers(0, 50_000, count)
    return rows


def readout(count: int) -> Rows:
    """Return rows of 20 bytes, as a readout gives them: counters, addresses, times in ticks."""
    random, rows = np.random.default_rng(2), np.zeros(count, READOUT)
    rows["packet"] = np.arange(count)
    rows["chip"] = random.integers(11, 110, count)
    rows["pad"] = random.integers(0, 64, count)
    rows["adc"] = np.clip(random.normal(80, 20, count), 0, 1023)
    rows["t"] = np.cumsum(random.integers(0, 40, count))
    rows["q"] = rows["adc"] * 4.0
    return rows


class Case:
    """Rows in a file, and ways to read and write them."""

    def __init__(self, folder: Path, rows: Rows, filters: dict[str, Any]) -> None:
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


@pytest.mark.parametrize("filters", [*FILTERS, *OTHERS])
@pytest.mark.parametrize("make", [hits, readout])
def test_reading(
    compare: Compare, sizes: Sizes, memory: Path, make: Callable[[int], Rows], filters: str
) -> None:
    case = Case(memory, make(sizes.of(2_000_000, 200_000)), options(filters))
    workers = Workers(lambda: THREADS)
    compare(
        f"read {len(case.rows):,} rows of {case.rows.dtype.itemsize} bytes, {filters}",
        floor=case.read_by_h5py,
        floor_is="h5py",
        subject=partial(case.read_directly, workers),
        goal=0.35 if filters in FILTERS else 1.0,
    )
    assert case.found.tobytes() == case.rows.tobytes()


@pytest.mark.parametrize("filters", FILTERS)
def test_reading_in_threads(compare: Compare, sizes: Sizes, memory: Path, filters: str) -> None:
    case = Case(memory, hits(sizes.of(2_000_000, 200_000)), options(filters))
    one, more = Workers(lambda: 1), Workers(lambda: THREADS)
    compare(
        f"read {len(case.rows):,} rows of 36 bytes, {filters}, in {THREADS} threads",
        floor=partial(case.read_directly, one),
        floor_is=f"the same in one: {1 / THREADS:g} x is as many times as fast",
        subject=partial(case.read_directly, more),
    )


@pytest.mark.parametrize("filters", [*FILTERS, *OTHERS])
@pytest.mark.parametrize("make", [hits, readout])
def test_writing(
    compare: Compare, sizes: Sizes, memory: Path, make: Callable[[int], Rows], filters: str
) -> None:
    case = Case(memory, make(sizes.of(2_000_000, 200_000)), options(filters))
    workers = Workers(lambda: THREADS)
    compare(
        f"write {len(case.rows):,} rows of {case.rows.dtype.itemsize} bytes, {filters}",
        floor=case.written_by_h5py,
        floor_is="h5py",
        subject=partial(case.written_directly, workers),
        goal=0.3 if filters in FILTERS else 1.0,
    )
    with h5py.File(case.target) as file:
        assert file["x"][:].tobytes() == case.rows.tobytes()
    compare.note(beside=f"size {case.sizes['direct'] / case.sizes['h5py']:.3f} x (goal 1.1)")


def test_writing_small_tables(compare: Compare, sizes: Sizes, memory: Path) -> None:
    """What a run saves in the end: most of the rows lie in last chunks, which are not full."""
    rows = hits(sizes.of(60_000, 6_000))
    tables = [f"/{number}/data" for number in range(13)]
    options = {"chunks": (rows_per_hdf5_chunk(rows.dtype),), "maxshape": (None,)}

    def by_h5py() -> None:
        with h5py.File(memory / "h5py.h5", "w", libver=("v110", "latest")) as file:
            for path in tables:
                file.create_dataset(path, data=rows, compression="gzip", **options)

    def by_storage() -> None:
        (memory / "storage.h5").unlink(missing_ok=True)
        storage = SingleProcessStorage(memory / "storage.h5")
        creates = [CreateTable(path, rows.dtype, compression="gzip") for path in tables]
        writes = [Write(path, slice(0, len(rows)), rows) for path in tables]
        storage.apply(Batch(creates=creates, writes=writes))
        storage.close()

    compare(
        f"write {len(tables)} tables of {len(rows):,} rows of 36 bytes, gzip",
        floor=by_h5py,
        floor_is="h5py",
        subject=by_storage,
        goal=0.3,
    )
    with h5py.File(memory / "storage.h5") as file:
        assert all(file[path][:].tobytes() == rows.tobytes() for path in tables)
