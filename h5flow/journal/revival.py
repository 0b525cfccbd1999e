"""A working file that a run has left, brought back to its last checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from h5flow.data.inventory import take_inventory
from h5flow.data.layout import data_path
from h5flow.errors import FileFormatError
from h5flow.io.edit import edit_at_once, open_left
from h5flow.io.links import leaving_link
from h5flow.io.lookup import object_at
from h5flow.journal.checkpoint import PLACES

__all__ = ["lost_tables", "revive", "tables_of"]

BLOCK_ROWS = 2**18


def revive(path: Path, lengths: Mapping[str, int]) -> None:
    """Make a working file what it was at a checkpoint; a kill before the end changes nothing.

    Rows, references and tables that came later are removed. Rows that were there, and were changed
    later, stay as they are: the run that goes on changes them again.

    Parameters
    ----------
    path : pathlib.Path
    lengths : mapping of str to int
        Of all tables, as the checkpoint has them.

    Raises
    ------
    FileFormatError
        The file is damaged, or has fewer rows than the checkpoint says.
    """
    with edit_at_once(path) as file:
        for place in tables_of(file):
            _cut(file, place, lengths.get(place))
        for relation in take_inventory(file).references:
            table = object_at(file, relation.ref)
            if isinstance(table, h5py.Dataset):
                for place in dict.fromkeys((relation.parent_region, relation.child_region)):
                    _clip(object_at(file, place), len(table))


def lost_tables(path: Path, lengths: Mapping[str, int]) -> tuple[str, ...]:
    """Return the tables of a checkpoint that a working file does not have any more."""
    try:
        with open_left(path) as file:
            return tuple(set(lengths) - set(tables_of(file)))
    except (OSError, RuntimeError, KeyError):
        return tuple(lengths)


def tables_of(file: h5py.Group) -> tuple[str, ...]:
    """Return the paths of all tables that lie in a file itself: rows, references and regions."""
    found = take_inventory(file)
    places = [data_path(name) for name in found.datasets]
    for relation in found.references:
        places += [relation.ref, relation.parent_region, relation.child_region]
    return tuple(place for place in dict.fromkeys(places) if _is_own_table(file, place))


def _is_own_table(file: h5py.Group, place: str) -> bool:
    if leaving_link(file.file, place) is not None:
        return False
    table = object_at(file, place)
    return isinstance(table, h5py.Dataset) and bool(table.shape)


def _cut(file: h5py.File, place: str, length: int | None) -> None:
    if place in PLACES:
        return
    if length is None:
        del file[place]
        return
    table = file[place]
    if len(table) < length:
        raise FileFormatError(
            f"{place} in {file.filename} has {len(table):,} rows, and had {length:,} at the last "
            "checkpoint",
            advice="The file is damaged. Run without --resume.",
        )
    if len(table) > length:
        table.resize(length, 0)


def _clip(region: object, length: int) -> None:
    """Let no region lead beyond the references that there are."""
    if not isinstance(region, h5py.Dataset):
        return
    for start in range(0, len(region), BLOCK_ROWS):
        rows = region[start : start + BLOCK_ROWS]
        beyond, over = rows["start"] >= length, rows["stop"] > length
        if over.any() or (beyond & (rows["stop"] > 0)).any():
            rows["stop"] = np.minimum(rows["stop"], length)
            empty = rows["start"] >= rows["stop"]
            rows["start"][empty] = rows["stop"][empty] = 0
            region[start : start + BLOCK_ROWS] = rows
