"""Metadata through the data manager, and what exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import DataError, FileFormatError, NoSuchDatasetError

SETTING = np.dtype([("gain", "f4"), ("name", "S3")])


def same(one: Any, two: Any) -> bool:
    return type(one) is type(two) and np.array_equal(one, two)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("text", "text"),
        ("é€", "é€"),
        ("", ""),
        (3, np.int64(3)),
        (2.5, np.float64(2.5)),
        (True, np.True_),
        (1 + 2j, np.complex128(1 + 2j)),
        (np.uint8(3), np.uint8(3)),
        ([1, 2], np.array([1, 2])),
        ((1.5, 2.5), np.array([1.5, 2.5])),
        ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
        (["a", "bc"], np.array(["a", "bc"], object)),
        ([], np.array([])),
        (np.arange(3, dtype="u2"), np.arange(3, dtype="u2")),
        (np.array([True, False]), np.array([True, False])),
        (np.array([(1.5, b"abc")], SETTING), np.array([(1.5, b"abc")], SETTING)),
        (np.ma.array([1, 2], mask=[0, 1]), np.array([1, 0])),
        (np.arange(20_000), np.arange(20_000)),
    ],
)
def test_an_attribute_comes_back(path: Path, value: Any, stored: Any):
    with H5FlowDataManager(path) as dm:
        dm.set_attrs("x", key=value)
        assert same(dm.get_attrs("x")["key"], stored)
    with H5FlowDataManager(path, mode="r") as dm:
        assert same(dm.get_attrs("x")["key"], stored)


def test_none_comes_back_as_empty(dm: H5FlowDataManager):
    dm.set_attrs("x", key=None)
    assert isinstance(dm.get_attrs("x")["key"], h5py.Empty)


def test_object_references_come_back(dm: H5FlowDataManager):
    dm.create_dset("a", "i4")
    dm.set_attrs("x", one=dm.get_dset("a").ref, more=[dm.get_dset("a").ref, dm["/a"].ref])
    found = dm.get_attrs("x")
    assert dm.fh[found["one"]].name == "/a/data"
    assert [dm.fh[ref].name for ref in found["more"]] == ["/a/data", "/a"]


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1},
        object(),
        [[1], [1, 2]],
        np.datetime64("2024-01-01"),
        np.zeros(1, [("a", "U2")]),
        [None, 1],
    ],
)
def test_a_value_that_hdf5_cannot_hold_is_refused_before_anything_is_queued(
    dm: H5FlowDataManager, value: Any
):
    dm.set_attrs("x", key=1)
    with pytest.raises(DataError, match=r"the attribute 'x\.key' cannot be stored"):
        dm.set_attrs("x", other=2, key=value)
    assert dm.get_attrs("x") == {"key": 1}


def test_metadata_stands_on_the_group_of_a_dataset(path: Path):
    with H5FlowDataManager(path) as dm:
        dm.create_dset("charge/hits", "i4")
        dm.set_attrs("/charge/hits/", unit="cm")
    with h5py.File(path) as file:
        assert dict(file["charge/hits"].attrs) == {"unit": "cm"}
        assert dict(file["charge/hits/data"].attrs) == {}


def test_a_later_value_replaces_an_earlier_one_of_any_kind(dm: H5FlowDataManager):
    for value in (1, "text", [1, 2, 3], 2.5):
        dm.set_attrs("x", key=value, other=0)
    assert dm.get_attrs("x") == {"key": 2.5, "other": 0}


def test_metadata_that_are_queued_are_seen(dm: H5FlowDataManager):
    dm.set_attrs("x", key=1)
    assert dm.attr_exists("x", "key")
    assert dm.get_attrs("x") == {"key": 1}
    dm.set_attrs("x", key=2)
    assert dm.get_attrs("x") == {"key": 2}


def test_without_values_the_group_is_made(path: Path):
    with H5FlowDataManager(path) as dm:
        dm.set_attrs("plain/below")
        assert dm.exists("plain/below")
        assert dm.exists("plain")
        assert not dm.dset_exists("plain/below")
        assert dm.get_attrs("plain/below") == {}
    with h5py.File(path) as file:
        assert isinstance(file["plain/below"], h5py.Group)


def test_what_is_not_there_has_no_metadata(dm: H5FlowDataManager):
    dm.set_attrs("x", key=1)
    assert not dm.attr_exists("x", "other")
    assert not dm.attr_exists("y", "key")
    with pytest.raises(NoSuchDatasetError, match="no group /y in"):
        dm.get_attrs("y")


@pytest.mark.parametrize("name", ["", "/", "h5flow", "a/data", "ref"])
def test_metadata_of_a_reserved_name_are_refused(dm: H5FlowDataManager, name: str):
    for call in (dm.set_attrs, dm.get_attrs):
        with pytest.raises(DataError):
            call(name)


def test_metadata_where_something_else_is_are_refused_at_once(path: Path):
    with h5py.File(path, "w") as file:
        file["plain"] = [1, 2]
        file["soft"] = h5py.SoftLink("/nowhere")
    with H5FlowDataManager(path) as dm:
        for name in ("plain", "plain/below", "soft"):
            for _ in range(2):
                with pytest.raises(FileFormatError, match="cannot have metadata: /"):
                    dm.set_attrs(name, key=1)
    with h5py.File(path) as file:
        assert dict(file["plain"].attrs) == {}


def test_what_exists(dm: H5FlowDataManager):
    dm.create_dset("a/b", "i4")
    dm.create_dset("c", "i4")
    dm.create_ref("a/b", "c")
    there = {"a", "a/b", "/a/b/", "a/b/data", "/a/b/ref/c/ref", "c", "/", ""}
    assert {name for name in there if dm.exists(name)} == there
    assert not any(dm.exists(name) for name in ("b", "a/c", "a/b/data/x", "c/d", "h5flow"))
    assert [name for name in ("a", "a/b", "c", "a/b/data", "/") if dm.dset_exists(name)] == [
        "a/b",
        "c",
    ]
    assert not dm.ref_exists("a/b", "x")
    assert not dm.ref_exists("a", "c")
