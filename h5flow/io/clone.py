"""A file's bytes into a new file, by the quickest way that the file system has."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from h5flow.errors import FileFormatError

__all__ = ["PIECE_BYTES", "copy_bytes", "share_blocks"]

# Between two reports of progress.
PIECE_BYTES = 2**26
# The ioctl of Linux that lets two files share their blocks: btrfs, XFS, bcachefs, some NFS servers.
FICLONE = 0x40049409
NOT_HERE = frozenset(
    {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY, errno.EPERM}
)


def share_blocks(source: Path, destination: Path) -> bool:
    """Make `destination` a copy that shares its blocks with `source`.

    Returns
    -------
    bool
        False where the file system cannot; there is no `destination` then.
    """
    with open(source, "rb") as reader, _new_file(destination) as writer:
        try:
            fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
        except OSError:
            destination.unlink()
            return False
    return True


def _new_file(path: Path) -> BinaryIO:
    """Open a file that is not there yet, for writing."""
    # ext4 puts all of a file that was cut to nothing before on the disk when it is closed.
    path.unlink(missing_ok=True)
    return open(path, "xb")


def copy_bytes(source: Path, destination: Path, copied: Callable[[int], None]) -> None:
    """Copy all bytes of `source`.

    Parameters
    ----------
    source, destination : pathlib.Path
        The destination is a new file; one that exists is replaced.
    copied : callable
        Told the number of bytes that are there by now, after every piece.

    Raises
    ------
    FileFormatError
        The source changed its length meanwhile.
    OSError
        As of reading and writing.
    """
    with open(source, "rb") as reader, _new_file(destination) as writer:
        size = os.fstat(reader.fileno()).st_size
        done = 0
        copy_piece = _copy_in_kernel
        while done < size:
            try:
                count = copy_piece(reader.fileno(), writer.fileno(), size - done)
            except OSError as error:
                if copy_piece is _copy_in_process or error.errno not in NOT_HERE:
                    raise
                count = 0
            if count == 0 and copy_piece is _copy_in_process:
                raise FileFormatError(
                    f"{source} became shorter while it was copied",
                    advice="Let the program that writes it end first.",
                )
            if count == 0:
                copy_piece = _copy_in_process
                continue
            done += count
            copied(done)


def _copy_in_kernel(reader: int, writer: int, limit: int) -> int:
    if not hasattr(os, "copy_file_range"):
        return 0
    return os.copy_file_range(reader, writer, min(limit, PIECE_BYTES))


def _copy_in_process(reader: int, writer: int, limit: int) -> int:
    # os.sendfile would do, but only Linux takes it between two files.
    count = 0
    while count < min(limit, PIECE_BYTES):
        data = os.read(reader, min(2**23, limit - count))
        if not data:
            break
        view = memoryview(data)
        while view:
            view = view[os.write(writer, view) :]
        count += len(data)
    return count
