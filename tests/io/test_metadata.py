"""Attributes that travel between ranks."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.io.metadata import Metadata

VALUES: dict[str, Any] = {
    "text": "Ω",
    "number": 3,
    "float": np.float32(1.5),
    "list": [1, 2],
    "strings": ["a", "bb"],
    "rows": np.array([(1, 2.0)], [("n", "i4"), ("x", "f8")]),
    "empty": h5py.Empty("f4"),
    "flag": True,
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_travels_as_h5py_reads_it(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file.attrs[name] = VALUES[name]
        expected = file.attrs[name]
    sent = pickle.loads(pickle.dumps(Metadata({name: VALUES[name]})))
    found = sent[name]
    assert type(found) is type(expected)
    if isinstance(expected, h5py.Empty):
        assert found == expected
    else:
        assert np.asarray(found).dtype == np.asarray(expected).dtype
        assert np.array_equal(found, expected)


def test_a_reference_to_an_object_stays_valid(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["hits"] = [1, 2, 3]
        sent = pickle.loads(pickle.dumps(Metadata(of=file["hits"].ref)))
        assert file[sent["of"]].name == "/hits"


def test_values_can_be_had_as_h5py_reads_them_without_travelling() -> None:
    read = Metadata(number=3, strings=["a"]).as_read()
    assert type(read["number"]) is np.int64
    assert read["strings"].tolist() == ["a"]


def test_nothing_is_read_as_nothing() -> None:
    assert Metadata().as_read() == {}
