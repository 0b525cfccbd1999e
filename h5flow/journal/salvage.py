"""The working file of a run that did not end, made an ordinary file that can be read."""

from __future__ import annotations

import warnings
from pathlib import Path

from h5flow.data.layout import NOT_FOLLOWED, RECORDS
from h5flow.errors import FileFormatError, H5FlowWarning
from h5flow.io.clone import copy_bytes, share_blocks
from h5flow.io.damage import damage_named
from h5flow.io.edit import edit_at_once, finish_edit
from h5flow.io.external import put_back
from h5flow.io.space import check_free_space, whole_or_nothing
from h5flow.journal.checkpoint import CHECKPOINTS, read_checkpoint
from h5flow.journal.in_place import replaced_by_copy
from h5flow.journal.repair import REPAIRED_SUFFIX
from h5flow.journal.revival import revive

__all__ = ["salvage_file"]


def salvage_file(path: Path) -> None:
    """Make an ordinary file of what a run has left: what it was at its last checkpoint.

    HDF5 has no order of writing outside of SWMR mode that a kill could not spoil. So all is done in
    a copy beside the file, which takes its place in one step when it is on disk: whatever happens,
    there is the file as the run has left it, which can be resumed, or the ordinary one.

    Parameters
    ----------
    path : pathlib.Path
        A symbolic link is followed, and kept.

    Raises
    ------
    FileFormatError
        It holds no checkpoint, or is damaged.
    NoRoomError
        There is no room for the copy.
    UsageError
        A run is writing the file.

    Warns
    -----
    H5FlowWarning
        Something of the input that lies in another file has lost its place.
    """
    path = path.resolve()
    with replaced_by_copy(path, REPAIRED_SUFFIX) as copy:
        checkpoint = read_checkpoint(path)
        if checkpoint is None:
            raise FileFormatError(
                f"{path} holds no checkpoint of a run", advice="Start the run again."
            )
        finish_edit(path)
        _copy(path, copy)
        with damage_named(path):
            revive(copy, checkpoint.lengths)
            _make_ordinary(copy, path)


def _copy(path: Path, copy: Path) -> None:
    size = path.stat().st_size
    with whole_or_nothing(copy, size):
        if not share_blocks(path, copy):
            check_free_space(copy, size)
            copy_bytes(path, copy, lambda done: None)


def _make_ordinary(copy: Path, path: Path) -> None:
    """Remove what only a run needs."""
    with edit_at_once(copy) as file:
        if CHECKPOINTS in file:
            del file[CHECKPOINTS]
        for place in put_back(file, NOT_FOLLOWED):
            warnings.warn(
                f"{place} lies in another file, and is left out of {path}: the run has made "
                "something else in its place",
                H5FlowWarning,
                stacklevel=2,
            )
        records = file.get(RECORDS)
        if records is not None and not len(records):
            del file[RECORDS]
