"""What a run has left that did not end: said by check, and made an ordinary file by --repair."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from file_contents import file_contents

from h5flow import H5FlowStage
from h5flow.cli.app import main
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.data import H5FlowDataManager
from h5flow.errors import FileFormatError, UsageError
from h5flow.io.edit import edit_at_once, open_left
from h5flow.io.superblock import read_superblock
from h5flow.journal.checkpoint import read_checkpoint
from h5flow.journal.finding import Finding
from h5flow.journal.inspection import inspect_file
from h5flow.journal.lock import Lock
from h5flow.journal.salvage import salvage_file
from h5flow.modules import H5FlowDatasetLoopGenerator

CHUNK = 2


class Doubles(H5FlowStage):
    """Writes rows and references; a copy of the file is taken where it is told to."""

    copy_at: int | None = None  # the chunk's first row

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("doubles", "i8")
        self.data_manager.create_ref(source_name, "doubles")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        ids = cache[source_name]["id"]
        rows = self.data_manager.reserve_data("doubles", len(ids))
        self.data_manager.write_data("doubles", rows, 2 * ids)
        pairs = np.stack([np.arange(source_slice.start, source_slice.stop), np.r_[rows]], axis=1)
        self.data_manager.write_ref(source_name, "doubles", pairs)
        if source_slice.start == self.copy_at:
            # what is written now is in the file, and in no checkpoint
            self.data_manager.get_dset("doubles")
            references, _ = self.data_manager.get_ref(source_name, "doubles")
            references.file.flush()
            Path("left").mkdir()
            shutil.copy("out.h5.partial", "left/out.h5.partial")


@pytest.fixture
def request_made(events: Path, workflow: Callable[..., Any]) -> RunRequest:
    loop = (H5FlowDatasetLoopGenerator, {"params": {"chunk_size": CHUNK}})
    content = workflow(Doubles, generator=loop)
    return RunRequest(configs=(content,), output="out.h5", input="in.h5", checkpoint_every=0)


@pytest.fixture
def left(request_made: RunRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a run has left that was killed in its fourth chunk."""
    monkeypatch.setattr(Doubles, "copy_at", 3 * CHUNK)
    execute(request_made)
    monkeypatch.setattr(Doubles, "copy_at", None)
    return Path("left/out.h5.partial")


def only(path: Path) -> Finding:
    (finding,) = inspect_file(path)
    return finding


def test_how_far_the_run_came_is_said_and_how_to_go_on(left: Path) -> None:
    found = only(left)
    assert found.is_unfinished
    assert found.text == (
        "is what a run has left that did not end; at its last checkpoint it had done 3 chunks, "
        "6 rows, of workflow 1 of 1 (source 'events', stages doubles)"
    )
    assert "--resume" in found.advice
    assert "--repair" in found.advice


def test_looking_at_it_changes_nothing(left: Path) -> None:
    before = left.read_bytes()
    only(left)
    assert left.read_bytes() == before
    assert [path.name for path in left.parent.iterdir()] == [left.name]


def test_it_becomes_the_file_of_its_last_checkpoint(left: Path, request_made: RunRequest) -> None:
    salvage_file(left)
    execute(RunRequest(request_made.configs, output="six.h5", input="in.h5", end=6))
    found, wanted = file_contents(left), file_contents("six.h5")
    region = "events/ref/doubles/ref_region"
    # a row beyond the end of its regions has no references: a run that ends adds what is missing
    assert wanted[region][0] == found[region][0].ljust(len(wanted[region][0]), b"\0")
    assert {**found, region: wanted[region]} == wanted
    assert [path.name for path in left.parent.iterdir()] == [left.name]


def test_it_can_be_read_and_added_to_like_any_other(left: Path) -> None:
    salvage_file(left)
    kept = left.rename("kept.h5")
    assert list(inspect_file(kept)) == []
    with H5FlowDataManager(kept) as dm:
        dm.write_data("doubles", dm.reserve_data("doubles", 1), [7])
        assert dm["doubles", :].tolist() == [0, 2, 4, 6, 8, 10, 7]
        assert dm["events", "doubles", 5].tolist() == [[10]]
    with h5py.File(kept) as file:
        assert "h5flow" not in file


def test_under_its_name_it_would_be_removed_and_that_is_noted(left: Path) -> None:
    salvage_file(left)
    found = only(left)
    assert found.is_note
    assert "which the next of them removes" in found.text


@pytest.mark.parametrize(
    "step",
    ["salvage.share_blocks", "salvage.revive", "salvage._make_ordinary", "in_place.put_in_place"],
)
def test_a_repair_that_does_not_end_leaves_what_can_be_resumed(
    left: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    before = left.read_bytes()
    monkeypatch.setattr(f"h5flow.journal.{step}", fail)
    with pytest.raises(KeyboardInterrupt):
        salvage_file(left)
    assert left.read_bytes() == before


def test_what_a_killed_repair_has_left_is_no_hindrance(left: Path) -> None:
    left.with_name("out.h5.partial.repaired").write_bytes(b"half a copy")
    left.with_name("out.h5.lock").touch()
    salvage_file(left)
    assert [path.name for path in left.parent.iterdir()] == [left.name]


def test_while_a_run_writes_it_nothing_is_read_or_changed(left: Path) -> None:
    before = left.read_bytes()
    lock = Lock(left.with_name("out.h5.lock"), left.with_name("out.h5"))
    try:
        assert only(left).text.startswith("is being written by a run: process ")
        with pytest.raises(UsageError, match="another run is writing"):
            salvage_file(left)
    finally:
        lock.release()
    assert left.read_bytes() == before


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(working_directory: Path) -> None:
    with h5py.File("whole.h5", "w", libver=("v110", "latest")) as file:
        file["x/data"] = [1]
        file.flush()
        shutil.copy("whole.h5", "out.h5.partial")
    found = only(Path("out.h5.partial"))
    assert "holds no checkpoint that can be read" in found.text
    assert found.advice == "Start the run of out.h5 again; it begins anew."
    with pytest.raises(FileFormatError, match="no checkpoint"):
        salvage_file(Path("out.h5.partial"))


def test_what_was_left_between_two_modes_is_read_as_well(left: Path) -> None:
    wanted = read_checkpoint(left)
    salvaged = Path("left/copy.h5")
    shutil.copy(left, salvaged)
    assert wanted is not None
    with edit_at_once(salvaged):
        pass  # which closes it
    with h5py.File(salvaged, "r+", libver=("v110", "latest")) as file:
        file.flush()
        shutil.copy(salvaged, left)
    head = read_superblock(left)
    assert head is not None
    assert not head.is_closed
    assert not head.is_shared
    assert read_checkpoint(left) == wanted
    with open_left(left) as file:
        assert len(file["doubles/data"]) == len(file["events/ref/doubles/ref"]) == 8
    assert only(left).is_unfinished


def test_the_command_repairs_and_looks_again(
    left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--file", str(left)]) == 1
    assert main(["check", "--repair", "--file", str(left)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == f"{left}: 1 finding"
    assert printed[3:] == [
        f"{left}: it is an ordinary file now, as it was at that checkpoint; once more:",
        f"{left}: note: is called what runs of out.h5 call their working files, which the next of "
        "them removes. Give it another name to keep it.",
        f"{left}: all is well",
    ]


def test_what_was_looked_at_can_still_be_resumed(
    left: Path, request_made: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = file_contents("out.h5")
    Path("out.h5").unlink()
    only(left)
    left.rename("out.h5.partial")
    done: list[int] = []
    run = Doubles.run

    def counted(self: Doubles, source_name: str, rows: slice, cache: dict[str, Any]) -> None:
        done.append(rows.start)
        run(self, source_name, rows, cache)

    monkeypatch.setattr(Doubles, "run", counted)
    execute(replace(request_made, resume=True))
    assert done[0] == 3 * CHUNK
    assert file_contents("out.h5") == whole
