"""Room for a file: on its disk, and within what the process may write."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import pytest

from h5flow.errors import NoRoomError
from h5flow.io.space import Room, check_free_space

MEGABYTE = 10**6


@pytest.fixture
def limit_files() -> Iterator[Callable[[int], None]]:
    """A function that limits the size of files that this process writes, as ``ulimit -f`` does."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


def test_a_copy_larger_than_a_file_may_be_is_refused(
    tmp_path: Path, limit_files: Callable[[int], None]
) -> None:
    limit_files(3 * MEGABYTE)
    check_free_space(tmp_path / "new.h5", 3 * MEGABYTE)
    with pytest.raises(NoRoomError, match=r"needs 3\.0 MB, and may grow by 3\.0 MB.*ulimit -f"):
        check_free_space(tmp_path / "new.h5", 3 * MEGABYTE + 1)


def test_what_a_file_holds_counts_towards_what_it_may_hold(
    tmp_path: Path, limit_files: Callable[[int], None]
) -> None:
    path = tmp_path / "old.h5"
    path.write_bytes(bytes(2 * MEGABYTE))
    limit_files(3 * MEGABYTE)
    check_free_space(path, MEGABYTE)
    with pytest.raises(NoRoomError, match="may grow by"):
        check_free_space(path, MEGABYTE + 1)


def test_rows_are_refused_before_a_file_grows_too_large(
    tmp_path: Path, limit_files: Callable[[int], None]
) -> None:
    limit_files(4 * MEGABYTE)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        room = Room(file, tmp_path / "f.h5")
        room.require("/a/data", MEGABYTE)
        with pytest.raises(NoRoomError, match="no room for /a/data"):
            room.require("/a/data", 2 * MEGABYTE)
