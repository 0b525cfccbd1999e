"""The two call forms of `dereference`, told apart and brought to one.

::

    dereference(data, ref, region, sel=None, ref_direction=(0, 1), as_masked=True)
    dereference(sel, ref, data=None, region=None, mask=None, ref_direction=(0, 1),
                indices_only=False, as_masked=True)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import h5py
import numpy as np

from h5flow.arrays import array_in, dtype_of
from h5flow.errors import CallError, DataError, did_you_mean
from h5flow.references.regions import is_region_dtype

__all__ = ["DereferenceCall", "bind_call", "refuse_closed"]

DATA_FIRST = ("data", "ref", "region", "sel", "ref_direction", "as_masked")
SELECTION_FIRST = (
    "sel",
    "ref",
    "data",
    "region",
    "mask",
    "ref_direction",
    "indices_only",
    "as_masked",
)


@dataclass(frozen=True, eq=False)
class DereferenceCall:
    """The arguments of a call, in whichever form it was made."""

    ref: Any
    sel: Any = None
    data: Any = None
    region: Any = None
    mask: Any = None
    ref_direction: Any = (0, 1)
    indices_only: bool = False
    as_masked: bool = True
    xp: Any = None


def bind_call(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> DereferenceCall:
    """Return the arguments of a call in either form.

    Raises
    ------
    CallError
        It could be either form, or is none.
    DataError
        The file of an argument is closed.
    """
    refuse_closed((*args, *kwargs.values()))
    names = DATA_FIRST if _is_data_first(args, kwargs) else SELECTION_FIRST
    if len(args) > len(names):
        raise CallError(f"at most {len(names)} arguments go by position here, not {len(args)}")
    bound = dict(zip(names, args, strict=False))
    known = [field.name for field in fields(DereferenceCall)]
    for name, value in kwargs.items():
        if name not in known:
            raise CallError(f"there is no argument '{name}'{did_you_mean(name, known)}")
        if name in bound:
            raise CallError(
                f"'{name}' is given twice: by its name, and as argument {names.index(name) + 1}",
                advice=f"By position they are ({', '.join(names)}).",
            )
        bound[name] = value
    if "ref" not in bound:
        raise CallError("the references to follow are missing: `ref`")
    if bound.get("data") is None and not bound.get("indices_only"):
        raise CallError(
            "there are no data to take rows from",
            advice="Give `data`, or ask for the indices alone with `indices_only=True`.",
        )
    return DereferenceCall(**bound)


def refuse_closed(arguments: Iterable[Any]) -> None:
    """Raise a `DataError` where a dataset's file is closed: HDF5 names neither."""
    if any(isinstance(each, h5py.Dataset) and not each for each in arguments):
        raise DataError(
            "a dataset that was given is closed, with its file",
            advice="Follow references while the file is open: inside of the `with` that opens it.",
        )


def _is_data_first(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if not args or "data" in kwargs or not _is_array(args[0]):
        return False
    if "sel" in kwargs or not _can_select(args[0]):
        return True
    third = args[2] if len(args) > 2 else None
    if kwargs.keys() & {"mask", "indices_only"} or (third is not None and "region" in kwargs):
        return False
    if third is None:
        raise CallError(
            "the first argument could be the selection, with `data` missing, or the data",
            advice="Name them: dereference(sel=..., ref=..., data=..., region=...).",
        )
    # Where the fourth is a region too, the third is data that look like one.
    return _is_region(third) and not (len(args) > 3 and _is_region(args[3]))


def _is_array(first: Any) -> bool:
    return isinstance(first, h5py.Dataset | np.ndarray) or array_in(first) is not None


def _can_select(first: Any) -> bool:
    # NumPy makes an array of floats of an empty list.
    kinds = "biuf" if tuple(first.shape) == (0,) else "biu"
    return len(first.shape) <= 1 and dtype_of(first).kind in kinds


def _is_region(argument: Any) -> bool:
    dtype = getattr(argument, "dtype", None)
    return isinstance(dtype, np.dtype) and is_region_dtype(dtype)
