"""Sizes of chunks: up to 1 MiB in a file, 2 to 4 MiB in a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.io.chunks import rows_per_hdf5_chunk, rows_per_loop_chunk

MIB = 2**20


@pytest.mark.parametrize(
    ("dtype", "shape", "rows"),
    [
        ("u1", (), MIB),
        ("f8", (), MIB // 8),
        ([("a", "f8"), ("b", "i4")], (), MIB // 16),
        ("V33", (), MIB // 64),
        ("f4", (4, 4), MIB // 64),
        ("f8", (MIB,), 1),
        ("f8", (0,), MIB),
    ],
)
def test_a_chunk_of_a_new_table_has_a_power_of_two_of_rows_up_to_1_mib_or_one_row(
    dtype: object, shape: tuple[int, ...], rows: int
) -> None:
    assert rows_per_hdf5_chunk(np.dtype(dtype), shape) == rows  # type: ignore[call-overload]


@given(
    size=st.integers(1, 10_000),
    side=st.integers(1, 20),
    chunk_rows=st.integers(1, 10**6),
)
def test_a_loop_never_reads_a_chunk_twice_and_takes_a_few_mib(
    size: int, side: int, chunk_rows: int
) -> None:
    dtype = np.dtype(f"V{size}")
    rows = rows_per_loop_chunk(dtype, (side,), chunk_rows)
    assert rows % chunk_rows == 0
    row_bytes = size * side
    assert rows == chunk_rows or 2 * MIB <= rows * row_bytes <= 4 * MIB
    assert (rows // chunk_rows).bit_count() == 1


def test_a_loop_over_a_contiguous_dataset_takes_4_mib() -> None:
    assert rows_per_loop_chunk(np.dtype("f8"), (2,), None) == 4 * MIB // 16


def test_a_loop_over_large_rows_takes_one_at_a_time() -> None:
    assert rows_per_loop_chunk(np.dtype("f8"), (MIB,), None) == 1
