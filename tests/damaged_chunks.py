"""Damaged chunks unpacked in a process of its own: ``python damaged_chunks.py FILTER COUNT SEED``.

Memory that may not be touched lies before and after what is unpacked, and the room for it; and of
all memory there is hardly more than that takes. So a library that trusts a damaged chunk ends the
process. Prints how many of the chunks were refused.
"""

from __future__ import annotations

import ctypes
import mmap
import random
import resource
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from h5flow.io.packing.known import packer
from h5flow.io.packing.protocol import Bytes, DamagedChunk, Filter, Packing

BLOSC = {"blosclz": 0, "lz4": 1, "lz4hc": 2, "zlib": 4, "zstd": 5}
# Number and values of each filter, by the bytes of its elements.
FILTERS: dict[str, Callable[[int], tuple[int, tuple[int, ...]]]] = {
    "bzip2": lambda _: (307, (9,)),
    "lzf": lambda _: (32000, ()),
    **{
        f"blosc {name}": lambda size, code=code: (32001, (2, 2, size, 0, 5, size % 3, code))
        for name, code in BLOSC.items()
    },
    "lz4": lambda _: (32004, ()),
    "lz4 blocks": lambda _: (32004, (1024,)),
    "bitshuffle": lambda size: (32008, (0, 4, size, 0, 0)),
    "bitshuffle lz4": lambda size: (32008, (0, 4, size, 128, 2)),
    "zstd": lambda _: (32015, (3,)),
}
LIES = (0, 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63)
MOST_BYTES, HEADER_BYTES = 2**18, 24
# Beside what there is when the first chunk was unpacked.
MORE_MEMORY = 2**26


class Guarded:
    """Memory between pages that nobody may touch."""

    def __init__(self) -> None:
        self._pages = mmap.mmap(-1, MOST_BYTES + 2 * mmap.PAGESIZE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._pages))
        for guard in (address, address + mmap.PAGESIZE + MOST_BYTES):
            failed = ctypes.CDLL(None).mprotect(ctypes.c_void_p(guard), mmap.PAGESIZE, 0)
            assert not failed
        everything = np.frombuffer(self._pages, np.uint8)
        self._inside = everything[mmap.PAGESIZE : mmap.PAGESIZE + MOST_BYTES]

    def start(self, size: int) -> Bytes:
        """Return memory that begins after a guard."""
        return self._inside[:size]

    def end(self, size: int) -> Bytes:
        """Return memory that ends before a guard."""
        return self._inside[len(self._inside) - size :]


def plain(choice: random.Random, element_bytes: int) -> Bytes:
    """Return the bytes of some elements: steps, noise, zeros, or short numbers."""
    numbers = np.random.default_rng(choice.randrange(2**32))
    size = choice.choice([1, 7, 300, 2503, 6007]) * element_bytes
    count = size // 8 + 1
    rows: np.ndarray[Any, Any] = choice.choice(
        [
            np.cumsum(numbers.integers(-2, 3, count)),
            numbers.integers(0, 2**63, count),
            np.zeros(count, "i8"),
            (numbers.normal(size=count) * 20).round(2),
        ]
    )
    return rows.view(np.uint8)[:size]


def damaged(choice: random.Random, whole: Bytes) -> bytes:
    """Return a packed chunk with bits flipped, cut off, with a header that lies, or of noise."""
    chunk = bytearray(whole.tobytes())
    kind = choice.choice(["bits", "bits", "cut", "lie", "run", "header", "noise"])
    if kind == "bits":
        for _ in range(choice.choice([1, 1, 2, 8])):
            chunk[choice.randrange(len(chunk))] ^= 1 << choice.randrange(8)
    elif kind == "cut":
        del chunk[choice.randrange(len(chunk)) :]
    elif kind == "lie":
        width, at = choice.choice([4, 8]), choice.randrange(HEADER_BYTES)
        lie = choice.choice([*LIES, choice.getrandbits(64)]) % 256**width
        chunk[at : at + width] = lie.to_bytes(width, choice.choice(["big", "little"]))
    elif kind == "run":
        at = choice.randrange(len(chunk))
        chunk[at : at + choice.randrange(64)] = bytes([choice.randrange(256)]) * choice.randrange(
            64
        )
    elif kind == "header":
        for _ in range(choice.randrange(1, 5)):
            chunk[choice.randrange(min(HEADER_BYTES, len(chunk)))] = choice.randrange(256)
    else:
        chunk = bytearray(choice.randbytes(choice.randrange(400)))
    return bytes(chunk)


def limit_memory() -> None:
    """Let the process have hardly more memory than it has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used + MORE_MEMORY, used + MORE_MEMORY))


def main(name: str, count: int, seed: int) -> None:
    choice, packed, room = random.Random(seed), Guarded(), Guarded()
    refused, step = 0, None
    for number in range(count):
        if number % 20 == 0:
            element_bytes = choice.choice([1, 2, 8, 36])
            rows = plain(choice, element_bytes)
            code, values = FILTERS[name](element_bytes)
            step = packer(code, Packing(values, len(rows)))
            whole = encoded(step, rows, room)
        chunk = damaged(choice, whole)
        data = packed.end(len(chunk))
        data[:] = np.frombuffer(chunk, np.uint8)
        out = choice.choice([room.start, room.end])(len(rows))
        if number == 0:
            limit_memory()
        try:
            step.decode(data, out)
        except DamagedChunk:
            refused += 1
    print(refused)


def encoded(step: Filter | None, rows: Bytes, room: Guarded) -> Bytes:
    """Return packed rows, from memory with a guard, after a look that they can be unpacked."""
    assert step is not None
    source = room.end(len(rows))
    source[:] = rows
    whole = step.encode(source)
    assert step.decode(whole, None).tobytes() == rows.tobytes()
    return whole


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
