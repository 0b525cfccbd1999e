"""Values of metadata that HDF5 can store, and those it cannot."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.data.attributes import as_attribute
from h5flow.errors import DataError

HIT = np.dtype([("q", "f4"), ("channel", "u2")])


@pytest.mark.parametrize(
    "value",
    [
        1,
        1.5,
        True,
        "text",
        b"bytes",
        [1, 2],
        (1.5, 2.5),
        ["a", "b"],
        np.arange(3),
        [],
        None,
        np.zeros(2, HIT),
        np.float32(1),
    ],
)
def test_an_attribute_can_be_stored(value: Any):
    with h5py.File("attributes", "w", driver="core", backing_store=False) as file:
        file.attrs["x"] = as_attribute("x", value)


def test_a_list_of_object_references_can_be_stored():
    with h5py.File("attributes", "w", driver="core", backing_store=False) as file:
        file.create_group("a")
        file.attrs["x"] = as_attribute("x", [file["a"].ref, file.ref])
        assert file[file.attrs["x"][0]].name == "/a"


@pytest.mark.parametrize("value", [{"a": 1}, object(), [{"a": 1}]])
def test_an_attribute_that_hdf5_cannot_store_is_refused(value: Any):
    with pytest.raises(DataError, match="the attribute 'x' cannot be stored"):
        as_attribute("x", value)
