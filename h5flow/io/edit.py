"""Changes of an HDF5 file that are made as a whole, or not at all, whenever the process is killed.

What HDF5 changes outside of SWMR mode, it writes in any order, and a kill in between can spoil all
that is in the file. So it writes to memory; then that is written beside the file, and from there,
when all of it is on record, into the file. Whoever finds such a record writes it once more.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct

import h5py

from h5flow.io.open_file import LIBRARY_BOUNDS
from h5flow.io.overlay import PAGE_BYTES, Overlay
from h5flow.io.space import full_disk_named
from h5flow.io.superblock import read_superblock

__all__ = ["EDIT_SUFFIX", "edit_at_once", "finish_edit", "forget_edit", "open_left"]

EDIT_SUFFIX, UNFINISHED_SUFFIX = ".edit", ".edit.new"
HEAD = Struct("<8sQQI")  # mark, bytes of the file, pages, CRC of what follows
MARK = b"h5edit\r\n"
NUMBER = Struct("<Q")  # of a page, before it


@contextmanager
def edit_at_once(path: Path) -> Iterator[h5py.File]:
    """Open a file to change it; what is changed gets there when the block has ended well.

    Nobody else may write it meanwhile. Nothing is synced: this guards against a kill, not against a
    power failure.

    Parameters
    ----------
    path : pathlib.Path
        Of today's format; a process may have left it without closing it.

    Raises
    ------
    OSError
        The file cannot be opened.
    NoRoomError
        There is no room for the changes, which are not made.
    """
    finish_edit(path)
    with Overlay(path) as overlay:
        with h5py.File(overlay, "r+", libver=LIBRARY_BOUNDS) as file:
            yield file
            file.flush()
        with full_disk_named(path):
            _record(path, overlay)
            finish_edit(path)


def finish_edit(path: Path) -> None:
    """Make the changes of a file that a killed process has recorded; harmless where there are none.

    Nobody else may write it meanwhile.
    """
    record = _beside(path, EDIT_SUFFIX)
    found = _recorded(record)
    if found is not None:
        size, pages = found
        with open(path, "r+b") as file:
            for number, page in pages.items():
                os.pwrite(file.fileno(), page, number * PAGE_BYTES)
            file.truncate(size)
    record.unlink(missing_ok=True)
    _beside(path, UNFINISHED_SUFFIX).unlink(missing_ok=True)


def forget_edit(path: Path) -> None:
    """Remove the recorded changes of a file that is removed as well."""
    for suffix in (EDIT_SUFFIX, UNFINISHED_SUFFIX):
        _beside(path, suffix).unlink(missing_ok=True)


def open_left(path: Path) -> h5py.File:
    """Open a file for reading that a process may have left without closing it.

    It is not changed, and reads as it will be when its recorded changes have been made.

    Raises
    ------
    OSError
        It is damaged, or none.
    """
    found = _recorded(_beside(path, EDIT_SUFFIX))
    head = read_superblock(path)
    if head is not None and found is None:
        if head.is_closed:
            return h5py.File(path, "r", locking=False)
        if head.is_shared:
            return h5py.File(path, "r", swmr=True, locking=False)
    overlay = Overlay(path)
    if found is not None:
        overlay.size, overlay.pages = found
    return h5py.File(overlay, "r")


def _record(path: Path, overlay: Overlay) -> None:
    new = _beside(path, UNFINISHED_SUFFIX)
    content = b"".join(NUMBER.pack(number) + page for number, page in overlay.pages.items())
    head = HEAD.pack(MARK, overlay.size, len(overlay.pages), zlib.crc32(content))
    try:
        new.write_bytes(head + content)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    new.replace(_beside(path, EDIT_SUFFIX))


def _recorded(record: Path) -> tuple[int, dict[int, bytearray]] | None:
    """Return the size and the pages of recorded changes, None where there are none."""
    try:
        raw = memoryview(record.read_bytes())
    except FileNotFoundError:
        return None
    if len(raw) < HEAD.size:
        return None
    mark, size, count, crc = HEAD.unpack_from(raw)
    content = raw[HEAD.size :]
    step = NUMBER.size + PAGE_BYTES
    if mark != MARK or len(content) != count * step or zlib.crc32(content) != crc:
        return None
    return size, {
        NUMBER.unpack_from(content, start)[0]: bytearray(
            content[start + NUMBER.size : start + step]
        )
        for start in range(0, len(content), step)
    }


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
