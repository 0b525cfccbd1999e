"""The ``mpiexec`` that this process has started: signals reach its ranks, and it ends them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from h5flow.comm.grace import DEFERRED_SECONDS, SAME_SECONDS

__all__ = ["END_SECONDS", "Job"]

# So long ranks may take to end in order after a signal: they end their chunk within 20 s, or end
# in 6 s more by themselves.
END_SECONDS = DEFERRED_SECONDS + 8.0
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

# Becomes mpiexec, which the kernel then ends with its parent, even when that is killed (Linux).
# Signals are blocked until here, where they end this process without a word.
BECOME = """
import os, signal, sys
parent, command = int(sys.argv[1]), sys.argv[2:]
try:
    import ctypes
    prctl = ctypes.CDLL(None).prctl
except (ImportError, AttributeError):
    pass
else:
    PR_SET_PDEATHSIG = 1
    prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGHUP))
    if os.getppid() != parent:
        sys.exit(1)
for number in signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP:
    signal.signal(number, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
blocked = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
os.execv(command[0], command)
"""


class Job:
    """A launcher and its ranks, in a session of their own, which no key of the terminal reaches.

    The first Ctrl-C is passed on to the ranks, once; SIGTERM is passed on, and a closed terminal
    as SIGTERM. All are killed 28 s after the first of them, or at a second Ctrl-C. SIGUSR1 is
    passed on, and nothing else comes of it. Ctrl-Z stops this process alone: the ranks go on.

    Parameters
    ----------
    command : sequence of str
        The first word is the path of ``mpiexec``.
    environment : mapping of str to str
    signals_ranks : bool
        Send signals to the processes that the launcher has started here, not to the launcher:
        that of Open MPI gives its ranks half a second, and then kills them.

    Attributes
    ----------
    passed_on : int or None
        The first signal that was passed on.
    killed : bool
        All were killed, for they had not ended.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, signals_ranks: bool = False
    ) -> None:
        self.passed_on: int | None = None
        self.killed = False
        self._signals_ranks = signals_ranks
        self._latest = 0.0
        self._timer = threading.Timer(END_SECONDS, self._kill)
        self._timer.daemon = True
        self._handlers: dict[int, Any] = {}
        # what comes while it starts waits until it can be passed on
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", BECOME, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            self._listen()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def wait(self) -> int:
        """Return the launcher's exit status, when it has ended; negative where a signal did it."""
        try:
            return self._process.wait()
        finally:
            self._timer.cancel()
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def _listen(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            # only the main thread may set handlers
            return
        for number in NUMBERS:
            # a shell lets jobs in the background ignore Ctrl-C, and nohup the end of a terminal
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._handle) or signal.SIG_DFL

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            self._pass_on(number)
            return
        now = time.monotonic()
        number = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM
        if self.passed_on is None:
            self.passed_on = number
            self._timer.start()
            self._pass_on(number)
        elif number == signal.SIGTERM:
            self._pass_on(number)
        elif now - self._latest > SAME_SECONDS:
            self._kill()
        self._latest = now

    def _pass_on(self, number: int) -> None:
        ranks = _children(self._process.pid) if self._signals_ranks else []
        for pid in ranks or [self._process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _kill(self) -> None:
        self.killed = True
        # ranks of MPICH end with their launcher; those of Open MPI go on, and are in its session
        for pid in [self._process.pid, *_session(self._process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def _session(leader: int) -> list[int]:
    found = []
    for pid in _processes():
        with suppress(ProcessLookupError):
            if os.getsid(pid) == leader:
                found.append(pid)
    return found


def _children(parent: int) -> list[int]:
    found = []
    for pid in _processes():
        with suppress(OSError):
            # the parent's number comes second after the name, which may hold anything
            stat = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2]
            if int(stat.split()[1]) == parent:
                found.append(pid)
    return found
