"""What the layer of arrays costs on NumPy: a stage through it, against the same NumPy code by hand.

The floor reads, computes and writes the same rows with the plain functions below the layer:
`read_slice`, `linked_padded`, `as_rows`, the queue of rows. The subject is what a workflow does: a
cache is filled for a backend, the stage takes entries and `self.xp`, and writes columns. The third
way is the same cache and stage with the layer's own functions taken out. All take turns on each
chunk, in changing order; their results are compared.

Expected: 50 to 100 µs for each chunk, whatever its size. Measured on two x86-64 cores that others
used as well, time of the processor, medians of 5 files, ratios paired by chunk:

    rows of a chunk   by hand     cache without the layer   cache with the layer
    65,536            21,676 µs   1.010 x                   1.009 x
    1,024              1,478 µs   1.041 x                   1.051 x

The goal of 1.02 x is met at 65,536 rows, and missed at 1,024: there the layer's own functions cost
1 %, and the cache 4 %, which looks up what has changed in the file since it was filled.

Run with ``python -m bench.array_layer`` from the repository's root.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from bench.harness import Compare
from h5flow import H5FlowStage
from h5flow.backends import choose_backend, using
from h5flow.config.workflow import Requirement
from h5flow.core.cache import CacheLoader
from h5flow.data import H5FlowDataManager, access, host_copies, presentation
from h5flow.data.access import _links
from h5flow.data.conversion import as_rows
from h5flow.data.following import linked_padded
from h5flow.data.layout import data_path
from h5flow.data.linked_tables import LinkedTables
from h5flow.data.rows import as_pairs, check_growth, check_writable, rows_to_write
from h5flow.io.reading import read_slice
from h5flow.references.padding import pad_cells
from h5flow.storage.protocol import Link, Write

HIT = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("q", "f4"), ("channel", "i4")])
RESULT = np.dtype([("energy", "f8"), ("x", "f8"), ("n_hits", "i8")])
EVENTS = 262_144
CHUNKS = {65_536: 24, 1_024: 400}  # rows of a chunk, and how many turns
GAIN, GOAL = 2.5, 1.02
FLOOR, BARE, LAYER = "by hand", "cache without the layer", "cache with the layer"


def make_input(path: Path) -> None:
    """Write events with 0 to 6 hits each."""
    random = np.random.default_rng(1)
    with H5FlowDataManager(path) as dm:
        dm.create_dset("events", [("id", "i8"), ("time", "f8")])
        dm.create_dset("hits", HIT)
        dm.create_ref("events", "hits")
        events = dm.reserve_data("events", EVENTS)
        dm.write_data("events", events, {"id": np.arange(EVENTS), "time": np.arange(EVENTS) / 2})
        parent = np.repeat(np.arange(EVENTS), random.integers(0, 7, EVENTS))
        hits = np.zeros(len(parent), HIT)
        for name in ("x", "y", "z", "q"):
            hits[name] = random.random(len(hits), np.float32) + 0.5
        dm.write_data("hits", dm.reserve_data("hits", len(hits)), hits)
        dm.write_ref("events", "hits", np.stack([parent, np.arange(len(parent))], axis=1))


class Through(H5FlowStage):
    """The stage as a user writes it."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("through", RESULT)
        self.data_manager.create_ref(source_name, "through")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        hits = cache["hits"]
        q = hits["q"] * GAIN
        energy, n_hits = q.sum(axis=-1), q.count(axis=-1)
        x = (hits["x"] * q).sum(axis=-1) / energy
        rows = self.data_manager.reserve_data("through", len(energy))
        columns = {"energy": energy, "x": x, "n_hits": n_hits}
        self.data_manager.write_data("through", rows, columns)
        event = self.xp.arange(source_slice.start, source_slice.stop)
        result = self.xp.arange(rows.start, rows.stop)
        refs = self.xp.stack([event, result], axis=1)
        self.data_manager.write_ref(source_name, "through", refs)


def by_hand(dm: H5FlowDataManager, tables: LinkedTables, rows: slice) -> None:
    """Do the same without the layer."""
    read_slice(tables.rows(data_path("events")), rows.start, rows.stop)
    indices = np.arange(rows.start, rows.stop, dtype=np.int64)
    links = _links(tables, ["events", "hits"])
    hits = linked_padded(indices, links, tables.rows(data_path("hits")))
    q = hits["q"] * GAIN
    energy, n_hits = q.sum(axis=-1), q.count(axis=-1)
    x = (hits["x"] * q).sum(axis=-1) / energy

    reserved = tables.reserve("by_hand", len(energy))
    write_columns(tables, reserved, {"energy": energy, "x": x, "n_hits": n_hits})
    dm._file.spill()
    result = np.arange(reserved.start, reserved.stop)
    write_references(tables, np.stack([indices, result], axis=1))
    dm._file.spill()


def write_columns(tables: LinkedTables, rows: slice, columns: dict[str, Any]) -> None:
    """Check and queue rows as `LinkedTables.write` does, for what is NumPy's anyway."""
    table = tables.dataset("by_hand")
    check_writable("by_hand", table)
    where, _ = rows_to_write("by_hand", rows, table.length)
    values = as_rows("by_hand", table, rows.stop - rows.start, columns)
    tables.rendezvous.write(Write(data_path("by_hand"), where, values))


def write_references(tables: LinkedTables, refs: Any) -> None:
    """Check and queue references as `LinkedTables.link` does."""
    paths, _ = tables.relation("events", "by_hand")
    table = tables.rendezvous.table(paths.ref)
    pairs = as_pairs("by_hand", refs, table.dtype)
    regions = paths.parent_region, paths.child_region
    check_growth(paths.ref, table, table.length + len(pairs))
    for column, region in enumerate(regions):
        last = int(pairs[:, column].max())
        check_growth(region, tables.rendezvous.table(region), last + 1)
    tables.rendezvous.link(Link(paths.ref, regions, pairs))


BACKEND = choose_backend("numpy")


def through_layer(
    loader: CacheLoader, stage: Through, requirements: tuple[Requirement, ...], rows: slice
) -> None:
    """Do what the loop of a run does for a stage and a chunk."""
    entries = loader.begin_chunk((BACKEND,))
    with using(BACKEND), BACKEND.current():
        loader.fill(entries, rows, requirements, BACKEND)
        stage.run("events", rows, entries)


@contextmanager
def without_layer() -> Iterator[None]:
    """Have the cache and the data manager ask no backend about anything."""

    def plain_cells(_backend: Any, cells: Any) -> Any:
        return pad_cells(cells.shape, cells.cells, cells.values)

    replaced = (
        (presentation, "present", lambda _backend, value: value),
        (access, "present", lambda _backend, value: value),
        (access, "present_padded", plain_cells),
        (host_copies, "to_host", lambda value: value),
        (host_copies, "selection_on_host", lambda value: value),
    )
    with ExitStack() as patches:
        for module, name, plain in replaced:
            patches.enter_context(patch.object(module, name, plain))
        yield


def timed(call: Callable[[], object]) -> float:
    begin = time.thread_time()
    call()
    return time.thread_time() - begin


def measure(path: Path, chunk: int, turns: int) -> dict[str, list[float]]:
    """Return the seconds that each way took, chunk by chunk."""
    with H5FlowDataManager(path) as dm:
        tables = dm._open()
        stage = Through(name="through", data_manager=dm)
        stage.init("events")
        tables.create_dataset("by_hand", RESULT, ())
        tables.create_references("events", "by_hand")
        loader = CacheLoader(tables, "events", strict=True)
        requirements = (Requirement(name="hits", path=("hits",)),)
        taken: dict[str, list[float]] = {FLOOR: [], BARE: [], LAYER: []}
        for turn in range(turns + 1):
            start = turn * chunk % (EVENTS - chunk + 1)
            rows = slice(start, start + chunk)
            subject = partial(through_layer, loader, stage, requirements, rows)
            ways: dict[str, tuple[Any, Callable[[], None]]] = {
                FLOOR: (nullcontext, partial(by_hand, dm, tables, rows)),
                BARE: (without_layer, subject),
                LAYER: (nullcontext, subject),
            }
            subject()  # what the file's own cache holds is then the same for all
            tables.rendezvous.flush()
            names = list(ways)
            for name in names[turn % 3 :] + names[: turn % 3]:
                around, call = ways[name]
                with around():
                    taken[name].append(timed(call))
                tables.rendezvous.flush()  # as the end of a hook does
        compare(dm, start)
        return {name: found[1:] for name, found in taken.items()}


def compare(dm: H5FlowDataManager, event: int) -> None:
    """Make sure that what was measured did the same."""
    one, two = (dm["events", name, event : event + 100] for name in ("by_hand", "through"))
    for name in RESULT.names or ():
        np.testing.assert_array_equal(one[name][:, 0].filled(-1), two[name][:, 0].filled(-1))


@pytest.mark.parametrize("chunk", CHUNKS)
def test_array_layer(compare: Compare, folder: Path, chunk: int) -> None:
    make_input(folder / "file.h5")
    found: dict[str, list[float]] = {}
    compare.elsewhere(lambda: found.update(measure(folder / "file.h5", chunk, CHUNKS[chunk])))
    compare.measured(
        f"a stage through the layer of arrays, chunks of {chunk:,} events",
        found[FLOOR],
        found[LAYER],
        floor_is="the same NumPy code by hand",
        goal=GOAL,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="The layer of arrays on NumPy.")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(f"µs of the processor, medians of {options.repeats} files (goal {GOAL} x by hand)")
    print(f"  chunk  {FLOOR:>12} {BARE:>26} {LAYER:>26}")
    for chunk, turns in CHUNKS.items():
        medians: dict[str, list[float]] = {FLOOR: [], BARE: [], LAYER: []}
        ratios: dict[str, list[float]] = {BARE: [], LAYER: []}
        for _ in range(options.repeats):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "file.h5")
                make_input(path)
                taken = measure(path, chunk, turns)
            for name, found in taken.items():
                medians[name].append(statistics.median(found))
            for name, found in ratios.items():
                # paired with the floor of the same chunk: the machine's speed drifts
                pairs = zip(taken[name], taken[FLOOR], strict=True)
                found.append(statistics.median(own / base for own, base in pairs))
        line = f" {chunk:6,}  {statistics.median(medians[FLOOR]) * 1e6:12,.0f}"
        for name, found in ratios.items():
            median = statistics.median(medians[name]) * 1e6
            line += f" {median:16,.0f} {statistics.median(found):7.3f} x"
        print(line, flush=True)


if __name__ == "__main__":
    main()
