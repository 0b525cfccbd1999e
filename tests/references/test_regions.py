"""Regions: which rows an append touches, how regions widen, which intervals are read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.references.regions import is_region_dtype, join_intervals, merge, touched_rows

columns = st.lists(st.integers(0, 8), max_size=20)
intervals = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8)


@given(columns, st.integers(0, 100), st.booleans(), st.sampled_from(["u4", "i4", "i8", ">u2"]))
def test_touched_rows_are_the_rows_named_with_first_and_last_place(column, first, ordered, kind):
    column = sorted(column) if ordered else column
    rows, starts, stops = touched_rows(np.array(column, kind), first)
    assert rows.tolist() == sorted(set(column))
    for row, start, stop in zip(rows, starts, stops, strict=True):
        places = [first + place for place, value in enumerate(column) if value == row]
        assert (start, stop) == (places[0], places[-1] + 1)
    assert rows.dtype == starts.dtype == stops.dtype == np.int64


def test_touched_rows_accept_a_column_of_a_table():
    refs = np.array([[5, 1], [5, 0], [2, 1]])
    rows, starts, stops = touched_rows(refs[:, 1], 7)
    assert (rows.tolist(), starts.tolist(), stops.tolist()) == ([0, 1], [8, 7], [9, 10])


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), max_size=10))
def test_merged_regions_are_the_smallest_that_hold_both(bounds):
    one_start, one_stop, two_start, two_stop = np.array(bounds, "u4").reshape(-1, 4).T
    starts, stops = merge(one_start, one_stop, two_start, two_stop)
    for number, (a, b, c, d) in enumerate(bounds):
        covered = [*range(a, b), *range(c, d)]
        expected = (min(covered), max(covered) + 1) if covered else (0, 0)
        assert (starts[number], stops[number]) == expected


def test_a_region_of_no_references_does_not_widen_the_other_to_row_0():
    starts, stops = merge(np.array([0]), np.array([0]), np.array([40]), np.array([50]))
    assert (starts[0], stops[0]) == (40, 50)


def test_regions_of_narrow_integers_widen_beyond_their_range():
    starts, stops = merge(
        np.array([1], "i2"), np.array([5], "i2"), np.array([2]), np.array([2**40])
    )
    assert (starts[0], stops[0]) == (1, 2**40)


@given(intervals, st.integers(0, 4))
def test_joined_intervals_cover_the_union_and_only_small_gaps_more(bounds, gap):
    starts, stops = join_intervals(*np.array(bounds, np.int64).reshape(-1, 2).T, gap)
    wanted = {row for start, stop in bounds for row in range(start, stop)}
    read = [row for a, b in zip(starts, stops, strict=True) for row in range(a, b)]
    assert read == sorted(set(read))
    assert wanted <= set(read)
    assert (starts[1:] - stops[:-1] > gap).all()
    # What is read and not wanted lies in gaps that are no wider than allowed.
    run = 0
    for row in read:
        run = 0 if row in wanted else run + 1
        assert run <= gap


def test_two_far_intervals_are_not_read_from_minimum_to_maximum():
    starts, stops = join_intervals(np.array([0, 10**9]), np.array([5, 10**9 + 5]), 4096)
    assert (stops - starts).sum() == 10


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1), st.integers(0, 9))
def test_the_order_of_intervals_does_not_matter(drawn, gap):
    starts, lengths = np.array(drawn, np.int64).reshape(-1, 2).T
    order = np.argsort(starts)
    expected = join_intervals(starts[order], (starts + lengths)[order], gap)
    assert np.array_equal(join_intervals(starts, starts + lengths, gap), expected)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("start", "i8"), ("stop", "i8")], True),
        ([("stop", "u4"), ("start", "i4")], True),
        ([("start", "f8"), ("stop", "i8")], False),
        ([("start", "i8"), ("stop", "i8"), ("more", "i8")], False),
        ("i8", False),
    ],
)
def test_a_region_has_exactly_the_integer_fields_start_and_stop(fields, expected):
    assert is_region_dtype(np.dtype(fields)) is expected
