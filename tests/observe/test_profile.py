"""Where the time of a loop went."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import pytest

from h5flow.events import (
    ConfigFinished,
    ConfigStarted,
    Event,
    FileTraffic,
    HookTimed,
    LoopFinished,
    Moved,
    Sampled,
)
from h5flow.observe.profile import Profile, print_profile
from h5flow.observe.watch import Watch

STARTED = ConfigStarted("events.yaml", "events", ("pairs", "plots"), 1_000)
FINISHED = LoopFinished(10.0, ("cupy:0",))
UP = Moved(bytes_up=3_000_000, transfers_up=2, seconds_up=0.5)
DOWN = Moved(bytes_down=1_000_000, transfers_down=1, seconds_down=0.25)


def loop_on_a_device() -> list[Event]:
    return [
        HookTimed("pairs", "MuonPairs", "init", 99.0),
        STARTED,
        HookTimed("events", "H5FlowDatasetLoopGenerator", "next", 0.125),
        HookTimed("read", "", "run", 2.0, UP, files=FileTraffic(40_000_000, 0.5)),
        HookTimed("pairs", "MuonPairs", "run", 3.0, DOWN),
        HookTimed("write", "", "run", 1.0, files=FileTraffic(bytes_written=10_000_000)),
        HookTimed("plots", "SpectrumPlot", "run", 0.5),
        HookTimed("plots", "SpectrumPlot", "run", 0.5),
        FINISHED,
        HookTimed("plots", "SpectrumPlot", "finish", 99.0),
        HookTimed("write", "", "finish", 99.0),
        ConfigFinished("events.yaml", 4, 1_000, 110.0),
    ]


def profile_of(events: Iterable[Event]) -> Profile:
    profile = Profile()
    for event in events:
        profile(event)
    return profile


def seconds_of(events: Iterable[Event]) -> dict[str, str]:
    (table,) = profile_of(events).tables()
    found = [re.match(r"  (.*?) +(\d+\.\d{3})", line) for line in table[2:]]
    return dict(line.groups() for line in found if line)


def test_a_loop_on_a_device_is_a_small_table() -> None:
    shown = io.StringIO()
    print_profile(profile_of(loop_on_a_device()), shown)
    assert shown.getvalue().splitlines() == [
        "",
        "events.yaml: time of the loop over events on cupy:0",
        "                          seconds  share",
        "  read                      0.500    5 %  40.0 MB",
        "  dereference               1.000   10 %",
        "  transfer to the device    0.500    5 %  3.00 MB in 2 transfers, 6.00 MB/s",
        "  transfer to the host      0.250    2 %  1.00 MB in 1 transfer, 4.00 MB/s",
        "  source events             0.125    1 %",
        "  compute pairs             2.750   28 %",
        "  compute plots             1.000   10 %",
        "  write                     1.000   10 %  10.0 MB",
        "  rest                      2.875   29 %",
        "  loop                     10.000  100 %",
    ]


def test_the_time_of_a_transfer_is_counted_once_wherever_it_happens() -> None:
    hooks = [("read", ""), ("pairs", "MuonPairs"), ("write", "")]
    events = [HookTimed(name, classname, "run", 2.0, UP) for name, classname in hooks]
    seconds = seconds_of([STARTED, *events, FINISHED])
    assert [seconds[name] for name in ("dereference", "compute pairs", "write")] == ["1.500"] * 3
    assert seconds["transfer to the device"] == "1.500"
    assert seconds["rest"] == "4.000"


def test_without_a_device_nothing_was_moved() -> None:
    events = [HookTimed("read", "", "run", 2.0), LoopFinished(10.0, ("numpy",))]
    (table,) = profile_of([STARTED, *events]).tables()
    assert [line.split() for line in table if "transfer" in line] == [
        ["transfer", "0.000", "0", "%", "nothing", "was", "moved"]
    ]


def test_of_a_stage_that_writes_nothing_only_one_way_is_counted() -> None:
    (table,) = profile_of([STARTED, HookTimed("read", "", "run", 2.0, UP), FINISHED]).tables()
    assert "nothing was moved" in next(line for line in table if "to the host" in line)


def test_init_and_finish_are_no_part_of_the_loop() -> None:
    seconds = seconds_of(loop_on_a_device())
    assert (seconds["compute pairs"], seconds["compute plots"]) == ("2.750", "1.000")


def test_a_part_may_be_called_like_one_of_ours() -> None:
    events = [HookTimed("read", "Reader", "run", 2.0), HookTimed("read", "", "run", 1.0)]
    seconds = seconds_of([STARTED, *events, FINISHED])
    assert (seconds["compute read"], seconds["dereference"]) == ("2.000", "1.000")


@pytest.mark.parametrize(
    ("name", "classname", "part"),
    [("read", "", "dereference"), ("pairs", "MuonPairs", "compute pairs"), ("write", "", "write")],
)
def test_waiting_for_other_ranks_is_counted_by_itself(name: str, classname: str, part: str) -> None:
    waited = HookTimed(name, classname, "run", 2.0, waited=1.5)
    seconds = seconds_of([STARTED, waited, LoopFinished(10.0, ("numpy",), ranks=2)])
    assert (seconds[part], seconds["wait for other ranks"]) == ("0.500", "1.500")


def test_one_rank_waits_for_nobody() -> None:
    assert "wait for other ranks" not in seconds_of(loop_on_a_device())


def test_a_sample_tells_how_far_the_loop_is_from_copying_its_bytes() -> None:
    (table,) = profile_of([*loop_on_a_device(), Sampled(1e8, {"events": 0.75})]).tables()
    # 50 MB take half a second
    assert table[-1] == (
        "  floor: copying as many bytes in memory takes 0.500 s at 100 MB/s; read, dereference and "
        "write took 5.0 x that"
    )
    assert table[2].endswith("40.0 MB, inflating about 75% of the time (tried on a chunk)")


def test_unpacking_is_said_of_the_loop_whose_source_is_packed() -> None:
    second = ConfigStarted("plain.yaml", "plain", (), 1_000)
    read = HookTimed("read", "", "run", 2.0, files=FileTraffic(40_000_000, 0.5))
    events = [*loop_on_a_device(), second, read, FINISHED, Sampled(1e8, {"events": 0.75})]
    first, last = profile_of(events).tables()
    assert ["inflating" in table[2] for table in (first, last)] == [True, False]


def test_a_loop_that_read_and_wrote_nothing_is_no_multiple_of_it() -> None:
    (table,) = profile_of([STARTED, FINISHED, Sampled(1e8)]).tables()
    assert table[-1].endswith("takes 0.000 s at 100 MB/s")


def test_on_ranks_the_table_says_whose_it_is() -> None:
    (table,) = profile_of([STARTED, LoopFinished(1.0, ("numpy",), ranks=4)]).tables()
    assert table[0].endswith("on numpy, rank 0 of 4 alone")


def test_each_workflow_has_a_table() -> None:
    assert len(profile_of(loop_on_a_device() * 2).tables()) == 2


def test_a_loop_that_did_not_end_has_none() -> None:
    assert profile_of(loop_on_a_device()[:5]).tables() == []


def test_a_loop_that_took_no_time_has_no_shares() -> None:
    (table,) = profile_of([STARTED, LoopFinished(0.0, ())]).tables()
    assert table[0] == "events.yaml: time of the loop over events"
    assert "%" not in "".join(table)


def test_a_quiet_watch_shows_the_profile_that_was_asked_for() -> None:
    shown = io.StringIO()
    with Watch(shown, quiet=True, profile=True) as watch:
        for event in loop_on_a_device():
            watch(event)
        watch.summarize()
    assert shown.getvalue().startswith("\nevents.yaml: time of the loop")


def test_a_watch_that_was_not_asked_shows_none() -> None:
    shown = io.StringIO()
    with Watch(shown) as watch:
        for event in loop_on_a_device():
            watch(event)
        watch.summarize()
    assert "time of the loop" not in shown.getvalue()
