"""The modes in which a file is open while others read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.storage import writer as writer_module
from h5flow.storage.protocol import Batch, CreateTable, SetAttributes, Write
from h5flow.storage.writer import Writer

EVENTS = "/events/data"
NEW = CreateTable(EVENTS, np.dtype("i8"))


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    opened = Writer(tmp_path / "out.h5")
    opened.apply(Batch(creates=[NEW], lengths={EVENTS: 2}))
    yield opened
    opened.close()


def test_a_file_that_is_shared_is_in_swmr_mode(writer: Writer) -> None:
    assert not writer.file.swmr_mode
    writer.share()
    assert writer.file.swmr_mode
    assert writer.is_live


def test_rows_are_written_in_swmr_mode(writer: Writer) -> None:
    writer.share()
    writer.apply(Batch(lengths={EVENTS: 5}, writes=[Write(EVENTS, slice(4, 5), np.array([7]))]))
    writer.share([EVENTS])
    assert writer.file.swmr_mode
    with h5py.File(writer.path, "r", swmr=True, locking=False) as reader:
        assert reader[EVENTS][:].tolist() == [0, 0, 0, 0, 7]


@pytest.mark.parametrize(
    "batch",
    [
        Batch(creates=[CreateTable("/hits/data", np.dtype("f4"))]),
        Batch(attributes=[SetAttributes("/events", {"unit": "MeV"})]),
    ],
    ids=["creates", "metadata"],
)
def test_objects_are_made_in_swmr_mode(writer: Writer, batch: Batch) -> None:
    writer.share()
    writer.apply(batch)
    assert writer.file.swmr_mode
    writer.share()
    with h5py.File(writer.path, swmr=True, locking=False) as reader:
        made = [create.path for create in batch.creates]
        assert all(path in reader for path in made)
        for attributes in batch.attributes:
            assert dict(reader[attributes.path].attrs) == dict(attributes.values)


def test_objects_are_removed_while_the_file_is_closed(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.share()
    open_meanwhile = []
    remove = writer_module.remove_object

    def removed(file: h5py.File, path: str) -> None:
        open_meanwhile.append(bool(writer._file))
        remove(file, path)

    monkeypatch.setattr(writer_module, "remove_object", removed)
    writer.delete(EVENTS)
    assert open_meanwhile == [False]
    assert writer.file.swmr_mode
    assert EVENTS not in writer.file


def test_a_table_stays_valid_through_all_modes(writer: Writer) -> None:
    kept = writer.table(EVENTS)
    for length in (3, 4, 5):
        writer.share()
        writer.apply(Batch(lengths={EVENTS: length}))
        writer.apply(Batch(creates=[CreateTable(f"/t{length}/data", np.dtype("i8"))]))
        assert writer.table(EVENTS) is kept
        writer.share()
        assert kept.shape == (length,)


def test_a_deleted_table_that_was_given_out_is_closed_and_can_be_made_anew(writer: Writer) -> None:
    kept = writer.table(EVENTS)
    writer.share()
    writer.delete(EVENTS)
    writer.share()
    assert not kept
    writer.apply(Batch(creates=[CreateTable(EVENTS, np.dtype("f4"))], lengths={EVENTS: 1}))
    assert writer.table(EVENTS).dtype == np.float32


@pytest.mark.parametrize("superblock", ["earliest", "v108"])
def test_a_file_of_an_old_format_is_closed_while_others_read(
    tmp_path: Path, superblock: str
) -> None:
    with h5py.File(tmp_path / "old.h5", "w", libver=(superblock, "latest")) as file:
        file.create_dataset(EVENTS, data=np.arange(3), maxshape=(None,))
    writer = Writer(tmp_path / "old.h5")
    for length in (4, 5):
        writer.apply(Batch(lengths={EVENTS: length}))
        writer.share()
        assert not writer.is_live
        assert writer.file.mode == "r"
        with h5py.File(writer.path, locking=False) as reader:
            assert reader[EVENTS].shape == (length,)
    writer.close()


def test_old_objects_in_a_new_file_can_be_shared(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.h5", "w", libver="earliest") as old:
        old.create_dataset("data", data=np.arange(3), maxshape=(None,), chunks=(2,))
        with h5py.File(tmp_path / "new.h5", "w", libver=("v110", "latest")) as new:
            old.copy("data", new.require_group("events"))
    writer = Writer(tmp_path / "new.h5")
    writer.share()
    writer.apply(Batch(lengths={EVENTS: 4}))
    writer.share([EVENTS])
    mode = {"swmr": True} if writer.is_live else {}
    with h5py.File(writer.path, "r", locking=False, **mode) as reader:
        assert reader[EVENTS][:].tolist() == [0, 1, 2, 0]
    writer.close()


def test_a_table_in_another_file_is_read_while_this_one_is_shared(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "in.h5", "w") as source:
        source[EVENTS] = np.arange(3)
    with h5py.File(tmp_path / "out.h5", "w", libver=("v110", "latest")) as file:
        file[EVENTS] = h5py.ExternalLink("in.h5", EVENTS)
    writer = Writer(tmp_path / "out.h5")
    writer.apply(Batch(creates=[CreateTable("/hits/data", np.dtype("i8"))]))
    writer.share()
    assert writer.table(EVENTS)[:].tolist() == [0, 1, 2]
    description = writer.describe(EVENTS)
    assert description is not None
    assert description.linked_from == str(tmp_path / "in.h5")
    writer.close()
