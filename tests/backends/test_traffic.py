"""What moves between host and device is counted where it moves."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from cupy_double import Machine
from libraries import DEVICES, make_backend

from h5flow.backends import Backend, choose_backend, moved_so_far, using
from h5flow.events import Moved

ROWS = np.zeros(100, [("id", "i8"), ("x", "f4")])


@pytest.fixture(params=DEVICES)
def backend(request: pytest.FixtureRequest) -> Backend:
    return make_backend(request.param)


def round_trip(backend: Backend) -> None:
    (fields,) = backend.upload([ROWS])
    backend.download(list(fields.values()))


def test_bytes_transfers_and_seconds_are_counted_both_ways(backend: Backend) -> None:
    round_trip(backend)
    moved = backend.traffic.so_far()
    assert (moved.bytes_up, moved.bytes_down) == (ROWS.nbytes, ROWS.nbytes)
    assert 0 < moved.transfers_up <= 2
    assert 0 < moved.transfers_down <= 2
    assert moved.seconds_up > 0
    assert moved.seconds_down > 0


def test_the_time_of_transfers_is_within_that_of_the_calls(backend: Backend) -> None:
    # text beside numbers: the parts of such rows move one by one, inside of each other
    rows = np.zeros(100, [("id", "i8"), ("name", "O"), ("inner", [("x", "f4"), ("y", "f8")])])
    begin = time.perf_counter()
    backend.upload([rows, ROWS])
    assert backend.traffic.so_far().seconds <= time.perf_counter() - begin


def test_the_device_is_waited_for_before_the_time_of_a_copy_counts(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fields,) = backend.upload([ROWS])
    before = backend.traffic.so_far()
    # what a GPU computes goes on behind, and a copy back waits for it
    monkeypatch.setattr(backend, "_settle", lambda: time.sleep(0.2))
    backend.download([fields["x"]])
    backend.upload([ROWS])
    assert (backend.traffic.so_far() - before).seconds < 0.1


def test_what_the_backends_in_use_have_moved_adds_up(gpus: Machine) -> None:
    chosen = [make_backend(name) for name in DEVICES]
    for each in chosen:
        round_trip(each)
    assert moved_so_far() == Moved()
    with using(*chosen, choose_backend("numpy")):
        total = moved_so_far()
    assert total.bytes_up == len(DEVICES) * ROWS.nbytes
    assert total == sum((each.traffic.so_far() for each in chosen), start=Moved())


def test_on_numpy_nothing_moves() -> None:
    backend: Any = choose_backend("numpy")
    backend.download(backend.upload([ROWS]))
    assert backend.traffic.so_far() == Moved()
