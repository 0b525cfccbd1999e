"""A file with changes that are in memory, for HDF5 to read and to write."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

from h5flow.io.superblock import HEAD_BYTES, closed_head, read_superblock

__all__ = ["PAGE_BYTES", "Overlay"]

# What is changed together: HDF5's metadata are small, and lie apart.
PAGE_BYTES = 4096


class Overlay(io.RawIOBase):
    """What a file is with changes, which are kept in memory; the file stays as it is.

    It looks as if its last writer had closed it: HDF5 refuses a file that a killed process has
    left.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    pages : dict of int to bytearray
        What was changed, in whole pages, by their number.
    size : int
        Bytes of the file with its changes.

    Raises
    ------
    OSError
        The file cannot be read, or its head is not one that h5flow writes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._position = 0
        self.pages: dict[int, bytearray] = {}
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._descriptor).st_size
        found = read_superblock(path)
        if found is not None and found.is_closed:
            return
        head = closed_head(os.pread(self._descriptor, HEAD_BYTES, 0), self.size)
        if head is None:
            self.close()
            raise OSError(f"{self._path} has no head that h5flow writes")
        self.write(head)

    def __repr__(self) -> str:
        return self._path  # what h5py takes for the name of the file

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte, and return its number."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the bytes from here on; those beyond the end are zero."""
        view = memoryview(buffer).cast("B")
        done = os.preadv(self._descriptor, [view], self._position)
        view[done:] = bytes(len(view) - done)
        for number, inner, outer in self._parts(len(view)):
            page = self.pages.get(number)
            if page is not None:
                view[outer] = page[inner]
        self._position += len(view)
        return len(view)

    def write(self, data: Any) -> int:
        """Change the bytes from here on, and return how many."""
        view = memoryview(data).cast("B")
        for number, inner, outer in self._parts(len(view)):
            if number not in self.pages:
                page = os.pread(self._descriptor, PAGE_BYTES, number * PAGE_BYTES)
                self.pages[number] = bytearray(page.ljust(PAGE_BYTES, b"\0"))
            self.pages[number][inner] = view[outer]
        self._position += len(view)
        if len(view):  # as a file, it does not grow by nothing
            self.size = max(self.size, self._position)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file, and return it."""
        self.size = self._position if size is None else size
        return self.size

    def close(self) -> None:
        """Close the file; harmless where it is closed."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def _parts(self, count: int) -> Iterator[tuple[int, slice, slice]]:
        """Yield the pages of the next bytes: number, which part of it, which of the bytes."""
        start, stop = self._position, self._position + count
        for number in range(start // PAGE_BYTES, -(-stop // PAGE_BYTES)):
            begin, end = max(start, number * PAGE_BYTES), min(stop, (number + 1) * PAGE_BYTES)
            base = number * PAGE_BYTES
            yield number, slice(begin - base, end - base), slice(begin - start, end - start)
