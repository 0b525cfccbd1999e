"""Room on the disk: asked for before a copy, and explained where it ran out."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from h5flow.errors import H5FlowError

__all__ = ["check_free_space", "is_out_of_space", "out_of_space"]

OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
ADVICE = (
    "Make room there, or choose an output on another disk; --input-data link leaves the data in "
    "the input."
)


def check_free_space(destination: Path, needed: int) -> None:
    """Refuse a copy of `needed` bytes that will not fit.

    Raises
    ------
    H5FlowError
        With both figures.
    """
    if shutil.disk_usage(destination.parent).free < needed:
        raise out_of_space(destination, needed)


def out_of_space(destination: Path, needed: int) -> H5FlowError:
    """Return the error for a file that does not fit on its disk."""
    free = shutil.disk_usage(destination.parent).free
    return H5FlowError(
        f"there is no room for {destination}: it needs {_readable(needed)}, and "
        f"{_readable(free)} are free",
        advice=ADVICE,
    )


def is_out_of_space(error: BaseException) -> bool:
    """Return whether a disk or a quota is full; HDF5 says so in the text of a RuntimeError."""
    if isinstance(error, OSError) and error.errno in OUT_OF_SPACE:
        return True
    return any(f"errno = {number}," in str(error) for number in OUT_OF_SPACE)


def _readable(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
