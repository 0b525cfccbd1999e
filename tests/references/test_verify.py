"""Regions against their references, and regions from their references."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from h5flow.references.verify import impossible, rebuild, uncovered

COLUMNS = st.integers(0, 30).flatmap(lambda n: arrays(np.int64, n, elements=st.integers(0, 9)))


def built(column: np.ndarray, cut: int) -> tuple[np.ndarray, np.ndarray]:
    starts, stops = np.zeros(10, np.int64), np.zeros(10, np.int64)
    rebuild(starts, stops, column[:cut], 0)
    rebuild(starts, stops, column[cut:], min(cut, len(column)))
    return starts, stops


@given(COLUMNS, st.integers(0, 30))
def test_rebuilt_regions_are_the_smallest_that_hold_all_references(
    column: np.ndarray, cut: int
) -> None:
    starts, stops = built(column, cut)
    for row in range(10):
        where = np.flatnonzero(column == row)
        expected = (where[0], where[-1] + 1) if len(where) else (0, 0)
        assert (starts[row], stops[row]) == expected


@given(COLUMNS, st.integers(0, 30))
def test_rebuilt_regions_cover_everything_and_are_possible(column: np.ndarray, cut: int) -> None:
    starts, stops = built(column, cut)
    assert not uncovered(np.arange(len(column)), starts[column], stops[column]).any()
    assert not impossible(starts, stops, len(column)).any()


def test_negative_rows_have_no_region() -> None:
    starts, stops = np.zeros(2, np.int64), np.zeros(2, np.int64)
    rebuild(starts, stops, np.array([-1, 1]), 0)
    assert (starts.tolist(), stops.tolist()) == ([0, 1], [0, 2])
