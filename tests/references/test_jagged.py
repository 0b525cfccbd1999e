"""The jagged form: rows of unequal number per parent."""

import numpy as np
import pytest

from h5flow.errors import DataError
from h5flow.references.jagged import Jagged


@pytest.fixture
def hits():
    values = np.array([(1.0, 10), (2.0, 20), (3.0, 30)], [("q", "f4"), ("t", "i8")])
    return Jagged(np.array([0, 2, 2, 3]), values, np.array([4, 7, 4]))


def test_length_is_the_number_of_parents(hits):
    assert len(hits) == 3


def test_counts_are_rows_per_parent(hits):
    assert hits.counts.tolist() == [2, 0, 1]


def test_parent_is_relative_to_the_chunk(hits):
    assert hits.parent.tolist() == [0, 0, 2]
    assert hits.parent.dtype == np.int64


def test_a_field_is_flat(hits):
    assert hits["q"].tolist() == [1.0, 2.0, 3.0]


def test_parent_and_field_add_up_per_parent(hits):
    assert np.bincount(hits.parent, hits["q"], minlength=len(hits)).tolist() == [3.0, 0.0, 3.0]


def test_iteration_gives_the_rows_of_each_parent(hits):
    assert [rows["t"].tolist() for rows in hits] == [[10, 20], [], [30]]


def test_dtype_is_that_of_a_row(hits):
    assert hits.dtype == hits.values.dtype


def test_a_field_that_is_not_there_names_those_that_are(hits):
    with pytest.raises(DataError, match="fields are q, t"):
        hits["energy"]


def test_parts_that_do_not_fit_are_refused(hits):
    with pytest.raises(DataError):
        Jagged(np.array([0, 2]), hits.values, hits.index)
    with pytest.raises(DataError):
        Jagged(hits.offsets, hits.values, hits.index[:2])
