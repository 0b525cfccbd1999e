"""Rows are moved as NumPy does it, only faster."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from h5flow.io.moving import copy_rows, put_rows

PADDED = np.dtype(
    {"names": ["a", "b"], "formats": ["u1", "<f8"], "offsets": [3, 8], "itemsize": 24}
)
OTHER_OFFSETS = np.dtype({"names": ["a", "b"], "formats": ["u1", "<f8"], "itemsize": 24})
DTYPES = st.sampled_from([PADDED, OTHER_OFFSETS, np.dtype("i4"), np.dtype([("x", "i2", (3,))])])
# what is not a number is not equal to itself in structured rows
NUMBERS = {"allow_nan": False}
ROWS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(max_dims=2, max_side=6), elements=hnp.from_dtype(dtype, **NUMBERS)
    )
)


@given(rows=ROWS, step=st.sampled_from([1, 2, -1]))
def test_a_copy_is_equal_contiguous_and_apart(rows: Any, step: int) -> None:
    given_rows = rows[::step]
    copy = copy_rows(given_rows)
    assert copy.dtype == rows.dtype
    assert copy.flags.c_contiguous
    assert not np.shares_memory(copy, rows)
    np.testing.assert_array_equal(copy, given_rows)


@given(data=st.data(), rows=ROWS)
def test_rows_are_put_where_they_belong(data: st.DataObject, rows: Any) -> None:
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), unique=True).map(np.array))
    places = places.astype(np.int64)
    elements = hnp.from_dtype(rows.dtype, **NUMBERS)
    values = data.draw(hnp.arrays(rows.dtype, (len(places), *rows.shape[1:]), elements=elements))
    expected = rows.copy()
    expected[places] = values
    put_rows(rows, places, values)
    np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (PADDED, OTHER_OFFSETS),
        (np.dtype([("a", "<i4")]), np.dtype([("a", ">i4")])),
        (np.dtype([("a", "i4")]), np.dtype([("a", "i8")])),
        (np.dtype([("a", "i4")]), np.dtype([("b", "f4")])),
    ],
    ids=["offsets", "byte order", "width", "kind"],
)
def test_rows_of_another_dtype_are_converted_as_numpy_does(
    theirs: np.dtype[Any], ours: np.dtype[Any]
) -> None:
    values, target = np.ones(4, theirs), np.zeros(9, ours)
    expected = target.copy()
    expected[2:6] = values
    put_rows(target, slice(2, 6), values)
    np.testing.assert_array_equal(target, expected)


def test_objects_are_counted() -> None:
    dtype = np.dtype([("text", object), ("n", "i4")])
    rows = np.array([("one", 1), ("two", 2)], dtype)
    copy = copy_rows(rows)
    put_rows(rows, slice(0, 1), copy[1:])
    copy[1]["text"] = "three"
    del copy
    assert rows.tolist() == [("two", 2), ("two", 2)]


def test_a_subclass_is_copied_as_an_array() -> None:
    assert type(copy_rows(np.recarray(3, [("x", "i4")]))) is np.ndarray
