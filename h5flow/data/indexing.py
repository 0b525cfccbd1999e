"""Selections of NumPy's kinds, from arrays of any library.

The array API standard knows fewer: no lists, no negative numbers in arrays, one mask at most, and
every axis named.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from h5flow.arrays import DeviceNamespace, dtype_of, is_device_array, namespace_of

__all__ = ["as_key", "every_axis", "take"]


def as_key(xp: DeviceNamespace, key: Any) -> Any:
    """Return a selection with arrays of the library in place of lists and NumPy's arrays.

    Parameters
    ----------
    xp : DeviceNamespace
    key : slice, int, None, Ellipsis, sequence or array of integers or booleans, or a tuple of these
    """
    if isinstance(key, tuple):
        return tuple(as_key(xp, part) for part in key)
    if isinstance(key, list | range | np.ndarray):
        values = np.asarray(key)
        return xp.asarray(values.astype(np.int64) if not values.size and not _is_mask(key) else key)
    return key.item() if isinstance(key, np.generic) else key


def take(array: Any, key: Any) -> Any:
    """Return what a selection made by `as_key` selects: a copy, or a view of the library's.

    Raises
    ------
    IndexError
        The library has no such selection.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if not any(is_device_array(part) for part in parts):
        parts = _without_negative_step(parts, array)
    arrays = [part for part in parts if is_device_array(part) and len(part.shape)]
    if len(arrays) != 1 or _is_mask(arrays[0]):
        return array[every_axis(key, len(array.shape))]
    (numbers,) = arrays
    if len(parts) > 1:
        # the other axes first, where the numbers' own is taken whole
        place = next(at for at, part in enumerate(parts) if part is numbers)
        before = parts[:place]
        rest = (*before, slice(None), *parts[place + 1 :])
        array = array[every_axis(rest, len(array.shape))]
        if Ellipsis in [part for part in before if not is_device_array(part)]:
            axis = len(array.shape) - sum(part is not None for part in parts[place + 1 :]) - 1
        else:
            axis = sum(not isinstance(part, int) for part in before)
    else:
        axis = 0
    return _take_numbers(array, numbers, axis)


def _without_negative_step(parts: tuple[Any, ...], array: Any) -> tuple[Any, ...]:
    """Return numbers in place of the first slice that goes backwards: not every library can."""
    for place, part in enumerate(parts):
        if isinstance(part, slice) and part.step is not None and part.step < 0:
            if Ellipsis in parts[:place]:
                axis = len(array.shape) - sum(other is not None for other in parts[place:])
            else:
                axis = sum(other is not None for other in parts[:place])
            numbers = namespace_of(array).arange(*part.indices(array.shape[axis]))
            return (*parts[:place], numbers, *parts[place + 1 :])
    return parts


def _take_numbers(array: Any, numbers: Any, axis: int) -> Any:
    xp = namespace_of(array)
    length = array.shape[axis]
    numbers = xp.astype(numbers, xp.int64)
    flat = xp.reshape(xp.where(numbers < 0, numbers + length, numbers), (-1,))
    taken = xp.take(array, flat, axis=axis)
    if len(numbers.shape) == 1:
        return taken
    shape = (*array.shape[:axis], *numbers.shape, *array.shape[axis + 1 :])
    return xp.reshape(taken, shape)


def every_axis(key: Any, dimensions: int) -> Any:
    """Return a key that names every axis, which the standard asks for."""
    if is_device_array(key):
        return key
    parts = key if isinstance(key, tuple) else (key,)
    named = sum(part is not None and part is not Ellipsis for part in parts)
    if named >= dimensions or any(part is Ellipsis for part in parts):
        return parts
    return (*parts, Ellipsis)


def _is_mask(key: Any) -> bool:
    if hasattr(key, "dtype"):
        return dtype_of(key).kind == "b"
    return bool(len(key)) and isinstance(key[0], bool)
