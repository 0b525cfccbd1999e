"""Which rows of the parent a call selects, and where their references lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from h5flow.data.beside_references import parent_of, region_of
from h5flow.data.following import References, Regions, read_regions
from h5flow.errors import CallError, DataError
from h5flow.io.reading import RowSource, read_slice
from h5flow.references.regions import Int64Array, merge
from h5flow.references.selection import select_rows

__all__ = [
    "Selected",
    "begin",
    "columns_of",
    "references_of",
    "row_mask_of",
    "rows_and_hidden",
    "select_up_to",
    "source_of",
]

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Selected:
    """Rows of a parent, and the references that they have.

    Attributes
    ----------
    rows : numpy.ndarray
        int64, shape (n,), in any order, repeats allowed.
    mask : numpy.ndarray or None
        bool, shape (n,): True = do not follow this row.
    references : References
    regions : Regions or None
        Of `rows`, where the call gives them; else they are looked up.
    """

    rows: Int64Array
    mask: BoolArray | None
    references: References
    regions: Regions | None


def begin(sel: Any, ref: Any, region: Any, mask: Any, direction: Any) -> Selected:
    """Return what a call selects whose references are on the host."""
    references = references_of(ref, region, direction)
    if references.region is None and references.parent_rows is None:
        # The whole table is read for the number of rows; once is enough.
        table = read_slice(references.ref, 0, references.ref.shape[0])
        references = References(table, None, references.direction)
    rows, hidden = rows_and_hidden(sel, lambda chosen: _select(chosen, references))
    regions = _given_regions(rows, references)
    return Selected(rows, row_mask_of(mask, hidden, len(rows)), references, regions)


def rows_and_hidden(
    sel: Any, select: Callable[[Any], Int64Array]
) -> tuple[Int64Array, BoolArray | None]:
    """Return the rows of a selection, and which cells of it are masked."""
    if isinstance(sel, np.ma.MaskedArray) and sel.dtype.kind in "iu" and sel.ndim == 1:
        hidden = np.ma.getmaskarray(sel)
        rows = np.zeros(len(sel), np.int64)
        rows[~hidden] = select(sel.compressed())
        return rows, hidden
    return select(sel), None


def references_of(ref: Any, region: Any, direction: Any) -> References:
    """Return references with what their file says about them."""
    table = source_of(ref, "ref")
    if table is None:
        raise CallError("the references to follow are missing: `ref` is None")
    columns = columns_of(direction)
    regions = source_of(region, "region")
    parent = None
    if isinstance(table, h5py.Dataset):
        parent = parent_of(table, columns[0])
        if regions is None:
            regions = region_of(table, columns[0])
        elif isinstance(regions, h5py.Dataset):
            _refuse_region_of_children(table, regions, columns)
    parent_rows = parent.shape[0] if parent is not None and parent.shape else None
    return References(table, regions, columns, parent_rows=parent_rows)


def _refuse_region_of_children(
    table: h5py.Dataset, region: h5py.Dataset, columns: tuple[int, int]
) -> None:
    """Raise where a region is that of the other direction: references would be left out unseen."""
    of_children = region_of(table, columns[1])
    # rows that refer to rows of the same dataset have one region for both
    if of_children is None or of_children != region or region_of(table, columns[0]) == region:
        return
    raise DataError(
        f"`region` is {region.name}, which says where the references of the other dataset are",
        advice=f"Leave it out, for it is found beside `ref`, or follow the references the other "
        f"way: ref_direction={columns[::-1]}.",
    )


def columns_of(direction: Any) -> tuple[int, int]:
    """Return the columns of parent and child.

    Raises
    ------
    DataError
        It is not a direction.
    """
    columns = tuple(direction) if isinstance(direction, Sequence | np.ndarray) else (direction,)
    if columns not in {(0, 1), (1, 0)}:
        raise DataError(f"a direction of references is (0, 1) or (1, 0), not {direction}")
    return columns[0], columns[1]


def source_of(argument: Any, name: str) -> RowSource | None:
    """Return an argument as rows that can be read, None where there is none.

    Raises
    ------
    DataError
        It is a group.
    """
    if argument is None or isinstance(argument, h5py.Dataset | np.ndarray):
        return argument
    if isinstance(argument, h5py.Group):
        raise DataError(
            f"`{name}` is the group {argument.name}, not a dataset",
            advice=f"The rows of a dataset are in file['{argument.name}/data'].",
        )
    return np.asarray(argument)


def _select(sel: Any, references: References) -> Int64Array:
    """Return selected rows of the parent, whose length may be known only from its references."""
    region, length = references.region, references.parent_rows
    if length is not None:
        return select_rows(sel, length, what="the parent of these references")
    if region is None:
        parents = references.ref[:][:, references.direction[0]]
        return select_rows(sel, int(parents.max(initial=0)) + bool(len(parents)), bounded=False)
    return select_up_to(sel, region.shape[0], is_region=isinstance(region, np.ndarray))


def select_up_to(sel: Any, length: int, *, is_region: bool) -> Int64Array:
    """Return selected rows of a parent that has `length` rows, or a region of that length."""
    if isinstance(sel, slice) and is_region:
        # A region of just the selected rows says nothing about the parent's length.
        start, step = sel.start or 0, 1 if sel.step is None else sel.step
        if sel.stop is not None and min(start, sel.stop, step) >= 0 and step:
            rows = np.arange(start, sel.stop, step, dtype=np.int64)
            if len(rows) == length:
                return rows
    return select_rows(sel, length, bounded=False)


def _given_regions(rows: Int64Array, references: References) -> Regions | None:
    """Return the regions of an array that has one per selected row, None where it has not."""
    region, table_rows = references.region, references.ref.shape[0]
    if not isinstance(region, np.ndarray) or len(region) != len(rows):
        return None
    order = np.arange(len(rows), dtype=np.int64)
    if np.array_equal(rows, order):
        return None
    given = read_regions(region, order, table_rows)
    if references.parent_rows not in {None, len(region)}:
        return given
    looked_up = references.regions_of(rows)
    return Regions(*merge(given.starts, given.stops, looked_up.starts, looked_up.stops))


def row_mask_of(mask: Any, hidden: BoolArray | None, count: int) -> BoolArray | None:
    """Return which of `count` selected rows are not followed: by the mask, and the selection's own.

    Raises
    ------
    DataError
        The mask is of another length or dtype.
    """
    if mask is None or mask is np.ma.nomask:
        return hidden
    given = np.atleast_1d(np.asarray(mask))
    if given.shape != (count,) or (count and given.dtype != np.bool_):
        raise DataError(
            f"a mask has one boolean per selected row, shape ({count},), not {given.dtype} "
            f"{given.shape}",
            advice="Where it has fields, take one of them: mask['field'].",
        )
    given = given.astype(np.bool_)
    return given if hidden is None else given | hidden
