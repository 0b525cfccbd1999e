"""The first bytes of an HDF5 file: read without HDF5, also where HDF5 refuses the file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Superblock", "read_superblock"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# The file consistency flags of versions 2 and 3: open for writing, open for SWMR writing.
OPEN_FOR_WRITING = 0b001
OPEN_FOR_SWMR = 0b100


@dataclass(frozen=True)
class Superblock:
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
