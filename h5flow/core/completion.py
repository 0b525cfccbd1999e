"""A working file that is whole, and gets the name of the output."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from h5flow.data.layout import RECORDS
from h5flow.errors import UsageError
from h5flow.events import Observer, Published
from h5flow.io.edit import finish_edit
from h5flow.io.open_file import open_file
from h5flow.journal.lock import Lock
from h5flow.journal.provenance import RunRecord, read_records
from h5flow.journal.working_file import LOCK_SUFFIX, WorkingFile

__all__ = ["forget_left_lock", "publish", "publish_left"]


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


def forget_left_lock(output: str) -> None:
    """Remove the lock of a run that was killed when its output had its name.

    It stays where another run holds it, or where nothing may be removed: the output is whole.
    """
    path = Path(output).resolve()
    lock = path.with_name(path.name + LOCK_SUFFIX)
    if lock.exists():
        with suppress(UsageError, OSError):
            Lock(lock, path).release()


def publish_left(output: str, observe: Observer, workflows: int) -> tuple[str, list[RunRecord]]:
    """Publish what a run has left that was killed when all was written.

    Parameters
    ----------
    output : str
        As the user named it.
    workflows : int
        Of the command.

    Returns
    -------
    run_id : str
    records : list of RunRecord
        What the run has recorded of each workflow.

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
            records = read_records(file)[-workflows:]
        publish(working, output, begin, observe)
    finally:
        working.keep()
    return run_id, records
