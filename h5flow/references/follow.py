"""Following references on arrays: which child rows belong to which of the selected parents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from h5flow.references.padding import rank_in_row
from h5flow.references.regions import Int64Array

__all__ = ["Followed", "PairBlock", "cells_of", "compose", "follow"]

# A lookup table may have this many entries per row that is looked up, and always a few more.
TABLE_ENTRIES_PER_ROW, TABLE_ENTRIES = 8, 2**16


@dataclass(frozen=True, eq=False)
class Followed:
    """Child rows of n selected parents, in the order of the selection.

    Parameters
    ----------
    offsets : numpy.ndarray
        int64, shape (n + 1,): parent i has ``index[offsets[i]:offsets[i + 1]]``.
    index : numpy.ndarray
        int64, shape (total,): child rows as the references give them, ascending within a parent,
        duplicates kept; they may point to rows that do not exist.
    """

    offsets: Int64Array
    index: Int64Array


@dataclass(frozen=True, eq=False)
class PairBlock:
    """Rows of a reference table that were read, and where they stand in it.

    Parameters
    ----------
    parents, children : numpy.ndarray
        int64, shape (T,): the two columns.
    starts, stops : numpy.ndarray
        int64, shape (M,): the intervals of the table that were read, disjoint and ascending.
    """

    parents: Int64Array
    children: Int64Array
    starts: Int64Array
    stops: Int64Array

    def positions(self) -> Int64Array:
        """Return where in the table each pair stands, int64, shape (T,)."""
        lengths = self.stops - self.starts
        before = np.cumsum(lengths) - lengths
        positions: Int64Array = np.arange(len(self.parents), dtype=np.int64)
        positions += np.repeat(self.starts - before, lengths)
        return positions


def follow(rows: Int64Array, starts: Int64Array, stops: Int64Array, pairs: PairBlock) -> Followed:
    """Return the children of the selected rows.

    Parameters
    ----------
    rows : numpy.ndarray
        int64, shape (n,): selected parents in any order, repeats allowed.
    starts, stops : numpy.ndarray
        int64, shape (n,): region of each; where it is empty the row is not followed. Pairs outside
        of a row's region are not its references.
    pairs : PairBlock
        The union of the regions, at least.

    Returns
    -------
    Followed
        Of n rows.
    """
    if not len(rows) or not len(pairs.parents):
        return Followed(np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int64))
    in_place = _follow_in_place(rows, starts, stops, pairs)
    if in_place is not None:
        return in_place
    if (rows[1:] > rows[:-1]).all():
        return _follow_unique(rows, starts, stops, pairs)
    return _follow_repeated(rows, starts, stops, pairs)


def _follow_in_place(
    rows: Int64Array, starts: Int64Array, stops: Int64Array, pairs: PairBlock
) -> Followed | None:
    """Follow references that lie in the table as the result needs them, None where they do not."""
    widths = np.maximum(stops - starts, 0)
    if widths.sum() != len(pairs.parents):
        return None
    filled = widths > 0
    begins = starts if filled.all() else starts[filled]
    ends = stops if begins is starts else stops[filled]
    if (begins[1:] < ends[:-1]).any():
        return None
    if not np.array_equal(pairs.parents, np.repeat(rows, widths)):
        return None
    children = pairs.children
    descents = np.flatnonzero(children[1:] < children[:-1])
    # A descent is in order only where the next row begins.
    if (pairs.parents[descents] == pairs.parents[descents + 1]).any():
        slots = np.repeat(np.arange(len(rows), dtype=np.int64), widths)
        _, children = _sort_pairs(slots, children)
    return Followed(_offsets(widths), children)


def _follow_unique(
    rows: Int64Array, starts: Int64Array, stops: Int64Array, pairs: PairBlock
) -> Followed:
    """Follow rows that are strictly ascending."""
    slots = _slots(rows, pairs.parents)
    kept = np.flatnonzero(slots >= 0)
    slots = slots[kept]
    positions = pairs.positions()[kept]
    inside = (positions >= starts[slots]) & (positions < stops[slots])
    children = pairs.children[kept]
    if not inside.all():
        slots, children = slots[inside], children[inside]
    slots, children = _sort_pairs(slots, children)
    return Followed(_offsets(np.bincount(slots, minlength=len(rows))), children)


def _follow_repeated(
    rows: Int64Array, starts: Int64Array, stops: Int64Array, pairs: PairBlock
) -> Followed:
    """Follow rows in any order: each once, then copied to where it is asked for."""
    unique, inverse = np.unique(rows, return_inverse=True)
    inverse = inverse.reshape(-1)
    filled = stops > starts
    # Empty regions of a row that is also asked for with one must not widen it.
    low = np.full(len(unique), np.iinfo(np.int64).max)
    high = np.zeros(len(unique), np.int64)
    np.minimum.at(low, inverse[filled], starts[filled])
    np.maximum.at(high, inverse[filled], stops[filled])
    once = _follow_unique(unique, low, high, pairs)
    counts = np.where(filled, np.diff(once.offsets)[inverse], 0)
    offsets = _offsets(counts)
    where = np.repeat(once.offsets[inverse], counts) + rank_in_row(offsets)
    return Followed(offsets, once.index[where])


def _slots(rows: Int64Array, parents: Int64Array) -> Int64Array:
    """Return where in the ascending `rows` each parent stands, -1 where it does not."""
    first, span = int(rows[0]), int(rows[-1]) - int(rows[0]) + 1
    inside = (parents >= first) & (parents <= rows[-1])
    if span > TABLE_ENTRIES_PER_ROW * (len(rows) + len(parents)) + TABLE_ENTRIES:
        found = np.searchsorted(rows, parents)
        found[~inside] = 0
        return np.where(inside & (rows[found] == parents), found, -1)
    slots = parents - first
    if span > len(rows):
        table = np.full(span, -1, np.int64)
        table[rows - first] = np.arange(len(rows))
        slots = table[np.where(inside, slots, 0)]
    slots[~inside] = -1
    return slots


def _sort_pairs(slots: Int64Array, children: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return pairs ordered by slot, then by child; slots are not negative."""
    same = slots[1:] == slots[:-1]
    ascending = (slots[1:] > slots[:-1]) | (same & (children[1:] >= children[:-1]))
    if ascending.all():
        return slots, children
    lowest = int(children.min())
    bits = (int(children.max()) - lowest).bit_length()
    if bits + int(slots.max()).bit_length() > 63:
        order = np.lexsort((children, slots))
        return slots[order], children[order]
    key = (slots << bits) | (children - lowest)
    key.sort()
    return key >> bits, (key & ((1 << bits) - 1)) + lowest


def _offsets(counts: npt.NDArray[np.integer]) -> Int64Array:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def compose(levels: Sequence[Followed]) -> Followed:
    """Return a chain as one step: the rows of its last link for each row of its first.

    Parameters
    ----------
    levels : sequence of Followed
        Each follows the children of the one before it, as they stand in its `index`.
    """
    offsets = levels[0].offsets
    for level in levels[1:]:
        offsets = level.offsets[offsets]
    return Followed(offsets, levels[-1].index)


def cells_of(levels: Sequence[Followed]) -> tuple[tuple[int, ...], Int64Array]:
    """Return the shape (n, w1, w2, ...) of a padded chain, and the cell of each last row.

    Parameters
    ----------
    levels : sequence of Followed
        As for `compose`.

    Returns
    -------
    shape : tuple of int
        The number of rows, then the largest count of each link, at least 1.
    cells : numpy.ndarray
        int64, shape (total of the last link,), strictly ascending, in C order.
    """
    rows = len(levels[0].offsets) - 1
    shape, cells = [rows], np.arange(rows, dtype=np.int64)
    for level in levels:
        counts = np.diff(level.offsets)
        shape.append(max(1, int(counts.max(initial=0))))
        cells = np.repeat(cells * shape[-1], counts) + rank_in_row(level.offsets)
    return tuple(shape), cells
