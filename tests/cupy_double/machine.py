"""GPUs that are none: how many there are, what their memory holds, what waits on their streams."""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "CUDARuntimeError",
    "Device",
    "Machine",
    "MemoryPool",
    "OutOfMemoryError",
    "Stream",
    "machine",
]

NO_DRIVER, NO_DEVICE, MISALIGNED = 35, 101, 716
MESSAGES = {
    NO_DRIVER: "cudaErrorInsufficientDriver: CUDA driver version is insufficient",
    NO_DEVICE: "cudaErrorInvalidDevice: invalid device ordinal",
    MISALIGNED: "cudaErrorMisalignedAddress: misaligned address",
}


class CUDARuntimeError(RuntimeError):
    def __init__(self, status: int) -> None:
        super().__init__(MESSAGES[status])
        self.status = status


class OutOfMemoryError(MemoryError):
    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,})")


class Machine:
    """What the tests set and look at."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Be a machine with one GPU again."""
        self.count = 1
        self.has_driver = True
        self.memory = 2**33
        self.current = 0
        self.synchronised = 0
        self.pinned_allocations = 0
        self.used: dict[int, int] = defaultdict(int)
        self._blocks: dict[int, Any] = {}
        self._pinned: list[np.ndarray[Any, Any]] = []
        self._pending: list[Callable[[], None]] = []

    def check(self) -> None:
        """Refuse whatever needs a driver."""
        if not self.has_driver:
            raise CUDARuntimeError(NO_DRIVER)

    def allocate(self, values: np.ndarray[Any, Any], device: int) -> None:
        """Count memory that is new, for as long as it is held."""
        owner = values
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        key, size = id(owner), owner.nbytes
        if key in self._blocks or not size:
            return
        self.check()
        if self.used[device] + size > self.memory:
            raise OutOfMemoryError(size, self.used[device], self.memory)
        self.used[device] += size

        def free(_: Any, blocks: Any = self._blocks, used: Any = self.used) -> None:
            del blocks[key]
            used[device] -= size

        self._blocks[key] = weakref.ref(owner, free)

    def pinned(self, shape: Any, dtype: Any = float) -> np.ndarray[Any, Any]:
        """Return memory of the host that copies read while the program goes on."""
        self.check()
        self.pinned_allocations += 1
        memory = np.empty(shape, dtype)
        self._pinned.append(memory)
        return memory

    def is_pinned(self, values: np.ndarray[Any, Any]) -> bool:
        return any(values is each or values.base is each for each in self._pinned)

    def later(self, work: Callable[[], None]) -> None:
        """Do something when somebody waits for it: what is copied is what is there by then."""
        self._pending.append(work)

    def settle(self) -> None:
        """Do what waits."""
        while self._pending:
            self._pending.pop(0)()


machine = Machine()


class Device:
    """A GPU, which is the current one inside of ``with``."""

    id = 0

    def __init__(self, device: Any = None) -> None:
        self.id = machine.current if device is None else int(device)
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        machine.check()
        if not 0 <= self.id < machine.count:
            raise CUDARuntimeError(NO_DEVICE)
        self._before.append(machine.current)
        machine.current = self.id
        return self

    def __exit__(self, *_: object) -> None:
        machine.current = self._before.pop()

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    @property
    def pci_bus_id(self) -> str:
        return f"0000:{self.id:02X}:00.0"

    @property
    def mem_info(self) -> tuple[int, int]:
        machine.check()
        return machine.memory - machine.used[self.id], machine.memory

    def synchronize(self) -> None:
        Stream().synchronize()


class Stream:
    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        pass

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def synchronize(self) -> None:
        machine.check()
        machine.synchronised += 1
        machine.settle()


class MemoryPool:
    def used_bytes(self) -> int:
        return machine.used[machine.current]

    def free_bytes(self) -> int:
        return 0

    def free_all_blocks(self, stream: Any = None) -> None:
        pass
