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


def _readable(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
