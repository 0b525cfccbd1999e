"""What becomes of the data that users hand over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from h5flow.data.conversion import as_rows
from h5flow.errors import DataError
from h5flow.storage.protocol import TableDescription

HIT = np.dtype([("q", "f4"), ("channel", "u2")])


def rows(dtype: Any, count: int, data: Any, shape: tuple[int, ...] = ()) -> np.ndarray:
    return as_rows("hits", TableDescription(np.dtype(dtype), shape, 0), count, data)


def test_rows_of_the_right_dtype_are_copied():
    data = np.zeros(2, HIT)
    taken = rows(HIT, 2, data)
    data["q"] = 7
    assert taken["q"].tolist() == [0, 0]


def test_structured_data_are_matched_by_name_not_by_position():
    data = np.array([(5, 1.5)], [("channel", "i8"), ("q", "f8")])
    assert rows(HIT, 1, data).tolist() == [(1.5, 5)]


def test_structured_data_may_have_more_fields():
    data = np.array([(5, 1.5, 0)], [("channel", "i8"), ("q", "f8"), ("more", "i1")])
    assert rows(HIT, 1, data).tolist() == [(1.5, 5)]


def test_columns_are_taken_by_name():
    assert rows(HIT, 2, {"q": [1, 2], "channel": [3, 4]}).tolist() == [(1, 3), (2, 4)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros(1, [("q", "f4"), ("chanel", "u2")]), "lack 'channel'.*did you mean 'channel'"),
        ({"q": [1.0]}, "lack 'channel'"),
        ({"q": [1.0], "channel": [1], "more": [1]}, "no field 'more'"),
        (np.zeros(1), "have none"),
        (np.zeros(2, HIT), "1 rows are to be written, but the data have 2"),
        (3, "have none"),
    ],
)
def test_data_that_do_not_fit_are_refused(data: Any, message: str):
    with pytest.raises(DataError, match=message):
        rows(HIT, 1, data)


def test_fields_for_a_simple_dataset_are_refused():
    with pytest.raises(DataError, match="the data have fields q, channel"):
        rows("f4", 1, np.zeros(1, HIT))


def test_masked_cells_are_written_as_zero_not_as_what_lies_under_the_mask():
    lowest = np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[False, True], [True, True]]).min(axis=-1)
    lowest.data[1] = 1e20
    assert rows("f8", 2, lowest).tolist() == [1, 0]


def test_masked_structured_cells_are_zero_field_by_field():
    data = np.ma.array([(1.0, 2), (3.0, 4)], mask=[(False, True), (True, False)], dtype=HIT)
    assert rows(HIT, 2, data).tolist() == [(1, 0), (0, 4)]


def test_masked_columns_are_zero():
    column = np.ma.array([5.0, 6.0], mask=[True, False])
    assert rows(HIT, 2, {"q": column, "channel": [1, 2]}).tolist() == [(0, 1), (6, 2)]


def test_nested_fields_and_sub_arrays_are_copied():
    nested = np.dtype([("pos", [("x", "f4"), ("y", "f4", (2,))]), ("n", "i4")])
    data = np.zeros(1, nested)
    data["pos"]["y"] = [[1, 2]]
    wider = data.astype([("pos", [("x", "f8"), ("y", "f8", (2,))]), ("n", "i8")])
    assert np.array_equal(rows(nested, 1, wider), data)


def test_rows_with_a_shape_need_that_shape():
    assert rows("i4", 2, np.ones((2, 3), int), (3,)).shape == (2, 3)
    with pytest.raises(DataError, match=r"shape \(2, 2\), where \(2, 3\)"):
        rows("i4", 2, np.ones((2, 2), int), (3,))


def test_a_single_value_is_one_row():
    assert rows("i4", 1, 7).tolist() == [7]
    assert rows(HIT, 1, np.zeros(1, HIT)[0]).tolist() == [(0, 0)]


def test_no_rows_are_no_rows_whatever_their_dtype():
    assert len(rows(HIT, 0, [])) == 0
    assert len(rows("i4", 0, np.empty((0, 3)))) == 0


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("i4", 2**31),
        ("u1", -1),
        ("u8", -1),
        ("i8", np.uint64(2**63)),
        ("i4", 1.5),
        ("i4", np.nan),
        ("i8", 2.0**63),
        ("?", 2),
        ("S2", b"abc"),
        ("S1", "\u00e9"),
    ],
)
def test_a_cast_that_loses_something_is_refused(dtype: str, value: Any):
    with pytest.raises(DataError, match="hits"):
        rows(dtype, 1, np.array([value]))


@pytest.mark.parametrize(
    ("dtype", "value", "stored"),
    [
        ("i4", 3.0, 3),
        ("f4", 3, 3.0),
        ("u8", 2**64 - 1, 2**64 - 1),
        ("?", 1, True),
        ("i8", True, 1),
        ("S4", "ab", b"ab"),
        ("f4", 1e-3, np.float32(1e-3)),
    ],
)
def test_a_cast_that_keeps_the_value_is_made(dtype: str, value: Any, stored: Any):
    assert rows(dtype, 1, np.array([value]))[0] == stored


INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


@given(
    st.sampled_from(INTEGERS),
    st.sampled_from(INTEGERS).flatmap(lambda dtype: hnp.arrays(dtype, st.integers(1, 5))),
)
def test_whole_numbers_come_through_unchanged_or_are_refused(dtype: str, values: np.ndarray):
    exact = [int(value) for value in values]
    limits = np.iinfo(dtype)
    if all(limits.min <= value <= limits.max for value in exact):
        assert [int(value) for value in rows(dtype, len(values), values)] == exact
    else:
        with pytest.raises(DataError):
            rows(dtype, len(values), values)
