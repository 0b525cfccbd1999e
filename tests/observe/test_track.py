"""How far a run is, told from its events."""

from __future__ import annotations

from typing import Any

import pytest

from h5flow.events import ChunkDone, ConfigFinished, ConfigStarted, CopyProgress
from h5flow.observe.track import Track, Tracker

Clock = Any  # of conftest.py


def chunk(rows: int) -> ChunkDone:
    return ChunkDone(0, rows, 0, rows)


def started(total: int | None) -> ConfigStarted:
    return ConfigStarted("events.yaml", "events", (), total)


@pytest.fixture
def tracker(clock: Clock) -> Tracker:
    return Tracker(clock)


def line_of(tracker: Tracker) -> str:
    assert tracker.track is not None
    return tracker.track.line()


def test_a_line_says_amount_share_rate_and_time_left(tracker: Tracker, clock: Clock) -> None:
    tracker.follow(started(10_000_000))
    clock.now += 1
    tracker.follow(chunk(1_310_720))
    assert line_of(tracker) == (
        "events.yaml: 1,310,720 of 10,000,000 rows (13 %), 1.31 M rows/s, 6.6 s left"
    )


def test_without_a_length_there_is_no_share(tracker: Tracker, clock: Clock) -> None:
    tracker.follow(started(None))
    clock.now += 2
    tracker.follow(chunk(1_000))
    assert line_of(tracker) == "events.yaml: 1,000 rows, 500 rows/s"


def test_chunks_give_the_share_where_rows_are_not_known(tracker: Tracker, clock: Clock) -> None:
    tracker.follow(ConfigStarted("toy.yaml", "events", (), None, total_chunks=8))
    clock.now += 2
    tracker.follow(chunk(500))
    clock.now += 2
    tracker.follow(chunk(500))
    assert line_of(tracker) == "toy.yaml: 1,000 rows (25 %), 250 rows/s, 12 s left"


def test_a_source_without_rows_is_complete(tracker: Tracker) -> None:
    tracker.follow(started(0))
    assert line_of(tracker) == "events.yaml: 0 of 0 rows (100 %)"


def test_more_rows_than_were_announced_leave_no_time(tracker: Tracker, clock: Clock) -> None:
    tracker.follow(started(10))
    clock.now += 1
    tracker.follow(chunk(20))
    assert line_of(tracker) == "events.yaml: 20 of 10 rows (100 %), 20 rows/s"


def test_the_copy_of_the_input_is_counted_in_bytes(tracker: Tracker, clock: Clock) -> None:
    tracker.follow(CopyProgress("in.h5", 0, 3_000_000_000))
    clock.now += 2
    tracker.follow(CopyProgress("in.h5", 1_000_000_000, 3_000_000_000))
    assert line_of(tracker) == "copying in.h5: 1.00 GB of 3.00 GB (33 %), 500 MB/s, 4.0 s left"


def test_a_copy_within_a_workflow_does_not_lose_its_rows(tracker: Tracker, clock: Clock) -> None:
    tracker.follow(started(100))
    tracker.follow(CopyProgress("in.h5", 10, 10))
    tracker.follow(chunk(40))
    assert line_of(tracker) == "events.yaml: 40 of 100 rows (40 %)"


def test_the_rate_is_that_of_the_last_half_minute(tracker: Tracker, clock: Clock) -> None:
    tracker.follow(started(1_000_000))
    clock.now += 1_000
    for _ in range(50):
        clock.now += 1
        tracker.follow(chunk(10))
    assert tracker.track is not None
    assert tracker.track.rate == pytest.approx(10)


def test_the_closing_line_of_a_workflow(tracker: Tracker) -> None:
    tracker.follow(started(10))
    assert tracker.follow(ConfigFinished("events.yaml", 153, 10_000, 80.0)) == (
        "events.yaml: done, 10,000 rows in 153 chunks, 1 min 20 s"
    )
    assert tracker.track is None


def test_nothing_is_going_on_before_the_first_event(tracker: Tracker) -> None:
    tracker.follow(chunk(3))
    assert tracker.track is None


def test_the_short_amount() -> None:
    assert Track("a", 1_310_720, 10_000_000).amount(short=True) == "1.31 M of 10.0 M rows"
