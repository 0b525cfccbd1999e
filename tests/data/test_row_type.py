"""What a row of a new dataset is."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.data.row_type import row_type, same_dtype
from h5flow.errors import DataError


@pytest.mark.parametrize(
    ("dtype", "shape", "expected"),
    [
        ("f4", (), ("f4", ())),
        ("f4", 3, ("f4", (3,))),
        (("f4", (2, 3)), (4,), ("f4", (4, 2, 3))),
        (float, np.int64(2), ("f8", (2,))),
        ([("a", "i4")], [2], ([("a", "i4")], (2,))),
    ],
)
def test_dtype_and_shape_are_those_that_the_file_will_have(dtype: Any, shape: Any, expected: Any):
    assert row_type("x", dtype, shape) == (np.dtype(expected[0]), expected[1])


@pytest.mark.parametrize("dtype", ["V0", [], "U1", object])
def test_a_row_has_bytes_that_hdf5_can_store(dtype: Any):
    with pytest.raises(DataError, match="x: "):
        row_type("x", dtype, ())


@pytest.mark.parametrize(
    "dtype",
    ["?", "f4", "S3", h5py.string_dtype(), h5py.vlen_dtype("i4"), h5py.enum_dtype({"a": 1})],
)
def test_a_type_is_the_same_after_it_was_in_a_file(dtype: Any):
    wanted, _ = row_type("x", dtype, ())
    with h5py.File("types", "w", driver="core", backing_store=False) as file:
        assert same_dtype(file.create_dataset("x", (1,), wanted).dtype, wanted)


def test_objects_of_unlike_kinds_are_not_the_same():
    kinds = [h5py.string_dtype(), h5py.vlen_dtype("i4"), h5py.vlen_dtype("f4"), h5py.ref_dtype]
    for one in kinds:
        assert [same_dtype(one, other) for other in kinds] == [one is other for other in kinds]
