"""Datasets outlive the file behind them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.storage.lasting import LastingDatasets


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "in.h5", "w", libver=("v110", "latest")) as file:
        file.create_dataset("hits", data=np.arange(3), maxshape=(None,))
        file["events"] = np.arange(2)
    return tmp_path / "in.h5"


def test_a_dataset_is_found_once(path: Path) -> None:
    lasting = LastingDatasets()
    with h5py.File(path) as file:
        first = lasting.give("/hits", lambda: file["hits"])
        assert lasting.give("/hits", lambda: file["events"]) is first


def test_a_dataset_stands_for_the_new_one_after_the_file_was_opened_again(path: Path) -> None:
    lasting = LastingDatasets()
    with h5py.File(path) as file:
        kept = lasting.give("/hits", lambda: file["hits"])
        assert kept.shape == (3,)
    with h5py.File(path, "a") as file:
        file["hits"].resize(5, 0)
        file["hits"][3:] = 7
    with h5py.File(path) as file:
        lasting.renew(file.get)
        assert kept.shape == (5,)
        assert kept[:].tolist() == [0, 1, 2, 7, 7]
        assert kept.file == file


def test_a_dataset_that_is_gone_stays_closed_and_its_path_is_free(path: Path) -> None:
    lasting = LastingDatasets()
    with h5py.File(path) as file:
        kept = lasting.give("/hits", lambda: file["hits"])
    with h5py.File(path, "a") as file:
        del file["hits"]
        file["hits"] = np.array([9.5])
    with h5py.File(path) as file:
        lasting.renew({}.get)
        assert not kept
        assert lasting.give("/hits", lambda: file["hits"])[:].tolist() == [9.5]


def test_rows_that_another_process_has_written_are_seen_after_refresh(path: Path) -> None:
    lasting = LastingDatasets()
    with (
        h5py.File(path, "a", libver=("v110", "latest"), locking=False) as writer,
    ):
        writer.swmr_mode = True
        with h5py.File(path, "r", swmr=True, locking=False) as reader:
            kept = lasting.give("/hits", lambda: reader["hits"])
            writer["hits"].resize(4, 0)
            writer["hits"][3] = 8
            writer["hits"].flush()
            lasting.refresh(frozenset({"/hits", "/never/given"}))
            assert kept.shape == (4,)
            assert kept[3] == 8
