"""Which tables are read around HDF5, and when they no longer are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from packed_files import packed

from h5flow.io.direct_reading import DirectRows
from h5flow.storage.live_process import LiveProcessStorage
from h5flow.storage.protocol import Batch, CreateTable, Write
from h5flow.storage.single_process import SingleProcessStorage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a packed table at ``/data``, and one that is not at ``/plain``."""
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver=("v110", "latest")) as file:
        packed(file, np.arange(100), 10, compression="gzip", shuffle=True)
        file["plain"] = np.arange(100)
    return path


@pytest.fixture
def live(path: Path) -> Iterator[LiveProcessStorage]:
    storage = LiveProcessStorage(path)
    yield storage
    storage.close()


def is_direct(storage: SingleProcessStorage, path: str = "/data") -> bool:
    return isinstance(storage.rows(path), DirectRows)


def test_packed_tables_of_a_file_that_is_read_are(path: Path) -> None:
    storage = SingleProcessStorage(path, "r")
    assert is_direct(storage)
    assert not is_direct(storage, "/plain")
    assert storage.rows("/data") is storage.rows("/data")
    storage.close()


def test_tables_of_a_file_that_a_script_edits_are_not(path: Path) -> None:
    storage = SingleProcessStorage(path)
    storage.file["data"][3] = 77
    assert storage.rows("/data")[3:5].tolist() == [77, 4]
    assert not is_direct(storage)
    storage.close()


def test_those_that_a_run_only_reads_are_throughout(live: LiveProcessStorage) -> None:
    assert is_direct(live)
    live.apply(Batch(creates=[CreateTable("/new/data", np.dtype("i8"), compression="gzip")]))
    live.apply(
        Batch(lengths={"/new/data": 3}, writes=[Write("/new/data", slice(0, 3), np.ones(3))])
    )
    live.commit()
    assert is_direct(live)
    assert live.rows("/data")[95:].tolist() == [*range(95, 100)]


def test_those_that_a_run_writes_to_no_longer_are(live: LiveProcessStorage) -> None:
    assert live.rows("/data")[3:5].tolist() == [3, 4]
    live.apply(Batch(writes=[Write("/data", slice(4, 5), np.array([-4]))]))
    assert live.rows("/data")[3:5].tolist() == [3, -4]
    assert not is_direct(live)


def test_those_that_users_have_no_longer_are(live: LiveProcessStorage) -> None:
    assert live.rows("/data")[3:5].tolist() == [3, 4]
    live.table("/data")[4] = -4
    assert live.rows("/data")[3:5].tolist() == [3, -4]


def test_another_table_of_the_same_name_is_another(live: LiveProcessStorage) -> None:
    assert live.rows("/data")[3:5].tolist() == [3, 4]
    live.delete("/data")
    live.apply(Batch(creates=[CreateTable("/data", np.dtype("i8"), compression="gzip")]))
    assert live.rows("/data").shape == (0,)
