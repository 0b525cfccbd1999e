"""Libraries whose arrays can be seen as bytes: everything moves in one copy.

Rows are copied once, as they are, into memory from which the device takes them, and come apart into
fields there: what the host does costs what copying the bytes costs.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from h5flow.arrays import dtype_of
from h5flow.backends.array_api import ArrayAPIBackend

if TYPE_CHECKING:
    from h5flow.backends.protocol import Uploaded

__all__ = ["PackedBackend"]

Array = np.ndarray[Any, Any]

ALIGNMENT = 64


Placed: TypeAlias = tuple[Array, int]
"""A part of an upload, and where its bytes begin."""


class PackedBackend(ArrayAPIBackend):
    """Rows as arrays of a library that can reinterpret bytes."""

    def upload(self, parts: Sequence[Array], /) -> list[Uploaded]:
        """Return arrays of NumPy as the library's, moved in one copy."""
        parts = [_native(part) for part in parts]
        placed: list[Placed] = []
        size = 0
        for part in parts:
            if _can_travel_as_bytes(part.dtype):
                begin = -(-size // ALIGNMENT) * ALIGNMENT
                placed.append((part, begin))
                size = begin + part.nbytes
        device_bytes = self._move(placed, size) if placed else None
        # arrays that share their bytes would hold those of all others
        shared = len(placed) > 1
        moved = (self._split(device_bytes, *each, shared) for each in placed)
        return [
            next(moved) if _can_travel_as_bytes(part.dtype) else self._upload(part)
            for part in parts
        ]

    def download(self, arrays: Sequence[Any], /) -> list[Array]:
        """Return arrays of the library as NumPy's, moved in one copy."""
        if not arrays:
            return []
        sizes = [math.prod(array.shape) * dtype_of(array).itemsize for array in arrays]
        self._settle()
        start = perf_counter()
        fetched = self._fetch([array for array, size in zip(arrays, sizes, strict=True) if size])
        self.traffic.down(sum(sizes), perf_counter() - start)
        found, begin = [], 0
        for array, size in zip(arrays, sizes, strict=True):
            found.append(fetched[begin : begin + size].view(dtype_of(array)).reshape(array.shape))
            begin += size
        return found

    def _upload(self, part: Array) -> Uploaded:
        """Upload rows with text or objects among their fields: each field by itself."""
        if part.dtype.names is not None:
            return {name: self._upload(part[name]) for name in part.dtype.names}
        if self.stored_dtype(part) is None:
            return part
        return self.upload([np.ascontiguousarray(part)])[0]

    def _move(self, placed: Sequence[Placed], size: int) -> Any:
        """Return the bytes of these parts on the device."""
        begin = perf_counter()
        staging = self._staging(size)
        for rows, start in placed:
            _copy(rows, staging[start : start + rows.nbytes])
        # the device may compute while the host copies, and only then is waited for
        prepared = perf_counter()
        self._settle()
        settled = perf_counter()
        moved = self._send(staging)
        self.traffic.up(size, perf_counter() - settled + prepared - begin)
        return moved

    def _split(self, device_bytes: Any, rows: Array, begin: int, shared: bool) -> Uploaded:
        size = rows.dtype.itemsize
        raw = device_bytes[begin : begin + rows.nbytes].reshape((rows.size, size))
        return self._field(raw, rows, rows.dtype, 0, rows.shape, shared)

    def _field(
        self,
        raw: Any,
        host: Array,
        dtype: np.dtype[Any],
        offset: int,
        shape: tuple[int, ...],
        shared: bool,
    ) -> Uploaded:
        """Return what stands at `offset` in the bytes of rows, shape (rows, bytes of a row)."""
        if dtype.names is not None:
            fields: Mapping[str, Any] = dtype.fields or {}
            found = {}
            for name in dtype.names:
                own, begin, part = fields[name][0], offset + fields[name][1], host[name]
                found[name] = self._field(raw, part, own, begin, part.shape, shared)
            return found
        stored = self.stored_dtype(host)
        if stored is None:
            return host
        column = raw[:, offset : offset + dtype.itemsize]
        return self._reinterpret(column, host.dtype, stored, shared=shared).reshape(shape)

    @abstractmethod
    def _staging(self, size: int) -> Array:
        """Return `size` bytes of the host's memory from which the device can take them."""

    @abstractmethod
    def _send(self, staging: Array) -> Any:
        """Return these bytes on the device, when the host's memory may be used again."""

    @abstractmethod
    def _fetch(self, arrays: Sequence[Any]) -> Array:
        """Return the bytes of arrays, one after the other, on the host."""

    @abstractmethod
    def _reinterpret(
        self, raw: Any, dtype: np.dtype[Any], stored: np.dtype[Any], *, shared: bool
    ) -> Any:
        """Return bytes, shape (n, m), as contiguous values of `dtype`, widened to `stored`.

        Bytes that are shared are copied.
        """


def _native(part: Array) -> Array:
    """Return rows in the machine's byte order."""
    return part if part.dtype.isnative else part.astype(part.dtype.newbyteorder("="))


@lru_cache(maxsize=256)
def _can_travel_as_bytes(dtype: np.dtype[Any]) -> bool:
    """Return whether rows of this dtype are nothing but numbers and text."""
    if dtype.names is not None:
        return all(_can_travel_as_bytes(dtype[name]) for name in dtype.names)
    if dtype.subdtype is not None:
        return _can_travel_as_bytes(dtype.subdtype[0])
    return dtype.kind in "biufcSU"


def _copy(rows: Array, target: Array) -> None:
    """Copy rows to bytes, in one go also where they are not contiguous."""
    if not rows.flags.c_contiguous:
        np.copyto(target.view(rows.dtype).reshape(rows.shape), rows)
    elif rows.nbytes:
        np.copyto(target, rows.reshape(-1).view(np.uint8))
