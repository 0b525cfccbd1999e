"""Any library that follows the array API standard; what others build on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import Any

import numpy as np

from h5flow.arrays import DeviceNamespace
from h5flow.backends.protocol import NodeShare, Traffic, Uploaded
from h5flow.errors import UsageError

__all__ = ["ArrayAPIBackend", "StrictBackend"]

Array = np.ndarray[Any, Any]

# What a library without a dtype takes in its place: every value is kept.
WIDER = {"float16": "float32", "uint16": "int32", "uint32": "int64", "uint64": "int64"}


class ArrayAPIBackend:
    """Rows as arrays of a library that follows the standard, moved field by field.

    Parameters
    ----------
    name : str
    namespace : module
        Of the array API standard.
    device : object
        As the library names it.
    """

    is_host = False

    def __init__(self, name: str, namespace: Any, device: Any) -> None:
        self.name = name
        self.traffic = Traffic()
        self._library = namespace
        self._device = device
        self._namespace = DeviceNamespace(namespace, device)

    @property
    def namespace(self) -> Any:
        """The library, which makes arrays on this backend's device."""
        return self._namespace

    def owns(self, array: Any, /) -> bool:
        """Return whether this is an array of the library."""
        given = getattr(array, "__array_namespace__", None)
        return given is not None and given() is self._library

    def upload(self, parts: Sequence[Array], /) -> list[Uploaded]:
        """Return arrays of NumPy as the library's; rows come apart into their fields."""
        return [self._upload(part) for part in parts]

    def download(self, arrays: Sequence[Any], /) -> list[Array]:
        """Return arrays of the library as NumPy's."""
        found = []
        self._settle()
        for array in arrays:
            begin = perf_counter()
            fetched = self._to_host(array)
            self.traffic.down(fetched.nbytes, perf_counter() - begin)
            found.append(fetched)
        return found

    @contextmanager
    def current(self) -> Iterator[None]:
        """Do nothing: arrays say where they live."""
        yield
        self.synchronise()

    def named_range(self, name: str, /) -> AbstractContextManager[Any]:
        """Do nothing: there is no profiler to tell."""
        return nullcontext()

    def synchronise(self) -> None:
        """Return at once: the standard knows of no work that goes on."""

    def used_bytes(self) -> int | None:
        """Return None: the standard has no such question."""
        return None

    def free_bytes(self) -> int | None:
        """Return None: the standard has no such question."""
        return None

    def devices(self) -> list[str]:
        """Return the devices of the library by name."""
        return [str(device) for device in self._library.__array_namespace_info__().devices()]

    def device_id(self) -> str | None:
        """Return None: ranks have their own."""
        return None

    def is_out_of_memory(self, error: BaseException, /) -> bool:
        """Return whether this is Python's own error."""
        return isinstance(error, MemoryError)

    def stored_dtype(self, values: Array, /) -> np.dtype[Any] | None:
        """Return the dtype that values have in the library, None where it has none for them."""
        name = values.dtype.name
        if values.dtype.kind not in "biufc":
            return None
        if self._has(name):
            native: np.dtype[Any] = values.dtype.newbyteorder("=")
            return native
        wider = WIDER.get(name)
        if wider is None or (name == "uint64" and values.max(initial=0) > np.iinfo("i8").max):
            return None
        return np.dtype(wider)

    def _has(self, dtype: str) -> bool:
        return hasattr(self._library, dtype)

    def _upload(self, part: Array) -> Uploaded:
        if part.dtype.names is not None:
            return {name: self._upload(part[name]) for name in part.dtype.names}
        dtype = self.stored_dtype(part)
        if dtype is None:
            return part
        # a copy of its own: what was read may be kept, and changed, by others
        begin = perf_counter()
        values = np.array(part, dtype, order="C")
        moved = self._from_host(values)
        self.traffic.up(values.nbytes, perf_counter() - begin)
        return moved

    def _settle(self) -> None:
        """Wait for what a copy would wait for anyway, so that its time is not counted as moving."""
        self.synchronise()

    def _from_host(self, values: Array) -> Any:
        return self._library.asarray(values, device=self._device)

    def _to_host(self, array: Any) -> Array:
        # a copy: a stage may go on to change its array
        return np.array(np.from_dlpack(array))


class StrictBackend(ArrayAPIBackend):
    """array-api-strict on a device that is not the host: silent copies are errors.

    Parameters
    ----------
    device : str
        ``device1`` by default.
    share : NodeShare
        Not looked at.
    """

    def __init__(self, device: str = "", share: NodeShare = NodeShare()) -> None:  # noqa: B008
        try:
            import array_api_strict
        except ImportError as error:
            raise UsageError(
                f"the backend array-api-strict is not installed: {error}",
                advice="Install it: pip install array-api-strict.",
            ) from error
        names = [str(each) for each in array_api_strict.__array_namespace_info__().devices()]
        try:
            found = array_api_strict.Device(device or "device1")
        except ValueError as error:
            raise UsageError(
                f"array-api-strict has no device '{device}'", advice=f"It has {', '.join(names)}."
            ) from error
        name = f"array-api-strict:{device}" if device else "array-api-strict"
        super().__init__(name, array_api_strict, found)

    @classmethod
    def of(cls, device: Any) -> StrictBackend:
        """Return the backend of a device of the library."""
        return cls(str(device).split("'")[1])

    def _to_host(self, array: Any) -> Array:
        host = self._library.Device("CPU_DEVICE")
        return np.array(array.to_device(host))
