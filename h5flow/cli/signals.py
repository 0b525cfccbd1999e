"""Ctrl-C and SIGTERM as exceptions, so that files are closed and working files are removed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

__all__ = ["CLEAN_UP_SECONDS", "Terminated", "interruptible"]

# So long further signals do not disturb the clean-up; a later Ctrl-C ends one that hangs.
CLEAN_UP_SECONDS = 3.0


class Terminated(KeyboardInterrupt):
    """The process was asked to end.

    Like Ctrl-C it comes from outside and is no failure of what it interrupts.
    """

    exit_status = 143


@dataclass
class Afterwards:
    """What a signal means when the work is done.

    Attributes
    ----------
    ignored : bool
        Signals find a process that is ending anyway: they are left without effect.
    """

    ignored: bool = False


@contextmanager
def interruptible(clock: Callable[[], float] = time.monotonic) -> Iterator[Afterwards]:
    """Raise `KeyboardInterrupt` at Ctrl-C and `Terminated` at SIGTERM, once for several at once.

    Parameters
    ----------
    clock : callable
        Seconds since any moment.

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
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # a shell lets jobs in the background ignore Ctrl-C
        numbers.append(signal.SIGINT)
    # None: a handler that was not set from Python cannot be put back
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in numbers}
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
        latest, terminated = clock(), terminated or is_term
        raise Terminated if is_term else KeyboardInterrupt

    try:
        for number in numbers:
            signal.signal(number, end)
        yield afterwards
    finally:
        for number, handler in before.items():
            if not afterwards.ignored:
                signal.signal(number, handler)
