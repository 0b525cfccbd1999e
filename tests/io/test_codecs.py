"""The filters of HDF5, done and undone outside of it, against HDF5."""

from __future__ import annotations

import zlib

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_files import filters, packed, packed_tables

from h5flow.io.codecs import pipeline_of
from h5flow.io.packing.deflate import Deflate
from h5flow.io.packing.protocol import UndecodableChunk

LAYOUTS = {
    "contiguous": {},
    "without a filter": {"chunks": (5, 2)},
    "rows that are split": {"chunks": (5, 1), "compression": "gzip"},
    "a number that nobody has": {
        "chunks": (5, 2),
        "compression": 511,
        "allow_unknown_filter": True,
    },
    "scale-offset": {"chunks": (5, 2), "compression": "gzip", "scaleoffset": 0},
    "only a checksum": {"chunks": (5, 2), "fletcher32": True},
}


@pytest.fixture(scope="module")
def file():
    with h5py.File("codecs.h5", "w", driver="core", backing_store=False) as opened:
        yield opened


def as_bytes(rows):
    return np.ascontiguousarray(rows).reshape(-1).view(np.uint8)


@settings(max_examples=200)
@given(rows=packed_tables().filter(lambda rows: rows.size), options=filters())
def test_what_hdf5_has_packed_is_unpacked(file, rows, options):
    stored = packed(file, rows, len(rows), **options)
    skipped, chunk = stored.id.read_direct_chunk((0,) * rows.ndim)
    found = np.empty(rows.nbytes, np.uint8)
    pipeline_of(stored).decode(np.frombuffer(chunk, np.uint8), skipped, found)
    assert found.tobytes() == stored[:].tobytes()


@settings(max_examples=200)
@given(rows=packed_tables().filter(lambda rows: rows.size), options=filters())
def test_hdf5_unpacks_what_was_packed(file, rows, options):
    stored = packed(file, rows[:0], len(rows), **options)
    stored.resize(len(rows), axis=0)
    chunk = pipeline_of(stored).encode(rows)
    stored.id.write_direct_chunk((0,) * rows.ndim, chunk)
    assert stored[:].tobytes() == rows.tobytes()


@pytest.mark.parametrize("level", range(10))
def test_noise_takes_hardly_more_than_it_did(level):
    noise = np.random.default_rng(1).integers(0, 256, 100_000, "u1")
    packed_noise = Deflate(level, len(noise)).encode(noise)
    assert len(packed_noise) <= 1.001 * len(noise) + 12
    assert zlib.decompress(packed_noise) == noise.tobytes()


def test_a_chunk_that_went_without_a_filter_is_read(file):
    stored = packed(file, np.arange(20), 20, compression="gzip", shuffle=True)
    found = np.empty(160, np.uint8)
    pipeline_of(stored).decode(as_bytes(np.arange(20)), 3, found)
    assert found.view("i8").tolist() == [*range(20)]


@given(data=st.data(), options=filters())
def test_damaged_bytes_are_noticed_or_harmless(file, data, options):
    rows = np.arange(300)
    stored = packed(file, rows, len(rows), **{**options, "fletcher32": True})
    skipped, chunk = stored.id.read_direct_chunk((0,))
    damaged = np.frombuffer(chunk, np.uint8).copy()
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UndecodableChunk):
        pipeline_of(stored).decode(damaged, skipped, np.empty(rows.nbytes, np.uint8))


def test_a_chunk_of_another_size_is_noticed(file):
    stored = packed(file, np.arange(300), 300, compression="gzip", shuffle=True)
    for wrong in (np.zeros(10, "i8"), np.zeros(301, "i8"), np.zeros(3, "u1")):
        chunk = np.frombuffer(zlib.compress(wrong.tobytes()), np.uint8)
        with pytest.raises(UndecodableChunk):
            pipeline_of(stored).decode(chunk, 0, np.empty(2400, np.uint8))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_anything_unusual_is_left_to_hdf5(file, layout):
    file.pop("data", None)
    stored = file.create_dataset("data", data=np.arange(20).reshape(10, 2), **LAYOUTS[layout])
    assert pipeline_of(stored) is None


def test_a_shuffle_of_nothing_is_left_to_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        packed(file, np.arange(20, dtype="i4"), 10, compression="gzip", shuffle=True)
    whole = path.read_bytes()
    damaged = whole.replace(b"shuffle\0\4\0\0\0", b"shuffle\0\0\0\0\0")
    assert damaged != whole
    path.write_bytes(damaged)
    with h5py.File(path) as file:
        assert pipeline_of(file["data"]) is None


def test_values_that_hdf5_converts_are_left_to_it(file):
    file.pop("data", None)
    # Whatever follows the zero that ends a text is not read.
    text = h5py.h5t.C_S1.copy()
    text.set_size(5)
    text.set_strpad(h5py.h5t.STR_NULLTERM)
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_chunk((5,))
    created.set_deflate(4)
    space = h5py.h5s.create_simple((10,))
    h5py.h5d.create(file.id, b"data", text, space, created)
    assert pipeline_of(file["data"]) is None


@pytest.mark.parametrize("dtype", [h5py.string_dtype(), h5py.ref_dtype, np.dtype(("f4", (3,)))])
def test_rows_whose_bytes_are_not_in_the_chunk_are_left_to_hdf5(file, dtype):
    file.pop("data", None)
    stored = file.create_dataset("data", (10,), dtype, chunks=(5,), compression="gzip")
    assert pipeline_of(stored) is None


def detector_rows(kind):
    random = np.random.default_rng(1)
    if kind == "floats":
        return random.normal(size=40_000)
    if kind == "waveforms":
        return np.cumsum(random.integers(-3, 4, (1000, 128)), 1).astype("i2")
    rows = np.zeros(30_000, [("id", "i8"), ("t", "f8"), ("q", "f4"), ("channel", "i4")])
    rows["id"] = np.arange(len(rows))
    rows["t"] = np.sort(random.uniform(0, 1e6, len(rows)).round(1))
    rows["q"] = random.exponential(20, len(rows)).round(2)
    rows["channel"] = random.integers(0, 50_000, len(rows))
    return rows


@pytest.mark.parametrize("level", range(1, 10))
@pytest.mark.parametrize("kind", ["hits", "waveforms", "floats"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_size_is_zlibs_within_a_tenth(kind, level, shuffle):
    data = as_bytes(detector_rows(kind))
    if shuffle:
        data = np.ascontiguousarray(data.reshape(-1, detector_rows(kind).itemsize).T).reshape(-1)
    assert len(Deflate(level, len(data)).encode(data)) <= 1.1 * len(zlib.compress(data, level))
