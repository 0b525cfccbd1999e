"""Arrays of any library by the array API standard: their namespace, device and dtype."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

__all__ = [
    "DeviceNamespace",
    "DeviceRows",
    "array_in",
    "device_of",
    "dtype_of",
    "is_device_array",
    "namespace_of",
]

# What makes arrays out of nothing, or out of what is no array; all take a device.
CREATING = frozenset(
    {"arange", "asarray", "empty", "eye", "from_dlpack", "full", "linspace", "ones", "zeros"}
)


class DeviceNamespace:
    """An array namespace whose arrays are made on one device, unless another is asked for.

    Parameters
    ----------
    namespace : module
        Of the array API standard.
    device : object
        As the library names it.
    """

    def __init__(self, namespace: Any, device: Any) -> None:
        self._namespace = namespace
        self._device = device

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._namespace, name)
        if name not in CREATING:
            return found

        def create(*args: Any, **options: Any) -> Any:
            options.setdefault("device", self._device)
            return self._create(found, args, options)

        create.__name__, create.__doc__ = name, found.__doc__
        # looked up once: loops of stages call it often
        setattr(self, name, create)
        return create

    def _create(self, create: Any, args: Any, options: Any) -> Any:
        """Return an array that the library makes on a device."""
        return create(*args, **options)

    def __dir__(self) -> list[str]:
        return dir(self._namespace)

    def __repr__(self) -> str:
        return f"<{self._namespace.__name__} on {self._device}>"


class DeviceRows(ABC):
    """What stands for rows on a device, and is made of arrays of one library."""

    @property
    @abstractmethod
    def like(self) -> Any:
        """An array of the library, on the rows' device."""


def array_in(value: Any) -> Any:
    """Return an array of a library other than NumPy that a value is made of, None without one."""
    if isinstance(value, DeviceRows):
        return value.like
    return value if is_device_array(value) else None


def is_device_array(value: Any) -> bool:
    """Return whether this is an array of a library other than NumPy."""
    if isinstance(value, np.ndarray | np.generic | int | float | str | bytes | list | tuple | dict):
        return False
    return hasattr(type(value), "__dlpack__") or hasattr(type(value), "__array_namespace__")


def namespace_of(*arrays: Any) -> Any:
    """Return the namespace of arrays of one library, which makes arrays on their device."""
    from array_api_compat import array_namespace

    return DeviceNamespace(array_namespace(*arrays), device_of(arrays[0]))


def device_of(array: Any) -> Any:
    """Return where an array lives, as its library names it."""
    from array_api_compat import device

    return device(array)


def dtype_of(array: Any) -> np.dtype[Any]:
    """Return NumPy's name for the dtype of an array: ``torch.float32`` is ``float32``."""
    if isinstance(array.dtype, np.dtype):
        return array.dtype
    return np.dtype(str(array.dtype).rpartition(".")[2])
