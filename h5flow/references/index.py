"""A sorted index of references: the children of each parent, one parent after the other.

Where regions overlap, few references of a row lie in a long region. An index has them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from h5flow.references.ordering import grouping, sort_rows

if TYPE_CHECKING:
    from h5flow.references.regions import Int64Array

__all__ = ["WIDE_ROWS", "IndexPart", "index_part", "overlaps", "parts_of"]

# A region of so many rows is read in one call anyway.
WIDE_ROWS = 2**12


@dataclass(frozen=True, eq=False)
class IndexPart:
    """The index of some successive parents.

    Parameters
    ----------
    offsets : numpy.ndarray
        int64, shape (n + 1,): parent i of them has ``children[offsets[i]:offsets[i + 1]]``.
    children : numpy.ndarray
        int64, shape (total,), ascending within a parent, duplicates kept.
    first, last : numpy.ndarray
        int64, shape (n,): where in the reference table the first and the last reference of each
        parent stand; ``(0, -1)`` where it has none.
    """

    offsets: Int64Array
    children: Int64Array
    first: Int64Array
    last: Int64Array


def index_part(
    slots: Int64Array, children: Int64Array, positions: Int64Array, count: int
) -> IndexPart:
    """Return the index of `count` parents.

    Parameters
    ----------
    slots, children : numpy.ndarray
        int64, shape (T,): references, in the order of their table; slots are parents, counted
        from the first of them.
    positions : numpy.ndarray
        int64, shape (T,): where in the table each stands, ascending.

    Examples
    --------
    >>> part = index_part(np.array([1, 0, 1]), np.array([7, 5, 6]), np.arange(3), 2)
    >>> part.offsets.tolist(), part.children.tolist()
    ([0, 1, 3], [5, 6, 7])
    """
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(slots, minlength=count), out=offsets[1:])
    order = grouping(slots, count)
    if order is not None:
        children, positions = children[order], positions[order]
    filled = offsets[1:] > offsets[:-1]
    first, last = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    first[filled] = positions[offsets[:-1][filled]]
    last[filled] = positions[offsets[1:][filled] - 1]
    return IndexPart(offsets, sort_rows(offsets, children), first, last)


def overlaps(widths_sum: int, widest: int, references: int) -> bool:
    """Say whether regions overlap so widely that selective reads need an index.

    Parameters
    ----------
    widths_sum, widest : int
        Of the lengths of all regions.
    references : int
        Length of the reference table: regions that do not overlap have no more rows together.
    """
    return widths_sum > references and widest > WIDE_ROWS


def parts_of(counts: npt.NDArray[np.int64], most: int) -> list[tuple[int, int]]:
    """Return ranges of successive bins that hold at most so many references each, or are one bin.

    Examples
    --------
    >>> parts_of(np.array([3, 4, 0, 9, 1]), 8)
    [(0, 3), (3, 4), (4, 5)]
    """
    ends = np.cumsum(counts)
    bounds, begin = [], 0
    while begin < len(counts):
        before = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + most, side="right")))
        bounds.append((begin, end))
        begin = end
    return bounds
