"""The watch over one rank, in this process: signals, failures, stalls and the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from h5flow.comm import grace, stall
from h5flow.comm.last_resort import LastResort
from h5flow.comm.vigil import Vigil, stop_unless_ended


class Communicator:
    rank, size, activity = 0, 2, 1

    def __init__(self) -> None:
        self.aborted: list[int] = []
        self.is_over = threading.Event()

    def abort(self, status: int) -> None:
        self.aborted.append(status)
        self.is_over.set()

    def exchange(self, message: bytes) -> list[bytes]:
        return [message, message]

    send = receive = exchange


@pytest.fixture
def ranks() -> Communicator:
    return Communicator()


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grace, "GRACE_SECONDS", 0.0)


def vigil_over(ranks: Communicator, seconds: float = 0, path: Path | None = None) -> Vigil:
    return Vigil(ranks, seconds, lambda: "run of 'hits', chunk 7", lambda: path)  # type: ignore[arg-type]


def test_a_signal_in_users_code_is_raised_and_the_run_can_end_in_order(
    ranks: Communicator,
) -> None:
    with pytest.raises(KeyboardInterrupt), vigil_over(ranks):
        signal.raise_signal(signal.SIGINT)
    assert ranks.aborted == []


def test_a_signal_in_h5flow_is_raised_before_the_next_exchange(ranks: Communicator) -> None:
    with vigil_over(ranks) as vigil:
        vigil.raise_if_interrupted()
        with vigil.shielded():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            vigil.raise_if_interrupted()


def test_a_signal_after_the_last_exchange_is_raised_at_the_end(ranks: Communicator) -> None:
    vigil = vigil_over(ranks)
    with vigil.shielded():
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        vigil.close()
    vigil.close()


def test_a_signal_after_a_failure_gives_way_to_it(ranks: Communicator) -> None:
    vigil = vigil_over(ranks)
    with vigil.shielded():
        signal.raise_signal(signal.SIGINT)
    vigil.ending(1)
    vigil.close()


@pytest.mark.usefixtures("no_grace")
def test_a_rank_that_goes_on_after_a_signal_has_all_ranks_stopped(
    ranks: Communicator, capfd: pytest.CaptureFixture[str]
) -> None:
    with vigil_over(ranks):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert ranks.is_over.wait(10)
    assert ranks.aborted == [130]
    assert capfd.readouterr().err == (
        "h5flow: rank 0 was interrupted and is still in run of 'hits', chunk 7; "
        "all ranks are stopped\n"
    )


@pytest.mark.usefixtures("no_grace")
def test_a_handler_that_lets_the_run_go_on_stops_nothing(ranks: Communicator) -> None:
    taken: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: taken.append(number))
    try:
        with vigil_over(ranks):
            signal.raise_signal(signal.SIGTERM)
            assert not ranks.is_over.wait(0.6)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert taken == [signal.SIGTERM]


@pytest.mark.usefixtures("no_grace")
def test_a_rank_that_does_not_end_after_a_failure_has_all_ranks_stopped(
    ranks: Communicator, capfd: pytest.CaptureFixture[str]
) -> None:
    with vigil_over(ranks) as vigil:
        vigil.ending(3, "ValueError: no")
        assert ranks.is_over.wait(10)
    assert ranks.aborted == [3]
    assert capfd.readouterr().err == (
        "ValueError: no\nh5flow: rank 0 is still in run of 'hits', chunk 7; all ranks are stopped\n"
    )


def test_a_stall_has_all_ranks_stopped(
    ranks: Communicator, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stall, "ANSWER_SECONDS", 0.0)
    with vigil_over(ranks, seconds=0.1):
        assert ranks.is_over.wait(10)
    assert ranks.aborted == [1]
    report = capfd.readouterr().err
    assert "rank 0: run of 'hits', chunk 7\n" in report
    assert "assert ranks.is_over.wait(10)" in report


def test_nobody_is_stopped_while_a_rank_is_patient(
    ranks: Communicator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stall, "ANSWER_SECONDS", 0.0)
    with vigil_over(ranks, seconds=0.1) as vigil:
        with vigil.patient():
            with vigil.patient():
                pass
            assert not ranks.is_over.wait(0.6)
        assert ranks.is_over.wait(10)


def test_signals_are_passed_on_to_who_listened_before(ranks: Communicator) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    with pytest.raises(KeyboardInterrupt), vigil_over(ranks):
        signal.raise_signal(signal.SIGINT)
    assert os.read(read, 10) == bytes([signal.SIGINT])
    assert signal.set_wakeup_fd(-1) == write
    os.close(read)
    os.close(write)


def test_nothing_is_left_of_a_vigil(ranks: Communicator) -> None:
    def state() -> tuple[object, ...]:
        return (
            len(os.listdir("/proc/self/fd")),
            {thread.name for thread in threading.enumerate()},
            signal.getsignal(signal.SIGINT),
        )

    before = state()
    vigil_over(ranks).close()
    assert state() == before


@pytest.mark.usefixtures("no_grace")
def test_a_process_that_has_many_files_open_is_watched_over(ranks: Communicator) -> None:
    many = [os.dup(0) for _ in range(1100)]
    try:
        with vigil_over(ranks):
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            assert ranks.is_over.wait(10)
    finally:
        for descriptor in many:
            os.close(descriptor)


def test_a_process_that_does_not_end_after_the_run_has_all_ranks_stopped(
    ranks: Communicator, capfd: pytest.CaptureFixture[str]
) -> None:
    stop_unless_ended(ranks, 143, seconds=0.0)  # type: ignore[arg-type]
    assert ranks.is_over.wait(10)
    assert ranks.aborted == [143]
    assert capfd.readouterr().err == (
        "h5flow: rank 0 does not end after the run; all ranks are stopped\n"
    )


def test_the_timer_of_faulthandler_is_left_to_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("faulthandler.dump_traceback_later", refuse)
    monkeypatch.setattr("faulthandler.cancel_dump_traceback_later", refuse)
    last_resort = LastResort(600, stall.Shield())
    last_resort.renew(0.0)
    last_resort.suspend()


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


LAST_RESORT = """
from h5flow.comm import last_resort
from h5flow.comm.interruptions import Shield
import time

last_resort.MARGIN, patience = 0.2, Shield()
timer = last_resort.LastResort(0.1, patience)
timer.renew(0.0)
{then}
time.sleep(1)
print("goes on")
"""


@pytest.mark.parametrize(
    ("then", "goes_on"),
    [
        ("", False),
        ("timer.renew(1.0)", False),  # too soon to count anew
        ("timer.suspend()", True),
        ("patience.depth = 1; timer.suspend(); timer.renew(9.0)", True),
        ("timer.suspend(); timer.renew(0.0)", False),
    ],
)
def test_a_process_whose_interpreter_stands_still_ends(then: str, goes_on: bool) -> None:
    done = run_python(LAST_RESORT.format(then=then))
    assert (done.stdout == "goes on\n", done.returncode) == (goes_on, 0 if goes_on else 1)
    assert done.stderr.startswith("Timeout (") == (not goes_on)


@pytest.mark.usefixtures("no_grace")
def test_a_forked_process_closes_nothing_of_its_parents(ranks: Communicator) -> None:
    with vigil_over(ranks) as vigil:
        child = os.fork()
        if not child:
            vigil.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        with vigil.shielded():
            signal.raise_signal(signal.SIGINT)
            assert ranks.is_over.wait(10)
        with pytest.raises(KeyboardInterrupt):
            vigil.raise_if_interrupted()
