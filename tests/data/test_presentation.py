"""Rows reach a backend in the form that stages find there, and in few transfers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from libraries import DEVICES, make_backend

from h5flow.backends import Backend
from h5flow.data import to_host
from h5flow.data.presentation import present

ROW = np.dtype(
    [("q", "f4"), ("at", "f8", (2,)), ("pos", [("x", "i2"), ("y", "i8")]), ("label", "S3")]
)


@pytest.fixture(scope="module", params=DEVICES)
def backend(request: pytest.FixtureRequest) -> Backend:
    return make_backend(request.param)


def masked_rows() -> Any:
    rows = np.zeros((2, 3), ROW)
    rows["q"], rows["label"] = np.arange(6).reshape(2, 3), b"ab"
    mask = np.zeros((2, 3), np.ma.make_mask_descr(ROW))
    for name in ("q", "at"):
        mask[name][0, 1] = mask[name][1, 2] = True
    mask["label"][0, 1] = True
    mask["pos"]["x"][0, 1] = mask["pos"]["y"][0, 1] = mask["pos"]["x"][1, 2] = True
    rows[0, 1] = np.zeros((), ROW)
    return np.ma.MaskedArray(rows, mask=mask)


def test_masked_rows_come_and_go(backend: Backend) -> None:
    expected = masked_rows()
    ours = present(backend, expected)
    assert to_host(ours.row_mask).tolist() == [[False, True, False], [False, False, False]]
    found = to_host(ours)
    assert np.ma.getmaskarray(found).tobytes() == np.ma.getmaskarray(expected).tobytes()
    assert found.filled(0).tobytes() == expected.filled(0).tobytes()


def test_masked_rows_move_in_one_transfer() -> None:
    backend = make_backend("torch:cpu")
    before = backend.traffic.transfers_up
    present(backend, masked_rows())
    assert backend.traffic.transfers_up - before == 1
