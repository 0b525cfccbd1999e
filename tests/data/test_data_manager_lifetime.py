"""Opening, closing, reopening: a file holds what was written, however its manager ends."""

from __future__ import annotations

import gc
import hashlib
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import FileFormatError, H5FlowError


def fill(dm: H5FlowDataManager) -> None:
    """Two datasets of three rows, a reference and metadata, all of it queued."""
    for name in ("a", "b"):
        dm.create_dset(name, "i4")
        dm.write_data(name, dm.reserve_data(name, 3), [1, 2, 3])
    dm.create_ref("a", "b")
    dm.write_ref("a", "b", [(0, 2)])
    dm.set_attrs("a", unit="cm")


def check(path: Path) -> None:
    with h5py.File(path) as file:
        assert file["a/data"][:].tolist() == [1, 2, 3]
        assert file["b/data"][:].tolist() == [1, 2, 3]
        assert file["a/ref/b/ref"][:].tolist() == [[0, 2]]
        assert file["a/ref/b/ref_region"][:].tolist() == [(0, 1), (0, 0), (0, 0)]
        assert file["b/ref/a/ref_region"][:].tolist() == [(0, 0), (0, 0), (0, 1)]
        assert dict(file["a"].attrs) == {"unit": "cm"}


def close(dm: H5FlowDataManager) -> None:
    dm.close_file()


def finish(dm: H5FlowDataManager) -> None:
    dm.finish()


def leave(dm: H5FlowDataManager) -> None:
    with dm:
        pass


def leave_by_an_exception(dm: H5FlowDataManager) -> None:
    with pytest.raises(ZeroDivisionError), dm:
        raise ZeroDivisionError


@pytest.mark.parametrize("end", [close, finish, leave, leave_by_an_exception])
def test_the_file_holds_everything_after(path: Path, end: Callable[[H5FlowDataManager], None]):
    dm = H5FlowDataManager(path)
    fill(dm)
    end(dm)
    check(path)


def test_the_file_holds_everything_when_the_manager_is_forgotten(path: Path):
    fill(H5FlowDataManager(path))
    gc.collect()
    check(path)


def test_asking_for_the_file_writes_everything_to_it(path: Path):
    with H5FlowDataManager(path) as dm:
        fill(dm)
        assert dm.fh["a/data"][:].tolist() == [1, 2, 3]
        assert dm.fh["a"].attrs["unit"] == "cm"


def run_script(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


SCRIPT = """
    from h5flow.data import H5FlowDataManager
    dm = H5FlowDataManager("file.h5")
    for name in ("a", "b"):
        dm.create_dset(name, "i4")
        dm.write_data(name, dm.reserve_data(name, 3), [1, 2, 3])
    dm.create_ref("a", "b")
    dm.write_ref("a", "b", [(0, 2)])
    dm.set_attrs("a", unit="cm")
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [("", 0), ("    raise SystemExit(3)", 3), ("    1 / 0", 1), ("    dm.close_file()", 0)],
)
def test_the_file_holds_everything_when_the_interpreter_exits(path: Path, end: str, status: int):
    done = run_script(path.parent, SCRIPT + end)
    assert done.returncode == status, done.stderr
    if status != 1:
        assert done.stderr == ""
    check(path)


def test_reading_when_the_interpreter_exits_says_nothing(path: Path):
    with H5FlowDataManager(path) as dm:
        fill(dm)
    script = """
        from h5flow.data import H5FlowDataManager
        dm = H5FlowDataManager("file.h5", mode="r")
        kept = dm.get_dset("a")
        print(dm["a", "b", 0].tolist())
    """
    done = run_script(path.parent, script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[[3]]\n", "")


def test_closing_twice_is_harmless(path: Path):
    dm = H5FlowDataManager(path)
    fill(dm)
    dm.close_file()
    dm.close_file()
    dm.finish()
    check(path)


def test_use_after_closing_reopens_the_file(path: Path):
    dm = H5FlowDataManager(path)
    fill(dm)
    for count in range(1, 4):
        dm.close_file()
        assert dm.reserve_data("a", 1) == slice(2 + count, 3 + count)
        dm.write_ref("a", "b", [(2 + count, 0)])
        dm.set_attrs("a", count=count)
    dm.close_file()
    assert dm["a", :].tolist() == [1, 2, 3, 0, 0, 0]
    assert dm["b", "a", 0].count() == 3
    assert dm.get_attrs("a") == {"unit": "cm", "count": 3}
    assert dm.dset_exists("b")
    dm.close_file()


def test_a_closed_file_can_be_opened_by_others(path: Path):
    dm = H5FlowDataManager(path)
    fill(dm)
    dm.close_file()
    with h5py.File(path, "r+") as file:
        file["c/data"] = [7]
    assert dm["c", :].tolist() == [7]
    dm.close_file()


def test_a_manager_says_what_it_is(path: Path):
    dm = H5FlowDataManager(path)
    assert repr(dm) == f"<H5FlowDataManager {path}, mode 'a'>"
    dm.close_file()
    assert repr(dm) == f"<H5FlowDataManager {path}, closed>"


@pytest.mark.parametrize("kind", [str, Path])
def test_the_path_is_known_as_the_user_named_it(
    working_directory: Path, kind: Callable[[str], Any]
):
    with H5FlowDataManager(kind("./file.h5")) as dm:
        assert dm.filepath == dm.working_path == os.fspath(kind("./file.h5"))


def test_a_new_file_is_made_where_there_is_none(path: Path):
    with H5FlowDataManager(path):
        pass
    with h5py.File(path) as file:
        assert list(file) == []


# -- mode 'r' --------------------------------------------------------------------------------------

WRITING: list[Callable[[H5FlowDataManager], Any]] = [
    lambda dm: dm.create_dset("c", "i4"),
    lambda dm: dm.create_dset("a", "i4"),
    lambda dm: dm.create_ref("b", "b"),
    lambda dm: dm.create_ref("a", "b"),
    lambda dm: dm.reserve_data("a", 1),
    lambda dm: dm.reserve_data("a", 0),
    lambda dm: dm.write_data("a", [0], [5]),
    lambda dm: dm.write_ref("a", "b", [(0, 0)]),
    lambda dm: dm.set_attrs("a", x=1),
    lambda dm: dm.set_attrs("a"),
    lambda dm: dm.delete("a"),
]


def fingerprint(path: Path) -> tuple[str, int]:
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns


def test_a_file_open_for_reading_is_never_written(path: Path):
    with H5FlowDataManager(path) as dm:
        fill(dm)
    before = fingerprint(path)
    with H5FlowDataManager(path, mode="r") as dm:
        for call in WRITING:
            with pytest.raises(
                H5FlowError, match=r"cannot be written: it was opened with mode='r'"
            ):
                call(dm)
        assert dm["a", "b", :].count() == 1
        assert len(dm.get_ref_region("a", "b")) == 3
        assert dm.get_attrs("a") == {"unit": "cm"}
        assert dm.get_dset("a")[:].tolist() == [1, 2, 3]
        assert dm.fh.mode == "r"
        assert not dm.exists("c")
    assert fingerprint(path) == before


def test_a_file_that_may_not_be_written_can_be_read(path: Path):
    with H5FlowDataManager(path) as dm:
        fill(dm)
    path.chmod(stat.S_IRUSR)
    with H5FlowDataManager(path, mode="r") as dm:
        assert dm["a", :].tolist() == [1, 2, 3]
    if os.geteuid():  # nothing is forbidden to root
        with pytest.raises(FileFormatError, match="may not be written"):
            H5FlowDataManager(path)


def test_several_can_read_a_file_at_once(path: Path):
    with H5FlowDataManager(path) as dm:
        fill(dm)
    with H5FlowDataManager(path, mode="r") as one, H5FlowDataManager(path, mode="r") as other:
        assert one["a", :].tolist() == other["a", :].tolist()


def test_a_second_manager_in_a_run_reads_only(path: Path, monkeypatch: pytest.MonkeyPatch):
    with H5FlowDataManager(path) as dm:
        fill(dm)
    monkeypatch.setattr(H5FlowDataManager, "run_in_progress", True)
    with H5FlowDataManager(path) as dm:
        assert dm["a", :].tolist() == [1, 2, 3]
        with pytest.raises(H5FlowError, match="while a run goes on, only its own"):
            dm.reserve_data("a", 1)


# -- finish ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop", ["big", ["big"], ("big", "absent"), ["/big/"]])
def test_finish_removes_what_is_on_the_drop_list_and_its_space(path: Path, drop: Any):
    with H5FlowDataManager(path, drop_list=drop) as dm:
        fill(dm)
        dm.create_dset("big", "f8")
        dm.write_data("big", dm.reserve_data("big", 500_000), np.ones(500_000))
        dm.create_ref("a", "big")
        dm.write_ref("a", "big", [(0, 0)])
        dm.finish()
        assert not dm.dset_exists("big")
        assert dm["a", "b", 0].tolist() == [[3]]
    check(path)
    assert list(path.parent.iterdir()) == [path]
    without = path.with_name("without.h5")
    with H5FlowDataManager(without) as dm:
        fill(dm)
    assert path.stat().st_size < without.stat().st_size + 10_000


def test_leaving_without_finish_keeps_what_is_on_the_drop_list(path: Path):
    with H5FlowDataManager(path, drop_list=["a"]) as dm:
        fill(dm)
    check(path)


def test_a_name_on_the_drop_list_is_no_list_of_letters(path: Path):
    with H5FlowDataManager(path, drop_list="ab") as dm:
        fill(dm)
        dm.finish()
    check(path)
