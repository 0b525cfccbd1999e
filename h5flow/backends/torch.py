"""PyTorch, on the host or on a GPU, by way of array-api-compat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from h5flow.backends.nvtx import nvtx_range
from h5flow.backends.packed import PackedBackend
from h5flow.backends.protocol import NodeShare
from h5flow.errors import UsageError

__all__ = ["TorchBackend"]

Array = np.ndarray[Any, Any]

# These exist, and almost no function takes them.
BARE = frozenset({"uint16", "uint32", "uint64"})
FULL = ("DefaultCPUAllocator: can't allocate memory", "CUDA error: out of memory")
INSTALL = "Install it: pip install 'h5flow[torch]'; 'h5flow doctor' says what there is."


class TorchBackend(PackedBackend):
    """Rows as tensors.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"cuda"`` or ``"cuda:1"``. By default a GPU where there is one.
    share : NodeShare
        ``"cuda"`` without a number is device ``rank mod count``.
    """

    def __init__(self, device: str = "", share: NodeShare = NodeShare()) -> None:  # noqa: B008
        try:
            import array_api_compat.torch as namespace
            import torch
        except (ImportError, OSError) as error:
            raise UsageError(f"PyTorch cannot be used: {error}", advice=INSTALL) from error
        self._torch = torch
        asked = device or ("cuda" if torch.cuda.device_count() else "cpu")
        found = _device(torch, asked, share)
        super().__init__(f"torch:{found}", namespace, found)
        self._pinned: Any = None

    def owns(self, array: Any, /) -> bool:
        """Return whether this is a tensor, on this device."""
        return isinstance(array, self._torch.Tensor) and bool(array.device == self._device)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make tensors on the device by default; await its work at the end."""
        with self._torch.device(self._device):
            yield
        self.synchronise()

    def named_range(self, name: str, /) -> AbstractContextManager[Any]:
        """Show what is done inside of ``with`` as an NVTX range, on a GPU."""
        if not self._on_gpu:
            return nullcontext()
        nvtx = self._torch.cuda.nvtx
        return nvtx_range(nvtx.range_push, nvtx.range_pop, name)

    def synchronise(self) -> None:
        """Wait until all work that was handed to the device is done."""
        if self._on_gpu:
            self._torch.cuda.synchronize(self._device)

    def used_bytes(self) -> int | None:
        """Return the GPU's memory in use by this process."""
        return int(self._torch.cuda.memory_allocated(self._device)) if self._on_gpu else None

    def free_bytes(self) -> int | None:
        """Return the GPU's memory that is left."""
        return int(self._torch.cuda.mem_get_info(self._device)[0]) if self._on_gpu else None

    def devices(self) -> list[str]:
        """Return the host, and GPUs by number."""
        return ["cpu", *(f"cuda:{number}" for number in range(self._torch.cuda.device_count()))]

    def device_id(self) -> str | None:
        """Return the GPU's UUID: its number depends on ``CUDA_VISIBLE_DEVICES``."""
        if not self._on_gpu:
            return None
        properties = self._torch.cuda.get_device_properties(self._device)
        # as CuPy has it, for stages of both libraries may share a GPU
        return str(getattr(properties, "uuid", self.name)).replace("-", "")

    def is_out_of_memory(self, error: BaseException, /) -> bool:
        """Return whether PyTorch or Python says that memory is full."""
        # on the host, and for pinned memory, PyTorch has no class of its own for it
        says_so = isinstance(error, RuntimeError) and any(text in str(error) for text in FULL)
        return says_so or isinstance(error, MemoryError | self._torch.OutOfMemoryError)

    @property
    def _on_gpu(self) -> bool:
        return bool(self._device.type == "cuda")

    def _has(self, dtype: str) -> bool:
        return dtype not in BARE and hasattr(self._torch, dtype)

    def _settle(self) -> None:
        # a copy waits for its own stream, and not for others on which a stage may be working
        if self._on_gpu:
            self._torch.cuda.current_stream(self._device).synchronize()

    def _staging(self, size: int) -> Array:
        if not self._on_gpu:
            return np.empty(size, np.uint8)
        if self._pinned is None or len(self._pinned) < size:
            # doubled, so that growing chunks do not ask for memory each time
            room = max(size, 2 * (0 if self._pinned is None else len(self._pinned)))
            self._pinned = self._torch.empty(
                room, dtype=self._torch.uint8, device="cpu", pin_memory=True
            )
        pinned: Array = self._pinned.numpy()[:size]
        return pinned

    def _send(self, staging: Array) -> Any:
        if not self._on_gpu:
            return self._torch.from_numpy(staging)
        sent = self._pinned[: len(staging)].to(self._device, non_blocking=True)
        self._torch.cuda.current_stream(self._device).synchronize()
        return sent

    def _fetch(self, arrays: Sequence[Any]) -> Array:
        parts = [self._as_bytes(each.detach().reshape(-1)) for each in arrays]
        if not parts:
            return np.empty(0, np.uint8)
        joined: Array = self._torch.cat(parts).cpu().numpy()
        return joined

    def _as_bytes(self, values: Any) -> Any:
        values = values.resolve_conj().resolve_neg()
        # of a single value any stride counts as contiguous, and not as bytes
        there = values.is_contiguous() and values.stride(0) == 1
        whole = values if there else values.clone(memory_format=self._torch.contiguous_format)
        return whole.view(self._torch.uint8)

    def _reinterpret(
        self, raw: Any, dtype: np.dtype[Any], stored: np.dtype[Any], *, shared: bool
    ) -> Any:
        # of uint64 only values that int64 has as well come here
        name = "int64" if dtype.name == "uint64" else dtype.name
        # views that lie at odd places are copied, also a single row, which counts as contiguous
        at_odds = not raw.is_contiguous() or raw.storage_offset() % dtype.itemsize
        copied = shared or at_odds
        whole = raw.clone(memory_format=self._torch.contiguous_format) if copied else raw
        values = whole.reshape(-1).view(getattr(self._torch, name))
        return values if stored.name == name else values.to(getattr(self._torch, stored.name))


def _device(torch: Any, asked: str, share: NodeShare) -> Any:
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise UsageError(
            f"PyTorch has no device '{asked}'",
            advice="Write torch:cpu, torch:cuda or torch:cuda:1.",
        ) from error
    if device.type != "cuda":
        return device
    count = torch.cuda.device_count()
    if not count or (device.index or 0) >= count:
        raise UsageError(
            f"PyTorch finds {count} GPUs, and '{asked}' is not among them",
            advice="'h5flow doctor' says what there is; --backend torch:cpu runs on the host.",
        )
    return device if device.index is not None else torch.device("cuda", share.rank % count)
