"""Rows of unequal number per parent, one after the other: what following references gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.arrays import namespace_of
from h5flow.errors import DataError

if TYPE_CHECKING:
    from h5flow.references.regions import Int64Array

__all__ = ["Jagged"]


@dataclass(frozen=True, eq=False)
class Jagged:
    """The rows linked to each of n parents, without padding.

    Parameters
    ----------
    offsets : array
        int64, shape (n + 1,): parent i has the rows ``offsets[i]:offsets[i + 1]`` of `values`.
    values : array or Columns
        Shape (total, ...): linked rows, or their indices.
    index : array
        int64, shape (total,): where in the file's dataset the rows stand.

    All three are arrays of one library, by default NumPy.

    Raises
    ------
    DataError
        The three do not fit together.

    Examples
    --------
    >>> hits = Jagged(np.array([0, 2, 2, 3]), np.array([5.0, 6.0, 7.0]), np.array([0, 1, 2]))
    >>> [row.tolist() for row in hits]
    [[5.0, 6.0], [], [7.0]]
    >>> hits.counts.tolist(), hits.parent.tolist()
    ([2, 0, 1], [0, 0, 2])
    """

    offsets: Int64Array
    values: np.ndarray[Any, Any]
    index: Int64Array

    def __post_init__(self) -> None:
        if not isinstance(self.offsets, np.ndarray):
            return  # to look at its values would wait for the device
        if not len(self.offsets) or self.offsets[-1] != len(self.values):
            raise DataError(f"the offsets do not end at the {len(self.values)} rows that there are")
        if len(self.index) != len(self.values):
            raise DataError(f"{len(self.values)} rows cannot have {len(self.index)} indices")

    @property
    def counts(self) -> Int64Array:
        """How many rows each parent has, int64, shape (n,)."""
        counts: Int64Array = self.offsets[1:] - self.offsets[:-1]
        return counts

    @property
    def parent(self) -> Int64Array:
        """The parent of each row, counted from the first parent, int64, shape (total,)."""
        if isinstance(self.offsets, np.ndarray):
            return np.repeat(np.arange(len(self), dtype=np.int64), self.counts)
        # by searching, for not every library repeats by an array
        xp = namespace_of(self.offsets)
        places = xp.arange(self.values.shape[0], dtype=xp.int64)
        found: Int64Array = xp.searchsorted(self.offsets[1:], places, side="right")
        return found

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of a row; structured where it has fields."""
        dtype: np.dtype[Any] = self.values.dtype
        return dtype

    def __len__(self) -> int:
        return int(self.offsets.shape[0]) - 1

    def __getitem__(self, field: str) -> np.ndarray[Any, Any]:
        """Return one field of all rows, shape (total, ...), a view.

        Raises
        ------
        DataError
            The rows have no such field.
        """
        names = getattr(self.values.dtype, "names", None) or ()
        if field not in names:
            known = f"the fields are {', '.join(names)}" if names else "the rows have no fields"
            raise DataError(
                f"{field!r} is not a field of these jagged rows: {known}",
                advice="Iterate over the object for the rows of each parent, or use `values`.",
            )
        column: np.ndarray[Any, Any] = self.values[field]
        return column

    def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the rows of each parent, shape (count, ...), views."""
        bounds = [int(offset) for offset in self.offsets]
        for start, stop in pairwise(bounds):
            yield self.values[start:stop, ...]
