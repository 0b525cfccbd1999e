"""Following references in scripts: from datasets or arrays, any selection, to rows or indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.data.beside_references import parent_of, region_of
from h5flow.data.calls import bind_call
from h5flow.data.following import (
    References,
    Regions,
    linked_jagged,
    linked_padded,
    read_regions,
)
from h5flow.errors import CallError, DataError
from h5flow.io.reading import RowSource, read_slice
from h5flow.references.jagged import Jagged
from h5flow.references.regions import Int64Array, merge
from h5flow.references.selection import select_rows

__all__ = ["dereference", "dereference_chain", "dereference_jagged"]

if TYPE_CHECKING:
    MaskedArray = np.ma.MaskedArray[Any, Any]


def dereference(*args: Any, **kwargs: Any) -> MaskedArray | list[np.ndarray[Any, Any]]:
    """Return the rows that selected rows refer to.

    Two forms of the call work::

        dereference(data, ref, region, sel=None, ref_direction=(0, 1), as_masked=True)
        dereference(sel, ref, data=None, region=None, mask=None, ref_direction=(0, 1),
                    indices_only=False, as_masked=True)

    It is the first if ``sel=`` is given by its name, or if the third argument has exactly the
    integer fields ``start`` and ``stop`` and the first is an ``h5py.Dataset`` or an array. A slice,
    int or list in first place is always a selection.

    Parameters
    ----------
    sel : slice, int, bool mask, or list or array of integers, optional
        Rows of the parent in any order, repeats allowed; an int is one row, None all rows.
        Masked cells of a masked array are not followed. Where neither the file nor `region` tells
        how many rows the parent has, these are the rows up to the last with references.
    ref : h5py.Dataset or numpy.ndarray
        Shape (L, 2), integers of any width.
    data : h5py.Dataset or numpy.ndarray, optional
        Rows of the child, shape (M, ...), any dtype.
    region : h5py.Dataset or numpy.ndarray, optional
        Integer fields ``start`` and ``stop``: the rows of `ref` that hold a row's references, at
        least. A dataset has a row per row of the parent. An array may also have one per selected
        row; where it could be either, a reference counts that either reading finds. Without it
        the file is asked for the region that belongs to `ref`, else all of `ref` is searched.
    mask : numpy.ndarray, optional
        bool, shape (n,): True = do not follow this row of the selection.
    ref_direction : tuple of int
        Columns of `ref` that hold the parent and the child: (0, 1) or (1, 0).
    indices_only : bool
        Return the int64 row numbers of the child in place of its rows. Without `data` they are
        as they stand in `ref`, also where there is no such row.
    as_masked : bool
        Return one masked array, else a list of arrays.

    Returns
    -------
    numpy.ma.MaskedArray or list of numpy.ndarray
        Shape (n, w, ...): w is the largest number of references of a selected row, at least 1,
        and the order within a row that of the child's rows. Masked cells are zero; the mask is
        structured where the dtype is. The list holds n arrays of shape (count, ...).

    Raises
    ------
    CallError
        The arguments could be either form, or none.
    DataError
        An argument does not fit: a selected row that is not there, a mask of another length, …
    PaddingError
        The padded result would not fit in memory: use `dereference_jagged`.

    Warns
    -----
    H5FlowWarning
        References point to rows that do not exist. In a masked array they are masked cells, from
        a list they are left out.
    """
    call = bind_call(args, kwargs)
    data = _source(call.data, "data")
    rows, mask, references, regions = _begin(
        call.sel, call.ref, call.region, call.mask, call.ref_direction
    )
    follow = linked_padded if call.as_masked else linked_jagged
    result = follow(
        rows, [references], data, mask=mask, regions=regions, indices_only=call.indices_only
    )
    return list(result) if isinstance(result, Jagged) else result


def dereference_jagged(*args: Any, **kwargs: Any) -> Jagged:
    """Return the rows that selected rows refer to, without padding.

    Takes the arguments of `dereference`, in both forms, except for `as_masked`.

    Returns
    -------
    Jagged
        Of n parents. A masked row has none; references to rows that do not exist are left out,
        with one warning.
    """
    if "as_masked" in kwargs:
        raise CallError("there is no argument 'as_masked': jagged rows have no masked cells")
    call = bind_call(args, kwargs)
    data = _source(call.data, "data")
    rows, mask, references, regions = _begin(
        call.sel, call.ref, call.region, call.mask, call.ref_direction
    )
    return linked_jagged(
        rows, [references], data, mask=mask, regions=regions, indices_only=call.indices_only
    )


def dereference_chain(
    sel: Any,
    refs: Sequence[Any],
    data: Any = None,
    regions: Sequence[Any] | None = None,
    mask: Any = None,
    ref_directions: Sequence[tuple[int, int]] | None = None,
    indices_only: bool = False,
) -> MaskedArray:
    """Return the rows at the end of a chain of references.

    Parameters
    ----------
    sel, mask
        Rows of the first parent, as for `dereference`.
    refs : sequence of h5py.Dataset or numpy.ndarray
        At least one; the child of each is the parent of the next.
    data : h5py.Dataset or numpy.ndarray, optional
        Rows of the last child; may be left out with `indices_only`.
    regions : sequence, optional
        As long as `refs`, each as for `dereference`, or None; after the first an array has one
        row per row of the parent.
    ref_directions : sequence of tuple of int, optional
        As long as `refs`; by default all (0, 1).
    indices_only : bool
        Return row numbers of the last child.

    Returns
    -------
    numpy.ma.MaskedArray
        Shape (n, w1, w2, ..., *row shape), one axis per link; see `dereference`.

    Raises
    ------
    CallError, DataError, PaddingError
        As for `dereference`.
    """
    if isinstance(refs, h5py.Dataset | np.ndarray) or not len(refs):
        raise CallError("`refs` is a list of references, one per link of the chain")
    if data is None and not indices_only:
        raise CallError(
            "there are no data to take rows from",
            advice="Give `data`, or ask for the indices alone with `indices_only=True`.",
        )
    regions = [None] * len(refs) if regions is None else regions
    directions = [(0, 1)] * len(refs) if ref_directions is None else ref_directions
    if not len(refs) == len(regions) == len(directions):
        raise CallError(
            f"{len(refs)} links have {len(regions)} regions and {len(directions)} directions"
        )
    rows, row_mask, first, first_regions = _begin(sel, refs[0], regions[0], mask, directions[0])
    chain = [first]
    for ref, region, direction in zip(refs[1:], regions[1:], directions[1:], strict=True):
        chain.append(_references(ref, region, direction))
    return linked_padded(
        rows,
        chain,
        _source(data, "data"),
        mask=row_mask,
        regions=first_regions,
        indices_only=indices_only,
    )


def _begin(
    sel: Any, ref: Any, region: Any, mask: Any, direction: Any
) -> tuple[Int64Array, np.ndarray[Any, np.dtype[np.bool_]] | None, References, Regions | None]:
    """Return the selected rows, which not to follow, the references, and regions if given."""
    references = _references(ref, region, direction)
    if references.region is None and references.parent_rows is None:
        # The whole table is read for the number of rows; once is enough.
        table = read_slice(references.ref, 0, references.ref.shape[0])
        references = References(table, None, references.direction)
    hidden = None
    if isinstance(sel, np.ma.MaskedArray) and sel.dtype.kind in "iu" and sel.ndim == 1:
        hidden = np.ma.getmaskarray(sel)
        rows = np.zeros(len(sel), np.int64)
        rows[~hidden] = _select(sel.compressed(), references)
    else:
        rows = _select(sel, references)
    return rows, _row_mask(mask, hidden, len(rows)), references, _given_regions(rows, references)


def _references(ref: Any, region: Any, direction: Any) -> References:
    """Return references with what their file says about them."""
    table = _source(ref, "ref")
    if table is None:
        raise CallError("the references to follow are missing: `ref` is None")
    columns = tuple(direction) if isinstance(direction, Sequence | np.ndarray) else (direction,)
    if columns not in {(0, 1), (1, 0)}:
        raise DataError(f"a direction of references is (0, 1) or (1, 0), not {direction}")
    regions = _source(region, "region")
    parent = None
    if isinstance(table, h5py.Dataset):
        parent = parent_of(table, columns[0])
        regions = region_of(table, columns[0]) if regions is None else regions
    parent_rows = parent.shape[0] if parent is not None and parent.shape else None
    return References(table, regions, (columns[0], columns[1]), parent_rows=parent_rows)


def _source(argument: Any, name: str) -> RowSource | None:
    if argument is None or isinstance(argument, h5py.Dataset | np.ndarray):
        return argument
    if isinstance(argument, h5py.Group):
        raise DataError(
            f"`{name}` is the group {argument.name}, not a dataset",
            advice=f"The rows of a dataset are in file['{argument.name}/data'].",
        )
    return np.asarray(argument)


def _select(sel: Any, references: References) -> Int64Array:
    """Return selected rows of the parent, whose length may be known only from its references."""
    region, length = references.region, references.parent_rows
    if length is not None:
        return select_rows(sel, length, what="the parent of these references")
    if region is None:
        parents = references.ref[:][:, references.direction[0]]
        return select_rows(sel, int(parents.max(initial=0)) + bool(len(parents)), bounded=False)
    if isinstance(sel, slice) and isinstance(region, np.ndarray):
        # A region of just the selected rows says nothing about the parent's length.
        start, step = sel.start or 0, 1 if sel.step is None else sel.step
        if sel.stop is not None and min(start, sel.stop, step) >= 0 and step:
            rows = np.arange(start, sel.stop, step, dtype=np.int64)
            if len(rows) == len(region):
                return rows
    return select_rows(sel, region.shape[0], bounded=False)


def _given_regions(rows: Int64Array, references: References) -> Regions | None:
    """Return the regions of an array that has one per selected row, None where it has not."""
    region, table_rows = references.region, references.ref.shape[0]
    if not isinstance(region, np.ndarray) or len(region) != len(rows):
        return None
    order = np.arange(len(rows), dtype=np.int64)
    if np.array_equal(rows, order):
        return None
    given = read_regions(region, order, table_rows)
    if references.parent_rows not in {None, len(region)}:
        return given
    looked_up = references.regions_of(rows)
    return Regions(*merge(given.starts, given.stops, looked_up.starts, looked_up.stops))


def _row_mask(
    mask: Any, hidden: np.ndarray[Any, np.dtype[np.bool_]] | None, count: int
) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    if mask is None or mask is np.ma.nomask:
        return hidden
    given = np.atleast_1d(np.asarray(mask))
    if given.shape != (count,) or (count and given.dtype != np.bool_):
        raise DataError(
            f"a mask has one boolean per selected row, shape ({count},), not {given.dtype} "
            f"{given.shape}",
            advice="Where it has fields, take one of them: mask['field'].",
        )
    given = given.astype(np.bool_)
    return given if hidden is None else given | hidden
