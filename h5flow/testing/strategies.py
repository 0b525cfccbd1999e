"""Hypothesis strategies for tables, references between them, and selections of rows.

They draw what real files hold: references in any order, many times, past the end of the child,
of any integer width; regions wider than need be, longer or shorter than their dataset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from h5flow.references.regions import touched_rows

__all__ = [
    "LinkedArrays",
    "file_integers",
    "linked_arrays",
    "regions",
    "row_dtypes",
    "selections",
    "tables",
]

Array = np.ndarray[Any, Any]

_SIMPLE = ("i1", "u2", "<i4", "<u8", "<f4", "<f8", "?", "S3")


@dataclass(frozen=True, eq=False)
class LinkedArrays:
    """A parent, a child and the references between them, as a file could hold them.

    Parameters
    ----------
    parent_rows : int
        Number of rows of the parent.
    data : numpy.ndarray
        Rows of the child, shape (M, ...).
    ref : numpy.ndarray
        Shape (L, 2), integers.
    direction : tuple of int
        Columns of `ref` that hold the parent and the child.
    region : numpy.ndarray
        Fields ``start`` and ``stop``, shape (R,); R may differ from `parent_rows`.
    """

    parent_rows: int
    data: Array
    ref: Array
    direction: tuple[int, int]
    region: Array


def file_integers() -> st.SearchStrategy[np.dtype[Any]]:
    """Draw integer dtypes that references and regions have in files."""
    return st.sampled_from([np.dtype(kind) for kind in ("<u4", "<i4", "<u8", "<i8", ">u4")])


def row_dtypes() -> st.SearchStrategy[np.dtype[Any]]:
    """Draw dtypes of rows: simple, and structured with strings, sub-arrays and inner structures."""
    simple = st.sampled_from(_SIMPLE).map(np.dtype)
    sub_array = st.builds(
        lambda base, shape: np.dtype((base, shape)),
        simple,
        st.sampled_from([(1,), (3,), (2, 2)]),
    )
    inner = st.lists(simple | sub_array, min_size=1, max_size=3).map(_structured)
    outer = st.lists(simple | sub_array | inner, min_size=1, max_size=4).map(_structured)
    return simple | outer


def _structured(kinds: list[np.dtype[Any]]) -> np.dtype[Any]:
    return np.dtype([(f"f{number}", kind) for number, kind in enumerate(kinds)])


@st.composite
def tables(
    draw: st.DrawFn, *, max_rows: int = 12, dtypes: st.SearchStrategy[np.dtype[Any]] | None = None
) -> Array:
    """Draw rows of a dataset, shape (M, ...): any dtype, sometimes with further dimensions.

    Values are random bytes that keep to what the dtype can hold, so that two rows seldom are
    alike; floats are never NaN.
    """
    dtype = draw(dtypes if dtypes is not None else row_dtypes())
    shape = (draw(st.integers(0, max_rows)), *draw(st.sampled_from([(), (), (), (2,), (1, 3)])))
    rows = np.zeros(shape, dtype)
    _fill(rows, np.random.default_rng(draw(st.integers(0, 2**16))))
    return rows


def _fill(rows: Array, random: np.random.Generator) -> None:
    if rows.dtype.names is not None:
        for name in rows.dtype.names:
            _fill(rows[name], random)
    elif rows.dtype.kind == "S":
        rows[...] = random.integers(1, 1000, rows.shape).astype(rows.dtype)
    elif rows.dtype.kind == "b":
        rows[...] = random.integers(0, 2, rows.shape)
    else:
        rows[...] = random.integers(1, 100, rows.shape)


def selections(length: int) -> st.SearchStrategy[Any]:
    """Draw selections of a dataset of `length` rows, in all forms that users write."""
    everything = st.none() | st.just(slice(None))
    bound = st.none() | st.integers(-length - 3, length + 3)
    step = st.none() | st.integers(-3, 3).filter(bool)
    slices = st.builds(slice, bound, bound, step)
    masks = npst.arrays(np.bool_, length)
    if not length:
        return everything | slices | masks | st.just([])
    rows = st.integers(-length, length - 1)
    lists = st.lists(rows, max_size=2 * length)
    arrays = lists.map(lambda found: np.array(found, np.int64))
    ascending = lists.map(lambda found: np.array(sorted({row % length for row in found}), "i4"))
    single = rows | rows.map(np.int32)
    return everything | slices | masks | masks.map(list) | lists | arrays | ascending | single


@st.composite
def linked_arrays(
    draw: st.DrawFn,
    *,
    parent_rows: int | None = None,
    data: Array | None = None,
    dangling: bool = True,
) -> LinkedArrays:
    """Draw a parent, a child, references in any order, and a region that holds them at least.

    Parameters
    ----------
    parent_rows, data
        Fixed, where they are given: to make chains.
    dangling : bool
        Whether references may point to rows that the child does not have.
    """
    count = draw(st.integers(0, 10)) if parent_rows is None else parent_rows
    rows = draw(tables()) if data is None else data
    integers = draw(file_integers())
    least = -2 if dangling and integers.kind == "i" else 0
    most = len(rows) - 1 + 3 * dangling
    parents: list[int] = []
    children: list[int] = []
    if count and most >= least:
        size = draw(st.integers(0, 30))
        parents = draw(st.lists(st.integers(0, count - 1), min_size=size, max_size=size))
        children = draw(st.lists(st.integers(least, most), min_size=size, max_size=size))
    pairs = np.array([parents, children], np.int64).T.reshape(-1, 2)
    order = draw(st.sampled_from(["scattered", "by parent", "by both"]))
    if order == "by parent":
        pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    elif order == "by both":
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    region = draw(regions(pairs[:, 0], count))
    direction = draw(st.sampled_from([(0, 1), (1, 0)]))
    ref = pairs[:, list(direction)].astype(integers)
    return LinkedArrays(count, rows, ref, direction, region)


@st.composite
def regions(draw: st.DrawFn, column: Array, parent_rows: int) -> Array:
    """Draw regions that hold all references of each parent, at times wider than need be.

    The table may be shorter than the parent, as far as the last row with references, or longer.
    """
    rows, starts, stops = touched_rows(column, 0)
    needed = int(rows[-1]) + 1 if len(rows) else 0
    length = draw(st.sampled_from([needed, parent_rows, parent_rows + 2]))
    bounds = draw(file_integers())
    region = np.zeros(length, [("start", bounds), ("stop", bounds)])
    widen = np.array(draw(st.lists(st.integers(0, 3), min_size=2, max_size=2)))
    region["start"][rows] = np.maximum(starts - widen[0], 0)
    region["stop"][rows] = np.minimum(stops + widen[1], len(column))
    return region
