"""Regions: for each row of a dataset, the rows of the reference table that may hold its references.

A region is a superset of a row's references, and ``(0, 0)`` says that there are none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Int64Array", "is_region_dtype", "join_intervals", "merge", "places_in", "touched_rows"]

Int64Array: TypeAlias = "npt.NDArray[np.int64]"


def is_region_dtype(dtype: np.dtype[Any]) -> bool:
    """Say whether a dtype has exactly the integer fields ``start`` and ``stop``."""
    if dtype.names is None or set(dtype.names) != {"start", "stop"}:
        return False
    return all(dtype[name].kind in "iu" for name in ("start", "stop"))


def touched_rows(
    column: npt.NDArray[np.integer[Any]], first_row: int
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return the rows that new references touch, with the region of these references alone.

    Parameters
    ----------
    column : numpy.ndarray
        One column of the appended references, shape (N,), integers in any order.
    first_row : int
        Row of the reference table at which the first of them stands.

    Returns
    -------
    rows : numpy.ndarray
        Sorted unique values of `column`, int64, shape (R,).
    starts, stops : numpy.ndarray
        Region of each, int64, shape (R,).

    Examples
    --------
    >>> rows, starts, stops = touched_rows(np.array([4, 7, 4]), 10)
    >>> rows.tolist(), starts.tolist(), stops.tolist()
    ([4, 7], [10, 11], [13, 12])
    """
    values = np.ascontiguousarray(column).astype(np.int64, copy=False)
    if not len(values):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing.copy(), nothing.copy()
    steps = np.diff(values)
    if (steps > 0).all():
        starts = np.arange(first_row, first_row + len(values))
        return values, starts, starts + 1
    order = None
    if (steps < 0).any():
        order = np.argsort(values, kind="stable")
        values = values[order]
        steps = np.diff(values)
    begins = np.concatenate(([0], np.flatnonzero(steps) + 1))
    ends = np.append(begins[1:], len(values)) - 1
    rows = values[begins]
    if order is not None:
        # A stable order keeps equal values as they stand: the first and the last of each run.
        begins, ends = order[begins], order[ends]
    return rows, begins + first_row, ends + (first_row + 1)


def merge(
    existing_starts: npt.NDArray[np.integer[Any]],
    existing_stops: npt.NDArray[np.integer[Any]],
    starts: npt.NDArray[np.integer[Any]],
    stops: npt.NDArray[np.integer[Any]],
) -> tuple[Int64Array, Int64Array]:
    """Return the smallest regions that hold two regions of each row.

    Parameters
    ----------
    existing_starts, existing_stops, starts, stops : numpy.ndarray
        Integers of any width, all of shape (R,). An empty region adds nothing to the other.

    Returns
    -------
    starts, stops : numpy.ndarray
        int64, shape (R,); ``(0, 0)`` where both are empty.
    """
    one_start, one_stop, two_start, two_stop = (
        np.asarray(bound).astype(np.int64, copy=False)
        for bound in (existing_starts, existing_stops, starts, stops)
    )
    one_empty, two_empty = one_stop <= one_start, two_stop <= two_start
    merged_starts = np.where(
        one_empty, two_start, np.where(two_empty, one_start, np.minimum(one_start, two_start))
    )
    merged_stops = np.where(
        one_empty, two_stop, np.where(two_empty, one_stop, np.maximum(one_stop, two_stop))
    )
    nothing = one_empty & two_empty
    merged_starts[nothing] = 0
    merged_stops[nothing] = 0
    return merged_starts, merged_stops


def join_intervals(
    starts: Int64Array, stops: Int64Array, gap: int = 0
) -> tuple[Int64Array, Int64Array]:
    """Return the union of intervals, those that are at most `gap` apart joined to one.

    Parameters
    ----------
    starts, stops : numpy.ndarray
        int64, shape (N,), in any order; empty intervals are left out.
    gap : int
        Reading over so many rows costs less than another read.

    Returns
    -------
    starts, stops : numpy.ndarray
        Disjoint and ascending, shape (M,).

    Examples
    --------
    >>> starts, stops = join_intervals(np.array([90, 0, 3]), np.array([99, 2, 8]), gap=1)
    >>> starts.tolist(), stops.tolist()
    ([0, 90], [8, 99])
    """
    filled = stops > starts
    if not filled.all():
        starts, stops = starts[filled], stops[filled]
    if not len(starts):
        return starts, stops
    if (starts[1:] < starts[:-1]).any():
        if _are_close_together(starts, stops, gap):
            return starts.min(keepdims=True), stops.max(keepdims=True)
        order = np.argsort(starts)
        starts, stops = starts[order], stops[order]
    reached = np.maximum.accumulate(stops)
    cuts = np.flatnonzero(starts[1:] - reached[:-1] > gap) + 1
    first = np.concatenate(([0], cuts))
    last = np.append(cuts, len(starts)) - 1
    return starts[first], reached[last]


def places_in(starts: Int64Array, stops: Int64Array, rows: Int64Array) -> Int64Array:
    """Return where rows of a table stand among those of some of its intervals.

    Parameters
    ----------
    starts, stops : numpy.ndarray
        int64, shape (M,): disjoint and ascending; their rows stand one after the other.
    rows : numpy.ndarray
        int64, shape (N,), each in one of the intervals.

    Examples
    --------
    >>> places_in(np.array([3, 10]), np.array([5, 13]), np.array([10, 4])).tolist()
    [2, 1]
    """
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths
    interval = np.searchsorted(starts, rows, side="right") - 1
    places: Int64Array = rows + (before - starts)[interval]
    return places


def _are_close_together(starts: Int64Array, stops: Int64Array, gap: int) -> bool:
    """Say, without sorting, that nothing wider than `gap` is in no interval; False may be wrong.

    So it is where each half of a gap, from the first start to the last stop, is touched by one.
    """
    half, first = gap // 2, int(starts.min())
    if not half or (int(stops.max()) - first) // half >= len(starts):
        return False
    # one more than the last, for what ends there
    ended = np.bincount((stops - 1 - first) // half + 1)
    open_in = np.cumsum(np.bincount((starts - first) // half, minlength=len(ended)) - ended)
    return bool((open_in[:-1] > 0).all())
