"""A growing table against a plain NumPy array that grows."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_files import filters

from h5flow.errors import DataError
from h5flow.io.workers import Workers
from h5flow.storage.table import Table

CHUNK = 8


def table(maxshape: int | None = None, chunks: int | None = CHUNK, **filters: Any) -> Table:
    file = h5py.File(uuid4().hex, "w", driver="core", backing_store=False)
    shape = (0,) if chunks else (maxshape,)
    return Table(
        file.create_dataset(
            "x/data",
            shape,
            "i8",
            maxshape=(maxshape,) if chunks else None,
            chunks=(chunks,) if chunks else None,
            **filters,
        ),
        workers=Workers(lambda: 2) if filters else None,
    )


class Model:
    """The naive table."""

    def __init__(self) -> None:
        self.rows = np.zeros(0, np.int64)

    def extend(self, length: int) -> None:
        if length > len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros(length - len(self.rows), np.int64)])

    def write(self, rows: np.ndarray, values: np.ndarray) -> None:
        if len(rows):
            self.extend(int(rows.max()) + 1)
            self.rows[rows] = values


operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 30)),
        st.tuples(st.just("slice"), st.integers(0, 60), st.integers(0, 25)),
        st.tuples(st.just("rows"), st.sets(st.integers(0, 80), max_size=12)),
        st.tuples(st.just("update"), st.sets(st.integers(0, 80), max_size=12)),
        st.tuples(st.just("extend"), st.integers(0, 70)),
        st.tuples(st.just("read"), st.integers(0, 60), st.integers(0, 40)),
        st.tuples(st.just("flush"), st.booleans()),
    ),
    max_size=20,
)


@settings(deadline=None)
@given(operations=operations, filters=st.just({}) | filters())
def test_a_table_holds_what_was_written_to_it(
    operations: list[tuple], filters: dict[str, Any]
) -> None:
    real, model, next_value = table(**filters), Model(), 1
    for kind, *arguments in operations:
        if kind == "extend":
            real.extend(arguments[0])
            model.extend(arguments[0])
        elif kind == "flush":
            flushed = real.flush(is_file_next=arguments[0])
            if arguments[0]:
                flushed.file.flush()
            assert flushed[:].tolist() == model.rows.tolist()
        elif kind == "read":
            start, count = arguments
            expected = np.zeros(count, np.int64)
            part = model.rows[start : start + count]
            expected[: len(part)] = part
            assert real.read(start, start + count).tolist() == expected.tolist()
        else:
            if kind in {"append", "slice"}:
                start = real.length if kind == "append" else arguments[0]
                rows: slice | np.ndarray = slice(start, start + arguments[-1])
                indices = np.arange(start, start + arguments[-1])
            else:
                rows = indices = np.array(sorted(arguments[0]), np.int64)
            values = np.arange(next_value, next_value + len(indices))
            next_value += len(indices)
            if kind == "update":
                real.update(
                    indices, lambda present, part, values=values: present * 2 + values[part]
                )
                old = Model()
                old.rows = model.rows.copy()
                if len(indices):
                    old.extend(int(indices.max()) + 1)
                    values = old.rows[indices] * 2 + values
            else:
                real.write(rows, values)
            model.write(indices, values)
        assert real.length == len(model.rows)
    assert real.flush()[:].tolist() == model.rows.tolist()
    real.dataset.file.close()


def test_appended_rows_wait_until_they_fill_a_chunk() -> None:
    rows = table()
    rows.write(slice(0, 5), np.arange(5))
    assert rows.dataset.shape == (0,)
    rows.write(slice(5, 10), np.arange(5))
    assert rows.dataset.shape == (CHUNK,)
    assert rows.length == 10


def test_packed_rows_wait_until_each_thread_has_a_chunk_and_go_around_hdf5s_filters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = table(compression="gzip")
    by_hdf5: list[int] = []
    monkeypatch.setattr(rows, "_store_by_hdf5", lambda start, data: by_hdf5.append(len(data)))
    rows.write(slice(0, 2 * CHUNK - 1), np.arange(2 * CHUNK - 1))
    assert rows.dataset.shape == (0,)
    rows.write(slice(2 * CHUNK - 1, 2 * CHUNK + 1), np.arange(2))
    assert rows.dataset[:].tolist() == [*range(2 * CHUNK - 1), 0]
    assert sum(by_hdf5) == 0
    rows.flush()
    assert sum(by_hdf5) == 1


def test_the_beginning_of_a_chunk_goes_around_hdf5s_filters_before_it_writes_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = table(compression="gzip")
    by_hdf5: list[int] = []
    monkeypatch.setattr(rows, "_store_by_hdf5", lambda start, data: by_hdf5.append(len(data)))
    rows.write(slice(0, CHUNK + 3), np.arange(CHUNK + 3))
    assert rows.flush(is_file_next=True)[:].tolist() == [*range(CHUNK + 3)]
    assert sum(by_hdf5) == 0


def test_rows_after_the_beginning_of_a_chunk_are_added_to_it() -> None:
    rows = table(compression="gzip", shuffle=True)
    rows.write(slice(0, 3), np.arange(3))
    rows.flush(is_file_next=True).file.flush()
    rows.write(slice(5, 6), np.array([5]))
    rows.flush(is_file_next=True).file.flush()
    rows.extend(CHUNK + 1)
    assert rows.flush()[:].tolist() == [0, 1, 2, 0, 0, 5, 0, 0, 0]


def test_a_chunk_that_the_file_has_is_written_by_hdf5(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table(compression="gzip", shuffle=True)
    rows.write(slice(0, 2 * CHUNK), np.arange(2 * CHUNK))
    direct: list[int] = []
    monkeypatch.setattr(rows._direct, "write", lambda start, data: direct.append(start))
    rows.write(slice(0, CHUNK), np.full(CHUNK, 7))
    assert direct == []
    assert rows.flush()[:].tolist() == [7] * CHUNK + [*range(CHUNK, 2 * CHUNK)]


def test_a_table_of_fixed_size_refuses_to_grow() -> None:
    rows = table(maxshape=CHUNK)
    with pytest.raises(DataError, match="cannot grow to 9 rows"):
        rows.write(slice(0, 9), np.arange(9))


def test_rows_of_a_contiguous_table_can_be_replaced() -> None:
    rows = table(maxshape=4, chunks=None)
    rows.write(slice(1, 3), np.array([7, 8]))
    assert rows.flush()[:].tolist() == [0, 7, 8, 0]


def test_rows_that_are_objects_are_empty_where_they_were_not_written() -> None:
    with h5py.File(uuid4().hex, "w", driver="core", backing_store=False) as file:
        text = h5py.string_dtype()
        rows = Table(file.create_dataset("x", (0,), text, maxshape=(None,), chunks=(CHUNK,)))
        for first, words in ((1, ["a"]), (3, ["b", "c"])):
            rows.write(slice(first, first + len(words)), np.array(words, object))
        rows.write(np.array([0, 4, 30]), np.array(["d", "e", "f"], object))
        rows.extend(32)
        found = [word.decode() for word in rows.flush()[:]]
    assert found == ["d", "a", "", "b", "e", *[""] * 25, "f", ""]


def test_rows_with_gaps_between_their_fields_are_kept() -> None:
    dtype = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    with h5py.File(uuid4().hex, "w", driver="core", backing_store=False) as file:
        rows = Table(file.create_dataset("x", (0,), dtype, maxshape=(None,), chunks=(CHUNK,)))
        for number in range(5):
            rows.write(slice(number, number + 1), np.array([(number, number / 2)], dtype))
        assert rows.flush()[:].tolist() == [(n, n / 2) for n in range(5)]


def test_far_rows_are_changed_without_reading_what_lies_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("h5flow.storage.table.JOINED_GAP_BYTES", 80)
    monkeypatch.setattr("h5flow.storage.table.LARGEST_RUN_BYTES", 400)
    rows, read = table(), []

    def counted(start: int, stop: int) -> np.ndarray:
        read.append(stop - start)
        return plain(start, stop)

    rows.write(slice(0, 1000), np.arange(1000))
    plain = rows.read
    monkeypatch.setattr(rows, "read", counted)
    rows.write(np.array([0, 5, 500, *range(900, 1000, 2)]), np.zeros(53, "i8"))
    assert max(read) <= 50
    assert np.flatnonzero(rows.flush()[:] == 0).tolist() == [0, 5, 500, *range(900, 1000, 2)]
