"""Indices added to a finished file: in a copy that takes its place."""

from __future__ import annotations

from pathlib import Path

from h5flow.io.copy import copy_input
from h5flow.io.damage import damage_named
from h5flow.io.open_file import open_file
from h5flow.journal.in_place import replaced_by_copy
from h5flow.journal.indexing import Indexed, index_file, survey_indices

__all__ = ["index_in_place"]

INDEXED_SUFFIX = ".indexed"


def index_in_place(path: Path) -> tuple[Indexed, ...]:
    """Make the sorted indices of a file's references anew, where they are of use.

    All is done in a copy beside the file, which takes its place in one step when it is on disk: an
    attempt that fails or is killed leaves the file as it was. So is a file that needs no index.

    Parameters
    ----------
    path : pathlib.Path
        A symbolic link is followed, and kept.

    Returns
    -------
    tuple of Indexed
        One for each relation.

    Raises
    ------
    FileFormatError
        It is no HDF5 file, or references cannot be read.
    UsageError
        A run is writing the file.
    """
    path = path.resolve()
    with damage_named(path), open_file(path, "r") as file:
        found = survey_indices(file)
    if not any(each.wanted or each.present for each in found):
        return tuple(Indexed(each.relation, ()) for each in found)
    with replaced_by_copy(path, INDEXED_SUFFIX) as copy:
        with damage_named(path):
            copy_input(path, copy)
        return index_file(copy)
