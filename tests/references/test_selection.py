"""Selections as NumPy has them, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.errors import DataError
from h5flow.references.selection import select_rows
from h5flow.testing.strategies import selections

chosen = st.integers(0, 9).flatmap(lambda n: st.tuples(st.just(n), selections(n)))


@given(chosen)
def test_selections_choose_what_numpy_chooses(case):
    length, selection = case
    everything = np.arange(length)
    key = slice(None) if selection is None else selection
    key = np.array(key, int) if isinstance(key, list) and not key else key
    rows = select_rows(selection, length)
    assert rows.tolist() == np.atleast_1d(everything[key]).tolist()
    assert rows.dtype == np.int64


@pytest.mark.parametrize("kind", ["u1", "i2", "u8", ">i4"])
def test_any_integer_type_selects(kind):
    assert select_rows(np.array([2, 0, 2], kind), 3).tolist() == [2, 0, 2]


@pytest.mark.parametrize("selection", [5, -6, [0, 5], np.array([-6])])
def test_rows_that_are_not_there_are_refused(selection):
    with pytest.raises(DataError, match="5 rows"):
        select_rows(selection, 5)


@pytest.mark.parametrize(
    "selection", [1.0, [0.5], "x", True, [[0, 1]], [[0], [1, 2]], slice(0.5, 2), slice(0, 2, 0)]
)
def test_what_is_not_a_selection_is_refused(selection):
    with pytest.raises(DataError):
        select_rows(selection, 5)


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(DataError, match="boolean"):
        select_rows([True, False], 5)


def test_rows_beyond_an_estimated_length_are_taken_as_they_are():
    assert select_rows([7, -1], 5, bounded=False).tolist() == [7, 4]
    assert select_rows([False] * 6 + [True], 5, bounded=False).tolist() == [6]
