"""A chunk on a GPU: to it, on it and back, each against what the library alone takes.

    python -m bench.device [--backend cupy] [--rows 65536]

Floors: one copy of the same bytes from pinned memory to the device (`upload`), the same arithmetic
on plain arrays of the library (`masked`), one copy of the same bytes back (`download`), and NumPy
on the host for what has no floor there (`dereference`). Without a GPU it says so and measures
nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.harness import Compare
from h5flow.backends import Backend, choose_backend, using
from h5flow.data import dereference, to_host
from h5flow.data.presentation import present
from h5flow.errors import UsageError
from h5flow.references.regions import touched_rows

# packed, as in files: 41 bytes
FIELDS = {"x": "f8", "y": "f8", "z": "f8", "q": "f4", "t": "i8", "n": "i4", "b": "?"}
ROW = np.dtype(list(FIELDS.items()))
REPEATS = 31


def milliseconds(backend: Backend, works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median time of each, all of them in turns, the device's work awaited."""
    for work in works.values():  # libraries compile what is called first
        work()
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(REPEATS):
        for name, work in works.items():
            backend.synchronise()
            begin = time.perf_counter()
            work()
            backend.synchronise()
            times[name].append(1e3 * (time.perf_counter() - begin))
    return {name: statistics.median(each) for name, each in times.items()}


def show(title: str, times: dict[str, float], size: int | None = None) -> None:
    """Print what each took, and how many times the first that is."""
    print(title)
    floor = next(iter(times.values()))
    for name, each in times.items():
        rate = f"  {size / each / 1e6:8.2f} GB/s" if size else ""
        print(f"  {name:<44} {each:9.3f} ms  {each / floor:7.2f} x{rate}")


def raw_copies(backend: Backend, rows: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return functions that copy the rows' bytes to the device and back, by the library alone."""
    flat = rows.view(np.uint8).reshape(-1)
    if backend.name.startswith("cupy"):
        import cupy
        import cupyx

        pinned = cupyx.empty_pinned((flat.size,), np.uint8)
        pinned[:] = flat
        there = cupy.empty((flat.size,), np.uint8)
        return lambda: there.set(pinned), there.get
    import torch

    host = torch.from_numpy(flat.copy()).pin_memory()
    far = host.to("cuda")
    return lambda: far.copy_(host, non_blocking=True), far.cpu


@pytest.mark.parametrize("count", [1_024, 65_536])
def test_upload(compare: Compare, count: int) -> None:
    try:
        backend = choose_backend("cupy")
    except UsageError as error:
        pytest.skip(str(error))
    rows = np.zeros(count, ROW)
    up, _ = raw_copies(backend, rows)

    def awaited(work: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            work()
            backend.synchronise()

        return run

    compare(
        f"upload of {count:,} rows, split into fields",
        floor=awaited(up),
        floor_is="one copy of the bytes from pinned memory",
        subject=awaited(lambda: present(backend, rows)),
        rounds=31,
    )


def measure(backend: Backend, count: int) -> None:
    """Measure one size of chunk."""
    random = np.random.default_rng(1)
    rows = np.zeros(count, ROW)
    for name in ("x", "y", "z", "q"):
        rows[name] = random.normal(size=count)
    up, down = raw_copies(backend, rows)
    columns = present(backend, rows)
    subjects = {
        "pinned copy of the bytes": up,
        "upload, split into fields": lambda: present(backend, rows),
    }
    show(
        f"upload of {count:,} rows, {rows.nbytes / 1e6:.1f} MB",
        milliseconds(backend, subjects),
        rows.nbytes,
    )
    subjects = {"copy of the bytes": down, "rows to the host": lambda: to_host(columns)}
    show("download", milliseconds(backend, subjects), rows.nbytes)

    parents = count // 8
    ref = np.stack([np.sort(random.integers(0, parents, count)), np.arange(count)], axis=1)
    region = np.zeros(parents, [("start", "i8"), ("stop", "i8")])
    which, region_starts, region_stops = touched_rows(ref[:, 0], 0)
    region["start"][which], region["stop"][which] = region_starts, region_stops
    device = {name: present(backend, each) for name, each in (("ref", ref), ("region", region))}
    padded = present(backend, dereference(None, ref, rows, region))
    data, mask, xp = padded["q"].data, padded["q"].mask, backend.namespace
    zero = xp.zeros((), dtype=data.dtype)
    subjects = {
        "where, multiply, sum, all: by hand": lambda: (
            xp.sum(xp.where(mask, zero, data * 2), axis=-1),
            xp.all(mask, axis=-1),
        ),
        '(hits["q"] * 2).sum(axis=-1)': lambda: (padded["q"] * 2).sum(axis=-1),
    }
    show(f"masked rows of shape {padded.shape}", milliseconds(backend, subjects))
    subjects = {
        "NumPy": lambda: dereference(None, ref, rows, region),
        "on the device": lambda: dereference(None, device["ref"], columns, device["region"]),
    }
    show(f"dereference {count:,} references of {parents:,} rows", milliseconds(backend, subjects))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="cupy", choices=["cupy", "torch:cuda"])
    parser.add_argument("--rows", type=int, nargs="+", default=[1024, 65_536, 1_048_576])
    words = parser.parse_args()
    try:
        backend = choose_backend(words.backend)
    except UsageError as error:
        print(f"nothing is measured: {error}", file=sys.stderr)
        return 0
    with using(backend), backend.current():
        for count in words.rows:
            measure(backend, count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
