"""Room on the disk: asked for before a copy, and explained where it ran out."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from h5flow.errors import H5FlowError, NoRoomError

__all__ = [
    "Room",
    "check_free_space",
    "full_disk_named",
    "is_out_of_space",
    "out_of_space",
    "whole_or_nothing",
]

# More than HDF5 takes for the metadata of what is written between two flushes.
METADATA_BYTES = 2**20
OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
ADVICE = (
    "Make room there, or work on another disk. A run with --input-data link leaves the data in its "
    "input."
)


def free_bytes(destination: Path) -> int:
    """Return the room on a file's disk that everybody may use."""
    disk = os.statvfs(destination.parent)
    return disk.f_bavail * disk.f_frsize


def allowed_bytes(destination: Path) -> int | None:
    """Return by how much the process may let a file grow (``ulimit -f``), None without a limit."""
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most == resource.RLIM_INFINITY:
        return None
    size = destination.stat().st_size if destination.exists() else 0
    return max(0, most - size)


def check_free_space(destination: Path, needed: int) -> None:
    """Refuse a copy of `needed` bytes that will not fit.

    Raises
    ------
    NoRoomError
        With both figures.
    """
    if not _fits(destination, needed):
        raise out_of_space(destination, needed)


def out_of_space(destination: Path, needed: int, table: str = "") -> NoRoomError:
    """Return the error for a file, or for rows of a table in it, that do not fit on its disk."""
    free, allowed = free_bytes(destination), allowed_bytes(destination)
    head = f"there is no room for {f'{table} in ' if table else ''}{destination}: "
    needs = f"it needs {_readable(needed)}"
    if allowed is not None and allowed < free:
        return NoRoomError(
            f"{head}{needs}, and may grow by {_readable(allowed)}",
            advice="The size of a file is limited here; `ulimit -f unlimited` may lift that.",
        )
    return NoRoomError(f"{head}{needs}, and {_readable(free)} are free", advice=ADVICE)


def _fits(destination: Path, needed: int) -> bool:
    allowed = allowed_bytes(destination)
    return free_bytes(destination) >= needed and (allowed is None or allowed >= needed)


@contextmanager
def whole_or_nothing(destination: Path, needed: int) -> Iterator[None]:
    """Remove a new file of `needed` bytes where the block that makes it fails.

    Raises
    ------
    NoRoomError
        It failed because it does not fit.
    """
    try:
        yield
    except BaseException as error:
        destination.unlink(missing_ok=True)
        if is_out_of_space(error):
            raise out_of_space(destination, needed) from error
        raise


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Raise a `NoRoomError` for what HDF5 says where a disk or a quota is full."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, H5FlowError) or not is_out_of_space(error):
            raise
        raise NoRoomError(
            f"there is no room for {path}: the disk, or your quota on it, is full", advice=ADVICE
        ) from error


def is_out_of_space(error: BaseException) -> bool:
    """Return whether an error, or one that led to it, says that a disk or a quota is full.

    HDF5 says so in the text of a RuntimeError; closing the file then fails for another reason.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in OUT_OF_SPACE:
            return True
        if any(f"errno = {number}," in str(cause) for number in OUT_OF_SPACE):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


class Room:
    """Room for what a file is given, asked for before HDF5 finds that there is none.

    HDF5 keeps written rows in memory, and a flush that fails halfway leaves it in a state in which
    it can neither flush nor close (seen with HDF5 2.0). So what it may still hold is counted, and
    rows are refused while everything before them can still be stored.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    path : pathlib.Path
        Where it is.
    """

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._path = path
        self._cache_bytes = file.id.get_access_plist().get_cache()[2]
        self._held: dict[str, int] = {}

    def require(self, table: str, size: int) -> None:
        """Count `size` bytes that are about to be written to a table.

        Raises
        ------
        NoRoomError
            The disk has no room for them.
        """
        needed = size + sum(self._held.values()) + METADATA_BYTES
        if not _fits(self._path, needed):
            raise out_of_space(self._path, needed, table)
        self._held[table] = min(self._cache_bytes, self._held.get(table, 0) + size)

    def flushed(self) -> None:
        """Count nothing any more: HDF5 holds nothing back."""
        self._held.clear()


def _readable(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
