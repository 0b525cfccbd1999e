"""References of a file against its datasets and regions, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from h5flow.data.layout import ReferencePaths, data_path
from h5flow.io.links import leaving_link
from h5flow.io.lookup import object_at
from h5flow.io.reading import read_rows, read_slice
from h5flow.references.regions import Int64Array, is_region_dtype
from h5flow.references.verify import impossible, uncovered

__all__ = ["BLOCK_ROWS", "blocks", "is_table_of_references", "linked_rows", "table_at"]

# Rows of a table that are in memory at once.
BLOCK_ROWS = 2**20
REBUILD = "--repair rebuilds the regions from the references."

# Place, text, advice, whether it is a note, whether it is in the regions.
Found = tuple[str, str, str, bool, bool]


def table_at(file: h5py.File, path: str) -> h5py.Dataset | None:
    """Return the table of the file itself at a path, None where there is none."""
    if leaving_link(file, path) is not None:
        return None
    found = object_at(file, path)
    return found if isinstance(found, h5py.Dataset) and found.shape else None


def is_table_of_references(table: h5py.Dataset) -> bool:
    """Return whether a table is pairs of integers."""
    return table.shape[1:] == (2,) and table.dtype.kind in "iu"


def blocks(length: int) -> Iterator[tuple[int, int]]:
    """Yield start and stop of the blocks of a table."""
    for start in range(0, length, BLOCK_ROWS):
        yield start, min(start + BLOCK_ROWS, length)


def linked_rows(file: h5py.File, relation: ReferencePaths) -> Iterator[Found]:
    """Yield what is wrong with the references of two datasets, in both directions.

    Raises
    ------
    FileFormatError
        Rows cannot be read.
    """
    table = table_at(file, relation.ref)
    if table is None:
        return
    if not is_table_of_references(table):
        what = f"holds {table.dtype} of shape {table.shape}, not pairs of integers"
        yield relation.ref, what, "Write the references anew.", False, False
        return
    sides = ((relation.parent, relation.parent_region), (relation.child, relation.child_region))
    for column, (name, place) in enumerate(sides):
        rows = table_at(file, data_path(name))
        yield from _beyond(table, column, name, rows)
        region = table_at(file, place)
        if region is None and leaving_link(file, place) is None:
            yield place, "is missing", REBUILD, False, True
        elif region is not None and not is_region_dtype(region.dtype):
            yield place, f"holds {region.dtype}, not start and stop", REBUILD, False, True
        elif region is not None:
            yield from _regions(table, column, region, None if rows is None else len(rows))


def _beyond(
    table: h5py.Dataset, column: int, name: str, rows: h5py.Dataset | None
) -> Iterator[Found]:
    beyond, negative = 0, 0
    for start, stop in blocks(len(table)):
        values = _column(table, column, start, stop)
        negative += int(np.count_nonzero(values < 0))
        if rows is not None:
            beyond += int(np.count_nonzero(values >= len(rows)))
    if negative:
        text = f"{negative:,} of {len(table):,} references are negative rows of '{name}'"
        yield table.name, text, "Write the references anew.", False, False
    if beyond:
        text = f"{beyond:,} of {len(table):,} references lead to rows that '{name}' does not have"
        yield table.name, text, "That is allowed: following one gives a masked cell.", True, False


def _regions(
    table: h5py.Dataset, column: int, region: h5py.Dataset, length: int | None
) -> Iterator[Found]:
    wrong = 0
    for start, stop in blocks(len(region)):
        found = read_slice(region, start, stop)
        wrong += int(np.count_nonzero(impossible(*_bounds(found), len(table))))
    if wrong:
        text = (
            f"{wrong:,} of {len(region):,} regions are not within the {len(table):,} references of "
            f"{table.name}"
        )
        yield region.name, text, REBUILD, False, True
    outside = 0
    for start, stop in blocks(len(table)):
        outside += _outside(_column(table, column, start, stop), start, region, length)
    if outside:
        text = f"{outside:,} of {len(table):,} references lie outside of the region of their row"
        yield region.name, text, REBUILD, False, True


def _outside(values: Int64Array, first: int, region: h5py.Dataset, length: int | None) -> int:
    """Count references whose region does not hold them; a row beyond the regions has none.

    Rows that do not exist need no region.
    """
    positions = np.arange(first, first + len(values))
    exists = values >= 0 if length is None else (values >= 0) & (values < length)
    there = exists & (values < len(region))
    rows, back = np.unique(values[there], return_inverse=True)
    starts, stops = _bounds(read_rows(region, rows))
    missed = uncovered(positions[there], starts[back], stops[back])
    return int(np.count_nonzero(missed)) + int(np.count_nonzero(exists & ~there))


def _column(table: h5py.Dataset, column: int, start: int, stop: int) -> Int64Array:
    return read_slice(table, start, stop)[:, column].astype(np.int64)


def _bounds(found: np.ndarray[Any, Any]) -> tuple[Int64Array, Int64Array]:
    return found["start"].astype(np.int64), found["stop"].astype(np.int64)
