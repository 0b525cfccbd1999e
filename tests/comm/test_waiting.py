"""Waiting ends when the test is true, and gives the core away before."""

from __future__ import annotations

import time

import pytest

from h5flow.comm import waiting
from h5flow.comm.waiting import wait_until


def test_what_is_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", None)
    monkeypatch.setattr(waiting.os, "sched_yield", None)
    answers = iter([False, False, True])
    wait_until(lambda: next(answers))
    assert next(answers, "none left") == "none left"


def test_a_long_wait_yields_then_sleeps_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept, yields = 0.0, [], 0

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    def sched_yield() -> None:
        nonlocal now, yields
        yields += 1
        now += 1e-4

    monkeypatch.setattr(waiting.time, "monotonic", lambda: now)
    monkeypatch.setattr(waiting.time, "sleep", sleep)
    monkeypatch.setattr(waiting.os, "sched_yield", sched_yield)
    wait_until(lambda: now > 0.1)
    assert yields >= 9
    assert slept == sorted(slept)
    assert max(slept) == waiting.LONGEST


def test_what_a_test_raises_comes_through() -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_until(interrupted)
