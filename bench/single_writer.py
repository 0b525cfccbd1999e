"""Rows of N ranks through one writer, against one process writing the same bytes, and raw h5py.

The three take turns in one job; where one rank works, the others sleep. The bytes are the same for
every number of ranks.

    python -m bench.single_writer [--ranks 2 4] [--megabytes 256] [--compression gzip:1]
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
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.harness import Compare, Sizes

ROW = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("q", "i4"), ("channel", "u4")])
ROWS = 65_536  # of a batch: 1.3 MB
TABLE = "/hits/data"
FLOOR, SERIAL, SUBJECT, TRAVEL = "raw h5py", "single_process", "single_writer", "rows sent only"


def batch_rows() -> np.ndarray[Any, Any]:
    """Return rows that gzip finds something in, and not too much."""
    random = np.random.default_rng(1)
    rows = np.zeros(ROWS, ROW)
    for name in "xyz":
        rows[name] = random.normal(size=ROWS).round(2)
    rows["q"] = random.integers(0, 4096, ROWS)
    rows["channel"] = np.arange(ROWS)
    return rows


def raw(path: Path, rows: np.ndarray[Any, Any], count: int, compression: str | None) -> None:
    """Write `count` batches as h5py would, a chunk shape that fits."""
    from h5flow.io.filters import filter_arguments

    with h5py.File(path, "w", libver=("v110", "latest")) as file:
        table = file.create_dataset(
            TABLE, (0,), ROW, chunks=(ROWS,), maxshape=(None,), **filter_arguments(compression)
        )
        for number in range(count):
            table.resize((number + 1) * ROWS, 0)
            table[number * ROWS : (number + 1) * ROWS] = rows


def through(
    storage: Any,
    rows: np.ndarray[Any, Any],
    rounds: int,
    ranks: int,
    rank: int,
    filters: str | None,
) -> None:
    """Apply `rounds` batches of each rank, shared after each as the end of a stage does."""
    from h5flow.storage.protocol import Batch, CreateTable, Write

    storage.apply(Batch(creates=[CreateTable(TABLE, ROW, compression=filters)]))
    storage.share()
    storage.refresh()
    for number in range(rounds):
        first = (number * ranks + rank) * ROWS
        write = Write(TABLE, slice(first, first + ROWS), rows)
        storage.apply(Batch(number, lengths={TABLE: (number + 1) * ranks * ROWS}, writes=[write]))
    storage.close()


def travel(communicator: Any, rows: np.ndarray[Any, Any], rounds: int) -> None:
    """Send as many bytes to rank 0, which throws them away."""
    from h5flow.storage.protocol import Batch, Write
    from h5flow.storage.transfer import receive_batches, send_batch

    for _ in range(rounds):
        if communicator.rank:
            send_batch(Batch(writes=[Write(TABLE, slice(0, ROWS), rows)]), communicator, 0)
        else:
            for rank in range(1, communicator.size):
                for _ in receive_batches(communicator, rank):
                    pass


def on_rank(megabytes: int, repeats: int, compression: str | None, folder: Path) -> None:
    from h5flow.comm.mpi import world_communicator
    from h5flow.comm.serial import SerialCommunicator
    from h5flow.storage.single_process import SingleProcessStorage
    from h5flow.storage.single_writer import SingleWriterStorage

    communicator = world_communicator()
    rows, path = batch_rows(), folder / "out.h5"
    ranks, rank = communicator.size, communicator.rank
    rounds = max(1, round(megabytes * 1e6 / rows.nbytes / ranks))
    count = rounds * ranks

    def serial() -> None:
        storage = SingleProcessStorage(path, "a", SerialCommunicator())
        through(storage, rows, count, 1, 0, compression)

    def parallel() -> None:
        storage = SingleWriterStorage(path, "a", communicator)
        through(storage, rows, rounds, ranks, rank, compression)

    subjects: dict[str, tuple[bool, Callable[[], None]]] = {
        FLOOR: (False, partial(raw, path, rows, count, compression)),
        SERIAL: (False, serial),
        SUBJECT: (True, parallel),
        TRAVEL: (True, partial(travel, communicator, rows, rounds)),
    }
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(repeats + 1):  # the first is not counted: files are cold
        for name, (by_all, call) in subjects.items():
            if rank == 0:
                path.unlink(missing_ok=True)
                h5py.File(path, "w", libver=("v110", "latest")).close()
            communicator.exchange(b"begin")
            begin = time.perf_counter()
            if by_all or rank == 0:
                call()
            taken[name].append(time.perf_counter() - begin)
            communicator.exchange(b"end")
    if rank == 0:
        rates = {
            name: count * rows.nbytes / statistics.median(found[1:]) / 1e6
            for name, found in taken.items()
        }
        rates[TRAVEL] *= (ranks - 1) / ranks
        print(json.dumps(rates))


def measure(ranks: int, options: argparse.Namespace) -> dict[str, float]:
    beside = Path(sys.executable).parent / "mpiexec"
    command = [str(beside if beside.exists() else "mpiexec"), "-n", str(ranks), sys.executable]
    words = [f"--megabytes={options.megabytes}", f"--repeats={options.repeats}"]
    if options.compression:
        words.append(f"--compression={options.compression}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        done = subprocess.run(
            [*command, "-m", "bench.single_writer", *words, "--on-rank", "--folder", folder],
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("ranks", [1, 2])
def test_single_writer(compare: Compare, sizes: Sizes, folder: Path, ranks: int) -> None:
    size = sizes.of(256, 26)
    options = argparse.Namespace(megabytes=size, repeats=5, compression=None, folder=folder)
    rates: dict[str, float] = {}
    compare.elsewhere(lambda: rates.update(measure(ranks, options)))
    compare.measured(
        f"{size} MB of rows from {ranks} {'rank' if ranks == 1 else 'ranks'} through one writer",
        [size / rates[FLOOR]],
        [size / rates[SUBJECT]],
        floor_is="h5py writes the same bytes in one process",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="One writer for many ranks.")
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--compression")
    parser.add_argument("--folder", type=Path, help="on the file system to measure")
    parser.add_argument("--on-rank", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.on_rank:
        on_rank(options.megabytes, options.repeats, options.compression, options.folder)
        return
    print(f"MB/s, medians of {options.repeats} turns of {options.megabytes} MB")
    names = (FLOOR, SERIAL, SUBJECT, TRAVEL)
    print("ranks " + " ".join(f"{name:>15}" for name in names) + "  of single_process  of raw h5py")
    for ranks in options.ranks:
        rates = measure(ranks, options)
        print(
            f"{ranks:5} "
            + " ".join(f"{rates[name]:15.0f}" for name in names)
            + f"  {rates[SUBJECT] / rates[SERIAL]:17.2f}  {rates[SUBJECT] / rates[FLOOR]:11.2f}",
            flush=True,
        )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
