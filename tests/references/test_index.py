"""The sorted index of references, against a loop over them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.references.index import WIDE_ROWS, index_part, overlaps, parts_of

pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(-2, 9)), max_size=30)


@given(pairs, st.integers(0, 100))
def test_each_parent_has_its_children_in_order_and_where_they_begin_and_end(drawn, begin):
    slots, children = np.array(drawn, np.int64).reshape(-1, 2).T.copy()
    positions = begin + np.arange(len(drawn))
    part = index_part(slots, children, positions, 7)
    for parent in range(7):
        own = [(at, c) for at, (p, c) in zip(positions.tolist(), drawn, strict=True) if p == parent]
        found = part.children[part.offsets[parent] : part.offsets[parent + 1]]
        assert found.tolist() == sorted(child for _, child in own)
        ends = (own[0][0], own[-1][0]) if own else (0, -1)
        assert (part.first[parent], part.last[parent]) == ends


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 15))
def test_parts_are_all_bins_in_order_and_hold_as_much_as_they_may(counts, most):
    parts = parts_of(np.array(counts, np.int64), most)
    assert [each for begin, end in parts for each in range(begin, end)] == list(range(len(counts)))
    for begin, end in parts:
        assert sum(counts[begin:end]) <= most or end == begin + 1
        assert end == len(counts) or sum(counts[begin : end + 1]) > most


@pytest.mark.parametrize(
    ("widths_sum", "widest", "expected"),
    [
        (10**6, 10**6, False),  # one row has them all
        (10**6 + 1, WIDE_ROWS, False),  # regions overlap, and each is read in one call
        (2 * 10**6, 10**6, True),
    ],
)
def test_only_regions_that_overlap_widely_need_an_index(widths_sum, widest, expected):
    assert overlaps(widths_sum, widest, 10**6) is expected
