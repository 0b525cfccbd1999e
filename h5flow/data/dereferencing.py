"""Following references in scripts: from datasets or arrays, any selection, to rows or indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.arrays import array_in
from h5flow.backends import Backend, owner_of
from h5flow.data.calls import DereferenceCall, bind_call, refuse_closed
from h5flow.data.following import linked_jagged, linked_padded
from h5flow.data.host_copies import to_host
from h5flow.data.parents import begin, references_of, source_of
from h5flow.errors import CallError
from h5flow.references.jagged import Jagged

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
    result = _follow(call, padded=call.as_masked)
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
    jagged: Jagged = _follow(bind_call(args, kwargs), padded=False)
    return jagged


def dereference_chain(
    sel: Any,
    refs: Sequence[Any],
    data: Any = None,
    regions: Sequence[Any] | None = None,
    mask: Any = None,
    ref_directions: Sequence[tuple[int, int]] | None = None,
    indices_only: bool = False,
    *,
    xp: Any = None,
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
    if isinstance(refs, h5py.Dataset | np.ndarray) or array_in(refs) is not None or not len(refs):
        raise CallError("`refs` is a list of references, one per link of the chain")
    if data is None and not indices_only:
        raise CallError(
            "there are no data to take rows from",
            advice="Give `data`, or ask for the indices alone with `indices_only=True`.",
        )
    regions = [None] * len(refs) if regions is None else regions
    refuse_closed((sel, *refs, data, *regions, mask))
    directions = [(0, 1)] * len(refs) if ref_directions is None else ref_directions
    if not len(refs) == len(regions) == len(directions):
        raise CallError(
            f"{len(refs)} links have {len(regions)} regions and {len(directions)} directions"
        )
    backend = _backend_of(xp, sel, *refs, data, *regions, mask)
    if backend is not None and not backend.is_host:
        from h5flow.data.dereferencing_on_device import follow_chain_to, padded_on

        with backend.current():
            levels = follow_chain_to(backend, sel, refs, regions, directions, mask)
            padded: MaskedArray = padded_on(backend, levels, data, indices_only=indices_only)
        return padded
    if backend is not None:
        sel, refs, data, regions, mask = to_host((sel, tuple(refs), data, tuple(regions), mask))
    start = begin(sel, refs[0], regions[0], mask, directions[0])
    links = zip(refs[1:], regions[1:], directions[1:], strict=True)
    return linked_padded(
        start.rows,
        [start.references, *(references_of(*link) for link in links)],
        source_of(data, "data"),
        mask=start.mask,
        regions=start.regions,
        indices_only=indices_only,
    )


def _follow(call: DereferenceCall, *, padded: bool) -> Any:
    """Follow references where their arrays live, or where the call says."""
    sel, ref, data, region, mask = call.sel, call.ref, call.data, call.region, call.mask
    backend = _backend_of(call.xp, sel, ref, data, region, mask)
    if backend is not None and not backend.is_host:
        from h5flow.data.dereferencing_on_device import follow_chain_to, jagged_on, padded_on

        give = padded_on if padded else jagged_on
        with backend.current():
            levels = follow_chain_to(backend, sel, [ref], [region], [call.ref_direction], mask)
            return give(backend, levels, data, indices_only=call.indices_only)
    if backend is not None:
        sel, ref, data, region, mask = to_host((sel, ref, data, region, mask))
    start = begin(sel, ref, region, mask, call.ref_direction)
    follow = linked_padded if padded else linked_jagged
    return follow(
        start.rows,
        [start.references],
        source_of(data, "data"),
        mask=start.mask,
        regions=start.regions,
        indices_only=call.indices_only,
    )


def _backend_of(xp: Any, *arguments: Any) -> Backend | None:
    """Return the backend of a namespace, or of the first argument that lives on a device."""
    if xp is not None:
        return owner_of(xp.zeros((1,)))
    arrays = (array_in(argument) for argument in arguments)
    found = next((array for array in arrays if array is not None), None)
    return None if found is None else owner_of(found)
