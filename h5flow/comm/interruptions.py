"""Signals of a rank: what their handlers raise waits where h5flow must not be left."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeAlias

__all__ = ["NUMBERS", "Interruptions", "Shield"]

Handler: TypeAlias = Callable[[int, FrameType | None], Any]

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# A handler runs at about the time at which the watching thread hears of the signal, on either side.
TOLERANCE = 1.0


class Shield:
    """A context manager that may be entered again inside, and is asked whether it is."""

    __slots__ = ("depth",)

    def __init__(self) -> None:
        self.depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1


class Interruptions:
    """The handlers that were there, behind a shield, from construction to `close`.

    They run when a signal comes. What they raise is raised at once in users' code, and kept inside
    of the shield, where h5flow communicates or writes.

    Signals that are ignored, or that end the process by default, are left alone, and so is every
    signal where this is not made in the main thread, the only one that may set handlers. A process
    that is forked meanwhile has the handlers of before.

    Parameters
    ----------
    wakeup : int
        A pipe that does not block, to which the number of every signal is written at once, also
        while the main thread runs no Python.
    clock : callable
        Seconds since any moment.

    Attributes
    ----------
    shield : Shield
    kept : BaseException or None
        What a handler raised behind the shield.
    previous_wakeup : int
        Where the numbers would be written without this; -1 for nowhere.
    """

    def __init__(self, wakeup: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.shield = Shield()
        #: Whether a handler that raises nothing has noted that the run is to end its chunk.
        self.is_deferring = False
        self.kept: BaseException | None = None
        self.previous_wakeup = -1
        self._wakeup, self._clock = wakeup, clock
        self._handlers: dict[int, Handler] = {}
        self._handle_signal = self._handle  # one object, to be recognised
        self._has_raised = False
        self._dismissed = -math.inf
        self._is_open = threading.current_thread() is threading.main_thread()
        if self._is_open:
            self._install()

    def raise_kept(self) -> None:
        """Raise what was kept back, once.

        Raises
        ------
        BaseException
            As `KeyboardInterrupt`.
        """
        kept, self.kept = self.kept, None
        if kept is not None:
            raise kept

    def handles(self, number: int) -> bool:
        """Tell whether the handler is this one still; code of the user may have set its own."""
        return signal.getsignal(number) is self._handle_signal

    def was_dismissed(self, arrival: float) -> bool:
        """Tell whether the handler of a signal that arrived then has run, and raised nothing.

        A handler that only takes note lets the run go on, unless one has raised before.
        """
        return not self._has_raised and self._dismissed > arrival - TOLERANCE

    def close(self) -> None:
        """Put back the handlers, where nobody else has set others; harmless when repeated."""
        if not self._is_open:
            return
        self._is_open = False
        _opened.discard(self)
        with contextlib.suppress(ValueError, OSError):  # the descriptor of before was closed
            present = signal.set_wakeup_fd(self.previous_wakeup)
            if present != self._wakeup:
                signal.set_wakeup_fd(present)
        for number, handler in self._handlers.items():
            if self.handles(number):
                signal.signal(number, handler)

    def _install(self) -> None:
        self.previous_wakeup = signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        _opened.add(self)
        for number in NUMBERS:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._handle_signal)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        try:
            self._handlers[number](number, frame)
        except BaseException as error:
            self._has_raised = True
            if not self.shield.depth:
                raise
            self.kept = self.kept or error
        else:
            if not self.is_deferring or number == signal.SIGUSR1:
                self._dismissed = self._clock()


_opened: set[Interruptions] = set()


def _close_all() -> None:
    """Let a forked process behave as it would by itself: the pipe is its parent's."""
    for interruptions in list(_opened):
        interruptions.close()


os.register_at_fork(after_in_child=_close_all)
