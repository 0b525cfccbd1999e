"""Following and writing references, each against what the memory alone takes.

Floors: to write the padded rows and their mask once, and to read the rows once in the order in
which they are needed. Selective reads and writes have goals in milliseconds that do not depend on
the length of the file: their floor is the same in a file of a tenth of the length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.harness import Compare, Sizes
from h5flow.data import H5FlowDataManager, dereference, dereference_chain
from h5flow.data.layout import ref_region_dtype, reference_paths
from h5flow.io.open_file import open_file
from h5flow.journal.indexing import index_file
from h5flow.references.regions import touched_rows

ROW = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("q", "f4"), ("channel", "i4")])
WIDTH = 10
CHUNK_BYTES = 2**20
FLOOR = "padded rows and mask written once, rows read once"


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


@pytest.mark.parametrize("kind", ["sorted", "random children", "random order"])
def test_following_all(compare: Compare, sizes: Sizes, kind: str) -> None:
    parents = sizes.of(100_000, 1000)
    data, ref = rows(parents * WIDTH), pairs_of(parents, kind)
    region = regions_of(ref[:, 0], parents)
    order = None if kind == "sorted" else ref[np.lexsort((ref[:, 1], ref[:, 0])), 1]
    compare(
        f"dereference {parents:,} x {WIDTH}, all, {kind}",
        floor=partial(padded_once, data, order),
        floor_is=FLOOR,
        subject=lambda: dereference(data, ref, region),
        goal=2.5,
    )


def test_a_chain_of_three(compare: Compare, sizes: Sizes) -> None:
    parents = sizes.of(10_000, 1000)
    first = np.stack([np.repeat(np.arange(parents), 10), np.arange(parents * 10)], axis=1)
    second = np.stack([np.repeat(np.arange(parents * 10), 5), np.arange(parents * 50)], axis=1)
    data = rows(parents * 50)
    regions = [regions_of(first[:, 0], parents), regions_of(second[:, 0], parents * 10)]
    compare(
        f"chain of three, {parents:,} x 10 x 5",
        floor=partial(padded_once, data, None),
        floor_is=FLOOR,
        subject=lambda: dereference_chain(slice(0, parents), [first, second], data, regions),
        goal=5,
    )


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


@pytest.mark.parametrize("what", ["row numbers", "rows"])
@pytest.mark.parametrize("kind", ["sorted", "shuffled", "one scattered"])
def test_following_few(compare: Compare, sizes: Sizes, folder: Path, kind: str, what: str) -> None:
    long = sizes.of(10**7, 10**5)
    with ExitStack() as stack:
        works = []
        for count in (long // 10, long):
            path = folder / f"{count}.h5"
            make_file(path, count, kind)
            index_file(path)
            works.append(follow_few(stack.enter_context(h5py.File(path, "r")), kind, what))
        few = "one parent" if kind == "one scattered" else "1,000 parents"
        compare(
            f"dereference {few} of {long:,} references, {kind}, {what}",
            floor=works[0],
            floor_is="the same of a tenth of the references",
            subject=works[1],
        )
    compare.note(beside=f"goal 3 ms; {1e3 * compare.info['seconds']:.1f} ms")


def follow_few(file: h5py.File, kind: str, what: str) -> Callable[[], object]:
    """Return what follows a few rows, others each time."""
    ref, data = file[reference_paths("A", "B").ref], file["/B/data"]
    chosen = selections(kind, len(file["/A/data"]))
    if what == "rows":
        return lambda: dereference(next(chosen), ref, data)
    return lambda: dereference(next(chosen), ref, indices_only=True)


def test_writing_few(compare: Compare, sizes: Sizes, folder: Path) -> None:
    long = sizes.of(10**7, 10**5)
    with ExitStack() as stack:
        works = []
        for length in (long // 10, long):
            path = folder / f"{length}.h5"
            make_file(path, length, "sorted")
            manager = stack.enter_context(H5FlowDataManager(path))
            works.append(partial(add_references, manager, length, np.random.default_rng(3)))
        compare(
            f"write_ref of 1,000 scattered references into {long:,} rows, and the end of the hook",
            floor=works[0],
            floor_is="the same in a tenth of the rows",
            subject=works[1],
        )
    compare.note(beside=f"goal 2 ms; {1e3 * compare.info['seconds']:.2f} ms")


def add_references(dm: H5FlowDataManager, length: int, random: np.random.Generator) -> None:
    """Add references, and have them placed."""
    refs = np.stack(
        [random.integers(0, bound, 1000) for bound in (length // WIDTH, length)], axis=1
    )
    dm.write_ref("A", "B", refs)
    dm._open().rendezvous.end()
