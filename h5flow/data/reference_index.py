"""Following references by the sorted index that stands beside them, where there is one."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np

from h5flow.data.beside_references import region_of
from h5flow.data.layout import INDEXED_REFERENCES, index_attribute
from h5flow.io.damage import DAMAGE
from h5flow.io.hdf5_rows import dataset_behind
from h5flow.io.lookup import dataset_beside, scalar_attribute
from h5flow.io.reading import RowSource, read_union
from h5flow.references.follow import Followed
from h5flow.references.padding import rank_in_row
from h5flow.references.regions import Int64Array, places_in

__all__ = ["ReferenceIndex", "find_index"]


@dataclass(frozen=True, eq=False)
class ReferenceIndex:
    """The children of each parent, one parent after the other.

    Parameters
    ----------
    offsets : h5py.Dataset
        Integers, shape (n + 1,): parent i has ``children[offsets[i]:offsets[i + 1]]``.
    children : h5py.Dataset
        Integers, shape (L,), as many as there are references; ascending within a parent.
    """

    offsets: h5py.Dataset
    children: h5py.Dataset

    def follow(self, rows: Int64Array, starts: Int64Array, stops: Int64Array) -> Followed | None:
        """Return the children of rows, None where the index is damaged.

        Parameters
        ----------
        rows : numpy.ndarray
            int64, shape (n,), in any order, repeats allowed.
        starts, stops : numpy.ndarray
            int64, shape (n,): region of each; where it is empty the row is not followed.
        """
        there = (stops > starts) & (rows >= 0) & (rows < len(self.offsets) - 1)
        begins, ends = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        begins[there], ends[there] = self._bounds(rows[there])
        if (begins < 0).any() or (ends < begins).any() or ends.max(initial=0) > len(self.children):
            return None
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(ends - begins, out=offsets[1:])
        found, first, last = read_union(self.children, begins, ends)
        filled = np.flatnonzero(ends > begins)
        # Read one after the other, without gaps, repeats or overlaps: that is the result.
        if len(found) == offsets[-1] and (begins[filled][1:] >= ends[filled][:-1]).all():
            return Followed(offsets, found.astype(np.int64))
        begins[filled] = places_in(first, last, begins[filled])
        where = np.repeat(begins, np.diff(offsets)) + rank_in_row(offsets)
        return Followed(offsets, found[where].astype(np.int64))

    def _bounds(self, rows: Int64Array) -> tuple[Int64Array, Int64Array]:
        bounds, first, last = read_union(self.offsets, rows, rows + 2)
        places = places_in(first, last, rows) if len(rows) else rows
        return bounds[places].astype(np.int64), bounds[places + 1].astype(np.int64)


def find_index(ref: RowSource, region: RowSource | None, column: int) -> ReferenceIndex | None:
    """Return the index of a reference table, None where there is none that fits.

    Parameters
    ----------
    ref : h5py.Dataset or other
        Only a dataset of a file can have one.
    region : h5py.Dataset or other, optional
        Other regions than those of the file may leave references out, which the index has.
    column : int
        Of the parent.
    """
    table = dataset_behind(ref)
    if table is None:
        return None
    try:
        group = scalar_attribute(table, index_attribute(column))
        if not isinstance(group, bytes) or not _is_own_region(table, region, column):
            return None
        offsets, children = (
            dataset_beside(table, group + name) for name in (b"/offsets", b"/children")
        )
        if offsets is None or children is None or not _are_columns(offsets, children):
            return None
        made_for = scalar_attribute(offsets, INDEXED_REFERENCES)
    except DAMAGE:
        return None
    if not len(offsets) or not made_for == len(children) == len(table):
        return None
    return ReferenceIndex(offsets, children)


def _is_own_region(ref: h5py.Dataset, region: RowSource | None, column: int) -> bool:
    if region is None:
        return True
    own, given = region_of(ref, column), dataset_behind(region)
    return own is not None and given is not None and bool(own == given)


def _are_columns(*datasets: h5py.Dataset) -> bool:
    return all(dataset.ndim == 1 and dataset.dtype.kind in "iu" for dataset in datasets)
