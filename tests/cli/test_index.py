"""``h5flow index``: what it prints, and its exit status."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.cli.app import main
from h5flow.data import H5FlowDataManager

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def shuffled(working_directory: Path) -> Path:
    """A file whose references of a to b are all over their table."""
    pairs = np.stack([np.arange(20_000) % 100, np.arange(20_000)], axis=1)
    with H5FlowDataManager("f.h5", compression="gzip") as dm:
        for name, length in (("a", 100), ("b", 20_000), ("c", 0)):
            dm.create_dset(name, "i4")
            dm.reserve_data(name, length)
        dm.create_ref("a", "b")
        dm.create_ref("c", "a")
        dm.write_ref("a", "b", pairs)
    return Path("f.h5")


def test_it_says_which_references_got_an_index(shuffled: Path, capsys: Captured) -> None:
    assert main(["index", "f.h5"]) == 0
    assert capsys.readouterr().out == "f.h5: a -> b: indexed from a\nf.h5: c -> a: needs no index\n"
    assert main(["check", "--file", "f.h5"]) == 0
    with h5py.File(shuffled) as file:
        assert "h5flow/index/a/ref/b/ref/0/children" in file


def test_a_file_without_references_is_said(working_directory: Path, capsys: Captured) -> None:
    h5py.File("f.h5", "w").close()
    assert main(["index", "f.h5"]) == 0
    assert capsys.readouterr().out == "f.h5: there are no references\n"


def test_what_is_no_hdf5_file_is_an_error_and_stays(
    working_directory: Path, capsys: Captured
) -> None:
    Path("x.txt").write_text("no")
    assert main(["index", "x.txt"]) != 0
    assert "x.txt" in capsys.readouterr().err
    assert Path("x.txt").read_text() == "no"


def test_the_files_after_a_wrong_one_are_indexed(shuffled: Path, capsys: Captured) -> None:
    Path("x.txt").write_text("no")
    assert main(["index", "nowhere.h5", "x.txt", "f.h5"]) == 1
    captured = capsys.readouterr()
    assert "f.h5: a -> b: indexed from a\n" in captured.out
    assert [name in captured.err for name in ("nowhere.h5", "x.txt")] == [True, True]


def test_regions_that_leave_references_out_are_said(shuffled: Path, capsys: Captured) -> None:
    with h5py.File(shuffled, "r+") as file:
        start, stop = file["a/ref/b/ref_region"][7]
        file["a/ref/b/ref_region"][7] = (start, stop - 1)
    assert main(["index", "f.h5"]) == 0
    assert "f.h5: a -> b: not indexed from a, where regions leave" in capsys.readouterr().out


def test_files_are_named(capsys: Captured) -> None:
    assert main(["index"]) == 2
    assert "FILE" in capsys.readouterr().err
