"""Selections of NumPy's kinds, from arrays of any library.

The array API standard knows fewer: no lists, no negative numbers in arrays, one mask at most, and
every axis named.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from h5flow.arrays import DeviceNamespace, dtype_of, is_device_array, namespace_of

__all__ = ["as_key", "every_axis", "take", "without_ellipsis"]


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
    array, parts = _forwards(array, parts)
    arrays = [part for part in parts if is_device_array(part) and len(part.shape)]
    if isinstance(key, tuple) and len(arrays) == 1 and _is_mask(arrays[0]):
        parts = _with_numbers(array, parts, arrays[0])
        arrays = [part for part in parts if is_device_array(part) and len(part.shape)]
    if len(arrays) != 1 or _is_mask(arrays[0]):
        return array[every_axis(parts if isinstance(key, tuple) else parts[0], array.shape)]
    (numbers,) = arrays
    if len(parts) == 1:
        return _take_numbers(array, numbers, 0)
    # the other axes first, where the numbers' own is taken whole
    place = next(at for at, part in enumerate(parts) if part is numbers)
    before, after = parts[:place], parts[place + 1 :]
    array = array[every_axis((*before, slice(None), *after), array.shape)]
    kept_after = sum(not isinstance(part, int) for part in after)
    if any(part is Ellipsis for part in before):
        axis = len(array.shape) - 1 - kept_after
    else:
        axis = sum(not isinstance(part, int) for part in before)
    taken = _take_numbers(array, numbers, axis)
    advanced = [at for at, part in enumerate(parts) if isinstance(part, int) or part is numbers]
    if advanced[-1] - advanced[0] < len(advanced):
        return taken
    # NumPy puts what numbers select first where others stand apart from them
    moved = range(axis, axis + len(numbers.shape))
    rest = (each for each in range(len(taken.shape)) if each not in moved)
    return namespace_of(taken).permute_dims(taken, (*moved, *rest))


def _forwards(array: Any, parts: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Return an array turned round where slices go backwards, which not every library has."""
    found = list(parts)
    for place, part in enumerate(parts):
        if isinstance(part, slice) and (part.step or 1) < 0:
            axis = _axis_of(parts, place, len(array.shape))
            last = array.shape[axis] - 1
            start, stop, step = part.indices(array.shape[axis])
            array = namespace_of(array).flip(array, axis=axis)
            found[place] = slice(last - start, last - stop, -step)
    return array, tuple(found)


def _with_numbers(array: Any, parts: tuple[Any, ...], mask: Any) -> tuple[Any, ...]:
    """Return numbers in place of a mask of one axis: the standard has masks alone only."""
    place = next(at for at, part in enumerate(parts) if part is mask)
    length = array.shape[_axis_of(parts, place, len(array.shape))]
    if len(mask.shape) != 1:
        return parts
    if mask.shape[0] != length:
        raise IndexError(f"a mask of {mask.shape[0]} values for an axis of {length}")
    (numbers,) = namespace_of(array).nonzero(mask)
    return (*parts[:place], numbers, *parts[place + 1 :])


def _axis_of(parts: tuple[Any, ...], place: int, dimensions: int) -> int:
    """Return which axis a part of a selection is about."""
    if any(part is Ellipsis for part in parts[:place]):
        return dimensions - sum(map(_axes, parts[place:]))
    return sum(map(_axes, parts[:place]))


def _axes(part: Any) -> int:
    """Return how many axes a part of a selection is about."""
    if part is None:
        return 0
    return len(part.shape) if is_device_array(part) and _is_mask(part) else 1


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


def every_axis(key: Any, shape: tuple[int, ...]) -> Any:
    """Return a key that names every axis, and ends where the axis does: the standard asks for it.

    Parameters
    ----------
    key : slice, int, None, Ellipsis, array of the library, or a tuple of these
    shape : tuple of int
        Of what is selected from.
    """
    if is_device_array(key):
        return key
    parts = key if isinstance(key, tuple) else (key,)
    named = sum(part is not None and part is not Ellipsis for part in parts)
    whole = named >= len(shape) or any(part is Ellipsis for part in parts)
    bounded = tuple(
        _bounded(part, shape[_axis_of(parts, place, len(shape))])
        if isinstance(part, slice) and named <= len(shape)
        else part
        for place, part in enumerate(parts)
    )
    return bounded if whole else (*bounded, Ellipsis)


def without_ellipsis(key: Any, dimensions: int) -> Any:
    """Return a key with the axes that an Ellipsis stands for: fields may have further ones."""
    parts = key if isinstance(key, tuple) else (key,)
    for place, part in enumerate(parts):
        if part is Ellipsis:
            others = sum(map(_axes, (*parts[:place], *parts[place + 1 :])))
            whole = (slice(None),) * (dimensions - others)
            return (*parts[:place], *whole, *parts[place + 1 :])
    return key


def _bounded(part: slice, length: int) -> slice:
    """Return a slice that does not go beyond an axis."""
    return part if (part.step or 1) < 0 else slice(*part.indices(length))


def _is_mask(key: Any) -> bool:
    if hasattr(key, "dtype"):
        return dtype_of(key).kind == "b"
    return bool(len(key)) and isinstance(key[0], bool)
