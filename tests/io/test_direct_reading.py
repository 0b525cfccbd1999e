"""Rows that are read around HDF5, against h5py."""

from __future__ import annotations

import os
import zlib
from importlib.util import find_spec

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_files import OTHER_FILTERS, filters, other_filters, packed, packed_tables

from h5flow.errors import FileFormatError
from h5flow.io import direct_reading
from h5flow.io.direct_reading import DirectRows, direct_rows
from h5flow.io.reading import read_rows, read_slice
from h5flow.io.workers import Workers


@pytest.fixture(params=[1, 3], scope="module")
def workers(request):
    made = Workers(lambda: request.param)
    yield made
    made.close()


@pytest.fixture(scope="module", params=["earliest", "v110"])
def path(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("direct") / "file.h5"
    with h5py.File(path, "w", libver=(request.param, "latest")):
        return path


def same(one, other):
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def any_filters():
    """Draw the arguments of ``create_dataset`` for any filter that can be installed."""
    if not (find_spec("hdf5plugin") and find_spec("imagecodecs")):
        return filters()
    return filters() | st.sampled_from([*OTHER_FILTERS]).flatmap(other_filters)


@settings(max_examples=300)
@given(data=st.data(), rows=packed_tables(), options=any_filters())
def test_rows_are_those_of_h5py(path, workers, data, rows, options):
    grown = data.draw(st.integers(0, 12))
    with h5py.File(path, "r+") as file:
        written = packed(file, rows, data.draw(st.integers(1, 15)), **options)
        # Chunks beyond were never written.
        written.resize(len(rows) + grown, axis=0)
    bounds = st.integers(0, len(rows) + grown + 2)
    with h5py.File(path) as file:
        direct = direct_rows(file["data"], workers)
        assert isinstance(direct, DirectRows) or not rows[:1].size
        for _ in range(5 if direct else 0):
            start, stop = data.draw(bounds), data.draw(bounds)
            assert same(direct[start:stop], file["data"][start:stop])
        if direct is not None:
            assert same(direct[:], file["data"][:])


def test_rows_that_were_never_written_have_the_fill_value(tmp_path, workers):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        sparse = packed(file, np.arange(5), 5, compression="gzip", fillvalue=-7)
        sparse.resize(30, axis=0)
        sparse[20:22] = 3
    with h5py.File(tmp_path / "a.h5") as file:
        direct = direct_rows(file["data"], workers)
        assert direct[3:12].tolist() == [3, 4, *[-7] * 7]
        assert direct[18:24].tolist() == [-7, -7, 3, 3, -7, -7]


@pytest.fixture
def offsets(monkeypatch):
    """Where chunks were read from in the file, in order."""
    found, pread = [], os.pread

    def noted(descriptor, size, offset):
        found.append(offset)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", noted)
    return found


def test_a_chunk_that_is_read_in_part_is_unpacked_once(tmp_path, workers, offsets, monkeypatch):
    monkeypatch.setattr(direct_reading, "KEPT_BYTES", 200)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        packed(file, np.arange(100), 10, compression="gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        direct = direct_rows(file["data"], workers)
        for start in range(0, 99, 3):
            assert direct[start : start + 3].tolist() == [*range(start, min(start + 3, 100))]
        assert len(offsets) == len(set(offsets)) == 10
        direct[0:1]
        assert len(offsets) == 11


def test_a_small_table_is_unpacked_once(tmp_path, workers, offsets):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        packed(file, np.arange(100), 10, compression="gzip", shuffle=True)
    with h5py.File(tmp_path / "a.h5") as file:
        direct = direct_rows(file["data"], workers)
        for _ in range(3):
            assert direct[:].tolist() == [*range(100)]
    assert len(offsets) == 10


def test_rows_in_any_order_are_read_directly_too(tmp_path, workers):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        packed(file, np.arange(100), 10, compression="gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        indices = np.array([99, 3, 3, 47])
        assert read_rows(direct_rows(file["data"], workers), indices).tolist() == [99, 3, 3, 47]


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_damaged_chunk_is_the_error_that_it_is_through_h5py(tmp_path, workers, shuffle):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = packed(file, np.arange(100), 10, compression="gzip", shuffle=shuffle)
        chunk = dataset.id.get_chunk_info_by_coord((50,))
    with (tmp_path / "a.h5").open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * chunk.size)
    with h5py.File(tmp_path / "a.h5") as file:
        direct = direct_rows(file["data"], workers)
        messages = []
        for rows in (direct, file["data"]):
            with pytest.raises(FileFormatError, match="rows 0 to 100 of /data") as caught:
                read_slice(rows, 0, 100)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]
        assert direct[60:100].tolist() == [*range(60, 100)]


@pytest.mark.parametrize("name", OTHER_FILTERS)
def test_a_chunk_that_hdf5_might_not_survive_is_an_error_before_it_gets_it(tmp_path, workers, name):
    hdf5plugin = pytest.importorskip("hdf5plugin", reason="NOT TESTED WITHOUT hdf5plugin")
    pytest.importorskip("imagecodecs", reason="NOT TESTED WITHOUT imagecodecs")
    made = {"compression": "lzf"} if name == "lzf" else getattr(hdf5plugin, name)()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = packed(file, np.arange(1000) // 9, 100, **made)
        chunk = dataset.id.get_chunk_info_by_coord((500,))
    with (tmp_path / "a.h5").open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * chunk.size)
    with h5py.File(tmp_path / "a.h5") as file:
        direct = direct_rows(file["data"], workers)
        expected = "rows 0 to 1000 of /data .*: the chunk of rows 500 to 600 is damaged"
        with pytest.raises(FileFormatError, match=expected):
            read_slice(direct, 0, 1000)
        assert direct[600:].tolist() == [row // 9 for row in range(600, 1000)]


def test_a_chunk_that_was_packed_without_its_checksum_is_read_by_h5py(tmp_path, workers):
    codecs = pytest.importorskip("imagecodecs", reason="NOT TESTED WITHOUT imagecodecs")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((10,))
        created.set_fletcher32()
        created.set_filter(h5py.h5z.FILTER_LZF)
        space = h5py.h5s.create_simple((20,))
        stored = h5py.h5d.create(file.id, b"data", h5py.h5t.STD_I64LE, space, created)
        stored.write_direct_chunk((0,), codecs.lzf_encode(np.arange(10).tobytes()), 0b01)
        file["data"][10:] = np.arange(10, 20)
    with h5py.File(tmp_path / "a.h5") as file:
        assert direct_rows(file["data"], workers)[:].tolist() == list(range(20))


@pytest.mark.parametrize("kept", [1, 5, 40, 79])
@pytest.mark.parametrize("skipped", [0b00, 0b10, 0b11])
def test_a_chunk_that_is_too_short_is_an_error_in_place_of_what_lies_in_memory(
    tmp_path, workers, kept, skipped
):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = packed(file, np.arange(20), 10, compression="gzip", shuffle=True)
        chunk = bytes(kept) if skipped & 0b10 else zlib.compress(bytes(kept))
        stored.id.write_direct_chunk((10,), chunk, skipped)
    with h5py.File(tmp_path / "a.h5") as file:
        direct = direct_rows(file["data"], workers)
        assert direct[:10].tolist() == list(range(10))
        with pytest.raises(OSError, match=f"rows 10 to 20 is damaged: it holds {kept} bytes"):
            direct[12:14]


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_last_chunk_without_what_lies_beyond_the_last_row_is_read(tmp_path, workers, shuffle):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = packed(file, np.arange(13), 10, compression="gzip", shuffle=shuffle)
        rows = np.array([10, 11, 12]).view(np.uint8)
        rows = rows.reshape(3, 8).T.tobytes() if shuffle else rows.tobytes()
        stored.id.write_direct_chunk((10,), zlib.compress(rows))
    with h5py.File(tmp_path / "a.h5") as file:
        assert direct_rows(file["data"], workers)[:].tolist() == list(range(13))


@pytest.mark.parametrize("kept", [1, 3])
def test_a_chunk_that_is_shorter_than_its_checksum_is_not_given_to_hdf5(tmp_path, workers, kept):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = packed(file, np.arange(20), 10, compression="gzip", fletcher32=True)
        stored.id.write_direct_chunk((10,), bytes(kept))
    with h5py.File(tmp_path / "a.h5") as file:
        direct = direct_rows(file["data"], workers)
        with pytest.raises(OSError, match=f"rows 10 to 20 is damaged: it has {kept} bytes"):
            direct[10:20]


def test_a_file_that_ends_too_early_is_an_error(tmp_path, workers):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        packed(file, np.random.default_rng(1).normal(size=5000), 1000, compression="gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        direct = direct_rows(file["data"], workers)
        assert len(direct[:3]) == 3
        os.truncate(tmp_path / "a.h5", (tmp_path / "a.h5").stat().st_size // 2)
        with pytest.raises(FileFormatError):
            read_slice(direct, 0, 5000)


def test_a_file_with_bytes_before_it_is_left_to_hdf5(tmp_path, workers):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=512) as file:
        packed(file, np.arange(100), 10, compression="gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        assert direct_rows(file["data"], workers) is None


def test_a_file_in_memory_is_left_to_hdf5(workers):
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        assert direct_rows(packed(file, np.arange(9), 3, compression="gzip"), workers) is None


def test_a_virtual_dataset_is_left_to_hdf5(tmp_path, workers):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        source = packed(file, np.arange(100), 10, compression="gzip")
        layout = h5py.VirtualLayout((100,), "i8")
        layout[:] = h5py.VirtualSource(source)
        virtual = file.create_virtual_dataset("virtual", layout)
        assert direct_rows(virtual, workers) is None


def test_partial_chunks_that_were_stored_as_they_are_are_read(tmp_path, workers):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        data = packed(file, np.arange(100), 30, compression="gzip", shuffle=True)
        rest = np.arange(90, 120)
        data.id.write_direct_chunk((90,), rest.tobytes(), 3)
    with h5py.File(tmp_path / "a.h5") as file:
        assert direct_rows(file["data"], workers)[80:].tolist() == [*range(80, 100)]
