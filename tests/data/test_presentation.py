"""Rows reach a backend in the form that stages find there, and in few transfers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from libraries import DEVICES, make_backend

from h5flow.backends import Backend, choose_backend
from h5flow.data import to_host
from h5flow.data.following import Cells
from h5flow.data.presentation import present, present_padded

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


VALUES = {
    "text": np.array([b"a", b"b", b"c"]),
    "text of any length": np.array(["a", "bc", ""], object),
    "integers too large for int64": np.array([2**63 + 5, 0, 1], "u8"),
    "the other byte order": np.array([(1, 2.5), (3, 4.5), (5, 6.5)], [("n", ">i2"), ("x", ">f4")]),
    "with text": np.array([(1, "ab"), (3, ""), (5, "c")], [("n", ">i2"), ("s", object)]),
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_rows_of_every_kind_come_and_go(backend: Backend, values: Any) -> None:
    assert to_host(present(backend, values)).tolist() == values.tolist()
    cells = Cells((2, 2), np.array([0, 1, 3]), values)
    found, expected = (
        to_host(present_padded(each, cells)) for each in (backend, choose_backend("numpy"))
    )
    assert found.filled(0).tolist() == expected.filled(0).tolist()
    assert np.ma.getmaskarray(found).tobytes() == np.ma.getmaskarray(expected).tobytes()


@pytest.mark.parametrize("key", [slice(None, None, 2), (slice(None), 1), ()], ids=str)
def test_rows_that_are_not_contiguous_arrive_whole(backend: Backend, key: Any) -> None:
    values = masked_rows().data[key]
    assert to_host(present(backend, values)).tobytes() == values.tobytes()


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_masked_rows_of_every_kind_come_and_go(backend: Backend, values: Any) -> None:
    expected = present_padded(choose_backend("numpy"), Cells((2, 2), np.array([0, 1, 3]), values))
    found = to_host(present(backend, expected))
    assert found.data.tolist() == expected.data.tolist()
    assert np.ma.getmaskarray(found).tolist() == np.ma.getmaskarray(expected).tolist()


def test_arrays_in_other_objects_go_along(backend: Backend) -> None:
    there = present(backend, {"a": np.arange(2), "b": (np.arange(3), "text"), "c": [np.arange(4)]})
    for array in (there["a"], there["b"][0], there["c"][0]):
        assert backend.owns(array)
    assert there["b"][1] == "text"
    for other in ([1, 2], [], "text", None, {3}):
        assert present(backend, other) is other
