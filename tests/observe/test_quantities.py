"""Numbers for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.observe.quantities import about_rows, bytes_of, duration, percent, rows_of


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 rows"),
        (950, "950 rows"),
        (999.6, "1.00 k rows"),
        (12_345, "12.3 k rows"),
        (999_600, "1.00 M rows"),
        (1_310_720, "1.31 M rows"),
        (3e18, "3000 P rows"),
    ],
)
def test_rows_in_short(count: float, text: str) -> None:
    assert about_rows(count) == text


def test_rows_in_full() -> None:
    assert (rows_of(1), rows_of(1_310_720)) == ("1 row", "1,310,720 rows")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (2048, "2.05 kB"), (123_456_789, "123 MB"), (3.4e9, "3.40 GB")]
)
def test_sizes(count: float, text: str) -> None:
    assert bytes_of(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (80, "1 min 20 s"),
        (7_500, "2 h 05 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(done=st.integers(0, 10**12), total=st.integers(1, 10**12))
def test_100_percent_is_said_of_what_is_complete(done: int, total: int) -> None:
    assert (percent(done, total) == "100 %") == (done >= total)


def test_all_of_nothing_is_100_percent() -> None:
    assert percent(0, 0) == "100 %"
