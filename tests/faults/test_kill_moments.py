"""A run that is killed at moments that are chosen: what was done until then is not done again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faults.fuzzing import Server
from faults.moments import Moment
from faults.project import COMMAND, make_project
from faults.trial import Trial
from file_contents import file_contents

from h5flow.journal.checkpoint import Checkpoint

WORDS = (*COMMAND, "--checkpoint-every", "0")
OUTPUT, ROOM = "h5flow.core.output", "h5flow.journal.working_file"
SERIAL, WRITER = "h5flow.storage.single_process", "h5flow.storage.writer"
EDIT = "h5flow.io.edit"
HOOKS, REVIVAL = "h5flow.core.hooks:Hooks.call", "h5flow.journal.revival"
LIVE = "h5flow.storage.live_process:LiveProcessStorage"
RECORD = "h5flow.transaction.milestones:Milestones.record"
TABLE = "h5flow.storage.table:Table"

BEGINNING = [
    Moment("h5flow.io.clone:_copy_in_kernel"),
    Moment("h5flow.io.clone:_copy_in_kernel", when="after"),
    Moment(f"{OUTPUT}:copy_input", when="after"),
    Moment(HOOKS, 2, about="'init'"),
    Moment(HOOKS, 2, about="'init'", when="after"),
    Moment(f"{LIVE}._go_live", when="before"),
    Moment(f"{LIVE}._go_live", when="after"),
    Moment(RECORD, 1, when="after"),
]
LOOP = [
    Moment(f"{SERIAL}:SingleProcessStorage.apply", 9, about="sums"),
    Moment(f"{TABLE}.flush", 130, when="after"),
    Moment(f"{TABLE}._store_by_hdf5", 12, when="after"),
    *(Moment(f"{LIVE}.commit", 9, when=delay) for delay in (0, 30, 60, 100, 200)),
    Moment(RECORD, 4),
    Moment(RECORD, 4, when="after"),
    Moment(f"{SERIAL}:SingleProcessStorage._create", about="/late/data"),
    Moment(f"{SERIAL}:SingleProcessStorage._create", about="/late/data", when="after"),
    Moment(HOOKS, 2, about="'finish'", when="after"),
]
DROP = [
    Moment(f"{WRITER}:edit_at_once"),
    Moment(f"{WRITER}:remove_object"),
    Moment(f"{WRITER}:remove_object", when="after"),
    Moment(f"{EDIT}:_record"),
    Moment(f"{EDIT}:_record", when="after"),
    Moment(f"{EDIT}:os.pwrite", 2, when="after"),
    Moment(f"{WRITER}:Writer._open", 1, about="live", when="after"),
    Moment(f"{WRITER}:Writer.delete", about="/scratch/data", when="after"),
    Moment(f"{OUTPUT}:H5FlowDataManager", 2),
]
PUBLISHING = [
    Moment("h5flow.io.compact:compact"),
    Moment("h5flow.io.objects:copy_object", 5, when="after"),
    Moment(f"{ROOM}:WorkingFile.rewrite", when="after"),
    Moment(f"{OUTPUT}:write_record"),
    Moment(f"{OUTPUT}:write_record", when="after"),
    Moment(f"{ROOM}:_sync"),
    Moment("pathlib:Path.replace", about="out.h5.partial'"),
    Moment("pathlib:Path.replace", about="out.h5.partial'", when="after"),
    Moment(f"{ROOM}:_sync", 2, when="after"),
    Moment(f"{ROOM}:put_in_place", when="after"),
]
# Of a run that has dropped nothing.
COMPLETING = [
    Moment(f"{OUTPUT}:edit_at_once"),
    Moment(f"{OUTPUT}:write_record", when="after"),
    Moment(f"{EDIT}:_record"),
    Moment(f"{EDIT}:_record", when="after"),
    Moment(f"{EDIT}:os.pwrite", 2, when="after"),
    Moment(f"{EDIT}:finish_edit", 2, when="after"),
    Moment(f"{ROOM}:_sync"),
]
# Of a run that goes on where another one was killed in its loop.
RESUMING = [
    Moment(f"{REVIVAL}:_cut", 4, when="after"),
    Moment(f"{REVIVAL}:_clip", 1, when="after"),
    Moment(f"{EDIT}:_record"),
    Moment(f"{EDIT}:_record", when="after"),
    Moment(f"{EDIT}:os.pwrite", 2),  # the first one writes into the lock
    Moment(f"{EDIT}:os.pwrite", 3, when="after"),
    Moment(f"{EDIT}:finish_edit", 2, when="after"),
    Moment(f"{REVIVAL}:revive", when="after"),
    Moment(HOOKS, 1, about="'restore'", when="after"),
    Moment(f"{LIVE}._go_live"),
    Moment(f"{LIVE}._go_live", when="after"),
]
# Its rows are in the file, and in no checkpoint.
IN_THE_LOOP = Moment(RECORD, 5)
# Such as rank 0 of several comes by: it writes for all.
ON_RANKS = [
    Moment(f"{OUTPUT}:copy_input", when="after"),
    Moment(HOOKS, 2, about="'init'", when="after"),
    Moment(f"{TABLE}.flush", 130, when="after"),
    Moment(f"{WRITER}:Writer.share", 9, when=100),
    Moment(RECORD, 3),
    Moment(f"{SERIAL}:SingleProcessStorage._create", about="/late/data", when="after"),
    Moment(f"{EDIT}:_record", when="after"),
    Moment("pathlib:Path.replace", about="out.h5.partial'"),
    Moment("pathlib:Path.replace", about="out.h5.partial'", when="after"),
    # and the other one, which only reads
    Moment(HOOKS, 2, about="'run'", rank=1),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moments")
    make_project(folder, chunk_size=500)
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    with Server(project) as server:
        yield server


def made(trial: Trial) -> Trial:
    """Return a trial that knows what its run makes when it is left alone."""
    trial.begin()
    done = trial.run()
    assert (done.status, done.stderr) == (0, "")
    trial.whole = file_contents(trial.output)
    return trial


@pytest.fixture(scope="module")
def dropping_run(project: Path, server: Server) -> Trial:
    return made(Trial(project, server, WORDS))


@pytest.fixture(scope="module")
def keeping_run(project: Path, server: Server) -> Trial:
    words = (*(word for word in WORDS if not word.endswith(".yaml")), "keeping.yaml")
    return made(Trial(project, server, words))


@pytest.fixture
def trial(dropping_run: Trial) -> Trial:
    dropping_run.begin()
    return dropping_run


def kill(trial: Trial, moment: Moment) -> Checkpoint | None:
    outcome = trial.run(moment)
    is_alive = outcome.status == 0 if trial.ranks > 1 else outcome.status != -signal.SIGKILL
    assert not is_alive, f"it was not killed\n{outcome.stderr}"
    return trial.left()


@pytest.mark.parametrize("moment", BEGINNING, ids=str)
def test_before_anything_is_done_a_kill_costs_nothing(trial: Trial, moment: Moment) -> None:
    trial.resume(kill(trial, moment))


@pytest.mark.parametrize("moment", [*LOOP, *DROP], ids=str)
def test_chunks_that_were_done_are_not_done_again(trial: Trial, moment: Moment) -> None:
    left = kill(trial, moment)
    assert left is not None
    assert left.position or left.chunks
    trial.resume(left)


@pytest.mark.parametrize("moment", PUBLISHING, ids=str)
def test_while_it_is_published_an_output_is_the_old_one_or_the_new_one(
    trial: Trial, moment: Moment
) -> None:
    trial.resume(kill(trial, moment))
    assert trial.chunks() == []


@pytest.mark.parametrize("moment", COMPLETING, ids=str)
def test_a_file_that_is_completed_is_whole_or_goes_on(keeping_run: Trial, moment: Moment) -> None:
    keeping_run.begin()
    keeping_run.resume(kill(keeping_run, moment))
    assert keeping_run.chunks() == []


@pytest.mark.parametrize("moment", RESUMING, ids=str)
def test_a_run_that_is_killed_while_it_is_resumed_is_resumed(trial: Trial, moment: Moment) -> None:
    first = kill(trial, IN_THE_LOOP)
    assert first is not None
    assert first.chunks
    second = kill(trial, moment)
    assert second is not None
    assert (second.position, second.chunks) >= (first.position, first.chunks)
    trial.resume(second)


@pytest.mark.parametrize("moment", ON_RANKS, ids=str)
def test_on_two_ranks_it_is_the_same(trial: Trial, moment: Moment) -> None:
    on_ranks = replace(trial, ranks=2)
    left = kill(on_ranks, moment)
    # one process goes on with what two have done
    trial.resume(left)
