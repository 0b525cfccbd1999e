"""What the data manager makes: datasets, references, their names and types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import (
    DataError,
    FileFormatError,
    H5FlowError,
    NoSuchDatasetError,
    ReverseReferenceError,
    UsageError,
)

HIT = np.dtype([("q", "f4"), ("channel", "u2")])


def test_a_new_dataset_has_no_rows(dm: H5FlowDataManager):
    dm.create_dset("hits", HIT)
    assert dm.dset_exists("hits")
    assert dm.get_dset("hits").shape == (0,)
    assert dm.get_dset("hits").dtype == HIT
    assert dm.get_dset("hits").name == "/hits/data"


@pytest.mark.parametrize(
    ("shape", "rows"), [((), (0,)), ((3,), (0, 3)), ((2, 3), (0, 2, 3)), (4, (0, 4)), ([2], (0, 2))]
)
def test_rows_may_have_a_shape(dm: H5FlowDataManager, shape: Any, rows: tuple[int, ...]):
    dm.create_dset("x", "f4", shape)
    assert dm.get_dset("x").shape == rows


def test_a_sub_array_dtype_becomes_a_shape(dm: H5FlowDataManager):
    dm.create_dset("x", np.dtype(("f4", (3,))), shape=(2,))
    dm.create_dset("x", np.dtype(("f4", (3,))), shape=(2,))
    dm.create_dset("x", "f4", shape=(2, 3))
    assert dm.get_dset("x").shape == (0, 2, 3)


def test_creating_a_dataset_again_with_the_same_arguments_does_nothing(dm: H5FlowDataManager):
    dm.create_dset("x", "i4", (2,))
    dm.write_data("x", dm.reserve_data("x", 1), [[1, 2]])
    dm.create_dset("x", np.int32, shape=(2,))
    dm.create_dset("/x/", np.dtype("<i4"), shape=2)
    assert dm["x", :].tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("f4", (2,)), ("i4", ()), ("i4", (3,)), (">i4", (2,)), ([("a", "i4")], (2,))],
)
def test_creating_a_dataset_again_with_others_is_an_error(
    dm: H5FlowDataManager, dtype: Any, shape: tuple[int, ...]
):
    dm.create_dset("x", "i4", (2,))
    with pytest.raises(DataError, match="'x' exists already, with rows of int32"):
        dm.create_dset("x", dtype, shape)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (h5py.string_dtype(), h5py.vlen_dtype("i4")),
        (h5py.vlen_dtype("i4"), h5py.vlen_dtype("f4")),
        (h5py.enum_dtype({"a": 1}, "i1"), "i1"),
        (np.dtype([("a", h5py.string_dtype())]), np.dtype([("a", h5py.ref_dtype)])),
    ],
)
def test_types_that_numpy_cannot_tell_apart_are_told_apart(
    dm: H5FlowDataManager, first: Any, second: Any
):
    dm.create_dset("x", first)
    dm.create_dset("x", first)
    with pytest.raises(DataError, match="exists already"):
        dm.create_dset("x", second)


TYPES: list[Any] = [
    "?",
    "f2",
    "c8",
    "S12",
    h5py.string_dtype(),
    h5py.string_dtype("ascii", 5),
    h5py.vlen_dtype("f4"),
    h5py.ref_dtype,
    h5py.enum_dtype({"up": 0, "down": 1}),
    HIT,
    np.dtype([("pos", [("x", "f4"), ("y", "f4", (2,))]), ("on", "?"), ("label", "S4")]),
    np.dtype([("a", "i1"), ("b", "f8")], align=True),
    np.dtype([("text", h5py.string_dtype()), ("samples", h5py.vlen_dtype("i2")), ("n", "i4")]),
]


@pytest.mark.parametrize("dtype", TYPES)
def test_a_repeated_creation_is_harmless_for_every_type_also_after_reopening(
    path: Path, dtype: Any
):
    with H5FlowDataManager(path) as dm:
        dm.create_dset("x", dtype)
        dm.create_dset("x", dtype)
    with H5FlowDataManager(path) as dm:
        dm.create_dset("x", dtype)


@pytest.mark.parametrize("dtype", ["U5", "M8[s]", object, "no such type", [("a", "U3")], 3.5])
def test_a_type_that_hdf5_does_not_have_is_an_error(dm: H5FlowDataManager, dtype: Any):
    with pytest.raises(DataError):
        dm.create_dset("x", dtype)
    assert not dm.exists("x")


@pytest.mark.parametrize("shape", [(-1,), (0,), (2.5,), "ab", None, (2, 0)])
def test_a_shape_that_no_row_has_is_an_error(dm: H5FlowDataManager, shape: Any):
    with pytest.raises(DataError, match="x: "):
        dm.create_dset("x", "f4", shape)
    assert not dm.exists("x")


@pytest.mark.parametrize(
    "name", ["charge/hits", "/charge/hits", "charge/hits/", "//charge//hits//"]
)
def test_a_name_may_carry_slashes_anywhere(dm: H5FlowDataManager, name: str):
    dm.create_dset(name, "i4")
    dm.create_dset("b", "i4")
    dm.write_data(name, dm.reserve_data(name, 1), [7])
    dm.create_ref(name, "/b/")
    dm.write_ref("b/", name, [(0, 0)])
    dm.set_attrs(name, unit="cm")
    assert dm.dset_exists("charge/hits")
    assert dm.exists(name)
    assert dm.get_attrs("charge/hits") == {"unit": "cm"}
    assert dm.ref_exists("b", name)
    assert dm["charge/hits", :].tolist() == [7]
    assert dm[name, 0].tolist() == [7]
    assert [ref.name for ref, _ in dm.get_refs(name)] == ["/charge/hits/ref/b/ref"]


def test_datasets_may_nest(dm: H5FlowDataManager):
    for number, name in enumerate(["hits", "hits/calib", "hits/calib/fine"]):
        dm.create_dset(name, "i4")
        dm.write_data(name, dm.reserve_data(name, 1), [number])
    dm.create_ref("hits", "hits/calib")
    dm.write_ref("hits", "hits/calib", [(0, 0)])
    assert dm["hits", :].tolist() == [0]
    assert dm["hits/calib/fine", :].tolist() == [2]
    assert dm["hits", "hits/calib", :].tolist() == [[1]]


@pytest.mark.parametrize(
    "name",
    [
        "data",
        "a/data",
        "ref/a",
        "a/ref/b",
        "ref_region",
        "h5flow",
        "h5flow/a",
        "",
        "/",
        ".",
        "a/..",
    ],
)
def test_a_reserved_name_cannot_be_a_dataset(dm: H5FlowDataManager, name: str):
    with pytest.raises(DataError):
        dm.create_dset(name, "i4")
    assert not dm.dset_exists(name)
    assert not dm.ref_exists(name, "b")
    assert not dm.attr_exists(name, "x")


def test_h5flow_below_the_top_is_a_name_like_others(dm: H5FlowDataManager):
    dm.create_dset("a/h5flow", "i4")
    assert dm.dset_exists("a/h5flow")


@pytest.mark.parametrize("name", [None, 3, b"x"])
def test_a_name_that_is_no_string_is_an_error_everywhere(dm: H5FlowDataManager, name: Any):
    for call in (dm.create_dset, dm.dset_exists, dm.get_dset, dm.delete):
        with pytest.raises((DataError, TypeError)):
            call(*((name, "i4") if call == dm.create_dset else (name,)))


def test_references_between_two_datasets_are_laid_out_as_the_format_says(dm: H5FlowDataManager):
    dm.create_dset("a", "i4")
    dm.create_dset("b/c", "i4")
    dm.create_ref("a", "b/c")
    ref, direction = dm.get_ref("a", "b/c")
    assert (ref.name, ref.shape, ref.dtype, direction) == ("/a/ref/b/c/ref", (0, 2), "i8", (0, 1))
    assert dict(ref.attrs) == {
        "dset0": "/a/data",
        "dset1": "/b/c/data",
        "ref_region0": "/a/ref/b/c/ref_region",
        "ref_region1": "/b/c/ref/a/ref_region",
    }
    for region in (dm.get_ref_region("a", "b/c"), dm.get_ref_region("b/c", "a")):
        assert region.dtype == np.dtype([("start", "i8"), ("stop", "i8")])
        assert dict(region.attrs) == {"ref": "/a/ref/b/c/ref"}


def test_creating_references_again_does_nothing(dm: H5FlowDataManager):
    dm.create_dset("a", "i4")
    dm.create_dset("b", "i4")
    dm.create_ref("a", "b")
    dm.write_ref("a", "b", [(0, 0)])
    dm.create_ref("a", "b")
    assert len(dm.get_ref("a", "b")[0]) == 1


def test_creating_references_in_reverse_is_a_runtime_error(dm: H5FlowDataManager):
    dm.create_dset("a", "i4")
    dm.create_dset("b", "i4")
    dm.create_ref("a", "b")
    with pytest.raises(RuntimeError, match=r"a -> b exist already.*write_ref\('b', 'a', refs\)"):
        dm.create_ref("b", "a")
    with pytest.raises(ReverseReferenceError):
        dm.create_ref("/b/", "/a/")


def test_references_need_both_datasets(dm: H5FlowDataManager):
    dm.create_dset("events", "i4")
    with pytest.raises(NoSuchDatasetError, match=r"'event'.*did you mean 'events'"):
        dm.create_ref("events", "event")
    assert not dm.ref_exists("events", "event")


def test_something_else_where_a_dataset_is_to_be_is_an_error(path: Path):
    with h5py.File(path, "w") as file:
        file["plain"] = np.arange(3)
        file["group/data/deep"] = 1
        file["scalar/data"] = 1.0
        file["soft"] = h5py.SoftLink("/nowhere")
    with H5FlowDataManager(path) as dm:
        for name in ("plain", "plain/below", "group", "scalar", "soft/a"):
            with pytest.raises(FileFormatError, match="there is something else at /"):
                dm.create_dset(name, "i4")
    with h5py.File(path) as file:
        assert sorted(file) == ["group", "plain", "scalar", "soft"]


def test_references_are_made_whole_or_not_at_all(path: Path):
    with h5py.File(path, "w") as file:
        file["b/ref/a/ref_region/x"] = 1
    with H5FlowDataManager(path) as dm:
        dm.create_dset("a", "i4")
        dm.create_dset("b", "i4")
        with pytest.raises(FileFormatError):
            dm.create_ref("a", "b")
        assert not dm.ref_exists("a", "b")
        assert not dm.exists("a/ref")


@pytest.mark.parametrize(
    ("compression", "filter_name", "level"),
    [("gzip", "gzip", 4), ("gzip:7", "gzip", 7), ("lzf", "lzf", None), ("none", None, None)],
)
def test_compression_is_used_for_all_that_is_made(
    path: Path, compression: str, filter_name: str | None, level: int | None
):
    with H5FlowDataManager(path, compression=compression) as dm:
        dm.create_dset("a", HIT)
        dm.create_ref("a", "a")
        dm.write_data("a", dm.reserve_data("a", 5), np.ones(5, HIT))
        dm.write_ref("a", "a", [(1, 2)])
        for table in (dm.get_dset("a"), dm.get_ref("a", "a")[0], dm.get_ref_region("a", "a")):
            assert (table.compression, table.compression_opts) == (filter_name, level)
    with H5FlowDataManager(path, mode="r") as dm:
        assert dm["a", :].tolist() == [(1, 1)] * 5
        assert dm["a", "a", 1]["q"].tolist() == [[1]]


@pytest.mark.parametrize("compression", ["gzib", "gzip:99", "lzf:1", "gzip:x"])
def test_a_compression_that_is_none_is_an_error_before_there_is_a_file(
    path: Path, compression: str
):
    with pytest.raises(UsageError, match=r"compression|gzip|lzf"):
        H5FlowDataManager(path, compression=compression)
    assert not path.exists()


def test_a_mode_that_is_none_is_an_error(path: Path):
    with pytest.raises(H5FlowError, match="mode 'w' is not known"):
        H5FlowDataManager(path, mode="w")


def test_new_files_and_tables_have_the_format_that_programs_since_2016_read(path: Path):
    with H5FlowDataManager(path) as dm:
        dm.create_dset("x", "i4")
    with h5py.File(path) as file:
        assert file.id.get_create_plist().get_version()[0] == 3
