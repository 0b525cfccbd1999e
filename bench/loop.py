"""The loop over a source, with a stage that does nothing, against reading the same rows."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from bench.harness import Compare, Sizes
from bench.parts import LoopOnly, make_source, read_all

ROWS = 10_000_000


@pytest.mark.parametrize(("chunk_rows", "goal"), [(512, 1.2), (65_536, 1.1)])
def test_loop(compare: Compare, sizes: Sizes, folder: Path, chunk_rows: int, goal: float) -> None:
    source, rows = folder / "in.h5", sizes.of(ROWS, 500_000)
    make_source(source, rows, chunk_rows)
    loop = LoopOnly(source, {"empty": {"classname": "Empty"}})
    compare(
        f"loop over {rows:,} rows in HDF5 chunks of {chunk_rows:,}, empty stage",
        floor=lambda: read_all(source),
        floor_is="h5py reads slices of 1,000,000 rows",
        subject=loop.run,
        before=loop.begin,
        after=loop.end,
        goal=goal,
        rows=rows,
    )


def test_overhead_of_a_chunk(compare: Compare, sizes: Sizes, folder: Path) -> None:
    """Small chunks of the loop, for what each costs beside reading it."""
    source, step, chunks = folder / "in.h5", 1024, sizes.of(5_000, 500)
    rows = step * chunks
    make_source(source, rows, 65_536)
    loop = LoopOnly(source, {"empty": {"classname": "Empty"}}, step)

    def read_in_steps() -> None:
        with h5py.File(source, "r") as file:
            table = file["events/data"]
            for start in range(0, rows, step):
                table[start : start + step]

    compare(
        f"loop in {chunks:,} chunks of {step:,} rows, empty stage",
        floor=read_in_steps,
        floor_is="h5py reads the same slices",
        subject=loop.run,
        before=loop.begin,
        after=loop.end,
    )
    info = compare.info
    each = (info["seconds"] - info["floor_seconds"]) / chunks * 1e6
    compare.note(beside=f"{each:.0f} µs a chunk (goal 100)")
