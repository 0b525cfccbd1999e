"""Row numbers that users hand over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.data.rows import as_count, as_pairs, check_growth, rows_to_write, slice_to_reserve
from h5flow.errors import DataError
from h5flow.storage.protocol import TableDescription


@pytest.mark.parametrize("count", [3, np.int32(3), np.uint64(3)])
def test_any_integer_is_a_number_of_rows(count: Any):
    assert as_count("hits", count) == 3


@pytest.mark.parametrize("count", [-1, 2.0, "3", None, np.array([1, 2])])
def test_other_numbers_of_rows_are_refused(count: Any):
    with pytest.raises(DataError):
        as_count("hits", count)


@pytest.mark.parametrize("refs", [np.empty((0, 2)), [], np.empty((0, 2), "i4"), np.empty(0)])
def test_no_references_are_no_references_whatever_their_dtype(refs: Any):
    assert as_pairs("a -> b", refs).shape == (0, 2)


@pytest.mark.parametrize(
    "refs",
    [
        [[0, -1]],
        [[0.0, 1.0]],
        [0, 1],
        [[0, 1, 2]],
        np.array([[0, 2**63]], np.uint64),
        np.ma.array([[0, 1]], mask=[[False, True]]),
    ],
)
def test_references_that_cannot_be_are_refused(refs: Any):
    with pytest.raises(DataError, match="a -> b"):
        as_pairs("a -> b", refs)


@pytest.mark.parametrize(("dtype", "largest"), [("i2", 2**15 - 1), ("u4", 2**32 - 1)])
def test_references_fit_the_table_that_they_go_to(dtype: str, largest: int):
    assert as_pairs("a -> b", [(0, largest)], np.dtype(dtype)).tolist() == [[0, largest]]
    with pytest.raises(DataError, match=f"{largest + 1} is too large .* the file holds"):
        as_pairs("a -> b", [(0, largest + 1)], np.dtype(dtype))


@given(st.lists(st.integers(0, 19), max_size=40))
def test_rows_in_any_order_are_written_as_an_assignment_in_order_would(where: list[int]):
    values = np.arange(1, len(where) + 1)
    expected = np.zeros(20, np.int64)
    for row, value in zip(where, values, strict=True):
        expected[row] = value
    rows, order = rows_to_write("x", where, 20)
    written = np.zeros(20, np.int64)
    written[rows] = values if order is None else values[order.take]
    assert written.tolist() == expected.tolist()
    assert isinstance(rows, slice) or (np.diff(rows) > 0).all()


def test_sorted_rows_are_taken_as_they_are():
    assert rows_to_write("x", [1, 5, 7], 8)[1] is None
    assert rows_to_write("x", slice(2, None), 8) == (slice(2, 8), None)


def test_a_slice_to_reserve_gets_a_start():
    assert slice_to_reserve("x", slice(None, 4)) == slice(0, 4)
    assert slice_to_reserve("x", slice(-1, -1)) == slice(0, 0)


def test_a_table_without_limit_may_grow():
    check_growth("x", TableDescription(np.dtype("i4"), (), 4), 10**9)
    with pytest.raises(DataError, match="room for 5 only"):
        check_growth("x", TableDescription(np.dtype("i4"), (), 4, most_rows=5), 6)


def test_a_table_of_another_file_may_not_even_keep_its_length():
    with pytest.raises(DataError, match=r"linked from the input in\.h5"):
        check_growth("x", TableDescription(np.dtype("i4"), (), 4, linked_from="in.h5"), 4)
