"""Following references on arrays, against a loop over all pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.references import follow as follow_module
from h5flow.references.follow import Followed, PairBlock, cells_of, compose, follow

small = st.integers(-1, 7)
pair_lists = st.lists(st.tuples(small, st.integers(-3, 9)), max_size=25)


def whole_table(pairs):
    columns = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    return PairBlock(*columns, np.array([0]), np.array([len(pairs)]))


def rows_of(followed):
    return [
        followed.index[start:stop].tolist()
        for start, stop in zip(followed.offsets[:-1], followed.offsets[1:], strict=True)
    ]


@given(pair_lists, st.lists(st.integers(0, 7), max_size=12), st.data())
def test_each_row_gets_the_children_of_its_pairs_within_its_region(pairs, rows, data):
    bound = st.integers(0, len(pairs))
    bounds = {row: sorted((data.draw(bound), data.draw(bound))) for row in set(rows)}
    starts, stops = np.array([bounds[row] for row in rows], np.int64).reshape(-1, 2).T
    found = follow(np.array(rows, np.int64), starts, stops, whole_table(pairs))
    assert rows_of(found) == [
        sorted(c for place, (p, c) in enumerate(pairs) if p == row and a <= place < b)
        for row, (a, b) in ((row, bounds[row]) for row in rows)
    ]


@given(pair_lists, st.permutations(range(8)), st.booleans(), st.booleans())
def test_order_of_pairs_and_of_rows_does_not_matter(pairs, rows, sort_pairs, sort_rows):
    pairs = sorted(pairs) if sort_pairs else pairs
    rows = np.array(sorted(rows) if sort_rows else rows)
    found = follow(rows, np.zeros(8, np.int64), np.full(8, len(pairs)), whole_table(pairs))
    assert rows_of(found) == [sorted(c for p, c in pairs if p == row) for row in rows]


def test_parts_of_the_table_keep_their_places_in_it():
    # Rows 10 to 12 and 20 to 22 of a table; row 1 has references in the second part only.
    parents, children = np.array([1, 2, 1, 2]), np.array([7, 8, 5, 6])
    block = PairBlock(parents, children, np.array([10, 20]), np.array([12, 22]))
    found = follow(np.array([1, 2]), np.array([20, 10]), np.array([22, 22]), block)
    assert rows_of(found) == [[5], [6, 8]]


def test_rows_with_an_empty_region_have_none_also_when_repeated():
    block = whole_table([(3, 1), (3, 0)])
    found = follow(np.array([3, 3, 3]), np.array([0, 0, 0]), np.array([2, 0, 2]), block)
    assert rows_of(found) == [[0, 1], [], [0, 1]]


def test_duplicates_are_kept():
    found = follow(np.array([0]), np.array([0]), np.array([3]), whole_table([(0, 4)] * 3))
    assert rows_of(found) == [[4, 4, 4]]


def test_references_already_in_order_are_not_copied():
    block = whole_table([(0, 0), (0, 3), (2, 1)])
    found = follow(np.array([0, 1, 2]), np.array([0, 0, 2]), np.array([2, 0, 3]), block)
    assert found.index is block.children


@pytest.mark.parametrize("entries", [0, 10**6])
def test_rows_far_apart_are_found_with_and_without_a_lookup_table(monkeypatch, entries):
    monkeypatch.setattr(follow_module, "TABLE_ENTRIES_PER_ROW", 0)
    monkeypatch.setattr(follow_module, "TABLE_ENTRIES", entries)
    pairs = [(90_000, 5), (3, 6), (90_000, 4), (50, 9), (95_000, 1), (1, 1)]
    rows = np.array([3, 60, 90_000])
    found = follow(rows, np.zeros(3, np.int64), np.full(3, 6), whole_table(pairs))
    assert rows_of(found) == [[6], [], [4, 5]]


def test_children_too_far_apart_for_one_integer_key_are_ordered_all_the_same():
    far = 2**62
    pairs = [(1, far), (0, 3), (1, -far), (0, -far), (1, 0)]
    found = follow(np.array([0, 1]), np.zeros(2, np.int64), np.full(2, 5), whole_table(pairs))
    assert rows_of(found) == [[-far, 3], [-far, 0, far]]


def test_no_rows_and_no_pairs_give_nothing():
    none = np.zeros(0, np.int64)
    assert rows_of(follow(none, none, none, whole_table([(0, 0)]))) == []
    empty = PairBlock(none, none, none, none)
    assert rows_of(follow(np.array([4]), np.array([0]), np.array([0]), empty)) == [[]]


@pytest.fixture
def chain():
    """Two rows: the first has children 5, 6 and these 1 and 2 rows; the second has none."""
    first = Followed(np.array([0, 2, 2]), np.array([5, 6]))
    second = Followed(np.array([0, 1, 3]), np.array([9, 7, 8]))
    return [first, second]


def test_a_chain_as_one_step_has_the_last_rows_of_each_first_row(chain):
    assert rows_of(compose(chain)) == [[9, 7, 8], []]


def test_a_padded_chain_has_an_axis_per_link(chain):
    shape, cells = cells_of(chain)
    assert shape == (2, 2, 2)
    assert [np.unravel_index(cell, shape) for cell in cells] == [(0, 0, 0), (0, 1, 0), (0, 1, 1)]


def test_links_of_one_width_after_rows_of_unequal_width_leave_their_cells_out():
    first = Followed(np.array([0, 1, 3]), np.array([0, 1, 2]))
    second = Followed(np.array([0, 2, 4, 6]), np.arange(6))
    shape, cells = cells_of([first, second])
    assert (shape, cells.tolist()) == ((2, 2, 2), [0, 1, 4, 5, 6, 7])


def test_axes_without_any_reference_have_length_one():
    nothing = Followed(np.zeros(4, np.int64), np.zeros(0, np.int64))
    after = Followed(np.zeros(1, np.int64), np.zeros(0, np.int64))
    shape, cells = cells_of([nothing, after])
    assert (shape, cells.tolist()) == ((3, 1, 1), [])
