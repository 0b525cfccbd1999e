"""Signals: in a loop they are noted, elsewhere they are exceptions, so that files are closed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from h5flow.comm.grace import SAME_SECONDS
from h5flow.core.stopping import IN_TIME, StopRequest

__all__ = ["CLEAN_UP_SECONDS", "Terminated", "TimeIsOver", "interruptible"]

# So long further signals do not disturb the clean-up; a later Ctrl-C ends one that hangs.
CLEAN_UP_SECONDS = 3.0


class Terminated(KeyboardInterrupt):
    """The process was asked to end.

    Like Ctrl-C it comes from outside and is no failure of what it interrupts.
    """

    exit_status = 143


class TimeIsOver(KeyboardInterrupt):
    """The batch system has said for the second time that it will end the process soon."""

    exit_status = IN_TIME


EXCEPTIONS: dict[int, type[KeyboardInterrupt]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Terminated,
    signal.SIGUSR1: TimeIsOver,
}


class Afterwards:
    """What a signal means when the work is done.

    Attributes
    ----------
    ignored : bool
        Signals find a process that is ending anyway: they are left without effect.
    """

    ignored = False


@contextmanager
def interruptible(
    stop: StopRequest | None = None,
    clock: Callable[[], float] = time.monotonic,
    tell: Callable[[], None] = lambda: None,
) -> Iterator[Afterwards]:
    """Raise `KeyboardInterrupt` at Ctrl-C and `Terminated` at SIGTERM, once for several at once.

    Parameters
    ----------
    stop : StopRequest, optional
        Where a first signal is noted, in place of being raised, as long as the run looks there.
        SIGUSR1 is handled with it only, and always noted first.
    clock : callable
        Seconds since any moment.
    tell : callable
        Says that a signal was noted.

    Yields
    ------
    Afterwards
        By default the handlers of before are put back.
    """
    afterwards = Afterwards()
    if threading.current_thread() is not threading.main_thread():
        # only the main thread may set handlers
        yield afterwards
        return
    # None: a handler that was not set from Python cannot be put back
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in _numbers(stop)}
    owner = os.getpid()
    latest, terminated = -CLEAN_UP_SECONDS, False

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal latest, terminated
        is_term = number == signal.SIGTERM
        if os.getpid() != owner:
            # A process that a stage has forked ends as it would without h5flow.
            signal.signal(number, before[signal.Signals(number)])
            os.kill(os.getpid(), number)
            return
        if afterwards.ignored:
            return
        if clock() - latest < CLEAN_UP_SECONDS or (is_term and terminated):
            return
        if stop is not None and _is_noted(stop, number, tell):
            return
        latest, terminated = clock(), terminated or is_term
        raise EXCEPTIONS[number]

    try:
        for number in before:
            signal.signal(number, end)
        yield afterwards
    finally:
        for number, handler in before.items():
            if not afterwards.ignored:
                signal.signal(number, handler)


def _numbers(stop: StopRequest | None) -> list[signal.Signals]:
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # a shell lets jobs in the background ignore Ctrl-C
        numbers.append(signal.SIGINT)
    if stop is not None:
        numbers.append(signal.SIGUSR1)
    return numbers


def _is_noted(stop: StopRequest, number: int, tell: Callable[[], None]) -> bool:
    """Note a signal, or leave one that is the same sent twice; returns whether that is all."""
    noted_for = stop.noted_for()
    if noted_for is not None:
        return noted_for < SAME_SECONDS
    if not stop.is_awaited and number != signal.SIGUSR1:
        return False
    stop.note(number)
    with suppress(OSError):
        tell()
    return True
