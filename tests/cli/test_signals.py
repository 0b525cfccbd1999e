"""SIGTERM and Ctrl-C in Python code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from h5flow.cli.signals import CLEAN_UP_SECONDS, Terminated, interruptible
from h5flow.comm.grace import SAME_SECONDS
from h5flow.core.stopping import StopRequest


def test_sigterm_is_an_exception_that_no_except_exception_catches() -> None:
    assert not issubclass(Terminated, Exception)
    with pytest.raises(Terminated), interruptible():
        os.kill(os.getpid(), signal.SIGTERM)


def test_ctrl_c_is_a_keyboard_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt) as raised, interruptible():
        os.kill(os.getpid(), signal.SIGINT)
    assert raised.type is KeyboardInterrupt


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_clean_up_is_not_disturbed_by_a_second_signal(
    first: signal.Signals, second: signal.Signals
) -> None:
    cleaned = []

    def clean_up_under_fire() -> None:
        try:
            os.kill(os.getpid(), first)
        finally:
            os.kill(os.getpid(), second)
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt) as raised, interruptible():
        clean_up_under_fire()
    assert cleaned == [True]
    assert (raised.type is Terminated) == (first == signal.SIGTERM)


def test_ctrl_c_ends_a_clean_up_that_hangs() -> None:
    now = [0.0]
    with interruptible(clock=lambda: now[0]):
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        now[0] = CLEAN_UP_SECONDS + 0.1
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_handler_of_before_is_put_back() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_forked_process_ends_as_it_would_by_itself() -> None:
    code = """
import os, signal
from h5flow.cli.signals import interruptible
with interruptible():
    child = os.fork()
    if not child:
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == (f"{-signal.SIGTERM}\n", "")


def test_other_threads_have_no_handlers() -> None:
    seen = []

    def enter() -> None:
        with interruptible():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(10)
    assert seen == [before]


def test_a_signal_finds_a_process_that_ends_anyway_without_effect() -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        with interruptible() as afterwards:
            afterwards.ignored = True
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


class TestWithAStopRequest:
    @pytest.mark.parametrize(
        ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 75)]
    )
    def test_a_first_signal_is_noted_where_the_run_looks_for_it(
        self, number: signal.Signals, status: int
    ) -> None:
        stop, told = StopRequest(), list[bool]()
        with interruptible(stop, tell=lambda: told.append(True)), stop.awaited():
            os.kill(os.getpid(), number)
        assert (stop.status(), told) == (status, [True])

    def test_elsewhere_it_is_raised(self) -> None:
        with pytest.raises(Terminated), interruptible(StopRequest()):
            os.kill(os.getpid(), signal.SIGTERM)

    def test_that_time_is_short_is_noted_everywhere(self) -> None:
        stop = StopRequest()
        with interruptible(stop):
            os.kill(os.getpid(), signal.SIGUSR1)
        assert stop.status() == 75

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
    def test_a_second_signal_is_raised(self, number: signal.Signals) -> None:
        now = [0.0]
        stop = StopRequest(clock=lambda: now[0])
        with interruptible(stop), stop.awaited():
            os.kill(os.getpid(), signal.SIGUSR1)
            now[0] = SAME_SECONDS + 0.1
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)

    def test_one_that_is_sent_twice_is_not_a_second_one(self) -> None:
        stop = StopRequest(clock=lambda: 0.0)
        with interruptible(stop), stop.awaited():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.status() == 130

    def test_the_signal_for_short_time_keeps_its_meaning_without_one(self) -> None:
        before = signal.getsignal(signal.SIGUSR1)
        with interruptible():
            assert signal.getsignal(signal.SIGUSR1) is before
