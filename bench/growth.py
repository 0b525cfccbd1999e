"""How a run's time grows with the number of rows, on 1 and on 2 ranks.

A run is everything: taking the input in, a loop whose stage writes as many rows as it reads, and
publishing, which waits until the disk has it. The floor is h5py in one process: it copies the file,
reads all rows, writes as many, and waits for the disk as well.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from bench.harness import Compare, Sizes, seconds
from bench.parts import SLICE, make_source
from bench.processes import answer_of

ROW = np.dtype("i8")  # 10^8 rows, in three files, are to fit a small disk
CHUNK_ROWS = 2**17
ROUNDS = 5
LARGEST = 10**8


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("rows", [10**5, 10**6, 10**7, 10**8])
def test_growth(compare: Compare, sizes: Sizes, folder: Path, rows: int, ranks: int) -> None:
    if rows > sizes.of(LARGEST):
        pytest.skip(f"{rows:,} rows are for a larger --scale")
    make_source(folder / "in.h5", rows, CHUNK_ROWS, ROW)
    found: dict[str, list[float]] = {}
    compare.elsewhere(
        lambda: found.update(answer_of("bench.growth", rows, ranks=ranks, folder=folder))
    )
    compare.measured(
        f"run over {rows:,} rows, {ranks} {'rank' if ranks == 1 else 'ranks'}",
        found["floor"],
        found["run"],
        floor_is="h5py copies, reads and writes the same bytes, until the disk has them",
        rows=rows,
        ranks=ranks,
    )


def copy_read_write(rows: int) -> None:
    """Do what the run does, with h5py."""
    shutil.copyfile("in.h5", "raw.h5")
    with h5py.File("raw.h5", "r+", libver=("v110", "latest")) as file:
        source = file["events/data"]
        table = file.create_dataset("x", (0,), ROW, chunks=(CHUNK_ROWS,), maxshape=(None,))
        step = SLICE // CHUNK_ROWS * CHUNK_ROWS
        for start in range(0, rows, step):
            values = source[start : start + step]
            table.resize(start + len(values), axis=0)
            table[start:] = values
    with open("raw.h5", "r+b") as written:
        os.fsync(written)


def main(rows: int) -> None:
    """Take turns; rank 0 prints."""
    from h5flow.comm import choose_communicator
    from h5flow.core.request import RunRequest
    from h5flow.core.runner import execute

    communicator = choose_communicator("auto")
    copies = {"classname": "Copies", "path": "bench.parts"}
    config = {"flow": {"source": "events", "stages": ["copies"]}, "copies": copies}
    request = RunRequest((config,), "out.h5", "in.h5", on_existing="overwrite", strict=True)
    taken: dict[str, list[float]] = {"floor": [], "run": []}
    for _ in range(ROUNDS + 1):  # the first is not counted: files and code are cold
        if communicator.rank == 0:
            Path("raw.h5").unlink(missing_ok=True)
            taken["floor"].append(seconds(lambda: copy_read_write(rows)))
            Path("raw.h5").unlink()
            Path("out.h5").unlink(missing_ok=True)
        communicator.exchange(b"")
        taken["run"].append(seconds(lambda: execute(request, communicator=communicator)))
        communicator.exchange(b"")
    if communicator.rank == 0:
        print(json.dumps({name: found[1:] for name, found in taken.items()}))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
