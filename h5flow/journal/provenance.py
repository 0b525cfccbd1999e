"""What made a file: records of runs, under ``/h5flow`` in the file itself."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import h5py

from h5flow.data.layout import RECORDS
from h5flow.errors import FileFormatError
from h5flow.io.open_file import open_file

__all__ = ["RunRecord", "StageRecord", "digest_of_input", "read_records", "write_record"]

RUNS = "runs"


@dataclass(frozen=True)
class StageRecord:
    """A class that took part in a run."""

    name: str
    classname: str
    class_version: str


@dataclass(frozen=True)
class RunRecord:
    """One workflow that was run on a file.

    `input` is an absolute path, empty where the workflow read the output itself;
    `input_digest` identifies its contents.
    """

    source: str
    generator: StageRecord
    stages: tuple[StageRecord, ...]
    input: str
    input_digest: str
    start: int | None
    end: int | None
    config: str
    text: str
    h5flow_version: str
    chunks: int = 0
    rows: int = 0
    seconds: float = 0.0
    date: str = ""

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(stage.name for stage in self.stages)

    def is_same_run(self, other: RunRecord) -> bool:
        """Return whether both have equal source, stages, classes, input and range.

        Params are not part of it.
        """
        same_input = self.input == other.input or (
            self.input_digest != "" and self.input_digest == other.input_digest
        )
        return same_input and self._identity() == other._identity()

    def _identity(self) -> tuple[Any, ...]:
        classes = [(stage.name, stage.classname) for stage in (self.generator, *self.stages)]
        return self.source, classes, self.start or 0, self.end


def write_record(file: h5py.File, records: Sequence[RunRecord]) -> str:
    """Record runs in a file under a new ``run_id``, which is returned.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    records : sequence of RunRecord
        The workflows of one command.
    """
    group = file.require_group(RECORDS)
    run_id = uuid.uuid4().hex
    group.attrs["run_id"] = run_id
    runs = group.require_group(RUNS)
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    for record in records:
        entry = runs.create_group(f"{len(runs):04d}")
        entry.attrs["run_id"] = run_id
        entry.attrs["record"] = json.dumps({**asdict(record), "text": "", "date": date})
        entry.attrs["config"] = record.text
    return run_id


def read_records(file: h5py.File) -> list[RunRecord]:
    """Return the runs that a file records, oldest first; none in a file of others."""
    runs = file.get(f"{RECORDS}/{RUNS}")
    if not isinstance(runs, h5py.Group):
        return []
    return [_from_json(entry.attrs["record"], entry.attrs["config"]) for entry in runs.values()]


def _from_json(text: str, config: str) -> RunRecord:
    values = json.loads(text)
    values["generator"] = StageRecord(**values["generator"])
    values["stages"] = tuple(StageRecord(**stage) for stage in values["stages"])
    return RunRecord(**{**values, "text": config})


def digest_of_input(path: str | None) -> str:
    """Return what identifies an input: its ``run_id``, or a digest of size and structure.

    The contents are not read: a night's data take too long. Of a file that is not HDF5 the
    first MiB counts.
    """
    if path is None or not os.path.isfile(path):
        return ""
    digest = hashlib.sha256(str(os.path.getsize(path)).encode())
    try:
        with open_file(Path(path), "r") as file:
            records = file.get(RECORDS)
            if records is not None and "run_id" in records.attrs:
                return f"run_id:{records.attrs['run_id']}"

            def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
                shape = f"{item.shape}{item.dtype}" if isinstance(item, h5py.Dataset) else ""
                digest.update(f"{name}{shape}".encode())

            file.visititems(add)
    except FileFormatError:
        with open(path, "rb") as raw:
            digest.update(raw.read(2**20))
    return f"structure:{digest.hexdigest()}"
