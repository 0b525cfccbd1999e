"""Pairs brought into the order of their rows, against Python's own sorting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.references.ordering import grouping, sort_rows


@given(st.lists(st.integers(0, 400), max_size=40))
def test_equal_slots_come_together_and_stay_as_they_stand(slots):
    order = grouping(np.array(slots, np.int64), 401)
    expected = sorted(range(len(slots)), key=lambda place: slots[place])
    assert (list(range(len(slots))) if order is None else order.tolist()) == expected


@pytest.mark.parametrize("count", [2**8, 2**16, 2**16 + 1, 2**18, 2**18 + 1, 2**24, 2**33])
def test_slots_of_any_size_are_ordered(count):
    slots = np.random.default_rng(1).integers(0, count, 500)
    slots[[0, -1]] = count - 1, 0
    assert np.array_equal(grouping(slots, count), np.argsort(slots, kind="stable"))


def test_slots_in_order_need_none():
    assert grouping(np.array([0, 0, 3, 3, 9]), 10) is None


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20), max_size=12))
def test_each_row_is_sorted_by_itself(rows):
    offsets = np.cumsum([0, *map(len, rows)])
    values = np.array([value for row in rows for value in row], np.int64)
    expected = [value for row in rows for value in sorted(row)]
    assert sort_rows(offsets, values).tolist() == expected


def test_rows_of_one_length_are_sorted_by_themselves():
    values = np.random.default_rng(2).permutation(600)
    found = sort_rows(np.arange(0, 601, 6), values).reshape(100, 6)
    assert np.array_equal(found, np.sort(values.reshape(100, 6), axis=1))


def test_what_was_handed_over_stays_as_it_was():
    values = np.array([2, 1, 5, 4, 3])
    sort_rows(np.array([0, 2, 5]), values)
    assert values.tolist() == [2, 1, 5, 4, 3]


def test_rows_in_order_are_not_copied():
    values = np.array([5, 9, 0, 2])
    assert sort_rows(np.array([0, 2, 2, 4]), values) is values
