"""The watch over one rank of several: signals, stalls, and the end of all of them."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from h5flow.comm.grace import GRACE_SECONDS, Grace
from h5flow.comm.interruptions import NUMBERS, Interruptions, Shield
from h5flow.comm.last_resort import LastResort
from h5flow.comm.situation import Witness
from h5flow.comm.stall import Stall
from h5flow.comm.verdict import Verdict, execute

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator

__all__ = ["Vigil", "stop_unless_ended"]

LOOK_SECONDS = 0.25


class Vigil:
    """Sees to it that no rank waits for ever, from construction to `close`; also a ``with``.

    A thread hears of signals while the main thread is stuck, and looks a few times a second
    whether this rank has gone on. Nothing is communicated; the last word is the communicator's
    `abort`, which ends all ranks.

    - SIGINT and SIGTERM go to the handlers that were there. What these raise is raised at once in
      users' code, and where h5flow is `shielded` at the next `raise_if_interrupted`. If one has
      raised, or could not run, all ranks are stopped five seconds after the signal, with status
      130 or 143. An extension module that keeps the interpreter's lock also keeps this thread from
      hearing of the signal. While the vigil is `deferring`, a first SIGINT or SIGTERM gives 20 s
      more, and a first SIGUSR1 any time.
    - After `ending`, they are stopped in five seconds as well.
    - Where rank 0 has told nobody anything for `stall_seconds`, it prints what every rank is
      doing, and stops them with status 1.

    Parameters
    ----------
    communicator : Communicator
        Of several processes.
    stall_seconds : float
        0 is for ever.
    describe : callable
        Returns what this rank is doing, in a line: hook, part and chunk.
    working_path : callable
        Returns the file that is written, None while there is none. What the other ranks are doing
        reaches rank 0 in files beside it.
    """

    def __init__(
        self,
        communicator: Communicator,
        stall_seconds: float,
        describe: Callable[[], str],
        working_path: Callable[[], Path | None],
    ) -> None:
        witness = Witness(communicator, describe)
        self._communicator = communicator
        self._owner = os.getpid()
        self._is_closed = False
        self._pipe = _pipe()
        self._interruptions = Interruptions(self._pipe[1])
        self._shield = self._interruptions.shield
        self._grace = Grace(communicator.rank, witness, self._interruptions.was_dismissed)
        self._stall = Stall(communicator, stall_seconds, witness, working_path)
        self._last_resort = LastResort(
            0 if communicator.rank else stall_seconds, self._stall.patience
        )
        self._last_resort.renew(time.monotonic())  # the thread may never have its turn
        self._thread = threading.Thread(target=self._watch, name="h5flow vigil", daemon=True)
        self._thread.start()

    def __enter__(self) -> Vigil:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def shielded(self) -> Shield:
        """Keep signals back while this rank communicates or writes: a ``with``."""
        return self._shield

    def raise_if_interrupted(self) -> None:
        """Raise what the handler of a signal has raised behind the shield.

        Raises
        ------
        BaseException
            As `KeyboardInterrupt`.
        """
        if self._interruptions.kept is not None:
            self._interruptions.raise_kept()

    @contextmanager
    def deferring(self) -> Iterator[None]:
        """Let a first signal, which its handler notes, end the chunk in some more seconds."""
        self._interruptions.is_deferring = self._grace.is_deferring = True
        try:
            yield
        finally:
            self._interruptions.is_deferring = self._grace.is_deferring = False

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Allow any time between two exchanges."""
        with self._stall.patience:
            self._last_resort.suspend()
            yield

    def ending(self, status: int, report: str = "", /) -> None:
        """Stop all ranks if this one has not closed its vigil five seconds from now.

        Parameters
        ----------
        status : int
            What to exit with.
        report : str
            What to print then, for nobody else will.
        """
        self._grace.end(status, report, time.monotonic())

    def close(self) -> None:
        """Stop watching and put back the handlers; harmless when repeated.

        Raises
        ------
        BaseException
            What was kept back of a signal, where no failure ends the run.
        """
        if self._is_closed or os.getpid() != self._owner:
            return
        with self._shield:
            self._is_closed = True
            self._interruptions.close()
        with suppress(BlockingIOError):  # it is full, and will be read
            os.write(self._pipe[1], b"\0")
        self._thread.join()
        for descriptor in self._pipe:
            os.close(descriptor)
        self._stall.withdraw()
        self._last_resort.suspend()
        if not self._grace.is_ending:
            self.raise_if_interrupted()

    def _watch(self) -> None:
        signals = select.poll()  # select.select takes descriptors up to 1023 only
        signals.register(self._pipe[0], select.POLLIN)
        while not self._is_closed:
            if signals.poll(LOOK_SECONDS * 1000):
                self._hear()
            if verdict := self._look():
                execute(verdict, self._communicator)
                return

    def _hear(self) -> None:
        numbers = os.read(self._pipe[0], 4096)
        now = time.monotonic()
        for number in NUMBERS:
            if number in numbers and self._interruptions.handles(number):
                self._grace.interrupt(number, now)
        if self._interruptions.previous_wakeup >= 0 and (passed_on := numbers.replace(b"\0", b"")):
            with suppress(OSError):
                os.write(self._interruptions.previous_wakeup, passed_on)

    def _look(self) -> Verdict | None:
        now = time.monotonic()
        self._last_resort.renew(now)
        return self._grace.look(now) or self._stall.look(now)


def stop_unless_ended(
    communicator: Communicator, status: int, seconds: float = GRACE_SECONDS
) -> None:
    """Stop all ranks if this process goes on for longer; called last after a failed run.

    Users' threads, or what they have registered with `atexit`, may never end.
    """

    def stop() -> None:
        text = f"h5flow: rank {communicator.rank} does not end after the run; all ranks are stopped"
        execute(Verdict(text, status), communicator)

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
