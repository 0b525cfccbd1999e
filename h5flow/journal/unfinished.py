"""What runs leave that did not end: told for those who look at files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from h5flow.io.superblock import read_superblock
from h5flow.journal.checkpoint import Checkpoint, read_checkpoint
from h5flow.journal.finding import RESTORE, Finding
from h5flow.journal.lock import holder_of
from h5flow.journal.revival import lost_tables
from h5flow.journal.working_file import LOCK_SUFFIX, WORKING_SUFFIX

__all__ = ["beside", "lock_path_of", "of_working_file", "output_of"]


def beside(path: Path) -> Iterator[Finding]:
    """Look for a run that did not end, beside its output."""
    working = path.with_name(path.name + WORKING_SUFFIX)
    if os.path.lexists(working):
        yield Finding(
            "",
            f"a run that writes this file goes on, or was killed: it has left {working}",
            "Let it end, or start it again; until then this file is as it was before the run. "
            f"`h5flow check --file {working}` says how far it came.",
        )


def of_working_file(path: Path) -> Iterator[Finding]:
    """Look at what a run has left, where a file is that."""
    is_named_so = path.name.endswith(WORKING_SUFFIX)
    holder = holder_of(lock_path_of(path)) if is_named_so else None
    if holder is not None:
        yield Finding("", f"is being written by a run: {holder}", "Let it end.")
        return
    checkpoint = read_checkpoint(path)
    if checkpoint is not None:
        yield _unfinished(path, checkpoint)
    elif is_named_so and not _is_closed(path):
        yield Finding(
            "",
            "is the working file of a run that was killed, and holds no checkpoint that can be "
            "read: nothing in it can be relied on",
            f"Start the run of {output_of(path).name} again; it begins anew.",
        )
    elif is_named_so:
        yield Finding(
            "",
            f"is called what runs of {output_of(path).name} call their working files, which the "
            "next of them removes",
            "Give it another name to keep it.",
            is_note=True,
        )


def _unfinished(path: Path, checkpoint: Checkpoint) -> Finding:
    text = f"is what a run has left that did not end; {progress_of(checkpoint)}"
    lost = () if checkpoint.is_finished else lost_tables(path, checkpoint.lengths)
    if lost:
        missing = f"{text}. Since then it has lost {', '.join(sorted(lost))}"
        return Finding("", missing, f"{RESTORE} {REPAIR}", is_unfinished=True)
    advice = f"Start the run again, with --resume, to go on from there. {REPAIR}"
    return Finding("", text, advice, is_unfinished=True)


REPAIR = "--repair makes an ordinary file of it, as it was then, which cannot be resumed any more."


def progress_of(checkpoint: Checkpoint) -> str:
    """Say how far a run had come."""
    command = checkpoint.command[checkpoint.position]
    stages = ", ".join(str(stage["name"]) for stage in command["stages"]) or "none"
    stood = "" if not checkpoint.is_looped else ", the end of its loop"
    return (
        f"at its last checkpoint it had done {checkpoint.chunks:,} chunks, "
        f"{checkpoint.rows:,} rows{stood}, of workflow {checkpoint.position + 1} of "
        f"{len(checkpoint.command)} (source '{command['source']}', stages {stages})"
    )


def output_of(path: Path) -> Path:
    """Return the output of a working file; of any other file itself."""
    return path.with_name(path.name.removesuffix(WORKING_SUFFIX))


def lock_path_of(path: Path) -> Path:
    """Return the lock of those that write a file, or its output where it is a working file."""
    output = output_of(path.resolve())
    return output.with_name(output.name + LOCK_SUFFIX)


def _is_closed(path: Path) -> bool:
    head = read_superblock(path)
    return head is not None and head.is_closed
