"""The seconds that a rank may take to end in order."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass

import pytest

from h5flow.comm.grace import (
    DEFERRED_SECONDS,
    GRACE_SECONDS,
    LONGEST_RANK_EXTRA,
    RANK_EXTRA,
    SAME_SECONDS,
    WAITING_EXTRA,
    Grace,
)
from h5flow.comm.verdict import Verdict


@dataclass
class Witness:
    is_waiting: bool = False

    def waits(self) -> bool:
        return self.is_waiting

    def describe(self) -> str:
        return "run of 'slow', chunk 7"


def a_grace(*, rank: int = 0, waits: bool = False, dismissed: float = -math.inf) -> Grace:
    return Grace(rank, Witness(waits), lambda arrival: dismissed >= arrival)  # type: ignore[arg-type]


def test_a_rank_that_was_interrupted_has_some_seconds() -> None:
    grace = a_grace()
    assert grace.look(99) is None
    grace.interrupt(signal.SIGINT, 100)
    assert grace.look(100 + GRACE_SECONDS - 0.1) is None
    assert grace.look(100 + GRACE_SECONDS) == Verdict(
        "h5flow: rank 0 was interrupted and is still in run of 'slow', chunk 7; "
        "all ranks are stopped",
        130,
    )


def test_the_first_signal_counts() -> None:
    grace = a_grace()
    grace.interrupt(signal.SIGTERM, 100)
    grace.interrupt(signal.SIGINT, 104)
    verdict = grace.look(100 + GRACE_SECONDS)
    assert verdict is not None
    assert verdict.status == 143


def test_a_signal_that_interrupts_nothing_does_not_count() -> None:
    grace = a_grace(dismissed=101)
    grace.interrupt(signal.SIGTERM, 100)
    assert grace.look(200) is None
    grace.interrupt(signal.SIGTERM, 300)
    assert grace.look(300 + GRACE_SECONDS) is not None


def test_a_dismissed_signal_does_not_hide_a_later_one() -> None:
    grace = a_grace(dismissed=101)
    grace.interrupt(signal.SIGTERM, 100)
    grace.interrupt(signal.SIGTERM, 102)
    assert grace.look(102 + GRACE_SECONDS) is not None


def test_a_failure_gives_the_same_time_and_is_reported() -> None:
    grace = a_grace()
    grace.end(2, "Traceback\nValueError: no\n", 100)
    grace.end(1, "a later one", 100.5)
    assert grace.is_ending
    assert grace.look(100 + GRACE_SECONDS - 0.1) is None
    assert grace.look(100 + GRACE_SECONDS) == Verdict(
        "Traceback\nValueError: no\n"
        "h5flow: rank 0 is still in run of 'slow', chunk 7; all ranks are stopped",
        2,
    )


def test_a_failure_does_not_lengthen_the_time_after_a_signal() -> None:
    grace = a_grace()
    grace.interrupt(signal.SIGINT, 100)
    grace.end(130, "", 104)
    assert grace.look(100 + GRACE_SECONDS) is not None


def test_ranks_that_wait_let_the_one_that_is_stuck_report() -> None:
    grace = a_grace(waits=True)
    grace.interrupt(signal.SIGINT, 100)
    assert grace.look(100 + GRACE_SECONDS) is None
    verdict = grace.look(100 + GRACE_SECONDS + WAITING_EXTRA)
    assert verdict is not None
    assert "was interrupted and still waits for the others in run of" in verdict.text


def test_low_ranks_report_before_high_ones() -> None:
    grace = a_grace(rank=1)
    grace.interrupt(signal.SIGINT, 100)
    assert grace.look(100 + GRACE_SECONDS) is None
    assert grace.look(100 + GRACE_SECONDS + RANK_EXTRA + 0.01) is not None


def test_all_have_gone_in_ten_seconds_whatever_their_number() -> None:
    grace = a_grace(rank=10_000, waits=True)
    grace.interrupt(signal.SIGINT, 100)
    latest = GRACE_SECONDS + LONGEST_RANK_EXTRA + WAITING_EXTRA
    assert latest < 8
    assert grace.look(100 + latest + 0.01) is not None


class TestWhereTheChunkMayEnd:
    def a_grace(self) -> Grace:
        grace = a_grace()
        grace.is_deferring = True
        return grace

    def test_a_signal_gives_more_time(self) -> None:
        grace = self.a_grace()
        grace.interrupt(signal.SIGTERM, 100)
        assert grace.look(100 + DEFERRED_SECONDS + GRACE_SECONDS - 0.1) is None
        verdict = grace.look(100 + DEFERRED_SECONDS + GRACE_SECONDS)
        assert verdict is not None
        assert verdict.status == 143

    def test_batch_systems_kill_later_than_that(self) -> None:
        assert DEFERRED_SECONDS + GRACE_SECONDS + LONGEST_RANK_EXTRA + WAITING_EXTRA < 30

    def test_that_time_is_short_gives_any_time(self) -> None:
        grace = self.a_grace()
        grace.interrupt(signal.SIGUSR1, 100)
        assert grace.look(10_000) is None

    @pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
    @pytest.mark.parametrize(
        ("second", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 75)]
    )
    def test_a_second_signal_gives_the_ordinary_time(
        self, first: int, second: int, status: int
    ) -> None:
        grace = self.a_grace()
        grace.interrupt(first, 100)
        grace.interrupt(second, 103)
        grace.interrupt(second, 106)
        assert grace.look(103 + GRACE_SECONDS - 0.1) is None
        verdict = grace.look(103 + GRACE_SECONDS)
        assert verdict is not None
        assert verdict.status == status

    def test_one_that_is_sent_twice_is_not_a_second_one(self) -> None:
        grace = self.a_grace()
        grace.interrupt(signal.SIGINT, 100)
        grace.interrupt(signal.SIGINT, 100 + SAME_SECONDS / 2)
        assert grace.look(100 + DEFERRED_SECONDS) is None
