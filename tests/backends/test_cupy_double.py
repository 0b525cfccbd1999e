"""The double of CuPy refuses what CuPy refuses: a stage that runs on it reads no host memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cupy_double
import numpy as np
import pytest

from h5flow.arrays import namespace_of


@pytest.fixture
def cupy(gpus: cupy_double.Machine) -> Any:
    return sys.modules["cupy"]


REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "np.asarray": lambda cupy, x: np.asarray(x),
    "np.array": lambda cupy, x: np.array(x),
    "np.from_dlpack": lambda cupy, x: np.from_dlpack(x),
    "array plus NumPy's": lambda cupy, x: x + np.ones(3),
    "NumPy's plus array": lambda cupy, x: np.ones(3) + x,
    "comparison with NumPy's": lambda cupy, x: x == np.ones(3),
    "NumPy's ufunc of both": lambda cupy, x: np.add(x, np.ones(3)),
    "NumPy's 0-d array": lambda cupy, x: x * np.asarray(2.0),
    "in place": lambda cupy, x: x.__iadd__(np.ones(3)),
    "function of NumPy's": lambda cupy, x: cupy.sum(np.ones(3)),
    "function of both": lambda cupy, x: cupy.where(x > 0, x, np.ones(3)),
    "concatenate of both": lambda cupy, x: cupy.concatenate([x, np.ones(3)]),
    "searchsorted in NumPy's": lambda cupy, x: cupy.searchsorted(np.ones(3), x),
    "searchsorted of NumPy's": lambda cupy, x: cupy.searchsorted(x, np.ones(3)),
    "take by NumPy's": lambda cupy, x: cupy.take(x, np.array([0])),
    "selection by NumPy's": lambda cupy, x: x[np.array([0])],
    "writing NumPy's": lambda cupy, x: x.__setitem__(slice(0, 1), np.ones(1)),
    "writing a list": lambda cupy, x: x.__setitem__(slice(0, 1), [1.0]),
    "sum of a list": lambda cupy, x: cupy.sum([1.0]),
    "structured rows": lambda cupy, x: cupy.asarray(np.zeros(2, [("a", "i4")])),
    "text": lambda cupy, x: cupy.asarray(np.array(["a"])),
    "objects": lambda cupy, x: cupy.asarray(np.array([None])),
    "another byte order": lambda cupy, x: cupy.asarray(np.zeros(2, ">i4")),
    "a structured view": lambda cupy, x: x.view([("a", "f8")]),
    "a view at an odd address": lambda cupy, x: x.view("u1")[1:17].view("f8"),
    "setting another dtype": lambda cupy, x: x.set(np.ones(3, "f4")),
    "setting another shape": lambda cupy, x: x.set(np.ones(2)),
    "an integer beyond the end": lambda cupy, x: cupy.take(x, cupy.asarray([3])),
    "an argument that CuPy has not": lambda cupy, x: cupy.sum(x, where=x > 0),
    "a function that is not listed": lambda cupy, x: cupy.polynomial,
    "a method that is not listed": lambda cupy, x: x.setflags(),
    "a hash": lambda cupy, x: hash(x),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cupy_refuses(cupy: Any, what: str) -> None:
    x = cupy.asarray([1.0, 2.0, 3.0])
    with pytest.raises(
        (TypeError, ValueError, IndexError, AttributeError, BufferError, RuntimeError)
    ):
        REFUSED[what](cupy, x)


def test_results_stay_on_the_device(cupy: Any) -> None:
    x = cupy.asarray([1.0, 2.0, 3.0])
    for found in (x + 1, 2 * x, np.float64(2) * x, x.sum(), x[0], x[x > 1], np.sqrt(x), -x):
        assert type(found) is cupy.ndarray
    assert x.get().tolist() == [1.0, 2.0, 3.0]
    assert float(x.sum()) == x.sum().item() == 6.0


def test_array_api_compat_takes_it_for_cupy(cupy: Any) -> None:
    xp = namespace_of(cupy.asarray([1]))
    assert repr(xp) == "<array_api_compat.cupy on <CUDA Device 0>>"
    assert xp.concat([xp.asarray([1]), xp.arange(2)]).get().tolist() == [1, 0, 1]
    assert xp.clip(xp.arange(5), 1, 3).get().tolist() == [1, 1, 2, 3, 3]


def test_arrays_of_another_device_are_refused(cupy: Any, gpus: cupy_double.Machine) -> None:
    gpus.count = 2
    with cupy.cuda.Device(1):
        x = cupy.asarray([1.0])
        assert x.device.id == 1
        assert float(x + 1) == 2
    with pytest.raises(ValueError, match="current device"):
        x + 1


def test_memory_is_counted_while_it_is_held(cupy: Any, gpus: cupy_double.Machine) -> None:
    pool = cupy.get_default_memory_pool()
    x = cupy.zeros((1000,))
    y = x[10:].view("i8")
    assert pool.used_bytes() == 8000
    del x
    assert pool.used_bytes() == 8000
    del y
    assert pool.used_bytes() == 0
    gpus.memory = 100
    with pytest.raises(MemoryError):
        cupy.zeros((1000,))


def test_pinned_memory_may_not_be_used_again_before_it_is_read(
    cupy: Any, gpus: cupy_double.Machine
) -> None:
    staging = sys.modules["cupyx"].empty_pinned((3,), np.float64)
    early, late = cupy.empty((3,)), cupy.empty((3,))
    staging[:] = 1
    early.set(staging)
    cupy.cuda.get_current_stream().synchronize()
    staging[:] = 2
    late.set(staging)
    staging[:] = 3
    assert (early.get()[0], late.get()[0]) == (1, 3)


def test_without_a_driver_nothing_can_be_allocated(cupy: Any, gpus: cupy_double.Machine) -> None:
    gpus.has_driver = False
    for call in (cupy.cuda.runtime.getDeviceCount, lambda: cupy.zeros(3), lambda: cupy.array([1])):
        with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="InsufficientDriver"):
            call()


def test_it_goes_as_it_came() -> None:
    import array_api_compat

    def there() -> dict[str, Any]:
        names = ("cupy", "cupyx", "cupy.cuda", "array_api_compat.cupy")
        return {name: sys.modules.get(name) for name in names}

    before = there()
    cupy_double.install()
    import array_api_compat.cupy

    assert array_api_compat.cupy.ndarray is sys.modules["cupy"].ndarray
    cupy_double.remove()
    assert there() == before
