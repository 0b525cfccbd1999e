"""Changing a file as a whole: in a copy beside it, which takes its place in one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from h5flow.journal.lock import Lock
from h5flow.journal.unfinished import lock_path_of
from h5flow.journal.working_file import put_in_place

__all__ = ["replaced_by_copy"]


@contextmanager
def replaced_by_copy(path: Path, suffix: str) -> Iterator[Path]:
    """Give a place for what is to take a file's; where the block fails the file is as it was.

    Parameters
    ----------
    path : pathlib.Path
        With all links resolved.
    suffix : str
        Of the copy's name, beside the file's; whoever uses this makes the copy.

    Raises
    ------
    UsageError
        A run is writing the file.
    """
    copy = path.with_name(path.name + suffix)
    lock = Lock(lock_path_of(path), path)
    try:
        yield copy
        put_in_place(copy, path)
    finally:
        copy.unlink(missing_ok=True)
        lock.release()
