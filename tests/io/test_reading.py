"""Selective reads, against reading everything."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from h5flow.errors import DataError, FileFormatError
from h5flow.io import reading
from h5flow.io.reading import block_rows, read_intervals, read_rows, take_rows
from h5flow.testing.strategies import tables

LAYOUTS = {"contiguous": {}, "chunked": {"chunks": 3}, "gzip": {"chunks": 5, "compression": "gzip"}}


@pytest.fixture(scope="module")
def file():
    with h5py.File("reading.h5", "w", driver="core", backing_store=False) as opened:
        yield opened


def store(file, rows, layout="contiguous"):
    file.pop("data", None)
    options = dict(LAYOUTS[layout])
    if "chunks" in options:
        options["chunks"] = (options["chunks"], *rows.shape[1:])
        options["maxshape"] = (None, *rows.shape[1:])
    return file.create_dataset("data", data=rows, **options)


def indices_of(rows):
    if not len(rows):
        return st.just([])
    return st.lists(st.integers(0, len(rows) - 1), max_size=20)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_rows_in_any_order_are_those_of_the_whole_table(file, data):
    rows = data.draw(tables(max_rows=40))
    indices = np.array(data.draw(indices_of(rows)), np.int64)
    indices = np.sort(indices) if data.draw(st.booleans()) else indices
    dataset = store(file, rows, data.draw(st.sampled_from(sorted(LAYOUTS))))
    for source in (dataset, rows):
        found = read_rows(source, indices)
        assert found.dtype == rows.dtype
        assert found.shape == (len(indices), *rows.shape[1:])
        assert found.tobytes() == rows[indices].tobytes()


def test_rows_are_read_once_in_blocks_and_never_from_minimum_to_maximum(file, monkeypatch):
    rows = np.arange(100_000, dtype="f8")
    dataset = store(file, rows)
    read = []

    def record(source, start, stop):
        read.append((start, stop))
        return source[start:stop]

    monkeypatch.setattr(reading, "read_slice", record)
    indices = np.array([99_999, 5, 7, 99_990, 5])
    assert read_rows(dataset, indices).tolist() == indices.tolist()
    assert read == [(5, 8), (99_990, 100_000)]


def test_a_large_read_goes_in_parts(file, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST_READ_BYTES", 64)
    rows = np.arange(100, dtype="f8")
    indices = np.arange(99, -1, -3)
    assert read_rows(store(file, rows, "chunked"), indices).tolist() == indices.tolist()


def test_rows_of_a_type_that_is_an_array_gain_its_axes(file):
    kind = np.dtype(("f4", (3,)))
    file.pop("arrays", None)
    dataset = file.create_dataset("arrays", (5,), kind)
    dataset[...] = np.arange(15).reshape(5, 3)
    assert read_rows(dataset, np.array([4, 1])).tolist() == [[12, 13, 14], [3, 4, 5]]
    assert read_rows(dataset, np.array([], np.int64)).shape == (0, 3)


def test_strings_of_variable_length_keep_their_type(file):
    file.pop("words", None)
    dataset = file.create_dataset("words", data=["a", "muon", ""], dtype=h5py.string_dtype())
    found = read_rows(dataset, np.array([1, 0, 1]))
    assert found.tolist() == [b"muon", b"a", b"muon"]
    assert h5py.check_string_dtype(found.dtype)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_of_the_dataset_is_refused(file, index):
    for source in (np.zeros(3), store(file, np.zeros(3))):
        with pytest.raises(DataError, match=f"row {index}"):
            read_rows(source, np.array([0, index]))


def test_a_single_value_has_no_rows(file):
    file.pop("value", None)
    file["value"] = 3.0
    with pytest.raises(DataError, match="single value"):
        read_rows(file["value"], np.array([0]))


def test_intervals_are_read_one_after_the_other(file):
    dataset = store(file, np.arange(20).reshape(10, 2))
    found = read_intervals(dataset, np.array([0, 7]), np.array([2, 10]))
    assert found[:, 0].tolist() == [0, 2, 14, 16, 18]
    none = np.zeros(0, np.int64)
    assert read_intervals(dataset, none, none).shape == (0, 2)


def test_a_compressed_chunk_is_the_smallest_unit_worth_reading(file):
    rows = np.zeros(50_000, "f8")
    file.pop("big", None)
    plain = file.create_dataset("big", data=rows, chunks=(20_000,))
    assert block_rows(plain) == 8192
    file.pop("big", None)
    packed = file.create_dataset("big", data=rows, chunks=(20_000,), compression="lzf")
    assert block_rows(packed) == 20_000


def test_a_damaged_chunk_is_an_error_that_names_the_dataset(tmp_path):
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("hits/data", data=np.arange(1000), compression="gzip")
        chunk = dataset.id.get_chunk_info(0)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * chunk.size)
    with h5py.File(path) as file, pytest.raises(FileFormatError, match="/hits/data"):
        read_rows(file["hits/data"], np.array([3, 1]))


@pytest.mark.parametrize("shape", [(6,), (6, 2), (6, 0)])
@pytest.mark.parametrize("kind", ["f8", [("a", "i1"), ("b", "f8", (2,))], "O"])
def test_taking_rows_is_indexing(shape, kind):
    rows = np.zeros(shape, kind)
    if rows.dtype.names is None:
        rows[...] = np.arange(rows.size).reshape(shape)
    else:
        rows["b"] = np.arange(rows["b"].size).reshape(rows["b"].shape)
    indices = np.array([5, 0, 0, 2])
    for source in (rows, rows[::-1]):
        taken = take_rows(source, indices)
        assert taken.dtype == rows.dtype
        assert repr(taken) == repr(source[indices])
