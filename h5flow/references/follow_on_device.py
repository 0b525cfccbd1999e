"""Following references where their arrays live, by what every library of the standard can do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from h5flow.references.follow import Followed

if TYPE_CHECKING:
    from h5flow.arrays import DeviceNamespace

__all__ = ["cells_on_device", "compose_on_device", "follow_on_device"]


def follow_on_device(
    xp: DeviceNamespace,
    rows: Any,
    starts: Any,
    stops: Any,
    parents: Any,
    children: Any,
    first: int = 0,
) -> Followed:
    """Return the children of the selected rows, as `follow` does.

    Parameters
    ----------
    xp : DeviceNamespace
    rows : array
        int64, shape (n,): selected parents in any order, repeats allowed.
    starts, stops : array
        int64, shape (n,): region of each; where it is empty the row is not followed.
    parents, children : array
        int64, shape (T,): rows ``first:first + T`` of the reference table.
    first : int

    Returns
    -------
    Followed
        Of n rows; arrays of the library.
    """
    order = None if _are_sorted(xp, parents, children) else _sorted_order(xp, parents, children)
    sorted_parents = parents if order is None else xp.take(parents, order)
    begins = xp.searchsorted(sorted_parents, rows, side="left")
    ends = xp.searchsorted(sorted_parents, rows, side="right")
    nothing = xp.zeros_like(rows)
    counts = xp.where(stops > starts, xp.astype(ends - begins, xp.int64), nothing)
    offsets = _offsets(xp, counts)
    slots, ranks = _expanded(xp, offsets)
    found = xp.take(xp.astype(begins, xp.int64), slots) + ranks
    if order is not None:
        found = xp.astype(xp.take(order, found), xp.int64)
    places = found + first
    inside = xp.logical_and(places >= xp.take(starts, slots), places < xp.take(stops, slots))
    index = xp.take(children, found)
    if not bool(xp.all(inside)):
        index, slots = index[inside], slots[inside]
        offsets = xp.searchsorted(slots, xp.arange(rows.shape[0] + 1, dtype=xp.int64))
    return Followed(xp.astype(offsets, xp.int64), index)


def _are_sorted(xp: DeviceNamespace, parents: Any, children: Any) -> bool:
    """Return whether pairs are ordered by parent, then by child, as most tables are."""
    before, after = parents[:-1], parents[1:]
    same = xp.logical_and(before == after, children[:-1] <= children[1:])
    return bool(xp.all(xp.logical_or(before < after, same)))


def _sorted_order(xp: DeviceNamespace, parents: Any, children: Any) -> Any:
    """Return the order of pairs by parent, then by child."""
    order = xp.argsort(children, stable=True)
    return xp.take(order, xp.argsort(xp.take(parents, order), stable=True))


def compose_on_device(xp: DeviceNamespace, levels: Sequence[Followed]) -> Followed:
    """Return a chain as one step, as `compose` does."""
    offsets = levels[0].offsets
    for level in levels[1:]:
        offsets = xp.take(level.offsets, offsets)
    return Followed(offsets, levels[-1].index)


def cells_on_device(xp: DeviceNamespace, levels: Sequence[Followed]) -> tuple[tuple[int, ...], Any]:
    """Return the shape of a padded chain, and the cell of each last row, as `cells_of` does."""
    rows = levels[0].offsets.shape[0] - 1
    shape, cells = [rows], xp.arange(rows, dtype=xp.int64)
    for level in levels:
        counts = level.offsets[1:] - level.offsets[:-1]
        shape.append(max(1, int(xp.max(counts))) if math.prod(counts.shape) else 1)
        slots, ranks = _expanded(xp, level.offsets)
        cells = xp.take(cells * shape[-1], slots) + ranks
    return tuple(shape), cells


def _offsets(xp: DeviceNamespace, counts: Any) -> Any:
    none = xp.zeros((1,), dtype=xp.int64)
    return xp.concat([none, xp.cumulative_sum(counts, dtype=xp.int64)])


def _expanded(xp: DeviceNamespace, offsets: Any) -> tuple[Any, Any]:
    """Return for each value the row it is in, and its place in it, both shape (total,)."""
    places = xp.arange(int(offsets[-1]), dtype=xp.int64)
    slots = xp.astype(xp.searchsorted(offsets[1:], places, side="right"), xp.int64)
    return slots, places - xp.take(offsets, slots)
