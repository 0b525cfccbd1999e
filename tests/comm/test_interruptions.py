"""Handlers of SIGINT and SIGTERM behind a shield."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from h5flow.comm.interruptions import TOLERANCE, Interruptions


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    yield read, write
    os.close(read)
    os.close(write)


@contextmanager
def handler(number: int, handle: Any) -> Iterator[None]:
    before = signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, before)


def send(number: int) -> None:
    signal.raise_signal(number)


def test_users_code_is_interrupted_at_once(pipe: tuple[int, int]) -> None:
    with closing(Interruptions(pipe[1])), pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)


def test_behind_the_shield_nothing_is_raised_until_asked_for(pipe: tuple[int, int]) -> None:
    with closing(Interruptions(pipe[1])) as interruptions:
        with interruptions.shield:
            send(signal.SIGINT)
            with interruptions.shield:
                send(signal.SIGINT)
            send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interruptions.raise_kept()
        interruptions.raise_kept()


def test_the_first_of_several_interruptions_is_the_one_that_is_raised(
    pipe: tuple[int, int],
) -> None:
    def end(number: int, _frame: object) -> None:
        raise SystemExit(number)

    with handler(signal.SIGTERM, end), closing(Interruptions(pipe[1])) as interruptions:
        with interruptions.shield:
            send(signal.SIGTERM)
            send(signal.SIGINT)
        with pytest.raises(SystemExit):
            interruptions.raise_kept()


def test_every_signal_is_written_to_the_pipe(pipe: tuple[int, int]) -> None:
    with closing(Interruptions(pipe[1])) as interruptions, interruptions.shield:
        send(signal.SIGINT)
    assert os.read(pipe[0], 10) == bytes([signal.SIGINT])


def test_a_full_pipe_is_no_matter(pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    with suppress(BlockingIOError):
        while os.write(pipe[1], b"\0"):
            pass
    with closing(Interruptions(pipe[1])), pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)
    assert capfd.readouterr().err == ""


def test_handlers_and_wakeup_are_put_back(pipe: tuple[int, int]) -> None:
    other_read, other_write = os.pipe()
    os.set_blocking(other_write, False)
    signal.set_wakeup_fd(other_write)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    interruptions = Interruptions(pipe[1])
    assert signal.getsignal(signal.SIGINT) is not before[0]
    assert interruptions.previous_wakeup == other_write
    interruptions.close()
    interruptions.close()
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert (after, signal.set_wakeup_fd(-1)) == (before, other_write)
    os.close(other_read)
    os.close(other_write)


def test_what_others_have_set_meanwhile_stays(pipe: tuple[int, int]) -> None:
    other_read, other_write = os.pipe()
    os.set_blocking(other_write, False)

    def handle(number: int, frame: object) -> None: ...

    with handler(signal.SIGINT, signal.default_int_handler):
        interruptions = Interruptions(pipe[1])
        assert interruptions.handles(signal.SIGINT)
        signal.signal(signal.SIGINT, handle)
        signal.set_wakeup_fd(other_write)
        assert not interruptions.handles(signal.SIGINT)
        interruptions.close()
        assert signal.getsignal(signal.SIGINT) is handle
        assert signal.set_wakeup_fd(-1) == other_write
    os.close(other_read)
    os.close(other_write)


@pytest.mark.parametrize("left_alone", [signal.SIG_IGN, signal.SIG_DFL])
def test_signals_without_a_handler_are_left_alone(
    pipe: tuple[int, int], left_alone: signal.Handlers
) -> None:
    with handler(signal.SIGTERM, left_alone), closing(Interruptions(pipe[1])):
        assert signal.getsignal(signal.SIGTERM) is left_alone


def test_a_handler_that_raises_nothing_dismisses_the_signal(pipe: tuple[int, int]) -> None:
    now = [100.0]
    taken: list[int] = []

    def take_note(number: int, _frame: object) -> None:
        taken.append(number)

    with (
        handler(signal.SIGTERM, take_note),
        closing(Interruptions(pipe[1], lambda: now[0])) as interruptions,
    ):
        with interruptions.shield:
            send(signal.SIGTERM)
        assert taken == [signal.SIGTERM]
        assert interruptions.was_dismissed(99.9)
        assert interruptions.was_dismissed(100.1)
        assert not interruptions.was_dismissed(100 + TOLERANCE)


def test_a_clean_up_that_ignores_further_signals_dismisses_none(pipe: tuple[int, int]) -> None:
    first = [True]

    def raise_once(number: int, _frame: object) -> None:
        if first:
            first.clear()
            raise KeyboardInterrupt

    with (
        handler(signal.SIGINT, raise_once),
        closing(Interruptions(pipe[1])) as interruptions,
    ):
        arrival = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        send(signal.SIGINT)
        assert not interruptions.was_dismissed(arrival)


def test_other_threads_change_nothing(pipe: tuple[int, int]) -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def enter() -> None:
        with closing(Interruptions(pipe[1])):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(10)
    assert seen == [before]


FORKED = """
import os, signal
from h5flow.comm.interruptions import Interruptions

read, write = os.pipe()
os.set_blocking(read, False)
os.set_blocking(write, False)
interruptions = Interruptions(write)
with interruptions.shield:
    child = os.fork()
    if not child:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            os._exit(7)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    print(os.read(read, 10))
except BlockingIOError:
    print("nothing heard")
"""


def test_a_forked_process_has_the_handlers_of_before_and_does_not_wake_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("7\nnothing heard\n", "")
