"""What h5flow, its stages and array-api-compat use of CuPy: the double offers this and no more.

Signatures are CuPy's, shortened to the arguments that are used: `test_cupy_surface.py` compares
them with the installed CuPy, and the double refuses what they do not take.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

__all__ = [
    "CUDA",
    "DTYPES",
    "FUNCTIONS",
    "LOOKED_UP",
    "METHODS",
    "NAMES",
    "PROPERTIES",
    "UFUNCS",
    "signature_of",
]


def _names(text: str) -> list[str]:
    return text.split()


#: Functions on arrays, by name.
FUNCTIONS = {
    "all": "(a, axis=None, out=None, keepdims=False)",
    "any": "(a, axis=None, out=None, keepdims=False)",
    "arange": "(start, stop=None, step=1, dtype=None)",
    "argmax": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "argmin": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "argsort": "(a, axis=-1, kind=None)",
    "array": "(obj, dtype=None, copy=True)",
    "asarray": "(a, dtype=None)",
    "ascontiguousarray": "(a, dtype=None)",
    "broadcast_arrays": "(*args)",
    "broadcast_shapes": "(*args)",
    "broadcast_to": "(array, shape)",
    "concatenate": "(tup, axis=0)",
    "count_nonzero": "(a, axis=None)",
    "cumsum": "(a, axis=None, dtype=None)",
    "empty": "(shape, dtype=float)",
    "empty_like": "(prototype, dtype=None)",
    "expand_dims": "(a, axis)",
    "finfo": "(dtype)",
    "flip": "(a, axis=None)",
    "full": "(shape, fill_value, dtype=None)",
    "full_like": "(a, fill_value, dtype=None)",
    "iinfo": "(int_type)",
    "isdtype": "(dtype, kind)",
    "issubdtype": "(arg1, arg2)",
    "linspace": "(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)",
    "max": "(a, axis=None, out=None, keepdims=False)",
    "mean": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "min": "(a, axis=None, out=None, keepdims=False)",
    "nonzero": "(a)",
    "ones": "(shape, dtype=float)",
    "ones_like": "(a, dtype=None)",
    "prod": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "repeat": "(a, repeats, axis=None)",
    "reshape": "(a, newshape)",
    "result_type": "(*arrays_and_dtypes)",
    "round": "(a, decimals=0)",
    "searchsorted": "(a, v, side='left', sorter=None)",
    "sort": "(a, axis=-1, kind=None)",
    "squeeze": "(a, axis=None)",
    "stack": "(tup, axis=0)",
    "std": "(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)",
    "sum": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "swapaxes": "(a, axis1, axis2)",
    "take": "(a, indices, axis=None)",
    "tile": "(A, reps)",
    "transpose": "(a, axes=None)",
    "unique": "(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, "
    "equal_nan=True)",
    "var": "(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)",
    "where": "(condition, x=None, y=None)",
    "zeros": "(shape, dtype=float)",
    "zeros_like": "(a, dtype=None)",
}

ONE, TWO = "(x, /, out=None, *, dtype=None)", "(x1, x2, /, out=None, *, dtype=None)"

#: Functions element by element, by name.
UFUNCS = {
    **dict.fromkeys(
        _names(
            "absolute arccos arccosh arcsin arcsinh arctan arctanh ceil cos cosh exp expm1 floor "
            "invert isfinite isinf isnan log log10 log1p log2 logical_not negative positive rint "
            "sign sin sinh sqrt square tan tanh trunc"
        ),
        ONE,
    ),
    **dict.fromkeys(
        _names(
            "add arctan2 bitwise_and bitwise_or bitwise_xor divide equal floor_divide greater "
            "greater_equal hypot left_shift less less_equal logical_and logical_or logical_xor "
            "maximum minimum multiply not_equal power remainder right_shift subtract true_divide"
        ),
        TWO,
    ),
}
UFUNCS["abs"] = ONE

#: Methods of arrays.
METHODS = {
    "all": "(self, axis=None, out=None, keepdims=False)",
    "any": "(self, axis=None, out=None, keepdims=False)",
    "astype": "(self, dtype, order='K', casting=None, subok=None, copy=True)",
    "copy": "(self, order='C')",
    "fill": "(self, value)",
    "get": "(self, stream=None, order='C', out=None)",
    "item": "(self)",
    "max": "(self, axis=None, out=None, keepdims=False)",
    "mean": "(self, axis=None, dtype=None, out=None, keepdims=False)",
    "min": "(self, axis=None, out=None, keepdims=False)",
    "ravel": "(self, order='C')",
    "reshape": "(self, *shape, order='C')",
    "set": "(self, arr, stream=None)",
    "sum": "(self, axis=None, dtype=None, out=None, keepdims=False)",
    "take": "(self, indices, axis=None)",
    "tolist": "(self)",
    "view": "(self, dtype=None)",
}

#: Attributes of arrays.
PROPERTIES = (
    "T",
    "data",
    "device",
    "dtype",
    "flags",
    "itemsize",
    "nbytes",
    "ndim",
    "shape",
    "size",
)

DTYPES = _names(
    "bool_ int8 int16 int32 int64 intp uint8 uint16 uint32 uint64 float16 float32 float64 "
    "complex64 complex128"
)

#: What NumPy and CuPy share.
NAMES = _names(
    "complexfloating dtype e floating generic inf integer nan newaxis number pi "
    "signedinteger unsignedinteger"
)

#: Below the module: what `backends/cupy.py`, `backends/devices.py` and array-api-compat use.
CUDA = {
    "cuda.Device": "(device=None)",
    "cuda.Device.id": "",
    "cuda.Device.mem_info": "",
    "cuda.Device.pci_bus_id": "",
    "cuda.Device.synchronize": "(self)",
    "cuda.MemoryPool.free_all_blocks": "(self, stream=None)",
    "cuda.MemoryPool.free_bytes": "(self)",
    "cuda.MemoryPool.used_bytes": "(self)",
    "cuda.Stream": "(null=False, non_blocking=False)",
    "cuda.Stream.synchronize": "(self)",
    "cuda.get_current_stream": "()",
    "cuda.memory.OutOfMemoryError": "(size, total, limit=0)",
    "cuda.runtime.CUDARuntimeError": "(status)",
    "cuda.runtime.getDevice": "()",
    "cuda.runtime.getDeviceCount": "()",
    "cuda.runtime.getDeviceProperties": "(device)",
    "get_default_memory_pool": "()",
}

#: What array-api-compat looks up while it is imported.
LOOKED_UP = ("linalg.lstsq", "fft.fft", "cuda.device.Device", "ndarray")


def signature_of(text: str) -> inspect.Signature:
    """Return a signature that is given as text."""
    namespace: dict[str, Callable[..., None]] = {}
    exec(f"def function{text}: pass", namespace)
    return inspect.signature(namespace["function"])
