"""Operators on masked values of any array library: values and mask, as ``numpy.ma`` has them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from h5flow.data.promotion import Operator, in_dtype, name_of, promoted

if TYPE_CHECKING:
    from h5flow.arrays import DeviceNamespace

__all__ = ["Operand", "combined", "computed"]

Operand: TypeAlias = tuple[Any, Any]
"""An array or scalar, and its mask: None where nothing is masked."""

DIVISIONS = frozenset({"truediv", "floordiv", "mod"})
# what numpy.ma masks where it comes to no finite number
QUOTIENTS = frozenset({"truediv", "floordiv"})
# what leaves the first operand under the mask
KEEPING = QUOTIENTS | {"add", "sub", "mul", "pow"}
EQUALITIES = frozenset({"eq", "ne"})


def combined(
    xp: DeviceNamespace, function: Operator, one: Operand, two: Operand, *, in_place: bool
) -> tuple[Any, Any]:
    """Return values and mask of what an operator makes of two operands, one of them masked.

    What lies under the mask is also ``numpy.ma``'s: it counts where a comparison selects.

    Parameters
    ----------
    xp : DeviceNamespace
    function : callable
        Of the module `operator`.
    one, two : tuple
    in_place : bool
        Whether the first operand takes the result: fewer quotients are masked then.
    """
    first, second, dtype = promoted(xp, function, one[0], two[0])
    masks = [xp.zeros((), dtype=xp.bool) if mask is None else mask for _, mask in (one, two)]
    mask, name = xp.logical_or(*masks), name_of(function)
    if name in DIVISIONS:
        outside = _outside_of_division(xp, first, second, dtype)
        mask = xp.logical_or(mask, outside)
        second = xp.where(outside, xp.ones((), dtype=second.dtype), second)
    result = computed(xp, function, first, second, dtype)
    if dtype.kind in "fc" and (name == "pow" or (name in QUOTIENTS and not in_place)):
        mask = xp.logical_or(mask, xp.logical_not(xp.isfinite(result)))
        if name in QUOTIENTS:  # numpy.ma makes 0.0 of 0.0 / -3, where IEEE 754 has -0.0
            zero = xp.zeros((), dtype=first.dtype)
            result = result + computed(xp, operator.mul, first, zero, dtype)
    if tuple(mask.shape) != tuple(result.shape):
        mask = xp.logical_or(mask, xp.zeros(tuple(result.shape), dtype=xp.bool))
    if name in KEEPING:
        result = xp.where(mask, first, result)
    elif name in EQUALITIES:
        result = xp.where(mask, function(*masks), result)
    return in_dtype(xp, result, _available(xp, dtype)), mask


def computed(
    xp: DeviceNamespace, function: Operator, first: Any, second: Any, dtype: np.dtype[Any]
) -> Any:
    """Return what an operator makes of operands in one dtype."""
    name = name_of(function)
    if dtype.kind == "b" and name in {"add", "mul"}:  # NumPy's, of booleans
        return (xp.logical_or if name == "add" else xp.logical_and)(first, second)
    with np.errstate(all="ignore"):  # array-api-strict computes with NumPy
        return function(first, second)


def _outside_of_division(xp: DeviceNamespace, first: Any, second: Any, dtype: np.dtype[Any]) -> Any:
    """Return where a quotient is masked: ``numpy.ma`` does so where it would not be finite."""
    if dtype.kind not in "fc":
        return second == 0
    tiny, wide = float(np.finfo(np.float64).tiny), np.dtype(np.float64)
    first, second = (in_dtype(xp, xp.abs(each), wide) for each in (first, second))
    with np.errstate(all="ignore"):  # array-api-strict computes with NumPy
        return first * tiny >= second


def _available(xp: DeviceNamespace, dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype("float32") if dtype.kind == "f" and not hasattr(xp, dtype.name) else dtype
