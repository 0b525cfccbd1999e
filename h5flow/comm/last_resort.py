"""Ending a process in which no Python runs any more."""

from __future__ import annotations

import faulthandler
import math
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from h5flow.comm.interruptions import Shield

__all__ = ["LastResort"]

STDERR = 2
RENEWAL_SECONDS = 5.0
MARGIN = 7.0  # longer than the ordinary watch takes to report, and than a renewal


class LastResort:
    """Ends rank 0 with status 1 when its interpreter has stood still for too long.

    Code that keeps the interpreter's lock, as an extension module may, also stops the threads
    that watch over it. The timer of `faulthandler` goes on: it prints where each thread is, and
    the launcher ends the other ranks. Time in which the whole process is suspended counts, too.

    There is one such timer in a process. Under pytest, which may use it, it is left alone; a
    program that calls `faulthandler.dump_traceback_later` during a run on several ranks loses its
    own.

    Parameters
    ----------
    seconds : float
        The process ends between 2 and 7 seconds later than this; 0 is never.
    patience : Shield
        Inside of it, it never ends.
    """

    def __init__(self, seconds: float, patience: Shield) -> None:
        self._seconds, self._patience = seconds, patience
        self._is_usable = bool(seconds) and "pytest" not in sys.modules
        self._renewed = -math.inf
        self._lock = threading.Lock()  # between a renewal and a suspension

    def renew(self, now: float) -> None:
        """Begin to count anew, every few seconds."""
        if not self._is_usable or now - self._renewed < RENEWAL_SECONDS:
            return
        with self._lock:
            if not self._patience.depth:
                self._renewed = now
                faulthandler.dump_traceback_later(self._seconds + MARGIN, exit=True, file=STDERR)

    def suspend(self) -> None:
        """Stop counting until it is renewed."""
        with self._lock:
            if self._renewed > -math.inf:
                self._renewed = -math.inf
                faulthandler.cancel_dump_traceback_later()
