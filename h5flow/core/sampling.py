"""What reading and writing a file cost at least, tried on a sample of it."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path

import h5py

from h5flow.data.layout import data_path
from h5flow.events import Sampled
from h5flow.io.open_file import open_file

__all__ = ["sample_file"]

SAMPLE_BYTES = 2**24
LEAST_BYTES = 2**20
REPEATS = 3


def sample_file(path: Path, sources: Collection[str]) -> Sampled | None:
    """Measure, in a few milliseconds, how fast bytes of a file can be copied, and unpacked.

    Parameters
    ----------
    path : Path
        Just written, so that the system still has it in memory.
    sources : collection of str
        The datasets whose chunks are tried; some of them may not be there any more.

    Returns
    -------
    Sampled or None
        None where the file is too small to tell.
    """
    size = min(path.stat().st_size, SAMPLE_BYTES)
    if size < LEAST_BYTES:
        return None
    rate = max(_copy_rate(path, size) for _ in range(REPEATS))
    with open_file(path, "r") as file:
        found = {source: _inflating(file.get(data_path(source))) for source in sources}
    return Sampled(rate, {name: share for name, share in found.items() if share is not None})


def _copy_rate(path: Path, size: int) -> float:
    """Return bytes per second of one `os.pread` into memory that is in use already."""
    descriptor = os.open(path, os.O_RDONLY)
    buffer = bytearray(size)
    try:
        begin = time.perf_counter()
        done = os.preadv(descriptor, [buffer], 0)
        return done / (time.perf_counter() - begin)
    finally:
        os.close(descriptor)


def _inflating(dataset: object) -> float | None:
    """Return the share of reading the first chunk that remains without its stored bytes."""
    if not isinstance(dataset, h5py.Dataset):
        return None
    if not dataset.chunks or not dataset.id.get_num_chunks():
        return None
    if not dataset.id.get_create_plist().get_nfilters():
        return None
    rows = min(dataset.chunks[0], len(dataset))
    whole, stored = [], []
    for _ in range(REPEATS):
        # anew each time, or HDF5 has the chunk unpacked in its cache
        with h5py.File(dataset.file.filename, "r") as file:
            again = file[dataset.name]
            begin = time.perf_counter()
            again.id.read_direct_chunk((0,) * again.ndim)
            middle = time.perf_counter()
            again[:rows]
            stored.append(middle - begin)
            whole.append(time.perf_counter() - middle)
    return max(0.0, 1 - min(stored) / min(whole))
