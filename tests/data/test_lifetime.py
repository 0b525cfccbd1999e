"""What is queued outside of a run: written out in order, before it fills the memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from h5flow.data import H5FlowDataManager, lifetime

PAIR = np.dtype([("x", "f4"), ("y", "f4")])


def test_a_long_queue_is_written_out_in_order(
    dm: H5FlowDataManager, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lifetime, "QUEUE_BYTES", 4096)
    dm.create_dset("x", "i8")
    dm.create_ref("x", "x")
    expected = np.zeros(1000, "i8")
    dm.reserve_data("x", 1000)
    random = np.random.default_rng(2)
    for number in range(200):
        where = random.integers(0, 1000, 20)
        dm.write_data("x", where, np.full(20, number))
        expected[where] = number
        dm.write_ref("x", "x", [(number, number + 1)])
        dm.set_attrs("x", last=number)
    assert dm["x", :].tolist() == expected.tolist()
    assert dm.get_ref("x", "x")[0][:].tolist() == [[n, n + 1] for n in range(200)]
    assert dm.get_attrs("x")["last"] == 199


def test_a_queue_that_is_long_in_bytes_does_not_stay_in_memory(path: Path):
    with H5FlowDataManager(path) as dm:
        dm.create_dset("x", "u1", (2**20,))
        for number in range(80):
            dm.write_data("x", dm.reserve_data("x", 1), np.full((1, 2**20), number))
        assert dm.fh.id.get_filesize() > 0
        assert path.stat().st_size > 60 * 2**20
        assert dm["x", :][:, 17].tolist() == list(range(80))


def test_many_small_writes_make_the_rows_that_one_large_write_makes(path: Path):
    with H5FlowDataManager(path) as dm:
        dm.create_dset("one", PAIR)
        dm.create_dset("many", PAIR)
        values = np.arange(10_000, dtype="f4").view(PAIR)
        dm.write_data("one", dm.reserve_data("one", 5000), values)
        for begin in range(0, 5000, 7):
            part = values[begin : begin + 7]
            dm.write_data("many", dm.reserve_data("many", len(part)), part)
            if begin % 70 == 0:
                dm.get_dset("many")
        assert dm["many", :].tobytes() == dm["one", :].tobytes()
