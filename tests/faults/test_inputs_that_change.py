"""Inputs that are damaged, or vanish while a run reads them; and outputs that nobody may write."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from faults.fuzzing import Outcome, Server, complaints
from faults.moments import Moment
from faults.project import COMMAND, make_project
from faults.trial import Trial
from file_contents import file_contents

WORDS = (*COMMAND, "--checkpoint-every", "0")
LINKED = (*WORDS, "--input-data", "link")
RECORD = "h5flow.transaction.milestones:Milestones.record"
OPENED = "h5flow.core.runner:open_output"
HARM = ["delete the input", "truncate the input", "replace the input"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("inputs")
    make_project(folder, chunk_size=500, compression="gzip", fletcher32=True)
    shutil.copy(folder / "in.h5", folder / "kept.h5")
    with Server(folder) as server:
        yield left_alone(Trial(folder, server, WORDS))


def left_alone(trial: Trial) -> Trial:
    """Return a trial that knows what its run makes."""
    trial.begin()
    assert trial.run() == Outcome(0, "", "")
    trial.whole = file_contents(trial.output)
    return trial


@pytest.fixture(scope="module")
def made_of_links(made: Trial) -> Trial:
    return left_alone(replace(made, words=LINKED))


@pytest.fixture
def trial(made: Trial) -> Iterator[Trial]:
    made.begin()
    yield made
    mend(made)


@pytest.fixture
def linked(made_of_links: Trial) -> Iterator[Trial]:
    made_of_links.begin()
    yield made_of_links
    mend(made_of_links)


@pytest.fixture(params=["trial", "linked"])
def either(request: pytest.FixtureRequest) -> Trial:
    return request.getfixturevalue(request.param)


def mend(trial: Trial) -> None:
    shutil.copy(trial.folder / "kept.h5", trial.folder / "in.h5")


def flip_a_bit(path: Path, chunk: int) -> None:
    """Flip a bit in the middle of a chunk of 512 rows."""
    with h5py.File(path) as file:
        found = file["events/data"].id.get_chunk_info(chunk)
    data = bytearray(path.read_bytes())
    data[found.byte_offset + found.size // 2] ^= 8
    path.write_bytes(data)


def fails(trial: Trial, moment: Moment | None = None) -> Outcome:
    """Let a run fail with one error, which leaves the older output as it is."""
    outcome = trial.run(moment)
    assert outcome.status in {1, 2}, outcome.stderr
    assert [*complaints(outcome)] == []
    assert trial.output.read_bytes() == (trial.folder / "old.h5").read_bytes()
    return outcome


def test_a_chunk_with_a_flipped_bit_is_named(either: Trial) -> None:
    flip_a_bit(either.folder / "in.h5", 3)
    outcome = fails(either)
    assert "chunk 3, rows 1500:2000 of 'events'" in outcome.stderr
    assert "of /events/data in" in outcome.stderr
    left = either.left()
    assert left is not None
    assert left.chunks == 3
    mend(either)
    # it is another file now, and that is said
    assert "the input of a.yaml has changed" in fails(either).stderr


def test_what_was_done_before_a_flipped_bit_is_kept_where_the_input_is_linked(
    linked: Trial,
) -> None:
    flip_a_bit(linked.folder / "in.h5", 3)
    fails(linked)
    mend(linked)
    forced(linked).resume(linked.left())


def forced(trial: Trial) -> Trial:
    """Whoever puts an input back makes another file of it."""
    return replace(trial, words=(*trial.words, "--force"))


@pytest.mark.parametrize("what", HARM)
def test_an_input_that_was_copied_is_not_needed_any_more(trial: Trial, what: str) -> None:
    assert trial.run(Moment(RECORD, 2, what=what)) == Outcome(0, "", "")
    assert file_contents(trial.output) == trial.whole


@pytest.mark.parametrize("what", HARM)
def test_an_input_that_changes_before_it_is_opened_is_an_error(either: Trial, what: str) -> None:
    outcome = fails(either, Moment(OPENED, what=what))
    assert "in.h5" in outcome.stderr or "there is no dataset 'events'" in outcome.stderr
    assert not either.working.exists()
    mend(either)
    either.resume(None)


@pytest.mark.parametrize("what", HARM)
@pytest.mark.parametrize("ranks", [1, 2])
def test_an_input_that_was_linked_is_not_missed_without_a_word(
    linked: Trial, ranks: int, what: str
) -> None:
    outcome = fails(replace(linked, ranks=ranks), Moment(RECORD, 3, what=what))
    assert "in.h5" in outcome.stderr
    left = linked.left()
    assert left is not None
    mend(linked)
    forced(linked).resume(left)


def test_a_working_file_that_is_removed_is_an_error(trial: Trial) -> None:
    outcome = fails(trial, Moment(RECORD, 3, what="remove the output"))
    assert f"there is no file {trial.working}" in outcome.stderr
    trial.resume(None)
