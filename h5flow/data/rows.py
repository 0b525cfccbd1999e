"""Row numbers that users hand over: how many, which to write, and which refer to which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.data.host_copies import download
from h5flow.errors import DataError

if TYPE_CHECKING:
    from h5flow.storage.protocol import Rows, TableDescription

__all__ = [
    "Reorder",
    "as_count",
    "as_pairs",
    "check_growth",
    "check_writable",
    "rows_to_write",
    "slice_to_reserve",
]


@dataclass(frozen=True)
class Reorder:
    """How data in the order that was asked for come into the order of the rows."""

    asked: int
    take: np.ndarray[Any, np.dtype[np.int64]]


def slice_to_reserve(name: str, rows: slice) -> slice:
    """Return a slice with start and stop; ``slice(-1, -1)``, a rank without work, is ``(0, 0)``.

    Raises
    ------
    DataError
        It has no stop, a step, is negative, or ends before it begins.
    """
    if rows.stop is None or rows.step not in {None, 1}:
        raise DataError(f"{name}: a slice to reserve has a stop and no step, unlike {rows}")
    if _is_without_work(rows):
        return slice(0, 0)
    start, stop = as_count(name, 0 if rows.start is None else rows.start), as_count(name, rows.stop)
    if stop < start:
        raise DataError(f"{name}: {rows} ends before it begins")
    return slice(start, stop)


def rows_to_write(name: str, rows: Any, length: int) -> tuple[Rows, Reorder | None]:
    """Return the rows of a write, in order, and how the data must be ordered for them.

    Parameters
    ----------
    name : str
        The dataset, for messages.
    rows : slice or array-like
        Indices may come in any order and repeat; of equal ones the last is written.
    length : int
        Number of rows reserved by now.

    Raises
    ------
    DataError
        The rows are not reserved, negative, or not integers.
    """
    if isinstance(rows, slice):
        if rows.step not in {None, 1}:
            raise DataError(f"{name}: rows to write are a slice without a step, unlike {rows}")
        if _is_without_work(rows):
            return slice(0, 0), None
        start = as_count(name, 0 if rows.start is None else rows.start)
        stop = max(start, length if rows.stop is None else as_count(name, rows.stop))
        if stop > start:
            _check_reserved(name, stop, length)
        return slice(start, stop), None
    if isinstance(rows, np.ndarray) and not rows.ndim:
        rows = rows[()]
    if isinstance(rows, int | np.integer) and not isinstance(rows, bool):
        start = as_count(name, rows)
        _check_reserved(name, start + 1, length)
        return slice(start, start + 1), None
    indices = np.asarray(rows)
    if indices.dtype == bool and indices.ndim == 1:
        if len(indices) != length:
            raise DataError(f"{name}: a mask of {len(indices)} for {length} rows")
        indices = np.flatnonzero(indices)
    if indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iu"):
        raise DataError(
            f"{name}: rows to write are a slice or a list of integers, not {rows!r}",
            advice="reserve_data returns the slice to write to.",
        )
    indices = indices.astype(np.int64)
    if not len(indices):
        return slice(0, 0), None
    if indices.min() < 0:
        raise DataError(f"{name}: {indices.min()} is negative and cannot be the number of a row")
    _check_reserved(name, int(indices.max()) + 1, length)
    if len(indices) == 1 or bool((np.diff(indices) > 0).all()):
        return indices, None
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    return ordered[last], Reorder(len(indices), order[last])


def _is_without_work(rows: slice) -> bool:
    """Return whether this is ``H5FlowGenerator.EMPTY``."""
    return (rows.start, rows.stop) == (-1, -1)


def _check_reserved(name: str, stop: int, length: int) -> None:
    if stop > length:
        raise DataError(
            f"{name}: rows up to {stop} are to be written, but {length} are reserved",
            advice="Reserve them first: rows = data_manager.reserve_data(name, n).",
        )


def as_count(name: str, rows: Any) -> int:
    """Return a number of rows as an int.

    Raises
    ------
    DataError
        It is negative or not a whole number.
    """
    try:
        # CuPy's integers are no indices
        count = download(rows).__index__()
    except (AttributeError, TypeError):
        raise DataError(
            f"{name}: a number of rows is a whole number, not {rows!r}",
            advice="Hand over an integer, or a slice with a start and a stop.",
        ) from None
    if not 0 <= count < 2**62:
        what = "negative" if count < 0 else "too large"
        raise DataError(f"{name}: {count} is {what} for a number of rows")
    return int(count)


def as_pairs(
    label: str, refs: Any, dtype: np.dtype[Any] | None = None
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return references as an (N, 2) int64 array, a copy.

    Parameters
    ----------
    label : str
        Parent and child, for messages.
    refs : array-like
    dtype : numpy.dtype, optional
        What the table in the file has room for, where that is less than int64.

    Raises
    ------
    DataError
        Wrong shape, not integers, negative or too large values, or masked cells.
    """
    try:
        pairs = np.asanyarray(refs)
    except ValueError as error:
        raise DataError(f"{label}: the references are not an array: {error}") from None
    if pairs.size == 0 and (pairs.ndim < 2 or pairs.shape[1] == 2):
        return np.empty((0, 2), np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise DataError(
            f"{label}: references have shape (N, 2), not {pairs.shape}",
            advice="Make them with numpy.column_stack((parent_rows, child_rows)).",
        )
    if np.ma.isMaskedArray(pairs) and np.ma.getmaskarray(pairs).any():
        raise DataError(f"{label}: some references are masked", advice="Drop those rows first.")
    if pairs.dtype.kind not in "iu":
        raise DataError(f"{label}: references are integers, not {pairs.dtype}")
    if pairs.dtype.kind == "i" and pairs.min() < 0:
        raise DataError(f"{label}: {pairs.min()} is negative and cannot be the number of a row")
    largest = min(np.iinfo(np.int64).max, np.iinfo(dtype or np.int64).max)
    # As Python's int: NumPy 1 compares uint64 with int64 as floats.
    if int(pairs.max()) > largest:
        held = f": the file holds {dtype}" if dtype and largest < np.iinfo(np.int64).max else ""
        raise DataError(
            f"{label}: {pairs.max()} is too large for the number of a row{held}",
            advice="Let h5flow make a new file, whose references are int64." if held else None,
        )
    return np.array(pairs, dtype=np.int64, subok=False)


def check_writable(name: str, table: TableDescription) -> None:
    """Raise where the rows of a table are in another file.

    Raises
    ------
    DataError
        They are.
    """
    if table.linked_from is not None:
        raise DataError(
            f"{name} is linked from the input {table.linked_from}: its rows cannot be written",
            advice="Run with --input-data copy to have a copy of the input in the output.",
        )


def check_growth(name: str, table: TableDescription, length: int) -> None:
    """Raise where a table cannot have `length` rows.

    Raises
    ------
    DataError
        It was made with room for fewer, or is in another file.
    """
    check_writable(name, table)
    if table.most_rows is not None and length > table.most_rows:
        raise DataError(
            f"{name} cannot grow to {length} rows: it was made with room for {table.most_rows} "
            "only, by another program",
            advice="Write to a dataset that h5flow creates instead.",
        )
