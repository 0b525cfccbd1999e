"""A stage that appends rows and references, against raw h5py writing the same bytes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.harness import Compare, Sizes
from bench.parts import LoopOnly, make_rows, make_source
from h5flow.data import H5FlowDataManager
from h5flow.io.chunks import rows_per_hdf5_chunk

REGION = np.dtype([("start", "i8"), ("stop", "i8")])
CALLS = 2_000


def write_raw(path: Path, rows: int, values: np.ndarray[Any, Any]) -> None:
    """Write rows, references and both regions, in whole HDF5 chunks."""
    pairs = np.zeros((len(values), 2), "i8")
    regions = np.zeros(len(values), REGION)
    with h5py.File(path, "w", libver=("v110", "latest")) as file:
        for name, piece in {"a": values, "b": pairs, "c": regions, "d": regions}.items():
            step = rows_per_hdf5_chunk(piece.dtype, piece.shape[1:])
            table = file.create_dataset(
                name, (0, *piece.shape[1:]), piece.dtype, chunks=(step, *piece.shape[1:]),
                maxshape=(None, *piece.shape[1:]),
            )  # fmt: skip
            for start in range(0, rows, step):
                stop = min(start + step, rows)
                table.resize(stop, axis=0)
                table[start:stop] = piece[: stop - start]


@pytest.mark.parametrize(("step", "full"), [(1_024, 1_000_000), (65_536, 4_000_000)])
def test_appending(compare: Compare, sizes: Sizes, folder: Path, step: int, full: int) -> None:
    source, rows = folder / "in.h5", sizes.of(full, 4 * step)
    make_source(source, rows, 65_536)
    loop = LoopOnly(source, {"appends": {"classname": "Appends"}}, step)
    target, values = folder / "raw.h5", make_rows(2**18)

    def read_and_write() -> None:
        with h5py.File(source, "r") as file:
            for start in range(0, rows, step):
                file["events/data"][start : start + step]
        write_raw(target, rows, values)

    compare(
        f"append {rows:,} rows and references, {step:,} in a chunk",
        floor=read_and_write,
        floor_is="h5py reads the same chunks, and writes the same bytes in whole HDF5 chunks",
        subject=loop.run,
        before_floor=lambda: target.unlink(missing_ok=True),
        before=loop.begin,
        after=loop.end,
        goal=1.5,
        rounds=9,
    )


@pytest.mark.parametrize("linked", [1, 64])
def test_reserving(compare: Compare, folder: Path, linked: int) -> None:
    with H5FlowDataManager(folder / "file.h5") as dm:
        dm.create_dset("events", "i8")
        for number in range(linked):
            dm.create_dset(f"child_{number}", "i8")
            dm.create_ref("events", f"child_{number}")

        def reserve() -> None:
            for _ in range(CALLS):
                dm.reserve_data("events", 1)

        def resize(table: h5py.Dataset) -> None:
            for number in range(CALLS):
                table.resize(number, axis=0)

        with h5py.File(folder / "raw.h5", "w") as file:
            table = file.create_dataset("events", (0,), "i8", chunks=(2**17,), maxshape=(None,))
            compare(
                f"reserve_data beside {linked} linked {'dataset' if linked == 1 else 'datasets'}",
                floor=partial(resize, table),
                floor_is="h5py's resize",
                subject=reserve,
            )
    each = compare.info["seconds"] / CALLS * 1e6
    compare.note(beside=f"{each:.1f} µs a call (goal 20)")
