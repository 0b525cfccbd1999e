"""References as they lie in a file, and following chains of them from known rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from h5flow.data.reference_index import find_index
from h5flow.errors import DataError, H5FlowWarning
from h5flow.io.reading import RowSource, read_rows, read_union
from h5flow.references.follow import Followed, PairBlock, cells_of, compose, follow
from h5flow.references.index import WIDE_ROWS
from h5flow.references.jagged import Jagged
from h5flow.references.padding import pad_cells
from h5flow.references.regions import Int64Array, is_region_dtype

__all__ = [
    "Cells",
    "References",
    "Regions",
    "follow_chain",
    "linked_cells",
    "linked_jagged",
    "linked_padded",
    "missing_rows_warning",
    "read_regions",
]

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Regions:
    """Where in a reference table the references of some rows lie.

    Parameters
    ----------
    starts, stops : numpy.ndarray
        int64, shape (n,), within the table; equal where a row has none.
    """

    starts: Int64Array
    stops: Int64Array


@dataclass(frozen=True, eq=False)
class References:
    """References of one dataset to another, seen in one direction.

    Parameters
    ----------
    ref : h5py.Dataset or numpy.ndarray
        Shape (L, 2), integers of any width.
    region : h5py.Dataset or numpy.ndarray, optional
        Integer fields ``start`` and ``stop``, one row per row of the parent; rows beyond its end
        have no references. None searches the whole table.
    direction : tuple of int
        Columns of `ref` that hold the parent and the child.
    parent_rows : int, optional
        Number of rows of the parent, where it is known.
    """

    ref: RowSource
    region: RowSource | None = None
    direction: tuple[int, int] = (0, 1)
    parent_rows: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        shape, kind = self.ref.shape, self.ref.dtype.kind
        if len(shape) != 2 or shape[1] != 2 or (kind not in "iu" and shape[0]):
            raise DataError(
                f"references are integers of shape (N, 2), not {self.ref.dtype} {shape}"
            )
        if tuple(self.direction) not in ((0, 1), (1, 0)):
            raise DataError(f"a direction of references is (0, 1) or (1, 0), not {self.direction}")
        region = self.region
        if region is not None and not (is_region_dtype(region.dtype) and len(region.shape) == 1):
            raise DataError(
                f"a region has the integer fields start and stop and one dimension, not "
                f"{region.dtype} {region.shape}"
            )

    def regions_of(self, rows: Int64Array) -> Regions:
        """Return the regions of rows of the parent; rows that do not exist have none."""
        there = rows >= 0
        if self.parent_rows is not None:
            there &= rows < self.parent_rows
        if self.region is None:
            return Regions(np.zeros(len(rows), np.int64), there * np.int64(self.ref.shape[0]))
        there &= rows < self.region.shape[0]
        if there.all():
            return read_regions(self.region, rows, self.ref.shape[0])
        starts, stops = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        known = read_regions(self.region, rows[there], self.ref.shape[0])
        starts[there], stops[there] = known.starts, known.stops
        return Regions(starts, stops)

    def children_of(self, rows: Int64Array, regions: Regions) -> Followed:
        """Return the children of rows of the parent that have the given regions."""
        if int((regions.stops - regions.starts).sum()) > WIDE_ROWS:
            index = find_index(self.ref, self.region, self.direction[0])
            if index is not None:
                found = index.follow(rows, regions.starts, regions.stops)
                if found is not None:
                    return found
        pairs, starts, stops = read_union(self.ref, regions.starts, regions.stops)
        parent, child = self.direction
        # compared once, a column may stay as it lies; what is given on is packed
        parents = pairs[:, parent].astype(np.int64, copy=False)
        block = PairBlock(parents, pairs[:, child].astype(np.int64), starts, stops)
        return follow(rows, regions.starts, regions.stops, block)


def read_regions(region: RowSource, rows: Int64Array, table_rows: int) -> Regions:
    """Return the regions that stand in the given rows of a region table.

    Raises
    ------
    DataError
        A region is negative or ends before it begins: the table was written with integers that
        are too narrow, or is damaged.
    """
    found = read_rows(region, rows)
    starts, stops = found["start"].astype(np.int64), found["stop"].astype(np.int64)
    wrong = (starts < 0) | (stops < starts)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError(
            f"the region of row {rows[at]} in {getattr(region, 'name', None) or 'the array'} is "
            f"({starts[at]}, {stops[at]}), which cannot be",
            advice="Follow the references without it: give the table itself as an array, ref[:].",
        )
    return Regions(np.minimum(starts, table_rows), np.minimum(stops, table_rows))


def follow_chain(
    rows: Int64Array,
    chain: Sequence[References],
    *,
    mask: BoolArray | None = None,
    regions: Regions | None = None,
) -> list[Followed]:
    """Follow a chain of references from rows of its first parent.

    Parameters
    ----------
    rows : numpy.ndarray
        int64, shape (n,), in any order, repeats allowed.
    chain : sequence of References
        At least one; the children of each are the parents of the next.
    mask : numpy.ndarray, optional
        bool, shape (n,): True = do not follow this row.
    regions : Regions, optional
        Of `rows` in the first references; looked up where not given.

    Returns
    -------
    list of Followed
        One per link; each follows all children of the link before.
    """
    regions = chain[0].regions_of(rows) if regions is None else regions
    if mask is not None:
        regions = Regions(np.where(mask, 0, regions.starts), np.where(mask, 0, regions.stops))
    levels = [chain[0].children_of(rows, regions)]
    for link in chain[1:]:
        rows = levels[-1].index
        levels.append(link.children_of(rows, link.regions_of(rows)))
    return levels


@dataclass(frozen=True, eq=False)
class Cells:
    """Rows, and where each goes in the rectangle that they are padded to.

    Parameters
    ----------
    shape : tuple of int
        Of the rectangle, (n, w, ...).
    cells : numpy.ndarray
        int64, shape (total,), strictly ascending: the cell of each value, in C order.
    values : numpy.ndarray
        Shape (total, ...).
    """

    shape: tuple[int, ...]
    cells: Int64Array
    values: np.ndarray[Any, Any]


def linked_cells(
    rows: Int64Array,
    chain: Sequence[References],
    data: RowSource | None,
    *,
    mask: BoolArray | None = None,
    regions: Regions | None = None,
    indices_only: bool = False,
) -> Cells:
    """Return the rows at the end of a chain of references, and how they would be padded.

    Parameters are those of `linked_padded`.
    """
    levels = follow_chain(rows, chain, mask=mask, regions=regions)
    shape, cells = cells_of(levels)
    index, there = levels[-1].index, _existing(chain, levels, data, "masked")
    if there is not None:
        cells, index = cells[there], index[there]
    return Cells(shape, cells, _values(index, data, indices_only))


def linked_padded(
    rows: Int64Array,
    chain: Sequence[References],
    data: RowSource | None,
    *,
    mask: BoolArray | None = None,
    regions: Regions | None = None,
    indices_only: bool = False,
    budget: int | None = None,
) -> np.ma.MaskedArray[Any, Any]:
    """Return the rows at the end of a chain of references, padded.

    Parameters
    ----------
    rows, chain, mask, regions
        As for `follow_chain`.
    data : h5py.Dataset or numpy.ndarray, optional
        Rows of the last child; only with `indices_only` may it be left out, and then indices are
        given as they stand in the file, also those of rows that do not exist.
    indices_only : bool
        Return int64 indices in place of rows.
    budget : int, optional
        As for `pad_cells`.

    Returns
    -------
    numpy.ma.MaskedArray
        Shape (n, w1, w2, ..., *row shape). References to rows that do not exist have a cell,
        masked, and give one warning.
    """
    cells = linked_cells(rows, chain, data, mask=mask, regions=regions, indices_only=indices_only)
    return pad_cells(cells.shape, cells.cells, cells.values, budget=budget)


def linked_jagged(
    rows: Int64Array,
    chain: Sequence[References],
    data: RowSource | None,
    *,
    mask: BoolArray | None = None,
    regions: Regions | None = None,
    indices_only: bool = False,
) -> Jagged:
    """Return the rows at the end of a chain of references, without padding.

    Parameters are those of `linked_padded`. A chain gives the rows of its last child for each row
    of its first parent. References to rows that do not exist are left out, with one warning.
    """
    levels = follow_chain(rows, chain, mask=mask, regions=regions)
    step = compose(levels)
    offsets, index = step.offsets, step.index
    there = _existing(chain, levels, data, "left out")
    if there is not None:
        offsets = np.concatenate(([0], np.cumsum(there)))[offsets]
        index = index[there]
    return Jagged(offsets, _values(index, data, indices_only), index)


def _values(index: Int64Array, data: RowSource | None, indices_only: bool) -> np.ndarray[Any, Any]:
    if indices_only:
        return index
    if data is None:
        raise DataError(
            "there are no data to take rows from",
            advice="Give `data`, or ask for the indices alone with `indices_only=True`.",
        )
    return read_rows(data, index)


def _existing(
    chain: Sequence[References], levels: Sequence[Followed], data: RowSource | None, fate: str
) -> BoolArray | None:
    """Say which of the last rows exist, None where all do or nobody asks; warn of the others."""
    missing, there = 0, None
    for level, link in zip(levels[:-1], chain[1:], strict=True):
        within = _within(level.index, link.parent_rows)
        missing += 0 if within is None else int(np.count_nonzero(~within))
    if data is not None:
        there = _within(levels[-1].index, data.shape[0] if data.shape else 0)
        missing += 0 if there is None else int(np.count_nonzero(~there))
    if missing:
        warnings.warn(missing_rows_warning(missing, fate), stacklevel=5)
    return there


def missing_rows_warning(missing: int, fate: str) -> H5FlowWarning:
    """Return what is said of references to rows that do not exist."""
    return H5FlowWarning(
        f"{missing:,} of the references that were followed point to rows that do not exist; "
        f"they are {fate}"
    )


def _within(index: Int64Array, length: int | None) -> BoolArray | None:
    """Say which rows exist, None where all of them do."""
    most = np.iinfo(np.int64).max if length is None else length
    if not len(index) or (index.min() >= 0 and index.max() < most):
        return None
    return (index >= 0) & (index < most)
