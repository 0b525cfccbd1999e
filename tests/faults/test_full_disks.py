"""A disk that is full, or read-only: one error that says so, nothing lost, and --resume later.

On a small tmpfs, where the test may mount one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faults.fuzzing import Outcome, Server, complaints
from faults.moments import Moment
from faults.project import COMMAND, make_project
from faults.trial import Trial
from file_contents import file_contents

MIB = 2**20
WORDS = (*COMMAND, "--checkpoint-every", "0")
OUTPUT, EDIT = "h5flow.core.output", "h5flow.io.edit"
REVIVAL = "h5flow.journal.revival"
COMMIT = "h5flow.storage.live_process:LiveProcessStorage.commit"
RECORD = "h5flow.transaction.milestones:Milestones.record"
ROOM = "h5flow.io.space:Room.require"
IN_THE_LOOP = Moment(RECORD, 5)
# Where the disk is filled by somebody else.
MOMENTS = [
    Moment(f"{OUTPUT}:copy_input"),
    *(Moment(ROOM, call, "after") for call in (1, 3, 12, 16)),
    *(Moment(COMMIT, call) for call in (1, 2, 5, 9)),
    Moment(RECORD, 4),
    Moment("h5flow.io.compact:compact"),
    Moment(f"{OUTPUT}:write_record"),
]
RESUMING = [
    Moment(f"{REVIVAL}:revive"),
    Moment(f"{EDIT}:_record"),
    Moment(f"{EDIT}:_record", when="after"),
]
ON_RANKS = [
    Moment("h5flow.storage.writer:Writer.share", 2),
    Moment(ROOM, 16, "after"),
    Moment("h5flow.storage.writer:Writer.share", 20),
]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 40 MiB."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("NOT TESTED ON A FULL DISK: only root may mount one")
    if subprocess.run(mount, capture_output=True, timeout=20, check=False).returncode:
        pytest.skip("NOT TESTED ON A FULL DISK: a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], timeout=20, check=True)


@pytest.fixture(scope="module")
def made(disk: Path) -> Iterator[Trial]:
    folder = disk / "project"
    folder.mkdir()
    make_project(folder, chunk_size=500)
    with Server(folder) as server:
        trial = Trial(folder, server, WORDS)
        trial.begin()
        assert trial.run() == Outcome(0, "", "")
        trial.whole = file_contents(trial.output)
        yield trial


@pytest.fixture
def trial(made: Trial) -> Iterator[Trial]:
    made.begin()
    yield made
    made.folder.joinpath("filler").unlink(missing_ok=True)


def fill(trial: Trial, free: int) -> None:
    """Leave so many bytes of the disk."""
    size = shutil.disk_usage(trial.folder).free - free
    with open(trial.folder / "filler", "wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, size)


def goes_on_when_there_is_room(trial: Trial, outcome: Outcome) -> None:
    """See that a run has failed as it should, and let it go on."""
    assert outcome.status == 1, outcome.stderr
    assert [*complaints(outcome)] == []
    assert "there is no room for" in outcome.stderr
    assert "out.h5.partial" in outcome.stderr
    trial.folder.joinpath("filler").unlink(missing_ok=True)
    left = trial.left()
    assert trial.output.read_bytes() == trial.folder.joinpath("old.h5").read_bytes()
    # what cannot be used is not left
    assert trial.working.exists() == (left is not None)
    assert ("--resume goes on" in outcome.stderr) <= (left is not None)
    trial.resume(left)


@pytest.mark.parametrize("free", [0.02, 1, 3, 5, 7, 9, 12, 14], ids=lambda free: f"{free} MiB")
def test_a_small_disk_is_one_error_and_nothing_is_lost(trial: Trial, free: float) -> None:
    fill(trial, int(free * MIB))
    goes_on_when_there_is_room(trial, trial.run())


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_disk_that_fills_up_is_one_error_and_nothing_is_lost(
    trial: Trial, moment: Moment
) -> None:
    goes_on_when_there_is_room(trial, trial.run(replace(moment, what="fill the disk")))


@pytest.mark.parametrize("moment", RESUMING, ids=str)
def test_a_run_that_cannot_be_resumed_for_want_of_room_is_resumed_later(
    trial: Trial, moment: Moment
) -> None:
    trial.run(IN_THE_LOOP)
    before = trial.left()
    assert before is not None
    goes_on_when_there_is_room(trial, trial.run(replace(moment, what="fill the disk")))


@pytest.mark.parametrize("moment", ON_RANKS, ids=str)
def test_on_two_ranks_it_is_the_same(trial: Trial, moment: Moment) -> None:
    outcome = replace(trial, ranks=2).run(replace(moment, what="fill the disk"))
    # the stage's own traceback may stand above it
    assert outcome.stderr.count("h5flow: error:") == 1
    trial.folder.joinpath("filler").unlink(missing_ok=True)
    assert outcome.status == 1
    assert "there is no room for" in outcome.stderr
    trial.resume(trial.left())


@pytest.fixture
def protected(disk: Path) -> Iterator[Path]:
    """A folder in which nobody, not even root, can write."""
    folder = disk / "protected"
    folder.mkdir()
    for words in (["--bind", str(folder), str(folder)], ["-o", "remount,bind,ro", str(folder)]):
        subprocess.run(["mount", *words], timeout=20, check=True)
    yield folder
    subprocess.run(["umount", str(folder)], timeout=20, check=True)


def test_a_folder_that_is_read_only_is_an_error_before_anything_is_done(
    trial: Trial, protected: Path
) -> None:
    words = tuple(str(protected / word) if word == "out.h5" else word for word in WORDS)
    outcome = replace(trial, words=words).run()
    assert outcome.status == 2
    assert [*complaints(outcome)] == []
    assert f"the folder {protected} is read-only" in outcome.stderr
    assert trial.chunks() == []
