"""The filters beside gzip, done and undone outside of HDF5, against h5py and hdf5plugin."""

from __future__ import annotations

import sys

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_files import OTHER_FILTERS, other_filters, packed, packed_tables

from h5flow.io.codecs import pipeline_of
from h5flow.io.packing.known import PACKERS, packer
from h5flow.io.packing.protocol import Packing

pytest.importorskip("hdf5plugin", reason="NOT TESTED WITHOUT hdf5plugin")
pytest.importorskip("imagecodecs", reason="NOT TESTED WITHOUT imagecodecs")

some_rows = packed_tables().filter(lambda rows: rows.size)
by_name = pytest.mark.parametrize("name", OTHER_FILTERS)


@pytest.fixture(scope="module")
def file():
    with h5py.File("packing.h5", "w", driver="core", backing_store=False) as opened:
        yield opened


def unpacked(stored, chunk, skipped, size):
    found = np.empty(size, np.uint8)
    pipeline_of(stored).decode(np.frombuffer(chunk, np.uint8), skipped, found)
    return found.tobytes()


@by_name
@settings(max_examples=150)
@given(data=st.data(), rows=some_rows)
def test_what_hdf5_has_packed_is_unpacked(file, name, data, rows):
    stored = packed(file, rows, len(rows), **data.draw(other_filters(name)))
    skipped, chunk = stored.id.read_direct_chunk((0,) * rows.ndim)
    assert unpacked(stored, chunk, skipped, rows.nbytes) == stored[:].tobytes()


@by_name
@settings(max_examples=150)
@given(data=st.data(), rows=some_rows)
def test_hdf5_unpacks_what_was_packed(file, name, data, rows):
    stored = packed(file, rows[:0], len(rows), **data.draw(other_filters(name)))
    stored.resize(len(rows), axis=0)
    stored.id.write_direct_chunk((0,) * rows.ndim, pipeline_of(stored).encode(rows))
    assert stored[:].tobytes() == rows.tobytes()


@by_name
@settings(max_examples=20)
@given(data=st.data(), kind=st.sampled_from(["noise", "steps", "zeros"]))
def test_so_it_is_with_chunks_of_many_blocks(file, name, data, kind):
    rows = {
        "noise": np.random.default_rng(1).integers(0, 2**63, 30_001),
        "steps": np.arange(30_001) // 7,
        "zeros": np.zeros(30_001, "i8"),
    }[kind]
    options = data.draw(other_filters(name))
    stored = packed(file, rows, len(rows), **options)
    skipped, chunk = stored.id.read_direct_chunk((0,))
    assert unpacked(stored, chunk, skipped, rows.nbytes) == rows.tobytes()
    written = packed(file, rows[:0], len(rows), **options)
    written.resize(len(rows), axis=0)
    written.id.write_direct_chunk((0,), pipeline_of(written).encode(rows))
    assert written[:].tobytes() == rows.tobytes()


@by_name
@settings(max_examples=50)
@given(data=st.data())
def test_a_chunk_that_went_without_some_of_its_filters_is_read(file, name, data):
    rows = np.arange(300) // 3
    stored = packed(file, rows[:0], 300, **data.draw(other_filters(name)))
    stored.resize(300, axis=0)
    steps = pipeline_of(stored).filters
    skipped = data.draw(st.integers(0, 2 ** len(steps) - 1))
    chunk = rows.view(np.uint8)
    for number, step in enumerate(steps):
        chunk = chunk if skipped >> number & 1 else step.encode(chunk)
    stored.id.write_direct_chunk((0,), chunk, skipped)
    assert unpacked(stored, chunk, skipped, rows.nbytes) == rows.tobytes()
    del stored  # what HDF5 knows of the chunk's filters it forgets until it is opened anew
    assert file["data"][:].tobytes() == rows.tobytes()


@by_name
@pytest.mark.parametrize("shuffle", [False, True])
def test_it_is_packed_as_small_as_hdf5_does(file, name, shuffle):
    random = np.random.default_rng(1)
    rows = np.zeros(30_000, [("id", "i8"), ("t", "f8"), ("q", "f4"), ("channel", "i4")])
    rows["id"] = np.arange(len(rows))
    rows["t"] = np.sort(random.uniform(0, 1e6, len(rows)).round(1))
    rows["q"] = random.exponential(20, len(rows)).round(2)
    options = {"compression": "lzf"} if name == "lzf" else plugin(name)
    stored = packed(file, rows, len(rows), **options, shuffle=shuffle)
    assert len(pipeline_of(stored).encode(rows)) <= 1.02 * stored.id.get_storage_size()


def plugin(name):
    import hdf5plugin

    return dict(getattr(hdf5plugin, name)())


@pytest.mark.parametrize(
    ("number", "values"),
    [
        (307, (10,)),  # bzip2's levels end at 9
        (32015, (2**32 - 7,)),  # a negative level of Zstandard
        (32001, (2, 2, 8, 2400, 5, 1, 77)),  # compressors of Blosc that nobody knows
        (32001, (2, 2, 7, 2400, 5, 1, 1)),  # elements that do not fill the chunk
        (32008, (0, 4, 8, 12, 2)),  # blocks of bitshuffle are multiples of 8
        (32008, (0, 4, 7, 0, 2)),
        (32008, (0, 4, 8, 0, 3, 3)),  # blocks of Zstandard
        (32026, (1, 0, 8, 2400, 5, 1, 0)),  # Blosc 2, whose chunks are files of their own
    ],
)
def test_what_is_not_known_of_a_filter_is_left_to_hdf5(number, values):
    assert packer(number, Packing(values, 2400)) is None


@pytest.mark.parametrize("number", sorted(set(PACKERS) - {1, 307}))
def test_without_the_library_it_is_left_to_hdf5(monkeypatch, number):
    values = {32001: (2, 2, 8, 2400, 5, 1, 1), 32008: (0, 4, 8, 0, 2)}.get(number, ())
    packing = Packing(values, 2400)
    assert packer(number, packing) is not None
    monkeypatch.delitem(sys.modules, PACKERS[number].partition(":")[0])
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert packer(number, packing) is None


def test_a_table_with_gzip_needs_none_of_the_others(tmp_path, run_python):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        packed(file, np.arange(300), 100, compression="gzip")
    done = run_python(
        """
import sys
from h5flow.data import H5FlowDataManager
from h5flow.io.direct_reading import DirectRows, direct_rows
from h5flow.io.workers import Workers
with H5FlowDataManager(sys.argv[1], "r") as manager:
    rows = direct_rows(manager.fh["data"], Workers(lambda: 1))
    assert isinstance(rows, DirectRows) and rows[:].sum() == 44850
others = {"bzip2", "lzf", "blosc", "lz4", "bitshuffle", "zstd"}
assert not {f"h5flow.io.packing.{name}" for name in others} & set(sys.modules)
assert "imagecodecs" not in sys.modules
""",
        tmp_path / "a.h5",
    )
    assert done.returncode == 0, done.stderr
