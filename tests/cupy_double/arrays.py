"""Arrays that are NumPy's inside and refuse what CuPy's refuse."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from cupy_double.machine import MISALIGNED, CUDARuntimeError, Device, machine
from cupy_double.surface import FUNCTIONS, METHODS, UFUNCS, signature_of

__all__ = ["function_named", "functions", "ndarray"]

OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "power", "and": "bitwise_and",
    "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
COMPARISONS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}  # fmt: skip


class ndarray:
    """CuPy's array, of NumPy's on a device that is none."""

    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("the double makes arrays by functions: zeros, asarray")

    # -- what it is -------------------------------------------------------------------------

    dtype = property(lambda self: self._values.dtype)
    shape = property(lambda self: self._values.shape)
    ndim = property(lambda self: self._values.ndim)
    size = property(lambda self: self._values.size)
    itemsize = property(lambda self: self._values.itemsize)
    nbytes = property(lambda self: self._values.nbytes)
    device = property(lambda self: Device(self._device))
    T = property(lambda self: _view_or_copy(self, self._values.T))

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self._values.ctypes.data, device_id=self._device)

    @property
    def flags(self) -> Any:
        flags = self._values.flags
        return SimpleNamespace(
            c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata
        )

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Any:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        return repr(self._values)

    # -- to the host ------------------------------------------------------------------------

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __dlpack__(self, **_: Any) -> NoReturn:
        raise BufferError("the double's memory is no device's: only its own from_dlpack takes it")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._device

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or ufunc.__name__ not in functions:
            return NotImplemented
        return functions[ufunc.__name__](*inputs, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function.__name__ not in functions:
            return NotImplemented
        return functions[function.__name__](*args, **options)

    def __bool__(self) -> bool:
        return bool(unwrap_anywhere(self))

    def __int__(self) -> int:
        return int(unwrap_anywhere(self).item())

    def __float__(self) -> float:
        return float(unwrap_anywhere(self).item())

    def __complex__(self) -> complex:
        return complex(unwrap_anywhere(self).item())

    def _get(self, stream: Any = None, order: str = "C", out: Any = None) -> Any:
        values = unwrap_anywhere(self)
        if out is None:
            return np.array(values, order="C")
        out[...] = values
        return out

    def _item(self) -> Any:
        return unwrap_anywhere(self).item()

    def _tolist(self) -> Any:
        return unwrap_anywhere(self).tolist()

    # -- from the host -----------------------------------------------------------------------

    def _set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        here = unwrap_anywhere(self)
        if machine.is_pinned(arr):
            machine.later(lambda: np.copyto(here, arr))
        else:
            np.copyto(here, arr)

    def _fill(self, value: Any) -> None:
        self[...] = value

    # -- parts and forms -----------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        return _view_or_copy(self, unwrap_anywhere(self)[_key(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        with np.errstate(all="ignore"):
            unwrap(self)[_key(key)] = _operand(value)

    def _view(self, dtype: Any = None) -> Any:
        values = unwrap_anywhere(self)
        return _view_or_copy(self, values.view() if dtype is None else values.view(_known(dtype)))

    def _reshape(self, *shape: Any, order: str = "C") -> Any:
        return _view_or_copy(self, unwrap_anywhere(self).reshape(*shape, order=order))

    def _ravel(self, order: str = "C") -> Any:
        return _view_or_copy(self, unwrap_anywhere(self).ravel(order))

    def _copy(self, order: str = "C") -> Any:
        return wrap(unwrap(self).copy(order))

    def _astype(self, dtype: Any, order: Any = "K", casting: Any = None, subok: Any = None,
                copy: bool = True) -> Any:  # fmt: skip
        with np.errstate(all="ignore"):
            values = unwrap(self).astype(_known(dtype), copy=copy)
        return self if values is self._values else wrap(values)

    # -- operators -----------------------------------------------------------------------------

    def __neg__(self) -> Any:
        return functions["negative"](self)

    def __pos__(self) -> Any:
        return functions["positive"](self)

    def __abs__(self) -> Any:
        return functions["absolute"](self)

    def __invert__(self) -> Any:
        return functions["invert"](self)


def wrap(values: Any, device: int | None = None) -> Any:
    """Return what NumPy made as it is on a device, by default the current one."""
    device = machine.current if device is None else device
    if isinstance(values, tuple | list):
        return type(values)(wrap(each, device) for each in values)
    if not isinstance(values, np.ndarray | np.generic):
        return values
    values = np.asarray(values)
    _known(values.dtype)
    if values.size and values.ctypes.data % values.itemsize:
        raise CUDARuntimeError(MISALIGNED)
    machine.allocate(values, device)
    array = object.__new__(ndarray)
    array._values, array._device = values, device
    return array


def _view_or_copy(array: ndarray, values: Any) -> Any:
    """Return a part of an array: a view is where the array is, a copy takes a kernel."""
    if not np.may_share_memory(values, array._values):
        unwrap(array)
    return wrap(values, array._device)


def unwrap_anywhere(array: ndarray) -> Any:
    """Return NumPy's array inside, for what needs no kernel."""
    machine.check()
    machine.settle()
    return array._values


def unwrap(array: ndarray) -> Any:
    """Return NumPy's array inside, for a kernel on the current device."""
    unwrap_anywhere(array)
    if array._device != machine.current:
        raise ValueError(
            f"Array device must be same as the current device: array device = {array._device} "
            f"while current = {machine.current}"
        )
    return array._values


def _known(dtype: Any) -> Any:
    found = np.dtype(dtype)
    if found.kind not in "biufc" or not found.isnative or found.itemsize > 16:
        raise ValueError(f"Unsupported dtype {found}")
    return found


def _operand(value: Any) -> Any:
    """Return an operand as NumPy has it: arrays of this library, and numbers."""
    if isinstance(value, ndarray):
        return unwrap(value)
    if isinstance(value, bool | int | float | complex | np.generic):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def _key(key: Any) -> Any:
    """Return a selection as NumPy has it.

    CuPy takes arrays of NumPy here, and copies them over without a word: the double does not. Nor
    does it wrap around integers that are out of range.
    """
    if isinstance(key, tuple):
        return tuple(_key(part) for part in key)
    if isinstance(key, ndarray):
        return unwrap(key)
    if key is None or key is Ellipsis or isinstance(key, slice | int | np.integer):
        return key
    if isinstance(key, list):
        return np.asarray(key) if key else np.zeros(0, np.int64)
    raise IndexError(f"a selection by {type(key)}")


# -- functions --------------------------------------------------------------------------------

# What CuPy takes arrays for, and nothing else: the others take numbers and shapes.
MADE_OF_NUMBERS = frozenset(
    {"arange", "broadcast_shapes", "empty", "finfo", "full", "iinfo", "isdtype", "issubdtype",
     "linspace", "ones", "result_type", "zeros"}
)  # fmt: skip


def _plain(value: Any) -> Any:
    """Return an argument as NumPy has it: arrays of NumPy are refused."""
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, list | tuple):
        return type(value)(_plain(each) for each in value)
    return unwrap(value) if isinstance(value, ndarray) else value


def _check_arrays(name: str, arguments: dict[str, Any]) -> None:
    """Refuse what CuPy takes no lists or numbers for."""
    first = next(iter(arguments.values()), None)
    if name in MADE_OF_NUMBERS:
        return
    if name in {"concatenate", "stack"} or name == "broadcast_arrays":
        wrong = [each for each in first if not isinstance(each, ndarray)]
    else:
        wrong = [] if isinstance(first, ndarray) else [first]
    if name in {"take", "searchsorted"}:
        other = arguments["indices" if name == "take" else "v"]
        wrong += [] if isinstance(other, ndarray | int | float) else [other]
    if wrong:
        raise TypeError(f"{name}: Unsupported type {type(wrong[0])}")


def _made(name: str) -> Any:
    """Return a function of CuPy, that of NumPy inside."""
    signature, of_numpy = signature_of(FUNCTIONS[name]), getattr(np, name)

    def function(*args: Any, **options: Any) -> Any:
        bound = signature.bind(*args, **options)
        _check_arrays(name, bound.arguments)
        machine.check()
        if "dtype" in bound.arguments and name not in {"finfo", "isdtype"}:
            _known(options.get("dtype"))
        plain = [_plain(each) for each in args], {key: _plain(options[key]) for key in options}
        with np.errstate(all="ignore"):
            return wrap(of_numpy(*plain[0], **plain[1]))

    function.__name__ = name
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _ufunc(name: str) -> Any:
    signature, of_numpy = signature_of(UFUNCS[name]), getattr(np, name)

    def function(*args: Any, **options: Any) -> Any:
        bound = signature.bind(*args, **options)
        out = bound.arguments.pop("out", None)
        operands = [_operand(each) for each in bound.args]
        if out is not None:
            operands.append(unwrap(out[0] if isinstance(out, tuple) else out))
        with np.errstate(all="ignore"):
            found = of_numpy(*operands, **bound.kwargs)
        return wrap(found) if out is None else out

    function.__name__ = name
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _uploaded(obj: Any, dtype: Any, *, copy: bool) -> Any:
    if isinstance(obj, ndarray):
        values = unwrap(obj)
        wanted = values.dtype if dtype is None else _known(dtype)
        if not copy and wanted == values.dtype:
            return obj
        return wrap(np.array(values, wanted))
    if isinstance(obj, list | tuple) and any(isinstance(each, ndarray) for each in obj):
        obj = [unwrap(each) for each in obj]
    values = np.array(obj, dtype, order="C")
    _known(values.dtype)
    machine.check()
    return wrap(values)


def array(obj: Any, dtype: Any = None, copy: bool = True) -> Any:
    return _uploaded(obj, dtype, copy=bool(copy))


def asarray(a: Any, dtype: Any = None) -> Any:
    return _uploaded(a, dtype, copy=False)


def from_dlpack(array: Any) -> Any:
    if not isinstance(array, ndarray):
        raise BufferError("this array is on no GPU")
    return array


def function_named(name: str) -> Any:
    if name in UFUNCS:
        return _ufunc(name)
    own = {"array": array, "asarray": asarray}
    return own[name] if name in own else _made(name)


functions: dict[str, Any] = {name: function_named(name) for name in (*FUNCTIONS, *UFUNCS)}


def _method(name: str) -> Any:
    signature, own = signature_of(METHODS[name]), vars(ndarray).get(f"_{name}")

    def method(*args: Any, **options: Any) -> Any:
        signature.bind(*args, **options)
        return (own or functions[name])(*args, **options)

    method.__name__ = name
    return method


def _operator(name: str, *, swapped: bool = False) -> Any:
    def operate(self: Any, other: Any) -> Any:
        if not isinstance(other, ndarray | bool | int | float | complex | np.generic | np.ndarray):
            return NotImplemented
        return functions[name](other, self) if swapped else functions[name](self, other)

    return operate


def _in_place(name: str) -> Any:
    def operate(self: Any, other: Any) -> Any:
        return functions[name](self, other, out=self)

    return operate


def _complete() -> None:
    for name in METHODS:
        setattr(ndarray, name, _method(name))
    for short, name in OPERATORS.items():
        setattr(ndarray, f"__{short}__", _operator(name))
        setattr(ndarray, f"__r{short}__", _operator(name, swapped=True))
        setattr(ndarray, f"__i{short}__", _in_place(name))
    for short, name in COMPARISONS.items():
        setattr(ndarray, f"__{short}__", _operator(name))
    ndarray.__module__ = "cupy"


_complete()
