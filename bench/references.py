"""Following and writing references, each against what the memory alone takes.

    python bench/references.py [--scale 1.0] [--folder FOLDER] [--only WORD …]

Floors: to write the padded rows and their mask once, and to read the rows once in the order in
which they are needed (`dereference`, chains). Selective reads and writes have goals in
milliseconds that do not depend on the length of the file: so they are measured in a file of a tenth
of the length, too. `--scale` shortens every table.
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

from h5flow.data import H5FlowDataManager, dereference, dereference_chain
from h5flow.data.layout import ref_region_dtype, reference_paths
from h5flow.io.open_file import open_file
from h5flow.journal.indexing import index_file
from h5flow.references.regions import touched_rows

ROW = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("q", "f4"), ("channel", "i4")])
WIDTH = 10
CHUNK_BYTES = 2**20


def interleaved(works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Return the seconds that each took, all of them in turns."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            begin = time.perf_counter()
            work()
            if turn:
                taken[name].append(time.perf_counter() - begin)
    return taken


def show_ratios(title: str, goal: float, works: dict[str, Callable[[], Any]], turns: int) -> None:
    """Print what each took, and how many times the first that is, turn by turn."""
    taken = interleaved(works, turns)
    floor = next(iter(taken.values()))
    print(f"{title} (goal {goal} x)")
    for name, found in taken.items():
        ratio = statistics.median(own / base for own, base in zip(found, floor, strict=True))
        print(f"  {name:<44} {1e3 * statistics.median(found):9.2f} ms {ratio:7.2f} x", flush=True)


def show_times(title: str, goal: str, works: dict[str, Callable[[], Any]], turns: int) -> None:
    """Print what each took."""
    print(f"{title} (goal {goal})")
    for name, found in interleaved(works, turns).items():
        middle, best = statistics.median(found), min(found)
        print(f"  {name:<44} {1e3 * middle:9.3f} ms, best {1e3 * best:.3f} ms", flush=True)


def rows(count: int) -> np.ndarray[Any, Any]:
    """Return rows of 20 bytes."""
    made = np.zeros(count, ROW)
    made["channel"] = np.arange(count)
    made["x"] = made["channel"] / 2
    return made


def regions_of(column: np.ndarray[Any, Any], length: int) -> np.ndarray[Any, Any]:
    """Return the region of each row."""
    regions = np.zeros(length, ref_region_dtype)
    touched, starts, stops = touched_rows(column, 0)
    regions["start"][touched], regions["stop"][touched] = starts, stops
    return regions


def padded_once(values: np.ndarray[Any, Any], order: np.ndarray[Any, Any] | None) -> None:
    """Write padded rows and their whole mask once, and read the rows once."""
    as_bytes = values.view(f"V{values.dtype.itemsize}")
    if order is None:
        as_bytes.copy()
    else:
        as_bytes.take(order)
    np.zeros(len(values), f"V{len(values.dtype)}").fill(b"")


# -- in memory ----------------------------------------------------------------------------------


def pairs_of(parents: int, kind: str) -> np.ndarray[Any, Any]:
    """Return references of each parent to ten children: ordered, or shuffled all over."""
    random = np.random.default_rng(1)
    ref = np.stack([np.repeat(np.arange(parents), WIDTH), np.arange(parents * WIDTH)], axis=1)
    if kind == "sorted":
        return ref
    ref[:, 1] = random.permutation(ref[:, 1])
    return ref if kind == "random children" else random.permutation(ref)


def dereference_all(parents: int, repeats: int) -> None:
    """Measure following all references, in memory."""
    data = rows(parents * WIDTH)
    for kind in ("sorted", "random children", "random order"):
        ref = pairs_of(parents, kind)
        region = regions_of(ref[:, 0], parents)
        order = None
        if kind != "sorted":
            order = ref[np.lexsort((ref[:, 1], ref[:, 0])), 1]
        works = {
            "floor: rows and mask once": partial(padded_once, data, order),
            "dereference": lambda ref=ref, region=region: dereference(data, ref, region),
        }
        show_ratios(f"dereference {parents:,} x {WIDTH} all, {kind}", 2.5, works, repeats)


def chain_of_three(parents: int, repeats: int) -> None:
    """Measure a chain of three datasets, n x 10 x 5, in memory."""
    first = np.stack([np.repeat(np.arange(parents), 10), np.arange(parents * 10)], axis=1)
    second = np.stack([np.repeat(np.arange(parents * 10), 5), np.arange(parents * 50)], axis=1)
    data = rows(parents * 50)
    regions = [regions_of(first[:, 0], parents), regions_of(second[:, 0], parents * 10)]
    works = {
        "floor: rows and mask once": partial(padded_once, data, None),
        "dereference_chain": lambda: dereference_chain(
            slice(0, parents), [first, second], data, regions
        ),
    }
    show_ratios(f"chain of three, {parents:,} x 10 x 5", 5, works, repeats)


# -- in files -----------------------------------------------------------------------------------


def make_file(path: Path, references: int, kind: str) -> None:
    """Write datasets A and B, and references of each row of A to ten of B."""
    parents = references // WIDTH
    ref = pairs_of(parents, "random order" if kind == "shuffled" else "sorted")
    if kind == "one scattered":
        # row 0 has a reference in a thousand places all over the table
        ref[:: max(1, references // 1000), 0] = 0
    paths = reference_paths("A", "B")
    with open_file(path, "w") as file:
        store(file, "/A/data", rows(parents))
        store(file, "/B/data", rows(references))
        store(file, paths.ref, ref).attrs.update(paths.ref_attributes)
        for column, place in enumerate((paths.parent_region, paths.child_region)):
            regions = regions_of(ref[:, column], (parents, references)[column])
            store(file, place, regions).attrs.update(paths.region_attributes)


def store(file: h5py.File, path: str, values: np.ndarray[Any, Any]) -> h5py.Dataset:
    """Write a table as h5flow makes them."""
    width = values.dtype.itemsize * int(np.prod(values.shape[1:], dtype=int))
    chunks = (CHUNK_BYTES // width, *values.shape[1:])
    return file.create_dataset(path, data=values, chunks=chunks, maxshape=(None, *values.shape[1:]))


def selections(kind: str, parents: int) -> Iterator[np.ndarray[Any, Any]]:
    """Yield what is selected, another thousand rows each time."""
    random = np.random.default_rng(2)
    while True:
        if kind == "one scattered":
            yield np.array([0])
        else:
            yield random.choice(parents, min(1000, parents), replace=False)


def selective(references: int, folder: Path, repeats: int) -> None:
    """Measure following few rows of a long file."""
    for kind in ("sorted", "shuffled", "one scattered"):
        for count in (references // 10, references):
            path = folder / "selective.h5"
            make_file(path, count, kind)
            show_selective(path, f"{count:,} references, {kind}", repeats, kind)
            begin = time.perf_counter()
            done = index_file(path)
            taken = time.perf_counter() - begin
            if any(each.columns for each in done):
                print(f"  indexed in {taken:.2f} s")
                show_selective(path, f"{count:,} references, {kind}, indexed", repeats, kind)
            path.unlink()


def show_selective(path: Path, title: str, repeats: int, kind: str) -> None:
    """Measure one file."""
    with h5py.File(path, "r") as file:
        ref, data = file[reference_paths("A", "B").ref], file["/B/data"]
        chosen = selections(kind, len(file["/A/data"]))
        works = {
            "indices": lambda: dereference(next(chosen), ref, indices_only=True),
            "rows": lambda: dereference(next(chosen), ref, data),
        }
        show_times(f"dereference few rows of {title}", "3 ms", works, repeats)


def write_references(count: int, folder: Path, repeats: int) -> None:
    """Measure adding a thousand scattered references to long datasets, as a hook of a run does."""
    for length in (count // 10, count):
        path = folder / "write.h5"
        make_file(path, length, "sorted")
        with H5FlowDataManager(path) as dm:
            title = f"write_ref of 1,000 scattered references into {length:,} rows"
            add = partial(add_references, dm, length, np.random.default_rng(3))
            show_times(title, "2 ms", {"write_ref and the end of a hook": add}, repeats)
        path.unlink()


def add_references(dm: H5FlowDataManager, length: int, random: np.random.Generator) -> None:
    """Add references, and have them placed."""
    refs = np.stack(
        [random.integers(0, bound, 1000) for bound in (length // WIDTH, length)], axis=1
    )
    dm.write_ref("A", "B", refs)
    dm._open().rendezvous.end()


def reserve(folder: Path, repeats: int) -> None:
    """Measure reserving rows of a dataset that others are linked to."""
    for linked in (0, 64):
        with H5FlowDataManager(folder / f"reserve_{linked}.h5") as dm:
            dm.create_dset("hits", "f8")
            for number in range(linked):
                dm.create_dset(f"other/{number}", "f8")
                dm.create_ref("hits", f"other/{number}")
            works = {"reserve_data": lambda dm=dm: [dm.reserve_data("hits", 1) for _ in range(100)]}
            show_times(f"100 times reserve_data, {linked} linked", "2 ms", works, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description="What following and writing references takes.")
    parser.add_argument("--scale", type=float, default=1.0, help="shortens every table")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--folder", type=Path, help="for the files (else a temporary one)")
    parser.add_argument("--only", nargs="+", default=["all", "chain", "few", "write", "reserve"])
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=words.folder) as name:
        folder = Path(name)
        parts = {
            "all": lambda: dereference_all(int(100_000 * words.scale), words.repeats),
            "chain": lambda: chain_of_three(int(10_000 * words.scale), words.repeats),
            "few": lambda: selective(int(10**7 * words.scale), folder, words.repeats),
            "write": lambda: write_references(int(10**7 * words.scale), folder, words.repeats),
            "reserve": lambda: reserve(folder, words.repeats),
        }
        for part in words.only:
            parts[part]()


if __name__ == "__main__":
    main()
