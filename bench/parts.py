"""Stages and files that several benchmarks use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from h5flow import H5FlowDataManager, H5FlowManager, H5FlowStage

ROW = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("q", "i4"), ("channel", "u4")])
SLICE = 1_000_000  # rows that the floors read at once


class Empty(H5FlowStage):
    """Looks at nothing and writes nothing."""


class Appends(H5FlowStage):
    """Writes as many rows as the chunk has, and references to them, one each."""

    references = True

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset(self.name, ROW)
        if self.references:
            self.data_manager.create_ref(source_name, self.name)

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        rows = self.data_manager.reserve_data(self.name, len(cache[source_name]))
        self.data_manager.write_data(self.name, rows, cache[source_name])
        if self.references:
            own = np.arange(rows.start, rows.stop)
            refs = np.stack([np.arange(source_slice.start, source_slice.stop), own], axis=1)
            self.data_manager.write_ref(source_name, self.name, refs)


class Copies(H5FlowStage):
    """Writes the chunk's rows once more, and nothing else."""

    def init(self, source_name: str) -> None:
        dtype = self.data_manager.get_dset(source_name).dtype
        self.data_manager.create_dset(self.name, dtype)

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        rows = self.data_manager.reserve_data(self.name, len(cache[source_name]))
        self.data_manager.write_data(self.name, rows, cache[source_name])


class LooksAt(H5FlowStage):
    """Counts what it requires."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        len(cache["hits"])


def make_rows(count: int, dtype: np.dtype[Any] = ROW) -> np.ndarray[Any, Any]:
    """Return rows whose bytes differ."""
    random = np.random.default_rng(1)
    raw = random.integers(0, 100, count * dtype.itemsize, np.uint8)
    return raw.view(dtype)


def make_source(
    path: Path, count: int, chunk_rows: int, dtype: np.dtype[Any] = ROW, name: str = "events"
) -> None:
    """Make a file with one dataset, piece by piece."""
    with h5py.File(path, "a", libver=("v110", "latest")) as file:
        table = file.create_dataset(
            f"{name}/data", (count,), dtype, chunks=(chunk_rows,), maxshape=(None,)
        )
        piece = make_rows(min(count, SLICE), dtype)
        for start in range(0, count, SLICE):
            stop = min(start + SLICE, count)
            table[start:stop] = piece[: stop - start]


def make_links(path: Path, counts: np.ndarray[Any, Any]) -> None:
    """Make events with so many hits each."""
    with H5FlowDataManager(path) as dm:
        dm.create_dset("events", "i8")
        dm.create_dset("hits", ROW)
        dm.create_ref("events", "hits")
        dm.write_data("events", dm.reserve_data("events", len(counts)), np.arange(len(counts)))
        hits = int(counts.sum())
        dm.write_data("hits", dm.reserve_data("hits", hits), make_rows(hits))
        parents = np.repeat(np.arange(len(counts)), counts)
        dm.write_ref("events", "hits", np.stack([parents, np.arange(hits)], axis=1))


def read_all(path: Path, name: str = "events") -> None:
    """Read a dataset with h5py alone."""
    with h5py.File(path, "r") as file:
        table = file[f"{name}/data"]
        for start in range(0, len(table), SLICE):
            table[start : start + SLICE]


class LoopOnly:
    """A workflow whose loop can be run by itself, again and again, on a file of its own.

    Parameters
    ----------
    source : Path
        The file; it is taken as input.
    stages : dict
        Name to block.
    chunk_size : int or "auto"
    """

    def __init__(
        self, source: Path, stages: dict[str, dict[str, Any]], chunk_size: int | str = "auto"
    ) -> None:
        generator = {
            "classname": "H5FlowDatasetLoopGenerator",
            "dset_name": "events",
            "params": {"chunk_size": chunk_size},
        }
        self._config = {"flow": {"source": "loop", "stages": list(stages)}, "loop": generator}
        self._config |= {name: {"path": "bench.parts", **block} for name, block in stages.items()}
        self._source, self._output = source, source.with_name("loop.h5")
        self._manager: H5FlowManager | None = None

    @property
    def chunks(self) -> int:
        """How many chunks the last loop had."""
        assert self._manager is not None
        return int(self._manager.record.chunks or 0)

    def begin(self) -> None:
        """Do what comes before the loop."""
        self._output.unlink(missing_ok=True)
        self._manager = H5FlowManager(self._config, self._output, self._source)
        self._manager.init()

    def run(self) -> None:
        """Loop."""
        assert self._manager is not None
        self._manager.run()

    def end(self) -> None:
        """Do what comes after it, and remove the output."""
        assert self._manager is not None
        self._manager.finish()
        self._output.unlink(missing_ok=True)
