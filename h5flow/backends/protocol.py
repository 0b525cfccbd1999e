"""What h5flow asks of an array library."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from h5flow.events import Moved

__all__ = ["Backend", "NodeShare", "Traffic", "Uploaded"]

Uploaded: TypeAlias = Any
"""An array of the library; for structured rows, arrays by field. What the library has no dtype
for stays a `numpy.ndarray`."""


class NodeShare(NamedTuple):
    """Which of the processes on this node this is: they share its devices."""

    rank: int = 0
    size: int = 1


@dataclass
class Traffic:
    """What has moved between host and device so far.

    Attributes
    ----------
    bytes_up, bytes_down : int
        To the device, and back.
    transfers_up, transfers_down : int
        In how many copies.
    seconds_up, seconds_down : float
        How long the host was busy with it: preparing the bytes, and waiting for their copy. What
        the device computes before a copy can begin is not part of it.
    """

    bytes_up: int = 0
    bytes_down: int = 0
    transfers_up: int = 0
    transfers_down: int = 0
    seconds_up: float = 0.0
    seconds_down: float = 0.0

    def up(self, size: int, seconds: float = 0.0) -> None:
        """Count a transfer to the device."""
        self.bytes_up += size
        self.transfers_up += 1
        self.seconds_up += seconds

    def down(self, size: int, seconds: float = 0.0) -> None:
        """Count a transfer to the host."""
        self.bytes_down += size
        self.transfers_down += 1
        self.seconds_down += seconds

    def so_far(self) -> Moved:
        """Return the counts as they are now."""
        return Moved(
            self.bytes_up,
            self.bytes_down,
            self.transfers_up,
            self.transfers_down,
            self.seconds_up,
            self.seconds_down,
        )


class Backend(Protocol):
    """Where a chunk's rows live while stages work on them."""

    name: str
    #: Whether rows stay what they were read as: structured and masked arrays of NumPy.
    is_host: bool
    traffic: Traffic

    @property
    def namespace(self) -> Any:
        """The library's array namespace, which makes arrays on the device: ``self.xp``."""
        ...

    def owns(self, array: Any, /) -> bool:
        """Return whether this is an array of the library, on this device."""
        ...

    def upload(self, parts: Sequence[np.ndarray[Any, Any]], /) -> list[Uploaded]:
        """Return arrays of NumPy as the library's, moved together.

        Structured rows come apart into their fields, each contiguous by itself. Text and objects
        stay as they are.
        """
        ...

    def download(self, arrays: Sequence[Any], /) -> list[np.ndarray[Any, Any]]:
        """Return arrays of the library as NumPy's, moved together."""
        ...

    def current(self) -> AbstractContextManager[Any]:
        """Make the device the one on which the library works; await its work at the end."""
        ...

    def named_range(self, name: str, /) -> AbstractContextManager[Any]:
        """Have what is done inside of ``with`` appear under this name in the device's profiler.

        Does nothing where there is no profiler to tell; never fails.
        """
        ...

    def synchronise(self) -> None:
        """Wait until all work that was handed to the device is done."""
        ...

    def used_bytes(self) -> int | None:
        """Return the device's memory in use, None where that is not known."""
        ...

    def free_bytes(self) -> int | None:
        """Return the device's memory that is left, None where that is not known."""
        ...

    def devices(self) -> list[str]:
        """Return the devices of the library by name."""
        ...

    def device_id(self) -> str | None:
        """Return what tells the device from all others, whatever number a process has for it.

        None where ranks do not share devices, as on the host.
        """
        ...

    def is_out_of_memory(self, error: BaseException, /) -> bool:
        """Return whether an error says that the device's memory is full."""
        ...
