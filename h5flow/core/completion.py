"""A working file that is whole, and gets the name of the output."""

from __future__ import annotations

import time

from h5flow.data.layout import RECORDS
from h5flow.events import Observer, Published
from h5flow.io.edit import finish_edit
from h5flow.io.open_file import open_file
from h5flow.journal.working_file import WorkingFile

__all__ = ["publish", "publish_left"]


def publish(working: WorkingFile, output: str, begin: float, observe: Observer) -> None:
    """Give a working file, closed, its name.

    Parameters
    ----------
    output : str
        As the user named it.
    begin : float
        When the run began, of `time.perf_counter`.
    """
    size = working.working_path.stat().st_size
    working.publish()
    observe(Published(output, size, time.perf_counter() - begin))


def publish_left(output: str, observe: Observer) -> str:
    """Publish what a run has left that was killed when all was written; returns the ``run_id``.

    Raises
    ------
    H5FlowError
        The output cannot be written there; the working file stays, whole.
    """
    begin = time.perf_counter()
    working = WorkingFile(output, keep_left_over=True)
    try:
        finish_edit(working.working_path)
        with open_file(working.working_path, "r") as file:
            run_id = str(file[RECORDS].attrs["run_id"])
        publish(working, output, begin, observe)
    finally:
        working.keep()
    return run_id
