"""Reserving and writing rows: where they come to lie, and what is refused before anything is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.core import H5FlowGenerator
from h5flow.data import H5FlowDataManager
from h5flow.errors import DataError, NoSuchDatasetError

HIT = np.dtype([("q", "f4"), ("channel", "u2")])


@pytest.fixture
def numbers(dm: H5FlowDataManager) -> H5FlowDataManager:
    """A file with a dataset 'x' of five rows, 1 to 5."""
    dm.create_dset("x", "i4")
    dm.write_data("x", dm.reserve_data("x", 5), np.arange(1, 6))
    return dm


def rows(dm: H5FlowDataManager, name: str = "x") -> list[Any]:
    return dm[name, :].tolist()


# -- reserve_data -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count", [3, np.int8(3), np.uint16(3), np.int64(3), np.uint64(3), np.array(3)]
)
def test_a_number_of_any_integer_type_appends(numbers: H5FlowDataManager, count: Any):
    reserved = numbers.reserve_data("x", count)
    assert reserved == slice(5, 8)
    assert type(reserved.start) is int
    assert len(numbers.get_dset("x")) == 8


def test_reservations_follow_one_another(numbers: H5FlowDataManager):
    reserved = [numbers.reserve_data("x", count) for count in (2, 0, 3)]
    assert reserved == [slice(5, 7), slice(7, 7), slice(7, 10)]


@pytest.mark.parametrize("count", [-1, np.int64(-3), 1.0, "2", None, [1], 10**30])
def test_what_is_not_a_number_of_rows_is_refused(numbers: H5FlowDataManager, count: Any):
    with pytest.raises(DataError, match=r"^x: "):
        numbers.reserve_data("x", count)
    assert rows(numbers) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("wanted", "length"),
    [
        (slice(0, 3), 5),
        (slice(2, 5), 5),
        (slice(2, 8), 8),
        (slice(9, 12), 12),
        (slice(None, 7), 7),
        (slice(np.int64(4), np.uint32(6)), 6),
        (slice(0, 0), 5),
    ],
)
def test_a_slice_never_appends_and_is_returned(
    numbers: H5FlowDataManager, wanted: slice, length: int
):
    reserved = numbers.reserve_data("x", wanted)
    assert (reserved.start, reserved.stop) == (wanted.start or 0, wanted.stop)
    assert numbers.reserve_data("x", wanted) == reserved
    assert rows(numbers) == [1, 2, 3, 4, 5] + [0] * (length - 5)


def test_slices_grow_a_dataset_to_the_largest_stop(numbers: H5FlowDataManager):
    for wanted in (slice(0, 7), slice(5, 9), slice(1, 2)):
        numbers.reserve_data("x", wanted)
    assert len(numbers.get_dset("x")) == 9
    assert numbers.reserve_data("x", 1) == slice(9, 10)


@pytest.mark.parametrize(
    "wanted",
    [slice(None), slice(2, None), slice(0, 4, 2), slice(-2, 4), slice(5, 3), slice(0, 1.5)],
)
def test_a_slice_that_names_no_rows_is_refused(numbers: H5FlowDataManager, wanted: slice):
    with pytest.raises(DataError, match=r"^x: "):
        numbers.reserve_data("x", wanted)
    assert len(numbers.get_dset("x")) == 5


def test_a_rank_without_work_may_reserve_and_write_its_empty_slice(numbers: H5FlowDataManager):
    reserved = numbers.reserve_data("x", H5FlowGenerator.EMPTY)
    numbers.write_data("x", reserved, np.empty(0, "i4"))
    numbers.write_data("x", H5FlowGenerator.EMPTY, np.empty(0, "i4"))
    assert reserved.stop == reserved.start
    assert rows(numbers) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("dtype", "empty"),
    [
        ("i4", 0),
        ("?", False),
        ("S3", b""),
        (HIT, (0, 0)),
        (h5py.string_dtype(), b""),
        ([("text", h5py.string_dtype()), ("n", "i4")], (b"", 0)),
    ],
)
def test_rows_never_written_are_zero(path: Path, dtype: Any, empty: Any):
    with H5FlowDataManager(path) as dm:
        dm.create_dset("x", dtype)
        dm.reserve_data("x", 3)
        assert rows(dm) == [empty] * 3
    with h5py.File(path) as file:
        assert file["x/data"][:].tolist() == [empty] * 3


def test_rows_to_reserve_need_a_dataset(numbers: H5FlowDataManager):
    with pytest.raises(NoSuchDatasetError, match="no dataset 'y'"):
        numbers.reserve_data("y", 1)


# -- write_data: which rows ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "values", "expected"),
    [
        (slice(1, 3), [7, 8], [1, 7, 8, 4, 5]),
        (slice(None), [5, 6, 7, 8, 9], [5, 6, 7, 8, 9]),
        (slice(3, None), [8, 9], [1, 2, 3, 8, 9]),
        (slice(3, 3), [], [1, 2, 3, 4, 5]),
        (slice(9, 9), [], [1, 2, 3, 4, 5]),
        (np.array([0, 2, 4]), [7, 8, 9], [7, 2, 8, 4, 9]),
        ([4, 0], [7, 8], [8, 2, 3, 4, 7]),
        (np.array([1, 1, 3, 1], "u1"), [6, 7, 8, 9], [1, 9, 3, 8, 5]),
        ([], [], [1, 2, 3, 4, 5]),
        (np.empty(0), np.empty(0), [1, 2, 3, 4, 5]),
        (2, [9], [1, 2, 9, 4, 5]),
        (np.int16(2), 9, [1, 2, 9, 4, 5]),
        (np.array([True, False, False, False, True]), [7, 8], [7, 2, 3, 4, 8]),
        (range(2, 4), [7, 8], [1, 2, 7, 8, 5]),
    ],
)
def test_rows_are_written_where_they_are_named(
    numbers: H5FlowDataManager, where: Any, values: Any, expected: list[int]
):
    numbers.write_data("x", where, values)
    assert rows(numbers) == expected


def test_of_two_writes_to_a_row_the_later_wins(numbers: H5FlowDataManager):
    numbers.write_data("x", slice(0, 3), [6, 6, 6])
    numbers.write_data("x", [1], [7])
    numbers.write_data("x", slice(2, 4), [8, 8])
    assert rows(numbers) == [6, 7, 8, 8, 5]


@pytest.mark.parametrize(
    "where",
    [
        slice(3, 6),
        slice(-2, None),
        slice(0, 4, 2),
        [5],
        [-1],
        [0.5],
        [[0, 1]],
        "0",
        None,
        np.array([True]),
        5,
        -1,
        slice(0, 2**70),
    ],
)
def test_rows_that_were_not_reserved_are_refused(numbers: H5FlowDataManager, where: Any):
    with pytest.raises(DataError, match=r"^x: "):
        numbers.write_data("x", where, [1])
    assert rows(numbers) == [1, 2, 3, 4, 5]


def test_what_was_handed_over_may_be_changed_afterwards(numbers: H5FlowDataManager):
    values, where = np.array([7, 8], "i4"), np.array([0, 1])
    numbers.write_data("x", where, values)
    values[:], where[:] = 0, 3
    assert rows(numbers) == [7, 8, 3, 4, 5]


# -- write_data: which values --------------------------------------------------------------------


@pytest.fixture
def hits(dm: H5FlowDataManager) -> H5FlowDataManager:
    """A file with a dataset 'hits' of two rows of zeros."""
    dm.create_dset("hits", HIT)
    dm.reserve_data("hits", 2)
    return dm


def test_fields_are_taken_by_name_where_the_data_have_more(hits: H5FlowDataManager):
    wide = np.zeros(2, [("channel", "i8"), ("time", "f8"), ("q", "f8")])
    wide["channel"], wide["q"] = [1, 2], [0.5, 1.5]
    hits.write_data("hits", slice(0, 2), wide)
    assert rows(hits, "hits") == [(0.5, 1), (1.5, 2)]


def test_columns_are_taken_by_name(hits: H5FlowDataManager):
    hits.write_data("hits", slice(0, 2), {"channel": [1, 2], "q": np.array([0.5, 1.5])})
    assert rows(hits, "hits") == [(0.5, 1), (1.5, 2)]


def test_masked_cells_are_written_as_zero(hits: H5FlowDataManager):
    masked = np.ma.array([(1e20, 3), (2.0, 999)], mask=[(True, False), (False, True)], dtype=HIT)
    hits.write_data("hits", slice(0, 2), masked)
    assert rows(hits, "hits") == [(0, 3), (2, 0)]


def test_the_minimum_of_a_row_that_is_all_masked_is_written_as_zero(numbers: H5FlowDataManager):
    cells = np.ma.array([[3.0, 4.0], [5.0, 6.0]], mask=[[False, False], [True, True]])
    numbers.write_data("x", slice(0, 2), cells.min(axis=-1))
    assert rows(numbers)[:2] == [3, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros(3, HIT), "2 rows are to be written, but the data have 3"),
        (np.zeros(1, HIT), "2 rows are to be written, but the data have 1"),
        (np.zeros(2, [("q", "f4"), ("chanel", "u2")]), "did you mean 'channel'"),
        ({"q": [1, 2], "channel": [1, 2], "extra": [0, 0]}, "no field 'extra'"),
        ({"q": [1, 2]}, "lack 'channel'"),
        ({"q": [1, 2], "channel": [1]}, r"field 'channel': the data have shape \(1,\)"),
        ({"q": [1, 2], "channel": [1, -1]}, "field 'channel': the value -1"),
        ({"q": [1, 2], "channel": [1, 70_000]}, "the value 70000 .* cannot be stored as uint16"),
        ({"q": [1, 2], "channel": [1, 1.5]}, "the value 1.5"),
        ({"q": [1, 2], "channel": ["a", "b"]}, "cannot be stored as uint16"),
        (np.zeros(2), "have none"),
        ([[1, 2], [3]], "are not an array"),
        (None, "single value"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_anything_is_queued(
    hits: H5FlowDataManager, data: Any, message: str
):
    with pytest.raises(DataError, match=message):
        hits.write_data("hits", slice(0, 2), data)
    assert rows(hits, "hits") == [(0, 0), (0, 0)]


def test_rows_with_a_shape_are_written_with_that_shape(dm: H5FlowDataManager):
    dm.create_dset("x", "f4", (2, 2))
    dm.write_data("x", dm.reserve_data("x", 2), np.arange(8).reshape(2, 2, 2))
    dm.write_data("x", [1, 0], [np.full((2, 2), 9), np.full((2, 2), 5)])
    assert rows(dm) == [[[5, 5], [5, 5]], [[9, 9], [9, 9]]]
    with pytest.raises(DataError, match=r"shape \(2, 2\), where \(2, 2, 2\)"):
        dm.write_data("x", slice(0, 2), [[1, 2], [3, 4]])


def test_a_write_needs_a_dataset(hits: H5FlowDataManager):
    with pytest.raises(NoSuchDatasetError, match=r"no dataset 'hit' .did you mean 'hits'"):
        hits.write_data("hit", slice(0, 1), np.zeros(1, HIT))
