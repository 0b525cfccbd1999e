"""The first bytes of an HDF5 file: read without HDF5, also where HDF5 refuses the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["HEAD_BYTES", "Superblock", "closed_head", "read_superblock"]

# A superblock of version 3 with addresses of 8 bytes: flags, end of the file, checksum.
HEAD_BYTES, FLAGS, END, CHECKSUM = 48, 11, slice(28, 36), slice(44, 48)
SIGNATURE = b"\x89HDF\r\n\x1a\n"
# The file consistency flags of versions 2 and 3: open for writing, open for SWMR writing.
OPEN_FOR_WRITING = 0b001
OPEN_FOR_SWMR = 0b100
MASK = 0xFFFFFFFF


class Superblock(NamedTuple):
    """What the head of an HDF5 file says.

    Attributes
    ----------
    offset : int
        Bytes of the user block before it.
    version : int
        0 to 3; 3 is what h5flow writes.
    flags : int
        File consistency flags.
    """

    offset: int
    version: int
    flags: int

    @property
    def is_closed(self) -> bool:
        """Whether the last program that wrote the file closed it."""
        return not self.flags & (OPEN_FOR_WRITING | OPEN_FOR_SWMR)

    @property
    def is_shared(self) -> bool:
        """Whether it is open for one writer and many readers, or was when its writer was killed."""
        return bool(self.flags & OPEN_FOR_SWMR)


def read_superblock(path: str | os.PathLike[str]) -> Superblock | None:
    """Return the superblock of a file, None where it is not an HDF5 file.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    size = Path(path).stat().st_size
    with open(path, "rb") as file:
        offset = 0
        while offset < size:
            file.seek(offset)
            head = file.read(12)
            if head.startswith(SIGNATURE):
                version = head[8] if len(head) > 8 else 0
                has_flags = version >= 2 and len(head) == 12
                return Superblock(offset, version, head[11] if has_flags else 0)
            # The signature stands at 0, 512, 1024, 2048, and so on.
            offset = 2 * offset or 512
    return None


def closed_head(head: bytes, size: int) -> bytes | None:
    """Return the first bytes of a file as they are when its writer has closed it.

    After a kill in SWMR mode everything that was flushed is whole. What stands in the way is a
    flag, and an end of the file that the last flush had not moved yet.

    Parameters
    ----------
    head : bytes
        The first `HEAD_BYTES` of the file.
    size : int
        Bytes of the file.

    Returns
    -------
    bytes or None
        None where they are not what h5flow writes, or damaged.

    Notes
    -----
    What the tool ``h5clear --status --increment=0`` of HDF5 does. The checksum is Bob Jenkins'
    lookup3, public domain, as the HDF5 file format specification (version 3.0, II.A) asks for.
    """
    new = bytearray(head)
    written_by_us = new.startswith(SIGNATURE) and len(new) == HEAD_BYTES and new[8:10] == b"\3\b"
    if not written_by_us or _checksum(new) != new[CHECKSUM]:
        return None
    new[FLAGS] = 0
    new[END] = size.to_bytes(8, "little")
    new[CHECKSUM] = _checksum(new)
    return bytes(new)


def _checksum(head: bytes | bytearray) -> bytes:
    return lookup3(bytes(head[: CHECKSUM.start])).to_bytes(4, "little")


def lookup3(data: bytes) -> int:
    """Return the hash ``hashlittle(data, 0)`` of Bob Jenkins' lookup3.c, 32 bits."""
    a = b = c = (0xDEADBEEF + len(data)) & MASK
    blocks = max(0, (len(data) - 1) // 12)
    for start in range(0, 12 * blocks, 12):
        a, b, c = (
            (each + word) & MASK
            for each, word in zip((a, b, c), _words(data[start : start + 12]), strict=True)
        )
        for shift in (4, 6, 8, 16, 19, 4):
            a = ((a - c) & MASK) ^ _rotated(c, shift)
            c = (c + b) & MASK
            a, b, c = b, c, a
    if not data:
        return c
    last = data[12 * blocks :].ljust(12, b"\0")
    a, b, c = ((e + w) & MASK for e, w in zip((a, b, c), _words(last), strict=True))
    for shift in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotated(b, shift)) & MASK
        a, b, c = b, c, a
    return b  # the one that was changed last


def _words(block: bytes) -> list[int]:
    return [int.from_bytes(block[place : place + 4], "little") for place in (0, 4, 8)]


def _rotated(value: int, shift: int) -> int:
    return ((value << shift) | (value >> (32 - shift))) & MASK
