"""Regions made anew from the references, in a copy that takes the file's place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from h5flow.data.inventory import take_inventory
from h5flow.data.layout import ReferencePaths, data_path, ref_region_dtype
from h5flow.errors import DataError
from h5flow.io.chunks import rows_per_hdf5_chunk
from h5flow.io.copy import copy_input
from h5flow.io.damage import DAMAGE, damage_named
from h5flow.io.links import leaving_link
from h5flow.io.open_file import open_file
from h5flow.io.reading import read_slice
from h5flow.journal.in_place import replaced_by_copy
from h5flow.journal.indexing import index_file
from h5flow.journal.linked_rows import blocks, is_table_of_references, table_at
from h5flow.references.verify import rebuild

__all__ = ["repair_file"]

REPAIRED_SUFFIX = ".repaired"
# A reference to a row far beyond its dataset is a wrong number: no region is made for it.
MOST_ROWS_BEYOND = 2**24


def repair_file(path: Path) -> tuple[str, ...]:
    """Rebuild all regions of a file, and the attributes and the indices of its references.

    All is done in a copy beside the file, which takes its place in one step when it is on disk: a
    repair that fails or is killed leaves the file as it was.

    Parameters
    ----------
    path : pathlib.Path
        A symbolic link is followed, and kept.

    Returns
    -------
    tuple of str
        Paths of the region tables that were made.

    Raises
    ------
    FileFormatError
        References cannot be read.
    UsageError
        A run is writing the file.
    """
    path = path.resolve()
    with replaced_by_copy(path, REPAIRED_SUFFIX) as copy:
        with damage_named(path):
            copy_input(path, copy)
        with open_file(copy, "r+") as file:
            made = tuple(_repair(file))
        index_file(copy)
    return made


def _repair(file: h5py.File) -> Iterator[str]:
    with damage_named(file.filename):
        for relation in take_inventory(file).references:
            table = table_at(file, relation.ref)
            if table is None or not is_table_of_references(table):
                continue
            table.attrs.update(relation.ref_attributes)
            for place, side in _sides(relation).items():
                if leaving_link(file, place) is None:
                    _store(file, place, _regions(file, table, side))
                    file[place].attrs.update(relation.region_attributes)
                    yield place


@dataclass(frozen=True)
class Side:
    """A dataset, and the columns of references that index it."""

    name: str
    columns: tuple[int, ...]


def _sides(relation: ReferencePaths) -> dict[str, Side]:
    """Return the region tables of a relation; of a dataset to itself there is one."""
    if relation.parent == relation.child:
        return {relation.parent_region: Side(relation.parent, (0, 1))}
    return {
        relation.parent_region: Side(relation.parent, (0,)),
        relation.child_region: Side(relation.child, (1,)),
    }


def _regions(file: h5py.File, table: h5py.Dataset, side: Side) -> np.ndarray[Any, Any]:
    rows = table_at(file, data_path(side.name))
    length = 0 if rows is None else len(rows)
    most = length + MOST_ROWS_BEYOND
    for start, stop in blocks(len(table)):
        values = read_slice(table, start, stop)[:, side.columns]
        length = max(length, int(values.max(initial=0)) + 1) if len(values) else length
    if length > most:
        raise DataError(
            f"{table.name} has a reference to row {length - 1:,} of '{side.name}', far beyond its "
            "end",
            advice="Write the references anew.",
        )
    regions = np.zeros(length, ref_region_dtype)
    for start, stop in blocks(len(table)):
        pairs = read_slice(table, start, stop).astype(np.int64)
        for column in side.columns:
            rebuild(regions["start"], regions["stop"], pairs[:, column], start)
    return regions


def _store(file: h5py.File, place: str, regions: np.ndarray[Any, Any]) -> None:
    filters = {}
    try:
        old = table_at(file, place)
        if old is not None:
            filters = {
                "compression": old.compression,
                "compression_opts": old.compression_opts,
                "shuffle": old.shuffle,
                "fletcher32": old.fletcher32,
            }
    except DAMAGE:
        # what is there cannot even be opened
        pass
    if file.get(place, getlink=True) is not None:
        del file[place]
    chunks = (rows_per_hdf5_chunk(regions.dtype),)
    file.create_dataset(place, data=regions, chunks=chunks, maxshape=(None,), **filters)
