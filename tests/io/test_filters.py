"""Filters by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.errors import UsageError
from h5flow.io.filters import PLUGINS, filter_arguments


@pytest.mark.parametrize("name", [None, "none"])
def test_none_is_no_filter(name: str | None) -> None:
    assert filter_arguments(name) == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gzip", ("gzip", 4, True)),
        ("gzip:0", ("gzip", 0, True)),
        ("gzip:9", ("gzip", 9, True)),
        ("lzf", ("lzf", None, True)),
    ],
)
def test_filters_of_h5py_come_with_shuffled_bytes(
    tmp_path: Path, name: str, expected: tuple[str, int | None, bool]
) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        made = file.create_dataset("x", data=np.arange(1000), **filter_arguments(name))
        assert (made.compression, made.compression_opts, made.shuffle) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fletcher32", (None, None, True)),
        ("lzf+fletcher32", ("lzf", None, True)),
        ("gzip:6+fletcher32", ("gzip", 6, True)),
    ],
)
def test_checksums_go_alone_or_with_a_filter(
    tmp_path: Path, name: str, expected: tuple[str | None, int | None, bool]
) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        made = file.create_dataset("x", data=np.arange(1000), **filter_arguments(name))
        assert (made.compression, made.compression_opts, made.fletcher32) == expected


@pytest.mark.parametrize("name", [*PLUGINS, "zstd:3", "blosc:9", "blosc2:1"])
def test_filters_of_hdf5plugin_write_and_read(tmp_path: Path, name: str) -> None:
    pytest.importorskip("hdf5plugin")
    values = np.arange(10_000) // 7
    with h5py.File(tmp_path / "f.h5", "w") as file:
        made = file.create_dataset("x", data=values, chunks=(1000,), **filter_arguments(name))
        assert made.id.get_storage_size() < values.nbytes
    with h5py.File(tmp_path / "f.h5") as file:
        assert np.array_equal(file["x"], values)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gzap", "there is no compression 'gzap' .did you mean 'gzip'.*Known are gzip, lzf.*none"),
        ("", "there is no compression ''"),
        (":4", "there is no compression ''"),
        ("gzip:10", "gzip has levels 0 to 9, not 10"),
        ("gzip:-1", "gzip has levels 0 to 9"),
        ("gzip:", "the level of compression 'gzip:' is not a whole number"),
        ("gzip:fast", "is not a whole number.*gzip:4"),
        ("gzip:4:5", "is not a whole number"),
        ("lzf:1", "lzf has no levels"),
        ("gzap+fletcher32", "there is no compression 'gzap'"),
        ("fletcher32:1", "there is no compression 'fletcher32:1'|'fletcher32'"),
        ("+fletcher32", "there is no compression ''"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        filter_arguments(name)


@pytest.mark.parametrize("name", ["lz4:3", "zstd:1000", "blosc:77"])
def test_levels_of_plugins_are_checked(name: str) -> None:
    pytest.importorskip("hdf5plugin")
    with pytest.raises(UsageError, match=name):
        filter_arguments(name)


def test_a_filter_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    with pytest.raises(UsageError, match=r"'zstd' needs the package hdf5plugin.*pip install"):
        filter_arguments("zstd")


@pytest.mark.parametrize("value", [4, True, ("gzip", 4)])
def test_another_type_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="compression is NAME or NAME:LEVEL"):
        filter_arguments(value)
