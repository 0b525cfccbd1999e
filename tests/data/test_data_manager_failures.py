"""Calls that fail: what was refused leaves no trace, what broke midway stops all that follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import DataError, H5FlowError, NoRoomError
from h5flow.storage.table import Table


def fill(dm: H5FlowDataManager) -> None:
    """Two datasets of three rows, a reference and metadata, all of it queued."""
    for name in ("a", "b"):
        dm.create_dset(name, "i4")
        dm.write_data(name, dm.reserve_data(name, 3), [1, 2, 3])
    dm.create_ref("a", "b")
    dm.write_ref("a", "b", [(0, 2)])
    dm.set_attrs("a", unit="cm")


def check(path: Path) -> None:
    with h5py.File(path) as file:
        assert file["a/data"][:].tolist() == [1, 2, 3]
        assert file["b/data"][:].tolist() == [1, 2, 3]
        assert file["a/ref/b/ref"][:].tolist() == [[0, 2]]
        assert file["a/ref/b/ref_region"][:].tolist() == [(0, 1), (0, 0), (0, 0)]
        assert file["b/ref/a/ref_region"][:].tolist() == [(0, 0), (0, 0), (0, 1)]
        assert dict(file["a"].attrs) == {"unit": "cm"}


LATER_CALLS: list[Callable[[H5FlowDataManager], Any]] = [
    lambda dm: dm.reserve_data("a", 1),
    lambda dm: dm.write_data("a", [0], [5]),
    lambda dm: dm.write_ref("a", "b", [(0, 0)]),
    lambda dm: dm.set_attrs("a", x=1),
    lambda dm: dm.delete("a"),
    lambda dm: dm["a", :],
    lambda dm: dm.get_dset("b"),
]


def test_a_write_that_fails_midway_stops_all_further_ones(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    dm = H5FlowDataManager(path)
    fill(dm)
    dm.close_file()
    dm.write_data("a", [0], [9])
    with monkeypatch.context() as broken:
        broken.setattr(Table, "write", no_space)
        with pytest.raises(NoRoomError, match="there is no room for"):
            dm.get_dset("a")
    for call in LATER_CALLS:
        with pytest.raises(H5FlowError, match=r"call has failed .there is no room"):
            call(dm)
    dm.close_file()
    check(path)
    dm.write_data("a", [0], [8])
    assert dm["a", :].tolist() == [8, 2, 3]
    dm.close_file()


def test_a_file_that_cannot_be_completed_is_closed_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    dm = H5FlowDataManager(path)
    fill(dm)
    with monkeypatch.context() as broken:
        broken.setattr(Table, "write", no_space)
        with pytest.raises(NoRoomError, match="there is no room for"):
            dm.close_file()
    with h5py.File(path, "r+") as file:
        assert "a/data" in file
    assert dm["a", :].tolist() == [0, 0, 0]
    dm.close_file()


def test_a_refused_call_leaves_the_others_as_they_are(path: Path):
    with H5FlowDataManager(path) as dm:
        fill(dm)
        for call in (
            lambda: dm.write_data("a", [0, 9], [5, 5]),
            lambda: dm.write_data("a", [0], ["x"]),
            lambda: dm.write_ref("a", "b", [(0, -1)]),
            lambda: dm.reserve_data("a", -3),
            lambda: dm.set_attrs("a", unit="m", x=object()),
            lambda: dm.create_dset("a", "f4"),
        ):
            with pytest.raises(DataError):
                call()
    check(path)
