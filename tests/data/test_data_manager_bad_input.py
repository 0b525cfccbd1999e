"""What is not a dataset, and what is not a file: errors that say what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import FileFormatError, NoSuchDatasetError


@pytest.fixture
def odd(path: Path) -> H5FlowDataManager:
    with h5py.File(path, "w") as file:
        file["itself"] = np.arange(3)
        file["scalar/data"] = 5.0
        file["empty/data"] = h5py.Empty("f4")
        file["group/data/deep"] = 1
        file["plain/below/data"] = [1]
        file["rows/data"] = [1, 2]
    return H5FlowDataManager(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("itself", r"'itself' is an HDF5 dataset itself.*data_manager\['/itself'\]"),
        ("scalar", "/scalar/data holds a single value, not rows"),
        ("empty", "/empty/data holds a single value, not rows"),
        ("group", "/group/data is a group, not rows"),
        ("plain", "'plain' is a group without rows.*Below it are plain/below"),
        ("row", "no dataset 'row' .did you mean 'rows'"),
    ],
)
def test_what_is_not_a_dataset_of_rows_is_an_error_that_says_what_it_is(
    odd: H5FlowDataManager, name: str, message: str
):
    assert not odd.dset_exists(name)
    for call in (
        lambda: odd.get_dset(name),
        lambda: odd.reserve_data(name, 1),
        lambda: odd.write_data(name, [0], [1]),
        lambda: odd.create_ref("rows", name),
        lambda: odd.get_refs(name),
    ):
        with pytest.raises(NoSuchDatasetError, match=message):
            call()
    if name != "itself":
        with pytest.raises(NoSuchDatasetError, match=message):
            odd[name, 0]
    odd.close_file()


def test_what_is_not_a_dataset_of_rows_is_there_by_its_path(odd: H5FlowDataManager):
    assert odd["itself"][:].tolist() == odd["itself", :].tolist() == [0, 1, 2]
    assert odd["scalar/data"][()] == 5.0
    assert odd["empty/data"].shape is None
    assert odd["group/data/deep"][()] == 1
    odd.close_file()


def make_file(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a/data"] = np.arange(1000)


def write_text(path: Path) -> None:
    path.write_text("events: 3\n")


def write_nothing(path: Path) -> None:
    path.touch()


def write_part(path: Path) -> None:
    make_file(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def write_beginning(path: Path) -> None:
    make_file(path)
    path.write_bytes(path.read_bytes()[:20])


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("mode", ["r", "a"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (write_text, "is not an HDF5 file: it looks like text, beginning with 'events: 3"),
        (write_part, "is cut off: it has .* of its"),
        (write_beginning, "is cut off: it has only 20 bytes"),
        (make_folder, "is a folder, not a file"),
    ],
)
def test_a_file_that_is_not_hdf5_is_an_error_that_says_what_it_is(
    path: Path, mode: str, make: Any, message: str
):
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(FileFormatError, match=message):
        H5FlowDataManager(path, mode=mode)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_an_empty_file_cannot_be_read_and_is_as_good_as_none_to_add_to(path: Path):
    path.touch()
    with pytest.raises(FileFormatError, match="is empty"):
        H5FlowDataManager(path, mode="r")
    with H5FlowDataManager(path) as dm:
        dm.create_dset("a", "i4")
    with h5py.File(path) as file:
        assert file.id.get_create_plist().get_version()[0] == 3


def test_a_file_that_is_not_there_cannot_be_read(path: Path):
    (path.parent / "files.h5").touch()
    with pytest.raises(FileFormatError, match=r"there is no file .*did you mean 'files.h5'"):
        H5FlowDataManager(path, mode="r")
    with pytest.raises(OSError, match="there is no folder"):
        H5FlowDataManager(path / "absent" / "file.h5")
