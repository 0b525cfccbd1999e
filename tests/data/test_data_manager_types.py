"""Rows of every type come back as they were written, or are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import DataError

HIT = np.dtype([("q", "f4"), ("channel", "u2")])
NESTED = np.dtype([("pos", [("x", "f4"), ("y", "f8", (2,))]), ("on", "?"), ("label", "S4")])
ALIGNED = np.dtype([("a", "i1"), ("b", "f8"), ("c", "u2")], align=True)
TEXT_AND_SAMPLES = np.dtype(
    [("text", h5py.string_dtype()), ("samples", h5py.vlen_dtype("i2")), ("n", "i4")]
)


def random_rows(dtype: np.dtype[Any], count: int) -> np.ndarray:
    """Rows of any fixed-size type whose bytes are all 0 or 1, so that booleans are valid."""
    packed = np.zeros(count, dtype)
    random = np.random.default_rng(1)
    bits = random.integers(0, 2, (count, dtype.itemsize), dtype="u1")
    packed[...] = bits.view(dtype)[:, 0]
    return packed


@pytest.mark.parametrize(
    "dtype",
    [
        "?",
        "i1",
        "u8",
        ">i4",
        ">f8",
        "f2",
        "c8",
        "c16",
        "S7",
        HIT,
        NESTED,
        ALIGNED,
        h5py.enum_dtype({"no": 0, "yes": 1}, "u1"),
    ],
)
def test_rows_of_every_type_come_back_as_they_were(path: Path, dtype: Any):
    dtype = np.dtype(dtype)
    written = random_rows(dtype, 20)
    with H5FlowDataManager(path) as dm:
        dm.create_dset("x", dtype)
        dm.write_data("x", dm.reserve_data("x", 10), written[:10])
        dm.write_data("x", dm.reserve_data("x", 5), written[10:15])
        dm.reserve_data("x", 5)
        dm.write_data("x", np.arange(15, 20)[::-1], written[15:][::-1])
        assert dm["x", :].dtype == dtype
        assert np.array_equal(dm["x", :], written)
    with H5FlowDataManager(path, mode="r") as dm:
        assert np.array_equal(dm["x", :], written)
        assert np.array_equal(dm["x", [7, 3, 7]], written[[7, 3, 7]])


def test_text_of_any_length_comes_back(path: Path):
    words = ["", "a", "é€", "long " * 100]
    with H5FlowDataManager(path) as dm:
        dm.create_dset("x", h5py.string_dtype())
        dm.reserve_data("x", 6)
        dm.write_data("x", [0, 3], words[:2])
        dm.write_data("x", slice(4, 6), np.array(words[2:], object))
    with H5FlowDataManager(path, mode="r") as dm:
        assert [text.decode() for text in dm["x", :]] == ["", "", "", "a", *words[2:]]


def test_masked_text_is_empty(dm: H5FlowDataManager):
    dm.create_dset("x", h5py.string_dtype())
    dm.create_dset("y", "S3")
    masked = np.ma.array(["a", "b"], mask=[True, False])
    for name in ("x", "y"):
        dm.write_data(name, dm.reserve_data(name, 2), masked)
        assert dm[name, :].tolist() == [b"", b"b"]


@pytest.mark.parametrize("data", [[1, 2], [None, "a"], [b"a", 2.5]])
def test_what_is_not_text_is_refused_for_text(dm: H5FlowDataManager, data: Any):
    for name, dtype in (("x", h5py.string_dtype()), ("y", "S9")):
        dm.create_dset(name, dtype)
        dm.reserve_data(name, 2)
        with pytest.raises(DataError):
            dm.write_data(name, slice(0, 2), np.array(data, object))
        assert dm[name, :].tolist() == [b"", b""]


def test_numbers_are_not_turned_into_text(dm: H5FlowDataManager):
    dm.create_dset("x", "S2")
    dm.reserve_data("x", 1)
    with pytest.raises(DataError, match="int64 cannot be stored as"):
        dm.write_data("x", slice(0, 1), [12345])


@pytest.mark.parametrize(
    "data",
    [
        [[1, 2], [], [3]],
        [[1, 2], [3, 4], [5, 6]],
        [np.array([1], "i8"), np.array([], "f4"), (2, 3, 4)],
        np.array([[1], [2], [3]], "i4"),
    ],
)
def test_rows_of_any_length_come_back(path: Path, data: Any):
    with H5FlowDataManager(path) as dm:
        dm.create_dset("x", h5py.vlen_dtype("i2"))
        dm.reserve_data("x", 4)
        dm.write_data("x", slice(1, 4), data)
    with H5FlowDataManager(path, mode="r") as dm:
        assert [row.tolist() for row in dm["x", :]] == [[], *(list(row) for row in data)]
        assert dm["x", 1][0].dtype == "i2"


@pytest.mark.parametrize("data", [[[1, 70_000]], [[1.5]], [["a"]], [[[1, 2], [3, 4]]], [5]])
def test_rows_of_any_length_are_checked_as_well(dm: H5FlowDataManager, data: Any):
    dm.create_dset("x", h5py.vlen_dtype("i2"))
    dm.reserve_data("x", 1)
    with pytest.raises(DataError, match=r"^x: "):
        dm.write_data("x", slice(0, 1), data)
    assert dm["x", :].tolist()[0].tolist() == []


def test_fields_of_text_and_of_any_length_come_back(path: Path):
    columns = {
        "text": ["a", "bcd"],
        "samples": [[1, 2], []],
        "n": [5, 6],
    }
    with H5FlowDataManager(path) as dm:
        dm.create_dset("x", TEXT_AND_SAMPLES)
        for _ in range(2):
            dm.write_data("x", dm.reserve_data("x", 2), columns)
        dm.reserve_data("x", 1)
        dm.write_data("x", [3, 0], dm["x", [0, 0]])
    with H5FlowDataManager(path, mode="r") as dm:
        found = [(row["text"].decode(), row["samples"].tolist(), row["n"]) for row in dm["x", :]]
    first, second, empty = ("a", [1, 2], 5), ("bcd", [], 6), ("", [], 0)
    assert found == [first, second, first, first, empty]


def test_references_to_objects_come_back(dm: H5FlowDataManager):
    dm.create_dset("a", "i4")
    dm.create_dset("x", h5py.ref_dtype)
    dm.reserve_data("x", 2)
    dm.write_data("x", [1], [dm.get_dset("a").ref])
    empty, full = dm["x", :]
    assert not empty
    assert dm.fh[full].name == "/a/data"
    with pytest.raises(DataError, match="not a reference to an object"):
        dm.write_data("x", [0], ["/a/data"])
