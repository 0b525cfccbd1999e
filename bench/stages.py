"""Many stages, wide rows, and one event with very many references among events with few."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from bench.harness import Compare, Sizes
from bench.parts import ROW, LoopOnly, make_links, make_rows, make_source
from bench.processes import answer_of, peak_bytes

STEP = 4_096
WIDE = np.dtype([(f"field_{number}", "f4") for number in range(200)])
MANY, FEW, EVENTS = 1_000_000, 10, 40


@pytest.mark.parametrize("count", [1, 4, 16, 64])
def test_number_of_stages(compare: Compare, sizes: Sizes, folder: Path, count: int) -> None:
    source, chunks = folder / "in.h5", sizes.of(400, 40)
    rows = STEP * chunks
    make_source(source, rows, 65_536)
    stages = {f"stage_{number}": {"classname": "Empty"} for number in range(count)}
    loop = LoopOnly(source, stages, STEP)

    def read_in_steps() -> None:
        with h5py.File(source, "r") as file:
            table = file["events/data"]
            for start in range(0, rows, STEP):
                table[start : start + STEP]

    compare(
        f"{count} empty {'stage' if count == 1 else 'stages'}, {chunks} chunks of {STEP:,} rows",
        floor=read_in_steps,
        floor_is="h5py reads the same slices",
        subject=loop.run,
        before=loop.begin,
        after=loop.end,
        rounds=7,
        stages=count,
        chunks=chunks,
    )
    info = compare.info
    each = (info["seconds"] - info["floor_seconds"]) / chunks / count * 1e6
    compare.note(beside=f"{each:.0f} µs a stage and chunk")


def test_wide_rows(compare: Compare, sizes: Sizes, folder: Path) -> None:
    source, target, rows = folder / "in.h5", folder / "raw.h5", sizes.of(500_000, 20_000)
    make_source(source, rows, 1_310, WIDE)
    loop = LoopOnly(source, {"copies": {"classname": "Copies"}})
    values = make_rows(1_310, WIDE)

    def read_and_write() -> None:
        with h5py.File(source, "r") as file, h5py.File(target, "w", libver="v110") as out:
            for start in range(0, rows, 5_240):
                file["events/data"][start : start + 5_240]
            table = out.create_dataset("x", (0,), WIDE, chunks=(1_310,), maxshape=(None,))
            for start in range(0, rows, 1_310):
                stop = min(start + 1_310, rows)
                table.resize(stop, axis=0)
                table[start:stop] = values[: stop - start]

    compare(
        f"copy {rows:,} rows of 200 fields (800 bytes)",
        floor=read_and_write,
        floor_is="h5py reads and writes the same bytes in whole HDF5 chunks",
        subject=loop.run,
        before_floor=lambda: target.unlink(missing_ok=True),
        before=loop.begin,
        after=loop.end,
        rounds=7,
    )


@pytest.mark.parametrize("layout", ["padded", "jagged"])
def test_one_event_with_many(compare: Compare, sizes: Sizes, folder: Path, layout: str) -> None:
    many = sizes.of(MANY, 10_000)
    counts = np.full(EVENTS, FEW)
    counts[EVENTS // 2] = many
    make_links(folder / "in.h5", counts)
    found: dict[str, int] = {}
    compare.elsewhere(lambda: found.update(answer_of("bench.stages", layout, folder=folder)))
    compare.measured(
        f"{layout}: one event with {many:,} references among {EVENTS} with {FEW}",
        [int(counts.sum()) * ROW.itemsize],
        [found["peak"] - found["before"]],
        floor_is="the rows themselves",
        unit="B",
    )


def main(layout: str) -> None:
    """Read the hits of all events at once, in one layout or the other."""
    from h5flow.config.workflow import Requirement
    from h5flow.core.cache import CacheLoader
    from h5flow.data import H5FlowDataManager

    with H5FlowDataManager("in.h5", mode="r") as dm:
        loader = CacheLoader(dm._open(), "events", strict=True)
        cache = loader.begin_chunk()
        before = peak_bytes()
        requirement = Requirement("hits", ("hits",), layout)  # type: ignore[arg-type]
        loader.fill(cache, slice(0, EVENTS), (requirement,))
        print(json.dumps({"before": before, "peak": peak_bytes()}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
