"""What was deleted takes no space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.errors import H5FlowError
from h5flow.io.compact import compact, compact_in_place
from h5flow.io.open_file import open_file

MEGABYTE = 10**6


@pytest.fixture
def with_scratch(tmp_path: Path) -> Path:
    """A file of 12 MB, 10 of them in a dataset that is referred to."""
    path = tmp_path / "file.h5"
    with open_file(path, "w") as file:
        file["kept"] = np.ones(2 * MEGABYTE, "u1")
        scratch = file.create_dataset("scratch", data=np.ones(10 * MEGABYTE, "u1"), chunks=True)
        file["last"] = np.ones(1000)
        file.attrs["kept"], file.attrs["scratch"] = file["kept"].ref, scratch.ref
        file["both"] = np.array([file["kept"].ref, scratch.ref], dtype=h5py.ref_dtype)
    return path


@pytest.fixture
def with_deleted(with_scratch: Path) -> Path:
    """The same file after that dataset was deleted."""
    with open_file(with_scratch, "r+") as file:
        del file["scratch"]
    return with_scratch


def test_dropping_ten_megabytes_makes_the_file_that_much_smaller(
    with_scratch: Path, tmp_path: Path
) -> None:
    before = with_scratch.stat().st_size
    with open_file(with_scratch, "r+") as file:
        del file["scratch"]
    compact(with_scratch, tmp_path / "new.h5")
    assert before - (tmp_path / "new.h5").stat().st_size >= 10 * MEGABYTE


def test_references_to_what_is_gone_are_null(with_deleted: Path, tmp_path: Path) -> None:
    compact(with_deleted, tmp_path / "new.h5")
    with h5py.File(tmp_path / "new.h5") as file:
        assert file[file.attrs["kept"]] == file["kept"]
        assert not file.attrs["scratch"]
        assert [bool(reference) for reference in file["both"][:]] == [True, False]


def test_everything_else_is_kept(
    any_file: Path, tmp_path: Path, assert_same_content: Callable[[Path, Path], None]
) -> None:
    compact(any_file, tmp_path / "new.h5")
    assert_same_content(any_file, tmp_path / "new.h5")


def test_file_without_holes_does_not_grow(new_file: Path, tmp_path: Path) -> None:
    compact(new_file, tmp_path / "one.h5")
    compact(tmp_path / "one.h5", tmp_path / "two.h5")
    assert (tmp_path / "two.h5").stat().st_size <= (tmp_path / "one.h5").stat().st_size


def test_in_place_keeps_name_and_permissions(with_deleted: Path, tmp_path: Path) -> None:
    with_deleted.chmod(0o640)
    link = tmp_path / "link.h5"
    link.symlink_to(with_deleted)
    compact_in_place(link)
    assert link.is_symlink()
    assert with_deleted.stat().st_size < 2.1 * MEGABYTE
    assert with_deleted.stat().st_mode & 0o777 == 0o640
    assert {path.name for path in tmp_path.iterdir()} == {"file.h5", "link.h5"}


def test_full_disk_leaves_the_file_as_it_was(
    with_deleted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("Can't write (file write failed: errno = 28, error message = 'full')")

    before = with_deleted.read_bytes()
    monkeypatch.setattr("h5flow.io.objects.copy_object", fail)
    with pytest.raises(H5FlowError, match="no room for"):
        compact_in_place(with_deleted)
    assert with_deleted.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["file.h5"]
