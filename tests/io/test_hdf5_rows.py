"""Rows in one plain call of HDF5 are those that h5py reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from h5flow.io.hdf5_rows import HDF5Rows, hdf5_rows
from h5flow.testing.strategies import tables


@pytest.fixture(scope="module")
def file() -> Iterator[h5py.File]:
    with h5py.File("rows.h5", "w", driver="core", backing_store=False) as opened:
        yield opened


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_slice_of_any_table_is_what_h5py_reads(file: h5py.File, data: st.DataObject) -> None:
    rows = data.draw(tables())
    file.pop("data", None)
    dataset = file.create_dataset("data", data=rows)
    found = hdf5_rows(dataset, is_changing=data.draw(st.booleans()))
    if found is None:
        assert rows.dtype.hasobject or not rows.dtype.itemsize
        return
    bounds = st.none() | st.integers(-len(rows) - 2, len(rows) + 2)
    key = slice(data.draw(bounds), data.draw(bounds), data.draw(st.sampled_from([None, 1, 2])))
    expected = dataset[key]
    assert found[key].dtype == expected.dtype
    assert found[key].shape == expected.shape
    assert found[key].tobytes() == expected.tobytes()
    assert (found.shape, len(found)) == (rows.shape, len(rows))


SPECIAL: list[Any] = [
    np.array([True, False, True]),
    np.array([1, 0, 2], h5py.enum_dtype({"a": 0, "b": 1, "c": 2}, "u1")),
    np.array([1 + 2j, 3j, 0]),
    np.array([b"ab", b"", b"abc"], h5py.string_dtype(length=4)),
    np.array([1, 2, 3], ">i2"),
    np.array([(1, 2.0), (3, 4.0), (5, 6.0)], np.dtype([("a", "i1"), ("b", "f8")], align=True)),
]


@pytest.mark.parametrize("rows", SPECIAL, ids=lambda rows: str(rows.dtype))
def test_special_dtypes_are_what_h5py_makes_of_them(file: h5py.File, rows: Any) -> None:
    file.pop("data", None)
    dataset = file.create_dataset("data", data=rows)
    found = hdf5_rows(dataset, is_changing=False)
    assert found is not None
    assert found.dtype == dataset.dtype
    assert h5py.check_enum_dtype(found[:].dtype) == h5py.check_enum_dtype(dataset[:].dtype)
    assert found[1:].tobytes() == dataset[1:].tobytes()


def test_of_objects_h5py_has_to_make_them(file: h5py.File) -> None:
    file.pop("data", None)
    dataset = file.create_dataset("data", data=["a", "b"], dtype=h5py.string_dtype())
    assert hdf5_rows(dataset, is_changing=False) is None


def test_of_rows_that_are_arrays_of_hdf5_h5py_has_to_make_axes(file: h5py.File) -> None:
    file.pop("data", None)
    dataset = file.create_dataset("data", (4,), np.dtype(("f4", (3,))))
    assert hdf5_rows(dataset, is_changing=False) is None


def test_a_table_that_grows_is_read_to_its_end(file: h5py.File) -> None:
    file.pop("data", None)
    dataset = file.create_dataset("data", data=np.arange(3), maxshape=(None,))
    found = HDF5Rows(dataset, is_changing=True)
    dataset.resize(5, axis=0)
    assert found[2:].tolist() == [2, 0, 0]
