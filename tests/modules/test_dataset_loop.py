"""The loop over a dataset: ranges, and chunks of equal size that no number of ranks changes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.backends import choose_backend
from h5flow.core.component import Surroundings, surrounded_by
from h5flow.errors import ConfigError, H5FlowWarning, UsageError
from h5flow.modules import H5FlowDatasetLoopGenerator
from h5flow.modules.dataset_loop import chunk_rows, loop_range, rows_that_fit
from h5flow.storage.protocol import TableDescription


def loop(
    length: int, chunk_size: int | str = "auto", rank: int = 0, size: int = 1, **params: Any
) -> H5FlowDatasetLoopGenerator:
    """Return a loop over a dataset of `length` rows, after init."""
    source = TableDescription(np.dtype("f8"), (), length, chunk_rows=8)
    manager = SimpleNamespace(describe=lambda _name: source)
    comm = SimpleNamespace(Get_rank=lambda: rank, Get_size=lambda: size)
    with surrounded_by(Surroundings(comm, choose_backend("numpy"))):
        made = H5FlowDatasetLoopGenerator(
            name="loop",
            classname="H5FlowDatasetLoopGenerator",
            dset_name="events",
            data_manager=manager,
            chunk_size=chunk_size,
            **params,
        )
    made.init()
    return made


def chunks(made: H5FlowDatasetLoopGenerator) -> list[slice]:
    found = []
    while (rows := made.next()) != made.EMPTY:
        found.append(rows)
    return found


@given(length=st.integers(0, 50), chunk_size=st.integers(1, 60), size=st.integers(1, 5))
def test_the_chunks_of_all_ranks_in_turn_are_those_of_one(
    length: int, chunk_size: int, size: int
) -> None:
    alone = chunks(loop(length, chunk_size))
    assert [row for chunk in alone for row in range(chunk.start, chunk.stop)] == list(range(length))
    assert all(chunk.stop - chunk.start == chunk_size for chunk in alone[:-1])
    ranks = [loop(length, chunk_size, rank, size) for rank in range(size)]
    of_ranks = [chunks(each) for each in ranks]
    in_turn = [
        of_ranks[rank][iteration]
        for iteration in range(len(of_ranks[0]))
        for rank in range(size)
        if iteration < len(of_ranks[rank])
    ]
    assert in_turn == alone
    assert {len(each) for each in ranks} == {len(of_ranks[0])}


def test_after_the_last_chunk_there_are_none_for_ever() -> None:
    made = loop(3, 2)
    assert [made.next() for _ in range(4)] == [slice(0, 2), slice(2, 3), slice(-1, -1), made.EMPTY]


def test_a_range_is_cut_into_chunks_from_its_start() -> None:
    made = loop(20, 4, start_position=3, end_position=-8)
    assert chunks(made) == [slice(3, 7), slice(7, 11), slice(11, 12)]
    assert (made.rows, len(made)) == (range(3, 12), 3)


def test_chunk_size_is_auto_by_default() -> None:
    assert H5FlowDatasetLoopGenerator().chunk_size == "auto"
    assert chunks(loop(20)) == [slice(0, 20)]


@pytest.mark.parametrize("chunk_size", [0, -3, 1.5, "many", None, True])
def test_a_chunk_size_that_is_none_is_refused(chunk_size: Any) -> None:
    with pytest.raises(UsageError, match="positive whole number of rows or 'auto'"):
        H5FlowDatasetLoopGenerator(chunk_size=chunk_size)


def test_a_numpy_integer_is_a_chunk_size() -> None:
    assert chunks(loop(5, np.int32(3))) == [slice(0, 3), slice(3, 5)]  # type: ignore[arg-type]


def test_another_param_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'chunk_size'"):
        H5FlowDatasetLoopGenerator(chunksize=5)


def test_a_subclass_may_have_a_chunk_size_and_params_of_its_own() -> None:
    class Small(H5FlowDatasetLoopGenerator):
        chunk_size = 3
        stride = 1

    made = Small(stride=2)
    assert (made.chunk_size, made.stride) == (3, 2)


def test_auto_is_a_multiple_of_the_hdf5_chunk() -> None:
    source = TableDescription(np.dtype("f8"), (), 10**7, 3000)
    rows = chunk_rows(source, "auto")
    assert rows % 3000 == 0
    assert 2**21 < rows * 8 <= 2**22


@given(room=st.integers(0, 10**12), row=st.integers(1, 10**6))
def test_what_fits_is_a_chunk_of_at_least_one_row_and_much_less_than_the_room(
    room: int, row: int
) -> None:
    rows = rows_that_fit(TableDescription(np.dtype("u1"), (row,), 10**7, 3000), room)
    assert rows >= 1
    assert rows == 1 or rows * row <= room / 20


def test_an_ordinary_chunk_fits_in_a_quarter_of_a_gigabyte() -> None:
    source = TableDescription(np.dtype("f8"), (), 10**7, 3000)
    assert rows_that_fit(source, 2**28) >= chunk_rows(source, "auto")


@given(
    length=st.integers(0, 30),
    start=st.none() | st.integers(-40, 40),
    end=st.none() | st.integers(-40, 40),
)
@pytest.mark.filterwarnings("ignore::h5flow.errors.H5FlowWarning")
def test_a_range_is_that_of_a_slice_or_an_error(
    length: int, start: int | None, end: int | None
) -> None:
    try:
        rows = loop_range("events", length, start, end)
    except UsageError:
        first = 0 if start is None else start + length * (start < 0)
        last = length if end is None else end + length * (end < 0)
        assert min(first, last) < 0 or first > last or first >= length
    else:
        assert list(rows) == list(range(length))[start:end]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (10, None, "rows 10:: the start is at or beyond the end; events has 10 rows.*below 10"),
        (6, 5, "rows 6:5: the start is after the end"),
        (-11, None, "rows -11:: before the first row"),
        (None, -11, "rows :-11: before the first row"),
    ],
)
def test_a_range_that_cannot_be_meant_is_an_error(
    start: int | None, end: int | None, expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        loop_range("events", 10, start, end)


def test_an_end_beyond_the_last_row_is_clipped_with_a_warning() -> None:
    with pytest.warns(H5FlowWarning, match="events has 10 rows; the end is clipped to 10"):
        assert loop_range("events", 10, 4, 11) == range(4, 10)


def test_of_no_rows_a_range_from_0_is_empty() -> None:
    assert loop_range("events", 0, None, None) == range(0)
    assert loop_range("events", 0, 0, 0) == range(0)
    with pytest.raises(UsageError, match=r"events has 0 rows$"):
        loop_range("events", 0, 1, None)
