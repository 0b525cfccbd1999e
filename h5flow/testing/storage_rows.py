"""Tables, rows and batches for `h5flow.testing.storage_suite`, and how they are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.storage.protocol import Batch, CreateTable, Link, SetAttributes, Write
from h5flow.storage.single_process import SingleProcessStorage

if TYPE_CHECKING:
    from h5flow.testing.storage_on_ranks import StorageOnRank

__all__ = [
    "EVENTS",
    "HIT",
    "HITS",
    "OF_EVENTS",
    "OF_HITS",
    "REF",
    "REFERENCES",
    "REGION",
    "TABLES",
    "assert_same",
    "check_regions",
    "compare_with_one_process",
    "make_linked",
    "some_hits",
]

Array = np.ndarray[Any, Any]

HITS, EVENTS = "/hits/data", "/events/data"
REF, OF_EVENTS, OF_HITS = "/events/ref/hits/ref", "/events/ref/hits/ref_region", "/hits/ref/r"
HIT = np.dtype([("q", "f8"), ("pixel", "i2", (2,)), ("name", "S4")])
REGION = np.dtype([("start", "i8"), ("stop", "i8")])
TABLES = [CreateTable(EVENTS, np.dtype("i8")), CreateTable(HITS, HIT)]
REFERENCES = [
    CreateTable(REF, np.dtype("i8"), (2,)),
    CreateTable(OF_EVENTS, REGION),
    CreateTable(OF_HITS, REGION),
]


def compare_with_one_process(ours: StorageOnRank, seed: int, *, undoes: bool = False) -> None:
    """Apply batches drawn at random, and compare the file with what one process makes of them.

    What `SingleProcessStorage` makes of the batches of all ranks, one after the other in rank
    order, has to come out bit for bit; on the way, what each rank reads is compared as well.

    Parameters
    ----------
    ours : StorageOnRank
        With an empty file.
    seed : int
        Other numbers, other batches.
    undoes : bool
        Before most batches apply others, and undo them.
    """
    oracle = (
        SingleProcessStorage(ours.path.with_name(f"oracle{seed}.h5")) if not ours.rank else None
    )
    for turn in range(8):
        batches = [drawn_batch(seed, turn, rank) for rank in range(ours.size)]
        if undoes and turn % 4:
            ours.mark()
            for other in (turn, turn + 1):
                ours.apply(drawn_batch(seed + 1000, other, ours.rank))
            ours.go_back()
        ours.apply(batches[ours.rank])
        for rank, batch in enumerate(batches):
            if oracle is not None:
                oracle.apply(batch if rank == 0 else replace(batch, creates=(), lengths={}))
        if turn % 3 == 2:
            ours.show()
            for path in (EVENTS, HITS, REF, OF_EVENTS, OF_HITS):
                expected = ours.told(oracle.table(path)[...] if oracle else np.empty(0))
                assert_same(ours.read(path), expected)
    ours.close()
    if oracle is not None:
        oracle.close()
        with h5py.File(ours.path) as found, h5py.File(oracle.path) as expected:
            assert_same_files(found, expected)
    ours.open()


def drawn_batch(seed: int, turn: int, rank: int) -> Batch:
    """Return a rank's batch; what is alike on all ranks does not depend on `rank`."""
    alike, mine = np.random.default_rng([seed, turn]), np.random.default_rng([seed, turn, rank])
    creates = [*TABLES, *REFERENCES] if turn == 0 else []
    if turn and alike.random() < 0.3:
        creates = [CreateTable(f"/more{turn}/data", np.dtype("f4"))]
    events, hits = (10 * (turn + 1) + int(alike.integers(0, 10)) for _ in range(2))
    writes = []
    for _ in range(mine.integers(0, 3)):
        start = int(mine.integers(0, hits - 1))
        stop = int(mine.integers(start, hits))
        writes.append(Write(HITS, slice(start, stop), some_hits(stop - start)))
        index = np.flatnonzero(mine.random(events) < 0.3)
        writes.append(Write(EVENTS, index, mine.integers(0, 99, len(index))))
    links = []
    for _ in range(mine.integers(0, 3)):
        pairs = np.stack([mine.integers(0, events, 4), mine.integers(0, hits, 4)], axis=1)
        links.append(Link(REF, (OF_EVENTS, OF_HITS), pairs))
    attributes = [SetAttributes("/events", {f"turn{turn}": rank})] if mine.random() < 0.3 else []
    return Batch(turn, creates, {EVENTS: events, HITS: hits}, writes, links, attributes)


def make_linked(ours: StorageOnRank) -> None:
    """Make two tables of ten rows, and references between them."""
    ours.apply(Batch(creates=[*TABLES, *REFERENCES], lengths={EVENTS: 10, HITS: 10}))


def check_regions(ours: StorageOnRank, expected: list[list[int]]) -> None:
    """Compare references with a list of them, and see that every region covers its row's."""
    pairs = np.array([value for each in expected for value in each], np.int64).reshape(-1, 2)
    assert ours.read(REF).tolist() == pairs.tolist()
    for column, path in enumerate((OF_EVENTS, OF_HITS)):
        regions = ours.read(path)
        for row, (start, stop) in enumerate(regions.tolist()):
            where = np.flatnonzero(pairs[:, column] == row)
            wanted = (int(where[0]), int(where[-1]) + 1) if len(where) else (0, 0)
            assert (start, stop) == wanted, f"row {row} of {path}"
        assert pairs[:, column].max(initial=-1) < len(regions)


def some_hits(count: int) -> Array:
    """Return rows that are told apart."""
    rows = np.zeros(count, HIT)
    rows["q"] = np.arange(count) / 7
    rows["pixel"] = np.arange(2 * count).reshape(count, 2)
    rows["name"] = b"hit"
    return rows


def assert_same(found: Array, expected: Array) -> None:
    """Compare bit for bit."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()


def assert_same_files(found: h5py.File, expected: h5py.File) -> None:
    """Compare every object of two files."""
    names: list[str] = []
    expected.visit(names.append)
    others: list[str] = []
    found.visit(others.append)
    assert sorted(others) == sorted(names)
    for name in names:
        assert dict(found[name].attrs) == dict(expected[name].attrs)
        if isinstance(expected[name], h5py.Dataset):
            assert_same(found[name][...], expected[name][...])
