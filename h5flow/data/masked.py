"""Masked arrays on any array library, with the meanings of ``numpy.ma``.

CuPy and PyTorch have none. A stage finds these where NumPy's own would be: padded rows of a simple
dtype, and fields of padded rows.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from h5flow.arrays import DeviceRows, dtype_of, is_device_array, namespace_of
from h5flow.data.indexing import as_key, every_axis, take
from h5flow.data.masked_arithmetic import Operand, combined, computed
from h5flow.data.promotion import Operator, a_number, in_dtype, library_dtype, promoted, to_write

__all__ = ["MaskedArray", "refuse_host"]


def refuse_host(what: object) -> NoReturn:
    """Refuse to become NumPy's without a word: every copy to the host is asked for."""
    raise TypeError(
        f"a {type(what).__name__} is not turned into an array of NumPy silently; write "
        "to_host(x), from h5flow.data"
    )


class MaskedArray(DeviceRows):
    """Values and which of them are masked: both are arrays of one library, of one shape.

    Parameters
    ----------
    data : array
        Any shape.
    mask : array
        bool, of the same shape: True where there is no value.
    """

    # NumPy's arrays and scalars leave operations with it to it.
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, data: Any, mask: Any) -> None:
        if tuple(data.shape) != tuple(mask.shape):
            raise ValueError(f"a mask of shape {mask.shape} for values of shape {data.shape}")
        self._data = data
        self._mask = mask

    @property
    def data(self) -> Any:
        """The library's own array; zero under the mask where it was read from a file."""
        return self._data

    @property
    def like(self) -> Any:
        """The library's own array."""
        return self._data

    @property
    def mask(self) -> Any:
        """The library's own array of booleans."""
        return self._mask

    @mask.setter
    def mask(self, mask: Any) -> None:
        xp = self._xp
        self._mask = xp.logical_or(xp.zeros(self.shape, dtype=xp.bool), xp.asarray(mask))

    @property
    def dtype(self) -> Any:
        """The library's dtype of the values."""
        return self._data.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return tuple(self._data.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values, masked ones included."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def device(self) -> Any:
        """Where the values live, as the library names it."""
        return self._data.device

    @property
    def _xp(self) -> Any:
        return namespace_of(self._data)

    # -- parts ------------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a single value has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[MaskedArray]:
        return (self[position] for position in range(len(self)))

    def __getitem__(self, key: Any) -> MaskedArray:
        key = self._key(key)
        return MaskedArray(take(self._data, key), take(self._mask, key))

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write values; what is written is not masked, unless the values are.

        ``numpy.ma.masked`` masks, and leaves the values. Keys are those that the library takes:
        by the standard slices, integers and one mask.
        """
        xp, key = self._xp, every_axis(self._key(key), self.shape)
        mask = xp.asarray(self._mask, copy=True)  # fields of a row may share it
        if value is np.ma.masked:
            mask[key] = True
        else:
            masked, values = False, value
            if isinstance(value, MaskedArray):
                masked, values = value._mask, value._data
            elif isinstance(value, np.ma.MaskedArray):
                masked, values = xp.asarray(np.ma.getmaskarray(value)), value.data
            self._data[key] = to_write(xp, values, dtype_of(self._data))
            mask[key] = masked
        self._mask = mask

    def selected(self) -> Any:
        """Return what they select as a mask, bool: as in NumPy, the values count, masked or not.

        Raises
        ------
        IndexError
            They are numbers.
        """
        if dtype_of(self._data).kind != "b":
            raise IndexError("rows cannot be selected by numbers that may be masked: use .data")
        return self._data

    def _key(self, key: Any) -> Any:
        """Return a key that the library understands."""
        parts = key if isinstance(key, tuple) else (key,)
        plain = [part.selected() if isinstance(part, MaskedArray) else part for part in parts]
        return as_key(self._xp, tuple(plain) if isinstance(key, tuple) else plain[0])

    # -- values ------------------------------------------------------------------------------

    def filled(self, fill_value: Any = None) -> Any:
        """Return the library's array with `fill_value`, by default NumPy's, where it is masked."""
        if fill_value is None:
            fill_value = _default_fill(dtype_of(self._data))
        xp, fill = self._xp, fill_value._data if isinstance(fill_value, MaskedArray) else fill_value
        if isinstance(fill, bool | int | float | complex | np.generic):
            fill = a_number(xp, fill, self.dtype)
        return xp.where(self._mask, xp.asarray(fill, dtype=self.dtype), self._data)

    def compressed(self) -> Any:
        """Return the values that are not masked, shape (N,)."""
        return self._data[self._xp.logical_not(self._mask)]

    def copy(self) -> MaskedArray:
        """Return a copy."""
        xp = self._xp
        return MaskedArray(xp.asarray(self._data, copy=True), xp.asarray(self._mask, copy=True))

    def astype(self, dtype: Any) -> MaskedArray:
        """Return the values in another dtype, of the library or of NumPy."""
        xp = self._xp
        if isinstance(dtype, str | type | np.dtype):
            dtype = library_dtype(xp, np.dtype(dtype))
        return MaskedArray(xp.astype(self._data, dtype), self._mask)

    def reshape(self, *shape: Any) -> MaskedArray:
        """Return the values in another shape."""
        xp, wanted = self._xp, shape[0] if len(shape) == 1 else shape
        wanted = (wanted,) if isinstance(wanted, int) else tuple(wanted)
        return MaskedArray(xp.reshape(self._data, wanted), xp.reshape(self._mask, wanted))

    def __repr__(self) -> str:
        return f"MaskedArray({self._data!r},\n mask={self._mask!r})"

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        refuse_host(self)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError("the truth of more than one value is ambiguous: use any() or all()")
        return bool(self._xp.logical_and(self._truth(), self._xp.logical_not(self._mask)))

    def __float__(self) -> float:
        return float("nan") if bool(self._mask) else float(self._data)

    def __int__(self) -> int:
        if bool(self._mask):
            raise ValueError("a masked value is no number")
        return int(self._data)

    def __index__(self) -> int:
        if self.ndim or dtype_of(self._data).kind not in "iu":
            raise TypeError(f"values of {self.dtype} and shape {self.shape} are no whole number")
        return int(self)

    # -- reductions ----------------------------------------------------------------------------

    def count(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Return how many values are not masked, int64."""
        xp = self._xp
        there = xp.astype(xp.logical_not(self._mask), xp.int64)
        return xp.sum(there, axis=axis, keepdims=keepdims)

    def sum(self, axis: Any = None, keepdims: bool = False) -> MaskedArray:
        """Return sums of what is not masked; masked where nothing is left."""
        # the library's own choice of a wide dtype for integers is NumPy's where it has that
        total = self._xp.sum(self._numbers(0, np.int64), axis=axis, keepdims=keepdims)
        return self._reduced(total, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> MaskedArray:
        """Return means of what is not masked; masked where nothing is left."""
        total, count = self.sum(axis, keepdims), self.count(axis, keepdims)
        if total.shape:
            mean: MaskedArray = total / count
            return mean
        # of a single value numpy.ma makes a number, which is not masked for being infinite
        xp = self._xp
        operands = total._data, xp.clip(count, 1, None)
        first, second, dtype = promoted(xp, operator.truediv, *operands)
        return MaskedArray(computed(xp, operator.truediv, first, second, dtype), total._mask)

    def min(self, axis: Any = None, keepdims: bool = False) -> MaskedArray:
        """Return the least of what is not masked; masked where nothing is left."""
        return self._extreme("min", 1, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> MaskedArray:
        """Return the largest of what is not masked; masked where nothing is left."""
        return self._extreme("max", 0, axis, keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> MaskedArray:
        """Return whether anything that is not masked is true; masked where nothing is left."""
        xp = self._xp
        values = xp.logical_and(self._truth(), xp.logical_not(self._mask))
        return self._reduced(xp.any(values, axis=axis, keepdims=keepdims), axis, keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> MaskedArray:
        """Return whether all that is not masked is true; masked where nothing is left."""
        xp = self._xp
        values = xp.logical_or(self._truth(), self._mask)
        return self._reduced(xp.all(values, axis=axis, keepdims=keepdims), axis, keepdims, True)

    def _extreme(self, name: str, limit: int, axis: Any, keepdims: bool) -> MaskedArray:
        """Return ``min`` or ``max``, where masked values count as the other limit of the dtype."""
        dtype = dtype_of(self._data)
        values = self._numbers(_limits(dtype)[limit], np.uint8)
        found = getattr(self._xp, name)(values, axis=axis, keepdims=keepdims)
        under_mask = _default_fill(dtype)
        return self._reduced(in_dtype(self._xp, found, dtype), axis, keepdims, under_mask)

    def _numbers(self, fill_value: Any, of_booleans: type[np.integer[Any]]) -> Any:
        """Return filled values; the standard adds up and compares no booleans."""
        values, is_boolean = self.filled(fill_value), dtype_of(self._data).kind == "b"
        return in_dtype(self._xp, values, np.dtype(of_booleans)) if is_boolean else values

    def _truth(self) -> Any:
        return self._data if dtype_of(self._data).kind == "b" else self._data != 0  # NaN is true

    def _reduced(self, values: Any, axis: Any, keepdims: bool, under_mask: Any = 0) -> MaskedArray:
        """Return values of a reduction, masked where nothing is left, and what NumPy has there."""
        xp = self._xp
        mask = xp.all(self._mask, axis=axis, keepdims=keepdims)
        return MaskedArray(xp.where(mask, a_number(xp, under_mask, values.dtype), values), mask)

    # -- arithmetic ----------------------------------------------------------------------------

    def _binary(
        self, function: Operator, other: Any, *, swapped: bool = False, in_place: bool = False
    ) -> Any:
        if isinstance(other, np.ndarray) and other.ndim:
            raise TypeError(
                f"{type(self).__name__} and an array of NumPy do not mix: make it one of this "
                "library with self.xp.asarray(x)"
            )
        if other is np.ma.masked or not (
            isinstance(other, MaskedArray | bool | int | float | complex | np.generic | np.ndarray)
            or is_device_array(other)
        ):
            return NotImplemented
        theirs: Operand = (other[()] if isinstance(other, np.ndarray) else other), None
        if isinstance(other, MaskedArray):
            theirs = other._data, other._mask
        ours: Operand = self._data, self._mask
        first, second = (theirs, ours) if swapped else (ours, theirs)
        return MaskedArray(*combined(self._xp, function, first, second, in_place=in_place))

    def _in_place(self, function: Operator, other: Any) -> Any:
        result = self._binary(function, other, in_place=True)
        if result is NotImplemented:
            return result
        own = dtype_of(self._data)
        if not np.can_cast(dtype_of(result.data), own, "same_kind"):
            raise TypeError(f"{result.dtype} cannot be stored in place as {self.dtype}")
        if result.shape != self.shape:
            raise ValueError(f"shape {result.shape} cannot be stored in place in {self.shape}")
        xp = self._xp
        # what is masked stays as it is, as in numpy.ma
        self._data[...] = xp.where(result._mask, self._data, in_dtype(xp, result._data, own))
        self._mask = result._mask
        return self

    def __neg__(self) -> MaskedArray:
        return MaskedArray(-self._data, self._mask)

    def __pos__(self) -> MaskedArray:
        return MaskedArray(+self._data, self._mask)

    def __abs__(self) -> MaskedArray:
        return MaskedArray(abs(self._data), self._mask)

    def __invert__(self) -> MaskedArray:
        return MaskedArray(~self._data, self._mask)


def _add_operators() -> None:
    """Give the class the operators of Python, which all do the same with another function."""

    def binary(function: Operator, *, swapped: bool = False) -> Any:
        def method(self: MaskedArray, other: Any) -> Any:
            return self._binary(function, other, swapped=swapped)

        return method

    def in_place(function: Operator) -> Any:
        def method(self: MaskedArray, other: Any) -> Any:
            return self._in_place(function, other)

        return method

    arithmetic = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor")
    for name in arithmetic:
        function, plain = getattr(operator, name), name.strip("_")
        setattr(MaskedArray, f"__{plain}__", binary(function))
        setattr(MaskedArray, f"__r{plain}__", binary(function, swapped=True))
        setattr(MaskedArray, f"__i{plain}__", in_place(function))
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(MaskedArray, f"__{name}__", binary(getattr(operator, name)))


_add_operators()


def _default_fill(dtype: np.dtype[Any]) -> Any:
    value = np.asarray(np.ma.default_fill_value(dtype))
    return value.astype(dtype).item()  # wrapped where the dtype is narrow, as NumPy does


def _limits(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Return the least and the largest value of a dtype."""
    if dtype.kind == "b":
        return False, True
    if dtype.kind == "f":
        return float("-inf"), float("inf")
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)
