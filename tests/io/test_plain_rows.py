"""Rows read past HDF5, against the whole table read through it."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from h5flow.errors import FileFormatError
from h5flow.io import plain_rows as plain_rows_module
from h5flow.io import reading
from h5flow.io.plain_rows import plain_rows
from h5flow.io.reading import read_rows, read_union
from h5flow.testing.strategies import tables

LENGTH = 500
ROW = np.dtype([("x", ">f4"), ("n", "i8"), ("flag", "?"), ("pair", "i2", (2,))])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.h5"


@pytest.fixture
def far_apart(monkeypatch):
    """Rows few and far between, in a small file."""
    monkeypatch.setattr(reading, "FEW_READS", 0)
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1)
    monkeypatch.setattr(plain_rows_module, "BLOCK_BYTES", 1)
    monkeypatch.setattr(plain_rows_module, "CHUNKS_PER_READ", 10**6)


def make_rows():
    rows = np.zeros(LENGTH, ROW)
    rows["n"] = np.arange(LENGTH)
    rows["x"], rows["flag"] = rows["n"] / 4, rows["n"] % 3 == 0
    rows["pair"] = rows["n"][:, None]
    return rows


def store(path, rows, *, mode="w", **options):
    with h5py.File(
        path, mode, **{k: options.pop(k) for k in ("userblock_size",) if k in options}
    ) as f:
        f.create_dataset("rows", data=rows, **options)


@pytest.mark.usefixtures("far_apart")
@pytest.mark.parametrize("options", [{}, {"chunks": (7,)}, {"chunks": (LENGTH,)}])
def test_rows_far_apart_are_those_of_the_whole_table(path, options):
    rows = make_rows()
    store(path, rows, **options)
    indices = np.random.default_rng(1).choice(LENGTH, 60)
    with h5py.File(path, "r") as file:
        assert plain_rows(file["rows"], len(indices)) is not None
        found = read_rows(file["rows"], indices)
        assert (found.dtype, found.tobytes()) == (file["rows"].dtype, rows[indices].tobytes())
        found["n"] = 0  # as with rows that HDF5 reads


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_intervals_of_any_table_are_those_of_the_whole(tmp_path_factory, data):
    rows = data.draw(tables(max_rows=30).filter(lambda drawn: drawn.size))
    count = st.integers(1, len(rows))
    options = {"chunks": (data.draw(count), *rows.shape[1:])} if data.draw(st.booleans()) else {}
    path = tmp_path_factory.mktemp("plain") / "rows.h5"
    store(path, rows, **options)
    drawn = st.lists(st.tuples(st.integers(0, len(rows) - 1), count), min_size=2, max_size=6)
    bounds = [(start, min(start + length, len(rows))) for start, length in data.draw(drawn)]
    with h5py.File(path, "r") as file:
        plain = plain_rows(file["rows"], 10**6)
        assert (plain is None) == rows.dtype.hasobject
        if plain is not None:
            found = plain.read(*np.array(bounds).T)
            assert found.tobytes() == b"".join(rows[a:b].tobytes() for a, b in bounds)


@pytest.mark.usefixtures("far_apart")
def test_the_union_of_intervals_is_read_without_what_lies_between(path):
    rows = make_rows()
    store(path, rows, chunks=(9,))
    with h5py.File(path, "r") as file:
        wanted = np.array([400, 3, 5, 8, 3]), np.array([420, 6, 7, 8, 4])
        found, starts, stops = read_union(file["rows"], *wanted)
    assert (starts.tolist(), stops.tolist()) == ([3, 400], [7, 420])
    assert found["n"].tolist() == [*range(3, 7), *range(400, 420)]


@pytest.mark.usefixtures("far_apart")
def test_rows_that_are_arrays_of_hdf5_are_read_far_apart(path):
    rows = np.arange(3 * LENGTH, dtype="f4").reshape(LENGTH, 3)
    with h5py.File(path, "w") as file:
        file.create_dataset("rows", (LENGTH,), np.dtype(("f4", (3,))))[...] = rows
    indices = np.arange(0, LENGTH, 50)
    with h5py.File(path, "r") as file:
        assert read_rows(file["rows"], indices).tolist() == rows[indices].tolist()


@pytest.mark.usefixtures("far_apart")
def test_scattered_rows_are_held_in_parts(path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST_READ_BYTES", 10 * ROW.itemsize)
    store(path, make_rows(), chunks=(2,))
    indices = np.arange(0, LENGTH, 3)
    with h5py.File(path, "r") as file:
        assert read_rows(file["rows"], indices)["n"].tolist() == indices.tolist()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"chunks": (9,), "compression": "gzip"}, "filters"),
        ({"chunks": (9,), "fletcher32": True}, "checksums"),
        ({"userblock_size": 512}, "a user block"),
    ],
)
def test_what_only_hdf5_can_read_is_left_to_it(path, options, why):
    store(path, make_rows(), **options)
    with h5py.File(path, "r") as file:
        assert plain_rows(file["rows"], LENGTH) is None, why


def test_a_file_that_may_be_written_is_read_through_hdf5(path):
    store(path, make_rows())
    with h5py.File(path, "r+") as file:
        assert plain_rows(file["rows"], LENGTH) is None


def test_rows_that_were_never_written_are_left_to_hdf5(path):
    with h5py.File(path, "w") as file:
        for name, options in {"chunked": {"chunks": (5,)}, "contiguous": {}}.items():
            file.create_dataset(name, (20,), "f8", **options)
        file["chunked"][:5] = 1
    with h5py.File(path, "r") as file:
        assert plain_rows(file["chunked"], 20) is None
        assert plain_rows(file["contiguous"], 20) is None


def test_few_reads_of_many_chunks_are_left_to_hdf5(path):
    store(path, make_rows(), chunks=(1,))
    with h5py.File(path, "r") as file:
        assert plain_rows(file["rows"], 2) is None


@pytest.mark.usefixtures("far_apart")
def test_a_file_cut_short_is_an_error_that_names_it(path):
    store(path, make_rows())
    with h5py.File(path, "r") as file:
        with open(path, "r+b") as raw:
            raw.truncate(file["rows"].id.get_offset() + 100)
        with pytest.raises(FileFormatError, match=r"rows\.h5.*truncated"):
            read_rows(file["rows"], np.array([0, 90, 490]))
