"""Waiting for other processes in Python, where signals are handled and cores are given away.

A blocking call of MPI keeps its core busy, and no signal handler of Python runs in it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import repeat

__all__ = ["wait_until"]

SPINS = 20  # some microseconds, as long as ranks need that come together
YIELDING = 1e-3  # seconds, in which a rank that shares this core may go first
SHARE = 1 / 32  # of the time waited so far: what one sleep may add to it
LONGEST = 2e-4  # seconds of one sleep; it costs some 8 % of a core


def wait_until(test: Callable[[], bool]) -> None:
    """Call `test` until it is true, at intervals that grow to a fifth of a millisecond."""
    for _ in repeat(None, SPINS):
        if test():
            return
    began = time.monotonic()
    while not test():
        waited = time.monotonic() - began
        if waited < YIELDING:
            os.sched_yield()
        else:
            time.sleep(min(waited * SHARE, LONGEST))
