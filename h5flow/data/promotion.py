"""NumPy's rules for mixed dtypes, on libraries that have stricter ones or others.

The array API standard leaves open what an integer array and a float make; NumPy's answer, float64,
is also ours, on every library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from h5flow.arrays import DeviceNamespace, dtype_of, is_device_array

__all__ = ["Operator", "a_number", "in_dtype", "library_dtype", "name_of", "promoted", "to_write"]

Operator = Callable[[Any, Any], Any]
ORDERINGS = frozenset({"lt", "le", "gt", "ge"})
COMPARISONS = ORDERINGS | {"eq", "ne"}


def library_dtype(xp: DeviceNamespace, dtype: np.dtype[Any]) -> Any:
    """Return a dtype as the library has it, or the next one that holds its values."""
    found = getattr(xp, dtype.name, None)
    if found is None and dtype.kind == "f":
        return xp.float32
    if found is None:
        raise TypeError(f"{xp} has no dtype {dtype.name}")
    return found


def in_dtype(xp: DeviceNamespace, value: Any, dtype: np.dtype[Any]) -> Any:
    """Return an array in another dtype; the same array where it has it."""
    wanted = library_dtype(xp, dtype)
    return value if value.dtype == wanted else xp.astype(value, wanted)


def a_number(xp: DeviceNamespace, number: Any, dtype: Any) -> Any:
    """Return a number as an array without axes, made on the device: a copy would wait for it."""
    return xp.full((), number.item() if isinstance(number, np.generic) else number, dtype=dtype)


def to_write(xp: DeviceNamespace, values: Any, dtype: np.dtype[Any]) -> Any:
    """Return what is written into an array of a dtype, converted as NumPy does: a number or array.

    Parameters
    ----------
    values : array, array of NumPy, number, or sequence of numbers
    """
    if is_device_array(values):
        return in_dtype(xp, values, dtype)
    found = np.asarray(values).astype(dtype) if np.ndim(values) else dtype.type(values)
    return xp.asarray(found) if found.ndim else found.item()


def promoted(
    xp: DeviceNamespace, operator: Operator, first: Any, second: Any
) -> tuple[Any, Any, np.dtype[Any]]:
    """Return operands in the dtype in which NumPy would compute, and the result's dtype.

    Parameters
    ----------
    operator : callable
        Of the module `operator`.
    first, second : array or scalar
        At least one is an array of the library; scalars of Python and of NumPy count as NumPy
        counts them.
    """
    kinds = _kind_of(first), _kind_of(second)
    common, result = _dtypes(operator, *kinds)
    for number in (first, second):
        if type(number) is int and common.kind in "iu" and not _fits(number, common):
            if name_of(operator) not in COMPARISONS:
                raise OverflowError(f"the integer {number} is out of bounds for {common}")
            # to all that the dtype has it compares as if it were infinite
            common, infinite = np.dtype(np.float64), math.copysign(math.inf, number)
            first, second = (infinite if each is number else each for each in (first, second))
            break
    return _as_operand(xp, first, common), _as_operand(xp, second, common), result


def _fits(number: int, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return int(limits.min) <= number <= int(limits.max)


def name_of(operator: Operator) -> str:
    """Return the name of an operator, as its method has it: ``add`` and ``and``."""
    return operator.__name__.strip("_")


def _kind_of(value: Any) -> Any:
    """Return the dtype of an array or a scalar of NumPy, the type of a scalar of Python."""
    if hasattr(value, "dtype"):
        return dtype_of(value)
    if isinstance(value, bool | int | float | complex):
        return type(value)
    raise TypeError(f"{value!r} is neither an array of this library nor a number")


@lru_cache(maxsize=1024)
def _dtypes(operator: Operator, first: Any, second: Any) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Return in which dtype NumPy computes, and what it makes: tried on arrays without values."""
    # masked ones, for numpy.ma widens more than NumPy does: float32 with 0.5 is float64
    samples = [
        np.ma.zeros(0, kind) if isinstance(kind, np.dtype) else kind(1) for kind in (first, second)
    ]
    result: np.dtype[Any] = operator(*samples).dtype
    if name_of(operator) not in COMPARISONS:
        return result, result
    arrays = [sample for sample in samples if isinstance(sample, np.ndarray)]
    scalars = [sample for sample in samples if not isinstance(sample, np.ndarray)]
    common = np.result_type(*arrays, *scalars)
    if common.kind == "b" and name_of(operator) in ORDERINGS:  # the standard orders numbers alone
        common = np.dtype(np.uint8)
    return common, result


def _as_operand(xp: DeviceNamespace, value: Any, dtype: np.dtype[Any]) -> Any:
    if hasattr(value, "dtype") and not isinstance(value, np.generic):
        return in_dtype(xp, value, dtype)
    return a_number(xp, value, library_dtype(xp, dtype))
