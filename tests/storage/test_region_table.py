"""Regions that wait in memory, against a dictionary that is widened reference by reference."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.storage import region_table
from h5flow.storage.region_table import RegionTable, is_region_table

REGION = np.dtype([("start", "i8"), ("stop", "i8")])
ROWS = 30
# rows that an append of references touches, each with the length of its region
appends = st.lists(
    st.dictionaries(st.integers(0, ROWS - 1), st.integers(1, 5), min_size=1), max_size=12
)


@pytest.fixture(scope="module")
def file() -> Iterator[h5py.File]:
    with h5py.File("regions.h5", "w", driver="core", backing_store=False) as opened:
        yield opened


def new_table(file: h5py.File, dtype: np.dtype = REGION) -> RegionTable:
    file.clear()
    return RegionTable(
        file.create_dataset("ref_region", (0,), dtype, chunks=(8,), maxshape=(None,))
    )


def widen(table: RegionTable, touched: dict[int, int], begin: int) -> None:
    rows = np.array(sorted(touched))
    starts = np.full(len(rows), begin)
    table.widen(rows, starts, starts + [touched[row] for row in rows.tolist()])


@given(st.data(), appends)
def test_a_region_holds_all_that_widened_it(file, data, drawn):
    table, expected = new_table(file), {}
    for number, touched in enumerate(drawn):
        widen(table, touched, 10 * number + 1)
        for row, length in touched.items():
            first, last = expected.get(row, (10 * number + 1, 0))
            expected[row] = first, max(last, 10 * number + 1 + length)
        if data.draw(st.booleans(), label="flush"):
            table.flush()
    length = max(expected, default=-1) + 1
    assert table.length == length
    assert table.flush()[:].tolist() == [expected.get(row, (0, 0)) for row in range(length)]


@pytest.mark.parametrize("limit", ["MOST_ROWS", "MOST_PARTS"])
def test_what_waits_is_bounded(file, monkeypatch, limit):
    monkeypatch.setattr(region_table, limit, 3)
    table = new_table(file)
    for number in range(40):
        widen(table, {number: 1}, number)
        assert len(table._waiting) <= 4
    assert table.flush()["start"].tolist() == list(range(40))


def test_regions_reach_the_file_when_somebody_reads_them(file):
    table = new_table(file)
    widen(table, {5: 2, 1: 1}, 0)
    assert file["ref_region"].shape == (0,)
    assert table.flush()[:].tolist() == [(0, 0), (0, 1), (0, 0), (0, 0), (0, 0), (0, 2)]


def test_rows_that_are_written_replace_what_widened_them_before(file):
    table = new_table(file)
    widen(table, {0: 4, 1: 4}, 0)
    table.write(slice(0, 1), np.array([(7, 9)], REGION))
    assert table.flush()[:].tolist() == [(7, 9), (0, 4)]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(REGION, True), ([("start", "i4"), ("stop", "u4")], True), ("i8", False)],
)
def test_tables_of_regions_are_told_by_their_fields(file, dtype, expected):
    file.clear()
    assert is_region_table(file.create_dataset("x", (2,), dtype)) is expected
