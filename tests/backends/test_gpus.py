"""What GPUs are asked that this machine need not have: which one it is, and whether it is full."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from libraries import make_backend

from h5flow.backends import choose_backend
from h5flow.backends.cupy import CuPyBackend

GPU = UUID("12345678-9abc-def0-1234-56789abcdef0")
PCI = "0000:3B:00.0"


def cupy_on_a_gpu(**properties: Any) -> Any:
    """Return what CuPy's backend looks at, without CuPy."""
    asked = SimpleNamespace(getDeviceProperties=lambda _number: properties)
    memory = SimpleNamespace(OutOfMemoryError=type("OutOfMemoryError", (MemoryError,), {}))
    cupy = SimpleNamespace(cuda=SimpleNamespace(runtime=asked, memory=memory))
    return SimpleNamespace(_cupy=cupy, _device=SimpleNamespace(id=0, pci_bus_id=PCI))


@pytest.fixture
def torch_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    backend: Any = make_backend("torch:cpu")
    monkeypatch.setattr(backend, "_device", SimpleNamespace(type="cuda"))
    monkeypatch.setattr(
        sys.modules["torch"].cuda,
        "get_device_properties",
        lambda _device: SimpleNamespace(uuid=GPU),
    )
    return backend


def test_cupy_and_torch_have_one_name_for_one_gpu(torch_on_a_gpu: Any) -> None:
    assert CuPyBackend.device_id(cupy_on_a_gpu(uuid=GPU.bytes)) == torch_on_a_gpu.device_id()


@pytest.mark.parametrize("properties", [{}, {"uuid": GPU.bytes[:5]}])
def test_where_the_uuid_is_not_known_the_slot_tells_gpus_apart(properties: dict[str, Any]) -> None:
    assert CuPyBackend.device_id(cupy_on_a_gpu(**properties)) == PCI


@pytest.mark.parametrize("name", ["numpy", "torch:cpu", "array-api-strict"])
def test_the_host_is_nobodys_alone(name: str) -> None:
    backend = choose_backend(name) if name == "numpy" else make_backend(name)
    assert backend.device_id() is None


FULL = [
    "cudaErrorMemoryAllocation: out of memory",
    "CUDA_ERROR_OUT_OF_MEMORY: out of memory",
]


@pytest.mark.parametrize("error", [MemoryError(), *(RuntimeError(text) for text in FULL)])
def test_cupy_says_in_several_ways_that_memory_is_full(error: Exception) -> None:
    assert CuPyBackend.is_out_of_memory(cupy_on_a_gpu(), error)


def test_torch_says_in_several_ways_that_memory_is_full() -> None:
    backend = make_backend("torch:cpu")
    torch: Any = sys.modules["torch"]
    with pytest.raises(RuntimeError) as on_the_host:
        torch.zeros(1 << 50)
    pinned = RuntimeError("CUDA error: out of memory")
    for error in (on_the_host.value, pinned, torch.OutOfMemoryError("full"), MemoryError()):
        assert backend.is_out_of_memory(error)


def test_another_error_is_not_about_memory() -> None:
    error = RuntimeError("an illegal memory access was encountered")
    assert not CuPyBackend.is_out_of_memory(cupy_on_a_gpu(), error)
    assert not make_backend("torch:cpu").is_out_of_memory(error)
