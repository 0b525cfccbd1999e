"""SIGTERM in Python code."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from h5flow.cli.signals import Terminated, terminable


def test_sigterm_is_an_exception_that_no_except_exception_catches() -> None:
    assert not issubclass(Terminated, Exception)
    with pytest.raises(Terminated), terminable():
        os.kill(os.getpid(), signal.SIGTERM)


def test_clean_up_is_not_disturbed_by_a_second_sigterm() -> None:
    cleaned = []

    def clean_up_under_fire() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned.append(True)

    with pytest.raises(Terminated), terminable():
        clean_up_under_fire()
    assert cleaned == [True]


def test_the_handler_of_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with terminable():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_have_no_handlers() -> None:
    seen = []

    def enter() -> None:
        with terminable():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(10)
    assert seen == [before]
