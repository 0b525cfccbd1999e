"""What there is at a path."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import pytest

from h5flow.io.lookup import object_at


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
