"""A file without the space that deleted objects left behind."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from h5flow.events import Observer, ignore_event
from h5flow.io.copy import Progress, copy_all_objects
from h5flow.io.objects import stored_bytes
from h5flow.io.open_file import open_file
from h5flow.io.space import check_free_space, whole_or_nothing

__all__ = ["compact", "compact_in_place"]


def compact(
    source: Path,
    destination: Path,
    observe: Observer = ignore_event,
    exclude: Collection[str] = (),
) -> None:
    """Copy a file object by object into a new one that has no unused space.

    Object references to what no longer exists become null references.

    Parameters
    ----------
    source : pathlib.Path
        A closed file.
    destination : pathlib.Path
        Another file, in the same folder where links and virtual datasets are to be kept as they
        are; one that exists is replaced.
    observe : callable
        Gets `CopyProgress` events.
    exclude : collection of str
        Absolute paths that are left out.

    Raises
    ------
    FileFormatError
        The source cannot be opened.
    H5FlowError
        The disk is full: nothing is left at `destination`.
    """
    with open_file(source, "r") as file:
        size = stored_bytes(file)
        check_free_space(destination, size)
        progress = Progress(observe, str(source), size)
        with whole_or_nothing(destination, size):
            copy_all_objects(file, destination, progress, exclude)
    progress.finish()


def compact_in_place(path: Path, observe: Observer = ignore_event) -> None:
    """Replace a closed file by its compact copy, in one step, keeping its permissions.

    Raises
    ------
    FileFormatError, H5FlowError
        As `compact`; the file is then as it was.
    """
    path = path.resolve()
    new = path.with_name(f"{path.name}.compact")
    compact(path, new, observe)
    new.chmod(path.stat().st_mode & 0o7777)
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(path)
