"""A double of CuPy on a machine without a GPU: NumPy inside, as strict as CuPy outside.

It offers what `surface.py` lists, refuses what CuPy refuses (arrays of NumPy, silent copies to the
host, structured dtypes, text, addresses that are not aligned, arrays of another device), and can be
a machine with more GPUs, with little memory, or without a driver. What it cannot show: speed, and
what kernels do.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

from cupy_double import arrays
from cupy_double.machine import (
    NO_DEVICE,
    CUDARuntimeError,
    Device,
    Machine,
    MemoryPool,
    OutOfMemoryError,
    Stream,
    machine,
)
from cupy_double.surface import DTYPES, NAMES

__all__ = ["Machine", "install", "machine", "remove"]


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    for key, value in contents.items():
        setattr(module, key, value)
    return module


def _count() -> int:
    machine.check()
    return machine.count


def _properties(device: int) -> dict[str, Any]:
    machine.check()
    if not 0 <= device < machine.count:
        raise CUDARuntimeError(NO_DEVICE)
    return {"name": b"Double of a GPU", "totalGlobalMem": machine.memory}


def _modules() -> dict[str, ModuleType]:
    runtime = _module(
        "cupy.cuda.runtime",
        CUDARuntimeError=CUDARuntimeError,
        getDevice=lambda: machine.current,
        getDeviceCount=_count,
        getDeviceProperties=_properties,
    )
    pool = MemoryPool()
    device = _module("cupy.cuda.device", Device=Device)
    memory = _module("cupy.cuda.memory", OutOfMemoryError=OutOfMemoryError)
    cuda = _module(
        "cupy.cuda",
        Device=Device,
        MemoryPool=MemoryPool,
        Stream=Stream,
        device=device,
        get_current_stream=Stream,
        memory=memory,
        runtime=runtime,
    )
    linalg, fft = _module("cupy.linalg", lstsq=None), _module("cupy.fft", fft=None)
    shared = {name: getattr(np, name) for name in (*DTYPES, *NAMES)}
    cupy = _module(
        "cupy",
        __version__="14.0.0",
        cuda=cuda,
        fft=fft,
        from_dlpack=arrays.from_dlpack,
        get_default_memory_pool=lambda: pool,
        linalg=linalg,
        ndarray=arrays.ndarray,
        **shared,
        **arrays.functions,
    )
    # the names that Python has as well come by asking for them, as in CuPy
    cupy.__all__ = [  # type: ignore[attr-defined]
        name for name in vars(cupy) if name not in {"abs", "max", "min", "round"} and name[0] != "_"
    ]
    cupyx = _module("cupyx", empty_pinned=machine.pinned)
    return {
        module.__name__: module
        for module in (cupy, cuda, runtime, device, memory, linalg, fft, cupyx)
    }


_ours = _modules()
_before: dict[str, ModuleType] | None = None


def install() -> Machine:
    """Put the double in CuPy's place, and return what it runs on."""
    global _before  # noqa: PLW0603
    machine.reset()
    if _before is None:
        _before = _taken_away()
        sys.modules.update(_ours)
        _forget()
    return machine


def remove() -> None:
    """Put back what was there."""
    global _before  # noqa: PLW0603
    if _before is None:
        return
    _ours.update(_taken_away())
    sys.modules.update(_before)
    _before = None
    _forget()


def _taken_away() -> dict[str, ModuleType]:
    """Take CuPy, and what array-api-compat made of it, out of the modules."""
    import array_api_compat

    names = [
        name
        for name in sys.modules
        if name.partition(".")[0] in {"cupy", "cupyx"}
        or f"{name}.".startswith("array_api_compat.cupy.")
    ]
    vars(array_api_compat).pop("cupy", None)
    return {name: sys.modules.pop(name) for name in names}


def _forget() -> None:
    """Have array-api-compat look anew which class is of which library."""
    import array_api_compat
    from array_api_compat.common import _helpers

    there = sys.modules.get("array_api_compat.cupy")
    if there is not None:
        array_api_compat.cupy = there  # type: ignore[attr-defined]
    for name in ("_issubclass_fast", "_cls_to_namespace"):
        getattr(getattr(_helpers, name, None), "cache_clear", lambda: None)()
