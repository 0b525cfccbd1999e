"""A rank sees the rows it has queued, over what is in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.references.regions import merge
from h5flow.storage.protocol import Link, Write
from h5flow.transaction.overlay import Overlay, appended, widened

PATHS = ("/a/ref/b/ref_region", "/b/ref/a/ref_region")
REGION = np.dtype([("start", "i8"), ("stop", "i8")])


@pytest.fixture(scope="module")
def file() -> Iterator[h5py.File]:
    with h5py.File("memory", "w", driver="core", backing_store=False) as opened:
        opened["ten"] = np.arange(10) * 100
        opened["pairs"] = np.array([[0, 1], [2, 0]])
        opened[PATHS[0]] = np.array([(0, 1), (0, 0), (1, 2)], REGION)
        opened[PATHS[1]] = np.array([(1, 2), (0, 1)], REGION)
        yield opened


@st.composite
def writes(draw: st.DrawFn) -> Write:
    if draw(st.booleans()):
        start = draw(st.integers(0, 14))
        rows: Any = slice(start, start + draw(st.integers(0, 15 - start)))
        count = rows.stop - rows.start
    else:
        rows = np.array(sorted(draw(st.sets(st.integers(0, 14), max_size=6))), np.int64)
        count = len(rows)
    values = st.lists(st.integers(1, 99), min_size=count, max_size=count)
    return Write("/ten", rows, np.array(draw(values), np.int64))


@given(queued=st.lists(writes(), max_size=4), start=st.integers(0, 15), stop=st.integers(0, 20))
def test_the_later_write_lies_above(
    file: h5py.File, queued: list[Write], start: int, stop: int
) -> None:
    expected = np.zeros(15, np.int64)
    expected[:10] = file["ten"][:]
    for write in queued:
        expected[write.rows] = write.data
    seen = Overlay(file["ten"], queued, 15)
    assert len(seen) == 15
    assert seen[start:stop].tolist() == expected[start:stop].tolist()


def test_a_write_beyond_the_end_makes_it_longer(file: h5py.File) -> None:
    seen = Overlay(file["ten"], [], 10).under(Write("/ten", slice(12, 13), np.array([7])))
    assert seen[8:20].tolist() == [800, 900, 0, 0, 7]


def test_references_are_seen_at_the_end_of_their_table(file: h5py.File) -> None:
    links = [Link("/pairs", PATHS, np.array([[1, 1]])), Link("/pairs", PATHS, np.array([[0, 0]]))]
    seen = appended(file["pairs"], links, 3)  # one more was reserved by others
    assert seen[0:9].tolist() == [[0, 1], [2, 0], [0, 0], [1, 1], [0, 0]]


@given(
    pairs=st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=5),
        min_size=1,
        max_size=3,
    ),
    column=st.sampled_from([0, 1]),
)
def test_regions_are_widened_by_each_reference(
    file: h5py.File, pairs: list[list[tuple[int, int]]], column: int
) -> None:
    links = [Link("/pairs", PATHS, np.array(each, np.int64)) for each in pairs]
    table = file[PATHS[column]]
    expected = np.zeros(6, REGION)
    expected[: len(table)] = table[:]
    joined = [pair for each in pairs for pair in each]
    for number, pair in enumerate(joined, start=2):
        row = pair[column]
        start, stop = merge(
            *(np.array([value]) for value in (*expected[row].tolist(), number, number + 1))
        )
        expected[row] = (start[0], stop[0])
    seen = widened(table, PATHS[column], links, len(table), 2)
    length = max(len(table), max(pair[column] for pair in joined) + 1)
    assert len(seen) == length
    assert seen[0:length].tolist() == expected[:length].tolist()
