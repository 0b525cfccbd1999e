"""SIGTERM and Ctrl-C in Python code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from h5flow.cli.signals import CLEAN_UP_SECONDS, Terminated, interruptible


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
    with interruptible(lambda: now[0]):
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
