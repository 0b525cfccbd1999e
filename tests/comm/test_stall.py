"""Ranks that tell each other nothing for too long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from h5flow.comm.situation import Situation
from h5flow.comm.stall import ANSWER_SECONDS, LONGEST_GAP, Stall, stall_report
from h5flow.comm.verdict import Verdict

SECONDS = 600.0
BUSY = Situation("run of 'slow' (Slow), chunk 12", waits=False, stack="  in run\n    sleep()\n")
WAITING = Situation("run of 'slow' (Slow), chunk 11", waits=True, stack="  in exchange\n")


@dataclass
class Communicator:
    rank: int = 0
    size: int = 2
    activity: int = 1


@dataclass
class Witness:
    seen: Situation

    def situation(self) -> Situation:
        return self.seen

    def describe(self) -> str:
        return self.seen.doing

    def waits(self) -> bool:
        return self.seen.waits


class Rank:
    """A stall's watch with a clock of its own, looked at every second."""

    def __init__(
        self, folder: Path | None, rank: int = 0, seen: Situation = BUSY, seconds: float = SECONDS
    ) -> None:
        self.communicator = Communicator(rank)
        path = None if folder is None else folder / "out.h5.partial"
        self.stall = Stall(self.communicator, seconds, Witness(seen), lambda: path)  # type: ignore[arg-type]
        self.now = 1000.0
        self.stall.look(self.now)

    def after(self, seconds: float, step: float = 1.0) -> Verdict | None:
        for _ in range(round(seconds / step)):
            self.now += step
            if verdict := self.stall.look(self.now):
                return verdict
        return None


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_run_that_goes_on_is_left_alone_and_writes_nothing(tmp_path: Path) -> None:
    for rank in Rank(tmp_path, 0), Rank(tmp_path, 1):
        for _ in range(5):
            assert rank.after(SECONDS - 1) is None
            rank.communicator.activity += 1
    assert names(tmp_path) == []


def test_a_stall_is_reported_once_by_rank_0(tmp_path: Path) -> None:
    first, second = Rank(tmp_path, 0, WAITING), Rank(tmp_path, 1, BUSY)
    assert second.after(SECONDS + 100) is None
    assert names(tmp_path) == ["out.h5.partial.rank1.stalled"]
    assert first.after(SECONDS + ANSWER_SECONDS - 1) is None
    assert first.after(1) == Verdict(
        stall_report(SECONDS, {0: WAITING, 1: BUSY}, 2, tmp_path), status=1
    )
    assert names(tmp_path) == []


def test_a_rank_that_goes_on_removes_its_answer(tmp_path: Path) -> None:
    rank = Rank(tmp_path, 1)
    rank.after(SECONDS)
    assert names(tmp_path) == ["out.h5.partial.rank1.stalled"]
    rank.communicator.activity += 1
    rank.after(1)
    assert names(tmp_path) == []
    rank.after(SECONDS)
    assert names(tmp_path) == ["out.h5.partial.rank1.stalled"]
    rank.stall.withdraw()
    assert names(tmp_path) == []


def test_the_answer_of_a_run_that_was_killed_is_removed(tmp_path: Path) -> None:
    (tmp_path / "out.h5.partial.rank1.stalled").write_text(BUSY.encode())
    Rank(tmp_path, 1)
    assert names(tmp_path) == []


def test_half_an_answer_is_none(tmp_path: Path) -> None:
    (tmp_path / "out.h5.partial.rank1.stalled").write_text(BUSY.encode()[:20])
    verdict = Rank(tmp_path).after(SECONDS + ANSWER_SECONDS)
    assert verdict is not None
    assert "rank 1: no answer" in verdict.text
    assert names(tmp_path) == []


def test_zero_waits_for_ever(tmp_path: Path) -> None:
    assert Rank(tmp_path, seconds=0).after(10 * SECONDS) is None


def test_patience_allows_any_time(tmp_path: Path) -> None:
    rank = Rank(tmp_path)
    with rank.stall.patience:
        assert rank.after(10 * SECONDS) is None
    assert rank.after(SECONDS) is None
    assert rank.after(ANSWER_SECONDS) is not None


def test_time_in_which_the_process_was_suspended_does_not_count(tmp_path: Path) -> None:
    rank = Rank(tmp_path)
    assert rank.after(5 * SECONDS, step=5 * SECONDS) is None
    assert rank.after(SECONDS - LONGEST_GAP) is None
    assert rank.after(LONGEST_GAP + ANSWER_SECONDS) is not None


def test_a_stall_without_an_output_is_reported_too() -> None:
    assert Rank(None, rank=1).after(2 * SECONDS) is None
    verdict = Rank(None).after(SECONDS + ANSWER_SECONDS)
    assert verdict is not None
    assert "rank 1: no answer: there is no output yet" in verdict.text


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert Rank(missing, rank=1).after(2 * SECONDS) is None
    verdict = Rank(missing).after(SECONDS + ANSWER_SECONDS)
    assert verdict is not None
    assert f"or its machine does not see {missing}" in verdict.text


def test_those_who_hold_up_the_others_come_first_with_their_stacks() -> None:
    situations = {0: WAITING, 1: WAITING, 2: WAITING, 3: BUSY, 5: WAITING}
    assert stall_report(600, situations, 6, Path("/data")).splitlines() == [
        "h5flow: error: the ranks have told each other nothing for 600 s, and all are stopped. "
        "If a chunk may take longer, give a longer --stall-timeout (0 waits for ever).",
        "rank 3: run of 'slow' (Slow), chunk 12",
        "  in run",
        "    sleep()",
        "rank 4: no answer: it has left, is stuck outside of Python, or its machine does not "
        "see /data",
        "ranks 0-2, 5: waiting for the others",
    ]


def test_ranks_in_the_same_place_share_a_stack() -> None:
    report = stall_report(600, dict.fromkeys(range(64), BUSY), 64, None)
    assert report.splitlines()[1:] == [f"ranks 0-63: {BUSY.doing}", "  in run", "    sleep()"]


@pytest.mark.parametrize("size", [2, 5])
def test_where_all_wait_for_each_other_all_stacks_are_shown(size: int) -> None:
    report = stall_report(600, dict.fromkeys(range(size), WAITING), size, None)
    assert report.splitlines()[1:] == [f"ranks 0-{size - 1}: {WAITING.doing}", "  in exchange"]
