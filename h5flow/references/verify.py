"""Whether regions cover their references, and what regions would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.references.regions import Int64Array, merge, touched_rows

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["impossible", "rebuild", "uncovered"]


def uncovered(
    positions: Int64Array,
    starts: npt.NDArray[np.integer[Any]],
    stops: npt.NDArray[np.integer[Any]],
) -> npt.NDArray[np.bool_]:
    """Return which references lie outside of the region of their row.

    Parameters
    ----------
    positions : numpy.ndarray
        int64, shape (N,): where in the reference table each reference stands.
    starts, stops : numpy.ndarray
        Integers of any width, shape (N,): the region of the row that each belongs to.

    Examples
    --------
    >>> uncovered(np.array([0, 1, 2]), np.array([0, 2, 0]), np.array([1, 3, 2])).tolist()
    [False, True, True]
    """
    outside: npt.NDArray[np.bool_] = (positions < starts) | (positions >= stops)
    return outside


def impossible(
    starts: npt.NDArray[np.integer[Any]], stops: npt.NDArray[np.integer[Any]], table_rows: int
) -> npt.NDArray[np.bool_]:
    """Return which regions are negative, end before they begin, or lead beyond the table.

    Examples
    --------
    >>> impossible(np.array([0, 0, 4, -1]), np.array([0, 9, 2, 3]), 8).tolist()
    [False, True, True, True]
    """
    wrong: npt.NDArray[np.bool_] = (starts < 0) | (stops < starts) | (stops > table_rows)
    return wrong


def rebuild(starts: Int64Array, stops: Int64Array, column: Int64Array, first_row: int) -> None:
    """Widen regions, in place, by references that stand at `first_row` and after it.

    Parameters
    ----------
    starts, stops : numpy.ndarray
        int64, shape (R,): the region of each row, to begin with ``(0, 0)``.
    column : numpy.ndarray
        int64, shape (N,): rows, each less than R. Negative ones have no region.
    first_row : int
        Where in the reference table the first of them stands.
    """
    rows, more_starts, more_stops = touched_rows(column, first_row)
    there = rows >= 0
    rows, more_starts, more_stops = rows[there], more_starts[there], more_stops[there]
    starts[rows], stops[rows] = merge(starts[rows], stops[rows], more_starts, more_stops)
