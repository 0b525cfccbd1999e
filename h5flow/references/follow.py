"""Following references on arrays: which child rows belong to which of the selected parents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from h5flow.references.ordering import grouping, sort_rows
from h5flow.references.padding import rank_in_row
from h5flow.references.regions import Int64Array, places_in

__all__ = ["Followed", "PairBlock", "cells_of", "compose", "follow"]

# A lookup table may have this many entries per row that is looked up, and always a few more.
TABLE_ENTRIES_PER_ROW, TABLE_ENTRIES = 8, 2**16
# Pairs are taken region by region where each is taken so often at most, on average.
PAIRS_TAKEN = 2


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

    def positions(self, pairs: Int64Array) -> Int64Array:
        """Return where in the table some of the pairs stand, int64, shape (len(pairs),)."""
        if len(self.starts) == 1:
            return pairs + self.starts
        lengths = self.stops - self.starts
        before = np.cumsum(lengths) - lengths
        interval = np.searchsorted(before, pairs, side="right") - 1
        positions: Int64Array = pairs + (self.starts - before)[interval]
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
    if (stops - starts).sum() <= PAIRS_TAKEN * len(pairs.parents):
        return _follow_each(rows, starts, stops, pairs)
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
    width = int(widths[0])
    if (widths == width).all():
        in_order = bool((pairs.parents.reshape(-1, width) == rows[:, None]).all())
    else:
        in_order = np.array_equal(pairs.parents, np.repeat(rows, widths))
    if not in_order:
        return None
    offsets = _offsets(widths)
    return Followed(offsets, sort_rows(offsets, pairs.children))


def _follow_each(
    rows: Int64Array, starts: Int64Array, stops: Int64Array, pairs: PairBlock
) -> Followed:
    """Follow rows one region after the other, in any order, where regions hardly overlap."""
    widths = np.maximum(stops - starts, 0)
    offsets, filled = _offsets(widths), np.flatnonzero(widths)
    begins = np.zeros(len(rows), np.int64)
    begins[filled] = places_in(pairs.starts, pairs.stops, starts[filled])
    taken = np.repeat(begins, widths) + rank_in_row(offsets)
    children = pairs.children.take(taken)
    own = pairs.parents.take(taken) == np.repeat(rows, widths)
    if not own.all():
        children = children[own]
        slots = np.repeat(np.arange(len(rows), dtype=np.int64), widths)[own]
        offsets = _offsets(np.bincount(slots, minlength=len(rows)))
    return Followed(offsets, sort_rows(offsets, children))


def _follow_unique(
    rows: Int64Array, starts: Int64Array, stops: Int64Array, pairs: PairBlock
) -> Followed:
    """Follow rows that are strictly ascending."""
    slots, kept = _slots(rows, pairs.parents), None
    if slots.min() < 0:
        kept = np.flatnonzero(slots >= 0)
        slots = slots[kept]
    counts, order = np.bincount(slots, minlength=len(rows)), grouping(slots, len(rows))
    offsets, chosen = _offsets(counts), _composed(kept, order)
    if not _are_inside(offsets, chosen, starts, stops, pairs):
        chosen = np.arange(len(slots), dtype=np.int64) if chosen is None else chosen
        positions, rank = pairs.positions(chosen), np.repeat(np.arange(len(rows)), counts)
        inside = (positions >= starts[rank]) & (positions < stops[rank])
        offsets, chosen = _offsets(np.bincount(rank[inside], minlength=len(rows))), chosen[inside]
    children = pairs.children if chosen is None else pairs.children.take(chosen)
    return Followed(offsets, sort_rows(offsets, children))


def _composed(first: Int64Array | None, second: Int64Array | None) -> Int64Array | None:
    """Return one selection in place of two, None being everything as it stands."""
    if first is None or second is None:
        return second if first is None else first
    return first.take(second)


def _are_inside(
    offsets: Int64Array,
    chosen: Int64Array | None,
    starts: Int64Array,
    stops: Int64Array,
    pairs: PairBlock,
) -> bool:
    """Say whether the first and the last pair of each row, and so all, are in its region."""
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    first, last = offsets[filled], offsets[filled + 1] - 1
    if chosen is not None:
        first, last = chosen[first], chosen[last]
    begins, ends = pairs.positions(first), pairs.positions(last)
    return bool((begins >= starts[filled]).all() and (ends < stops[filled]).all())


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
    return Followed(offsets, once.index.take(where))


def _slots(rows: Int64Array, parents: Int64Array) -> Int64Array:
    """Return where in the ascending `rows` each parent stands, -1 where it does not."""
    first, span = int(rows[0]), int(rows[-1]) - int(rows[0]) + 1
    if parents.min() >= first and parents.max() <= rows[-1] and span == len(rows):
        return parents - first
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
    shape, cells, is_full = [rows], np.arange(rows, dtype=np.int64), True
    for level in levels:
        counts = np.diff(level.offsets)
        width = max(1, int(counts.max(initial=0)))
        shape.append(width)
        is_full = is_full and bool((counts == width).all())
        if is_full:
            cells = np.arange(len(cells) * width, dtype=np.int64)
        else:
            cells = np.repeat(cells * width - level.offsets[:-1], counts)
            cells += np.arange(len(cells))
    return tuple(shape), cells
