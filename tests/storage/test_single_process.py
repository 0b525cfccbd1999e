"""One process, one file: what a batch leaves in it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.errors import DataError, FileFormatError, NoRoomError, NoSuchDatasetError
from h5flow.io import space
from h5flow.storage.protocol import Batch, CreateTable, Link, SetAttributes, Write
from h5flow.storage.single_process import SingleProcessStorage

REGION = np.dtype([("start", "i8"), ("stop", "i8")])


def link_tables(dtype: str = "i8") -> tuple[CreateTable, ...]:
    region = np.dtype([("start", dtype), ("stop", dtype)])
    return (
        CreateTable("/a/ref/b/ref", np.dtype(dtype), (2,)),
        CreateTable("/a/ref/b/ref_region", region),
        CreateTable("/b/ref/a/ref_region", region),
    )


def link(*pairs: tuple[int, int]) -> Link:
    return Link(
        "/a/ref/b/ref",
        ("/a/ref/b/ref_region", "/b/ref/a/ref_region"),
        np.array(pairs, np.int64).reshape(-1, 2),
    )


def test_tables_are_made_with_chunks_of_a_mebibyte(storage: SingleProcessStorage):
    storage.apply(Batch(creates=[CreateTable("/x/data", np.dtype("f8"), (2,))]))
    made = storage.table("/x/data")
    assert made.chunks == (65_536, 2)
    assert made.maxshape == (None, 2)


def test_compression_is_used_and_variable_length_rows_go_without(storage: SingleProcessStorage):
    text = h5py.string_dtype()
    storage.apply(
        Batch(
            creates=[
                CreateTable("/x/data", np.dtype("f8"), compression="gzip:7"),
                CreateTable("/t/data", text, compression="gzip:7"),
            ]
        )
    )
    assert storage.table("/x/data").compression == "gzip"
    assert storage.table("/x/data").compression_opts == 7
    assert storage.table("/t/data").compression is None


def test_a_batch_grows_writes_links_and_describes(storage: SingleProcessStorage):
    storage.apply(Batch(creates=[CreateTable("/x/data", np.dtype("i4")), *link_tables()]))
    storage.apply(
        Batch(
            lengths={"/x/data": 4},
            writes=[Write("/x/data", slice(1, 3), np.array([5, 6], "i4"))],
            links=[link((0, 1), (2, 0))],
            attributes=[SetAttributes("/x", {"unit": "cm"})],
        )
    )
    assert storage.table("/x/data")[:].tolist() == [0, 5, 6, 0]
    assert storage.table("/a/ref/b/ref")[:].tolist() == [[0, 1], [2, 0]]
    assert storage.table("/a/ref/b/ref_region")[:].tolist() == [(0, 1), (0, 0), (1, 2)]
    assert storage.table("/b/ref/a/ref_region")[:].tolist() == [(1, 2), (0, 1)]
    assert storage.attributes("/x") == {"unit": "cm"}


def test_rows_that_are_arrays_of_hdf5_are_not_written(tmp_path: Path):
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w", libver=("v110", "latest")) as file:
        file.create_dataset("x/data", (1,), np.dtype(("f4", (3,))), maxshape=(None,), chunks=(4,))
    storage = SingleProcessStorage(path)
    with pytest.raises(DataError, match=r"arrays of HDF5 \(float32\[3\]\)"):
        storage.apply(Batch(writes=[Write("/x/data", slice(1, 2), np.ones((1, 3), "f4"))]))
    storage.close()
    with h5py.File(path) as file:
        assert file["x/data"].shape == (1,)


def test_regions_of_rows_that_are_linked_again_hold_both(storage: SingleProcessStorage):
    storage.apply(Batch(creates=link_tables()))
    storage.apply(Batch(links=[link((0, 0), (1, 1))]))
    storage.apply(Batch(links=[link((2, 0)), link((0, 3))]))
    assert storage.table("/a/ref/b/ref_region")[:].tolist() == [(0, 4), (1, 2), (2, 3)]
    assert storage.table("/b/ref/a/ref_region")[:].tolist() == [(0, 3), (1, 2), (0, 0), (3, 4)]


def test_narrow_tables_of_other_files_take_what_fits(storage: SingleProcessStorage):
    storage.apply(Batch(creates=link_tables("i4")))
    storage.apply(Batch(links=[link((0, 7))]))
    assert storage.table("/a/ref/b/ref")[:].tolist() == [[0, 7]]
    with pytest.raises(DataError, match="too narrow for 4294967296"):
        storage.apply(Batch(links=[link((0, 2**32))]))


def test_a_refused_link_leaves_references_and_regions_as_they_were(storage: SingleProcessStorage):
    storage.apply(Batch(creates=link_tables("i4")))
    storage.apply(Batch(links=[link((0, 1))]))
    with pytest.raises(DataError):
        storage.apply(Batch(links=[link((0, 2**40))]))
    assert len(storage.table("/a/ref/b/ref")) == 1
    assert storage.table("/a/ref/b/ref_region")[:].tolist() == [(0, 1)]


def test_a_table_that_is_not_there_is_an_error(storage: SingleProcessStorage):
    assert storage.describe("/no/data") is None
    with pytest.raises(NoSuchDatasetError, match="/no/data"):
        storage.table("/no/data")
    with pytest.raises(NoSuchDatasetError):
        storage.apply(Batch(writes=[Write("/no/data", slice(0, 1), np.zeros(1))]))


def test_what_is_in_the_way_of_one_table_keeps_all_of_a_batch_from_being_made(
    storage: SingleProcessStorage,
):
    storage.apply(Batch(creates=[CreateTable("/x/data", np.dtype("i4"))]))
    for path in ("/x", "/x/data", "/x/data/y"):
        creates = [CreateTable("/new/data", np.dtype("i4")), CreateTable(path, np.dtype("i4"))]
        with pytest.raises(FileFormatError, match="there is something else at /x"):
            storage.apply(Batch(creates=creates))
    assert storage.describe("/new/data") is None


def test_what_a_table_is_says_how_far_it_can_grow(storage: SingleProcessStorage):
    storage.file["fixed/data"] = np.arange(3)
    storage.apply(Batch(creates=[CreateTable("/x/data", np.dtype("i4"))]))
    fixed, growing = storage.describe("/fixed/data"), storage.describe("/x/data")
    assert fixed is not None
    assert growing is not None
    assert (fixed.length, fixed.most_rows, fixed.chunk_rows) == (3, 3, None)
    assert (growing.length, growing.most_rows, growing.linked_from) == (0, None, None)


def test_what_lies_behind_an_external_link_is_read_only(
    storage: SingleProcessStorage, tmp_path: Path
):
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["x/data"] = np.arange(3)
    storage.file["x/data"] = h5py.ExternalLink("in.h5", "/x/data")
    found = storage.describe("/x/data")
    assert found is not None
    assert found.linked_from == str(tmp_path / "in.h5")
    assert storage.table("/x/data").file.mode == "r"
    with pytest.raises(DataError, match="linked from the input"):
        storage.apply(Batch(writes=[Write("/x/data", slice(0, 1), np.zeros(1, "i8"))]))


def test_deleting_a_link_leaves_what_it_leads_to(storage: SingleProcessStorage):
    storage.apply(
        Batch(
            creates=[CreateTable("/a/data", np.dtype("i4"))],
            attributes=[SetAttributes("/a", {"x": 1})],
        )
    )
    storage.file["link"] = h5py.SoftLink("/a")
    storage.delete("/link")
    assert list(storage.file) == ["a"]
    assert storage.attributes("/a") == {"x": 1}


def test_links_that_lead_nowhere_are_nothing(storage: SingleProcessStorage):
    storage.file["x/data"] = h5py.SoftLink("/nowhere")
    assert storage.describe("/x/data") is None
    assert storage.attributes("/x/data") is None
    storage.delete("/x/data")
    assert list(storage.file) == []


def test_deleting_leaves_no_empty_groups(storage: SingleProcessStorage):
    storage.apply(Batch(creates=[CreateTable("/a/b/data", np.dtype("i4"))]))
    storage.delete("/a/b/data")
    assert list(storage.file) == []


def test_deleting_a_group_that_holds_others_takes_its_metadata_only(
    storage: SingleProcessStorage,
):
    storage.apply(
        Batch(
            creates=[CreateTable("/a/b/data", np.dtype("i4"))],
            attributes=[SetAttributes("/a", {"x": 1}), SetAttributes("/a/b", {"y": 1})],
        )
    )
    storage.delete("/a")
    assert storage.attributes("/a") == {}
    assert storage.attributes("/a/b") == {"y": 1}


def test_everything_is_in_the_file_after_close(storage: SingleProcessStorage):
    storage.apply(
        Batch(
            creates=[CreateTable("/x/data", np.dtype("i4"))],
            writes=[Write("/x/data", slice(0, 2), np.array([1, 2], "i4"))],
        )
    )
    storage.close()
    with h5py.File(storage.path) as file:
        assert file["x/data"][:].tolist() == [1, 2]


def test_rows_are_refused_before_a_full_disk_can_harm_the_file(
    storage: SingleProcessStorage, monkeypatch: pytest.MonkeyPatch
):
    storage.apply(Batch(creates=[CreateTable("/x/data", np.dtype("i8"))]))
    mebibyte = 131_072
    rows = np.arange(mebibyte)
    free = 5 * 2**19
    monkeypatch.setattr(space, "free_bytes", lambda _folder: free)
    write = Batch(writes=[Write("/x/data", slice(0, mebibyte), rows)])
    storage.apply(write)
    with pytest.raises(NoRoomError, match=r"needs 3.1 MB, and 2.6 MB are free"):
        storage.apply(write)
    # What HDF5 holds is in the file after a flush, and needs no room any more.
    storage.flush()
    storage.apply(write)
    assert len(storage.table("/x/data")) == mebibyte


def test_an_abandoned_file_is_closed(storage: SingleProcessStorage):
    storage.apply(Batch(creates=[CreateTable("/x/data", np.dtype("i8"))]))
    file = storage.file
    storage.abandon()
    assert not file


def test_a_quota_that_hdf5_runs_into_is_named(
    storage: SingleProcessStorage, monkeypatch: pytest.MonkeyPatch
):
    def fail(_file: h5py.File) -> None:
        raise RuntimeError("Unable to flush raw data (file write failed: errno = 122, error …)")

    with monkeypatch.context() as patch:
        patch.setattr(h5py.File, "flush", fail)
        with pytest.raises(NoRoomError, match="the disk, or your quota on it, is full"):
            storage.flush()
