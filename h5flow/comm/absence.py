"""A rank that cannot join the others, which wait for it in the start of MPI for ever."""

from __future__ import annotations

import atexit
import contextlib
import os
import stat
import sys
import time

from h5flow.errors import UsageError

__all__ = ["LAUNCHER_READS_SECONDS", "expect_all", "tell_launcher_at_exit"]

# What a launcher has not read by the time of an abort it throws away.
LAUNCHER_READS_SECONDS = 0.2
# Of the protocol of MPICH's launcher. That of Open MPI, and srun, end a job by themselves when a
# process exits with another status than 0; this one only does for processes that have joined.
GREETING = b"cmd=init pmi_version=1 pmi_subversion=1\n"
ABORT = b"cmd=abort exitcode=%d\n"


def tell_launcher_at_exit() -> None:
    """Have MPICH's launcher end all ranks when this process, which is not on MPI, exits.

    By then it has printed why. Harmless where there is no such launcher.
    """
    atexit.unregister(_tell_launcher)
    atexit.register(_tell_launcher)


def expect_all() -> None:
    """Take it back: this process goes on by itself."""
    atexit.unregister(_tell_launcher)


def _tell_launcher() -> None:
    number = os.environ.get("PMI_FD", "")
    if not number.isdigit():
        return
    with contextlib.suppress(OSError):
        # a process that a rank has started inherits the variable, and may have any file there
        if stat.S_ISSOCK(os.fstat(int(number)).st_mode):
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            time.sleep(LAUNCHER_READS_SECONDS)
            os.write(int(number), GREETING + ABORT % UsageError.exit_status)
