"""Indices added to a finished file: in a copy that takes its place."""

from __future__ import annotations

from pathlib import Path

import h5py

from h5flow.io.copy import copy_input
from h5flow.io.damage import damage_named
from h5flow.io.open_file import open_file
from h5flow.journal.in_place import replaced_by_copy
from h5flow.journal.indexing import (
    Indexed,
    Survey,
    index_file,
    index_is_wrong,
    survey_indices,
)

__all__ = ["index_in_place"]

INDEXED_SUFFIX = ".indexed"


def index_in_place(path: Path) -> tuple[Indexed, ...]:
    """Give a file's references the sorted indices that are of use, and no other ones.

    All is done in a copy beside the file, which takes its place in one step when it is on disk: an
    attempt that fails or is killed leaves the file as it was. So is a file whose indices are right,
    or that needs none.

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
        is_done = all(_is_done(file, each) for each in found)
    if is_done:
        return tuple(Indexed(each.relation, each.present) for each in found)
    with replaced_by_copy(path, INDEXED_SUFFIX) as copy:
        with damage_named(path):
            copy_input(path, copy)
        return index_file(copy)


def _is_done(file: h5py.File, survey: Survey) -> bool:
    """Say whether a relation has the indices that it needs, for the references that there are."""
    return survey.present == survey.wanted and not any(
        index_is_wrong(file, survey.relation, column) for column in survey.present
    )
