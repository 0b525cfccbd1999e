"""What there is at a path."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np
import pytest

from h5flow.io.lookup import dataset_beside, object_at, scalar_attribute


@pytest.fixture
def file() -> Iterator[h5py.File]:
    with h5py.File("lookup", "w", driver="core", backing_store=False) as made:
        made["a/b"] = 1
        made["to_a"] = h5py.SoftLink("/a")
        made["nowhere"] = h5py.SoftLink("/c")
        made["loop"] = h5py.SoftLink("/loop")
        made["absent"] = h5py.ExternalLink("absent.h5", "/x")
        yield made


@pytest.mark.parametrize(
    ("path", "name"), [("/", "/"), ("/a", "/a"), ("a/b", "/a/b"), ("/to_a/b", "/to_a/b")]
)
def test_what_is_there_is_returned(file: h5py.File, path: str, name: str):
    found = object_at(file, path)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "path", ["c", "a/c", "a/b/c", "nowhere", "nowhere/d", "loop", "loop/d", "absent", "absent/d"]
)
def test_where_nothing_is_there_is_none(file: h5py.File, path: str):
    assert object_at(file, path) is None


@pytest.mark.parametrize(("path", "name"), [("/a/b", "/a/b"), ("/to_a/b", "/to_a/b")])
def test_a_dataset_is_found_from_any_other(file: h5py.File, path: str, name: str):
    found = dataset_beside(file.create_dataset("other", data=1), path.encode())
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("path", ["/", "/a", "/c", "/a/b/c", "/nowhere", "/loop", "/absent", ""])
def test_a_group_or_nothing_is_no_dataset(file: h5py.File, path: str):
    assert dataset_beside(file["a/b"], path.encode()) is None


def test_a_path_that_is_no_text_leads_to_nothing(file: h5py.File):
    assert dataset_beside(file["a/b"], b"/a/\xff") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/ä", "/ä".encode()),
        (np.bytes_("/a"), b"/a"),
        (np.array("/a", h5py.string_dtype("ascii")), b"/a"),
        (7, 7),
        (np.uint8(7), 7),
        (1.5, 1.5),
    ],
)
def test_a_text_or_number_is_read_from_its_attribute(
    file: h5py.File, value: object, expected: object
):
    file["a/b"].attrs["x"] = value
    assert scalar_attribute(file["a/b"], "x") == expected


@pytest.mark.parametrize(
    "value",
    [["/a"], [1, 2], h5py.Empty("i4"), h5py.Empty(h5py.string_dtype()), np.array((1, 2), "i4,i4")],
)
def test_an_attribute_that_holds_anything_else_is_left_alone(file: h5py.File, value: object):
    file["a/b"].attrs["x"] = value
    assert scalar_attribute(file["a/b"], "x") is None


def test_an_object_reference_is_neither_text_nor_number(file: h5py.File):
    file["a/b"].attrs["x"] = file["a"].ref
    assert scalar_attribute(file["a/b"], "x") is None


def test_an_attribute_that_is_not_there_is_none(file: h5py.File):
    assert scalar_attribute(file["a/b"], "x") is None
