"""CuPy: rows on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from h5flow.arrays import DeviceNamespace
from h5flow.backends.nvtx import nvtx_range
from h5flow.backends.packed import PackedBackend
from h5flow.backends.protocol import NodeShare
from h5flow.errors import UsageError

__all__ = ["CuPyBackend"]

Array = np.ndarray[Any, Any]

FULL = ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY")
INSTALL = (
    "Install it: pip install 'h5flow[cuda12]' or 'h5flow[cuda13]'; 'h5flow doctor' says what there "
    "is."
)


class _Namespace(DeviceNamespace):
    """CuPy, which makes arrays on the current GPU, whatever device it is told."""

    def _create(self, create: Any, args: Any, options: Any) -> Any:
        with options["device"]:
            return super()._create(create, args, options)


class CuPyBackend(PackedBackend):
    """Rows as CuPy's arrays.

    Parameters
    ----------
    device : str
        A number; by default ``rank mod count``, of those in ``CUDA_VISIBLE_DEVICES``.
    share : NodeShare
    """

    def __init__(self, device: str = "", share: NodeShare = NodeShare()) -> None:  # noqa: B008
        try:
            import array_api_compat.cupy as namespace
            import cupy
            import cupyx
        except (ImportError, OSError) as error:
            raise UsageError(f"CuPy cannot be used: {error}", advice=INSTALL) from error
        self._cupy, self._cupyx = cupy, cupyx
        number = _number(cupy, device, share)
        super().__init__(f"cupy:{number}", namespace, cupy.cuda.Device(number))
        self._namespace = _Namespace(namespace, self._device)
        self._pinned: Array | None = None

    def owns(self, array: Any, /) -> bool:
        """Return whether this is an array of CuPy, on this GPU."""
        return isinstance(array, self._cupy.ndarray) and bool(array.device == self._device)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the GPU the current one; await its work at the end."""
        with self._device:
            yield
            self.synchronise()

    def named_range(self, name: str, /) -> AbstractContextManager[Any]:
        """Show what is done inside of ``with`` as an NVTX range."""
        # where CuPy was built without it, the module is there and empty
        nvtx = getattr(self._cupy.cuda, "nvtx", None)
        return nvtx_range(getattr(nvtx, "RangePush", None), getattr(nvtx, "RangePop", None), name)

    def synchronise(self) -> None:
        """Wait until all work of the current stream is done."""
        self._cupy.cuda.get_current_stream().synchronize()

    def used_bytes(self) -> int | None:
        """Return the GPU's memory in use by this process."""
        with self._device:
            return int(self._cupy.get_default_memory_pool().used_bytes())

    def free_bytes(self) -> int | None:
        """Return the GPU's memory that is left, with what the pool holds in reserve."""
        with self._device:
            free = int(self._device.mem_info[0])
            return free + int(self._cupy.get_default_memory_pool().free_bytes())

    def devices(self) -> list[str]:
        """Return the GPUs by number."""
        return [str(number) for number in range(_count(self._cupy))]

    def device_id(self) -> str | None:
        """Return the GPU's UUID: its number depends on ``CUDA_VISIBLE_DEVICES``."""
        uuid = self._cupy.cuda.runtime.getDeviceProperties(self._device.id).get("uuid", b"")
        # CuPy may cut it off at a zero
        return uuid.hex() if len(uuid) == 16 else str(self._device.pci_bus_id)

    def is_out_of_memory(self, error: BaseException, /) -> bool:
        """Return whether CuPy or Python says that memory is full."""
        kind = self._cupy.cuda.memory.OutOfMemoryError
        # pinned memory, and what a kernel needs for itself, do not come from CuPy's pool
        says_so = isinstance(error, RuntimeError) and any(text in str(error) for text in FULL)
        return says_so or isinstance(error, MemoryError | kind)

    def _staging(self, size: int) -> Array:
        if self._pinned is None or len(self._pinned) < size:
            # doubled, so that growing chunks do not ask for memory each time
            room = max(size, 2 * (0 if self._pinned is None else len(self._pinned)))
            self._pinned = self._cupyx.empty_pinned((room,), np.uint8)
        assert self._pinned is not None
        return self._pinned[:size]

    def _send(self, staging: Array) -> Any:
        with self._device:
            sent = self._cupy.empty((len(staging),), self._cupy.uint8)
            sent.set(staging)
            self.synchronise()
        return sent

    def _fetch(self, arrays: Sequence[Any]) -> Array:
        if not arrays:
            return np.empty(0, np.uint8)
        with self._device:
            parts = [
                self._cupy.ascontiguousarray(each).reshape(-1).view(self._cupy.uint8)
                for each in arrays
            ]
            joined = parts[0] if len(parts) == 1 else self._cupy.concatenate(parts)
            fetched: Array = joined.get()
        return fetched

    def _reinterpret(
        self, raw: Any, dtype: np.dtype[Any], stored: np.dtype[Any], *, shared: bool
    ) -> Any:
        with self._device:
            # kernels stop at addresses that are not aligned; a single row counts as contiguous
            at_odds = not raw.flags.c_contiguous or raw.data.ptr % dtype.itemsize
            whole = raw.copy() if shared or at_odds else raw
            values = whole.reshape(-1).view(dtype)
            return values if stored == dtype else values.astype(stored)


def _count(cupy: Any) -> int:
    try:
        return int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError:
        return 0


def _number(cupy: Any, asked: str, share: NodeShare) -> int:
    count = _count(cupy)
    if not count:
        raise UsageError(
            "CuPy finds no GPU",
            advice="'h5flow doctor' says what there is; --backend numpy runs on the host.",
        )
    if not asked:
        return share.rank % count
    if not asked.isdecimal() or int(asked) >= count:
        raise UsageError(
            f"CuPy has no device '{asked}'", advice=f"There are 0 to {count - 1}: --backend cupy:0."
        )
    return int(asked)
