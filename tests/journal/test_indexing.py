"""Indices made in files, and what becomes of them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from file_contents import last_written

from h5flow.data import H5FlowDataManager
from h5flow.data.layout import reference_paths
from h5flow.errors import UsageError
from h5flow.io.edit import edit_at_once, finish_edit
from h5flow.journal import indexing
from h5flow.journal.indexed_copy import index_in_place
from h5flow.journal.indexing import index_file, index_is_wrong
from h5flow.journal.inspection import inspect_file
from h5flow.journal.lock import Lock
from h5flow.journal.repair import repair_file
from h5flow.journal.revival import tables_of
from h5flow.journal.working_file import LOCK_SUFFIX
from h5flow.references import index as index_module

PATHS = reference_paths("a", "b")
ROWS, WIDTH = 60, 4


@pytest.fixture(autouse=True)
def of_use_in_small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a region of 8 rows be a wide one."""
    monkeypatch.setattr(index_module, "WIDE_ROWS", 8)


@pytest.fixture
def pairs() -> np.ndarray:
    """References of each row of a to four rows of b, shuffled; of each row of b to one of a."""
    made = np.stack([np.repeat(np.arange(ROWS), WIDTH), np.arange(ROWS * WIDTH)], axis=1)
    return np.random.default_rng(1).permutation(made)


@pytest.fixture
def path(tmp_path: Path, pairs: np.ndarray) -> Path:
    path = tmp_path / "f.h5"
    with H5FlowDataManager(path) as dm:
        for name, length in (("a", ROWS), ("b", ROWS * WIDTH)):
            dm.create_dset(name, "i8")
            dm.write_data(name, dm.reserve_data(name, length), np.arange(length))
        dm.create_ref("a", "b")
        dm.write_ref("a", "b", pairs)
    return path


def columns(path: Path, **options: bool) -> list[tuple[int, ...]]:
    return [each.columns for each in index_file(path, **options)]


def test_only_the_direction_whose_regions_overlap_gets_an_index(path: Path) -> None:
    assert columns(path) == [(0,)]
    with h5py.File(path) as file:
        assert PATHS.indices[0].offsets in file
        assert PATHS.indices[1].group not in file


@pytest.mark.parametrize("most", [1, 50, 10**6])
@pytest.mark.parametrize("bins", [4, 10**6])
def test_children_lie_together_however_many_are_sorted_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, most: int, bins: int
) -> None:
    monkeypatch.setattr(indexing, "MOST_SORTED", most)
    monkeypatch.setattr(indexing, "MOST_BINS", bins)
    index_file(path)
    with h5py.File(path) as file:
        offsets, children = (
            file[place] for place in (PATHS.indices[0].offsets, PATHS.indices[0].children)
        )
        assert offsets[:].tolist() == list(range(0, ROWS * WIDTH + 1, WIDTH))
        assert children[:].tolist() == list(range(ROWS * WIDTH))
        assert (offsets.dtype, children.dtype) == ("i4", "i4")
        assert not index_is_wrong(file, PATHS, 0)


def test_references_in_order_need_none(path: Path, pairs: np.ndarray) -> None:
    with h5py.File(path, "r+") as file:
        file[PATHS.ref][:] = pairs[np.argsort(pairs[:, 0], kind="stable")]
    repair_file(path)
    assert columns(path) == [()]


def test_regions_that_leave_references_out_get_none(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        start, stop = file[PATHS.parent_region][7]
        file[PATHS.parent_region][7] = (start, stop - 1)
    (done,) = index_file(path)
    assert (done.columns, done.refused) == ((), (0,))
    with h5py.File(path) as file:
        assert "h5flow/index" not in file
        assert "index0" not in file[PATHS.ref].attrs


def test_references_to_rows_that_are_not_there_get_none(path: Path, pairs: np.ndarray) -> None:
    with h5py.File(path, "r+") as file:
        file[PATHS.parent_region].resize((ROWS - 1,))
    assert columns(path) == [()]


def test_an_index_that_fits_is_kept_where_that_is_asked_for(path: Path) -> None:
    index_file(path)
    with h5py.File(path, "r+") as file:
        file[PATHS.indices[0].children][0] = 99
    assert columns(path, keep=True) == [(0,)]
    with h5py.File(path) as file:
        assert file[PATHS.indices[0].children][0] == 99
    assert columns(path) == [(0,)]
    with h5py.File(path) as file:
        assert file[PATHS.indices[0].children][0] == 0


def test_what_a_kill_has_left_unnamed_is_not_in_the_way(path: Path) -> None:
    index_file(path)
    with h5py.File(path, "r+") as file:
        del file[PATHS.ref].attrs["index0"]
        del file[PATHS.indices[0].children]
    assert list(inspect_file(path)) == []
    assert columns(path) == [(0,)]


KILLED = """
import os, signal, sys
from pathlib import Path
from h5flow.journal import indexing
from h5flow.references import index

index.WIDE_ROWS = 8
def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(indexing, sys.argv[2], killed)
indexing.index_file(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("step", ["_parts", "_is_covered", "_name"])
def test_a_kill_leaves_a_file_that_can_be_read_and_indexed(path: Path, step: str) -> None:
    words = [sys.executable, "-c", KILLED, str(path), step]
    assert subprocess.run(words, timeout=60, check=False).returncode == -signal.SIGKILL
    finish_edit(path)
    with edit_at_once(path):
        pass  # it was left open
    with H5FlowDataManager(path, mode="r") as dm:
        assert dm["a", "b", [9]].tolist() == [[36, 37, 38, 39]]
    assert columns(path) == [(0,)]
    assert list(inspect_file(path)) == []


def test_a_file_in_an_older_format_is_indexed(tmp_path: Path, path: Path) -> None:
    old = tmp_path / "old.h5"
    with h5py.File(path) as file, h5py.File(old, "w", libver="earliest") as copy:
        for name in ("a", "b"):
            file.copy(name, copy)
    assert columns(old) == [(0,)]
    assert list(inspect_file(old)) == []


def test_an_index_is_none_of_the_tables_that_a_resumed_run_cuts(path: Path) -> None:
    with h5py.File(path) as file:
        before = tables_of(file)
    index_file(path)
    with h5py.File(path) as file:
        assert tables_of(file) == before


# -- in place -----------------------------------------------------------------------------------


def test_a_file_gets_its_indices_in_place(path: Path) -> None:
    path.chmod(0o640)
    assert [each.columns for each in index_in_place(path)] == [(0,)]
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir() if each.suffix == ".indexed"] == []
    with h5py.File(path) as file:
        assert not index_is_wrong(file, PATHS, 0)


def test_a_file_that_needs_none_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "WIDE_ROWS", 10**6)
    before = last_written(path)
    assert [each.columns for each in index_in_place(path)] == [()]
    assert last_written(path) == before


def test_a_file_whose_indices_are_right_is_left_alone(path: Path) -> None:
    made = index_in_place(path)
    before = last_written(path)
    assert index_in_place(path) == made
    assert last_written(path) == before


def test_an_index_of_other_references_is_made_anew_in_place(path: Path) -> None:
    index_in_place(path)
    with h5py.File(path, "r+") as file:
        file[PATHS.indices[0].children][5] = 0
    assert [each.columns for each in index_in_place(path)] == [(0,)]
    with h5py.File(path) as file:
        assert not index_is_wrong(file, PATHS, 0)


def test_a_file_that_a_run_writes_is_refused(path: Path) -> None:
    lock = Lock(path.with_name(path.name + LOCK_SUFFIX), path)
    try:
        with pytest.raises(UsageError):
            index_in_place(path)
    finally:
        lock.release()


def test_an_attempt_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(indexing, "_build", fail)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        index_in_place(path)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.indexed"))


# -- checked and repaired -----------------------------------------------------------------------


def wrong_child(file: h5py.File) -> None:
    file[PATHS.indices[0].children][5] = 0


def wrong_offset(file: h5py.File) -> None:
    file[PATHS.indices[0].offsets][5] += 1


def other_references(file: h5py.File) -> None:
    file[PATHS.ref][0] = file[PATHS.ref][1]


def no_children(file: h5py.File) -> None:
    del file[PATHS.indices[0].children]


def more_references(file: h5py.File) -> None:
    table = file[PATHS.ref]
    table.resize(len(table) + 1, axis=0)


def fewer_rows(file: h5py.File) -> None:
    file[PATHS.ref][3] = (ROWS + 9, 0)


@pytest.mark.parametrize(
    "spoil",
    [wrong_child, wrong_offset, other_references, no_children, more_references, fewer_rows],
)
def test_an_index_that_is_not_that_of_its_references_is_found_and_repaired(
    path: Path, spoil
) -> None:
    index_file(path)
    assert list(inspect_file(path)) == []
    with h5py.File(path, "r+") as file:
        spoil(file)
    found = [each for each in inspect_file(path) if each.place == PATHS.indices[0].group]
    assert len(found) == 1
    assert found[0].in_regions
    repair_file(path)
    assert [each for each in inspect_file(path) if not each.is_note] == []
