"""What made a file: records of runs, under ``/h5flow`` in the file itself."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from h5flow.data.layout import RECORDS
from h5flow.errors import FileFormatError
from h5flow.io.open_file import open_file

__all__ = [
    "RunRecord",
    "SkippedChunk",
    "StageRecord",
    "digest_of_input",
    "read_records",
    "skipped_chunks",
    "unreadable_records",
    "write_record",
]

RUNS, SKIPPED = "runs", "skipped"
SKIPPED_ROWS = np.dtype([("start", "i8"), ("stop", "i8"), ("error", h5py.string_dtype())])
SAMPLES, SAMPLE_BYTES = 16, 2**18


@dataclass(frozen=True)
class StageRecord:
    """A class that took part in a run."""

    name: str
    classname: str
    class_version: str


@dataclass(frozen=True)
class SkippedChunk:
    """Rows of a source that were left out, half open, and what failed."""

    start: int
    stop: int
    error: str


def skipped_chunks(values: Iterable[Mapping[str, Any]]) -> tuple[SkippedChunk, ...]:
    """Return chunks that were left out, of what JSON has of them."""
    return tuple(SkippedChunk(**each) for each in values)


@dataclass(frozen=True)
class RunRecord:
    """One workflow that was run on a file.

    `input` is an absolute path, empty where the workflow read the output itself;
    `input_digest` identifies its contents. `reads_output` tells a loop over a dataset of the
    output from a generator without an input. `chunks` and `rows` went through all stages, and
    those that are `skipped` did not.
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
    reads_output: bool = False
    chunks: int = 0
    rows: int = 0
    seconds: float = 0.0
    date: str = ""
    skipped: tuple[SkippedChunk, ...] = ()

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(stage.name for stage in self.stages)

    def is_same_run(self, other: RunRecord) -> bool:
        """Return whether both have equal source, stages, classes, input and range.

        Params are not part of it.
        """
        same_input = (
            # Whatever file the rows came from, they are in the output by now.
            self.reads_output
            or self.input == other.input
            or (self.input_digest != "" and self.input_digest == other.input_digest)
        )
        return same_input and self._identity() == other._identity()

    def _identity(self) -> tuple[Any, ...]:
        # What a generator's block is called says nothing of what it does.
        stages = [(stage.name, stage.classname) for stage in self.stages]
        source = self.source.strip("/"), self.generator.classname
        return source, stages, self.start or 0, self.end


KEYS = frozenset(field.name for field in fields(RunRecord))


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
    run_id = os.urandom(16).hex()
    group.attrs["run_id"] = run_id
    runs = group.require_group(RUNS)
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    for record in records:
        entry = runs.create_group(f"{len(runs):04d}")
        entry.attrs["run_id"] = run_id
        values = {**asdict(record), "text": "", "date": date}
        skipped = values.pop("skipped")
        entry.attrs["record"] = json.dumps(values)
        entry.attrs["config"] = record.text
        if skipped:
            # in a dataset, for attributes are small
            rows = np.array([tuple(chunk.values()) for chunk in skipped], SKIPPED_ROWS)
            entry.create_dataset(SKIPPED, data=rows)
    return run_id


def read_records(file: h5py.File) -> list[RunRecord]:
    """Return the runs that a file records, oldest first; none in a file of others.

    Records that cannot be read, of other programs perhaps, are left out; so are those that a link
    takes from another file.
    """
    return [record for record in _entries(file) if record is not None]


def unreadable_records(file: h5py.File) -> int:
    """Return the number of runs whose record `read_records` leaves out."""
    return _entries(file).count(None)


def _entries(file: h5py.File) -> list[RunRecord | None]:
    """Return all records, oldest first, None for what is none."""
    runs = _own_group(_own_group(file, RECORDS), RUNS)
    if runs is None:
        return []
    entries = [_own_group(runs, name) for name in sorted(runs, key=lambda name: (len(name), name))]
    return [None if entry is None else _from_entry(entry) for entry in entries]


def _own_group(parent: h5py.Group | None, name: str) -> h5py.Group | None:
    if parent is None or not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        return None
    found = parent[name]
    return found if isinstance(found, h5py.Group) else None


def _from_entry(entry: h5py.Group) -> RunRecord | None:
    try:
        values = json.loads(entry.attrs["record"])
        # What a later version has added is not ours to read.
        values = {key: value for key, value in values.items() if key in KEYS}
        values["generator"] = StageRecord(**values["generator"])
        values["stages"] = tuple(StageRecord(**stage) for stage in values["stages"])
        values["skipped"] = _read_skipped(entry)
        return RunRecord(**{**values, "text": entry.attrs["config"]})
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _read_skipped(entry: h5py.Group) -> tuple[SkippedChunk, ...]:
    if not isinstance(entry.get(SKIPPED), h5py.Dataset):
        return ()
    return tuple(
        SkippedChunk(int(start), int(stop), _as_text(error))
        for start, stop, error in entry[SKIPPED][:].tolist()
    )


def _as_text(value: bytes | str) -> str:
    """Return a text as h5py gives it."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def digest_of_input(path: str | None) -> str:
    """Return what identifies an input: its ``run_id``, or a digest of its size and of samples.

    Of a large file not all is read: a night's data take too long. Empty where there is no file.
    """
    if path is None or not os.path.isfile(path):
        return ""
    try:
        with open_file(Path(path), "r") as file:
            records = file.get(RECORDS)
            if records is not None and "run_id" in records.attrs:
                return f"run_id:{records.attrs['run_id']}"
    except FileFormatError:
        pass  # any kind of file
    try:
        return f"sample:{_sampled(path)}"
    except OSError:
        return ""


def _sampled(path: str) -> str:
    """Return a digest of a file's size and of blocks at equal distances, the first and the last."""
    import hashlib  # with OpenSSL, which takes its time; inputs of h5flow's do without

    size = os.path.getsize(path)
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as raw:
        for block in range(SAMPLES):
            raw.seek(max(size - SAMPLE_BYTES, 0) * block // (SAMPLES - 1))
            digest.update(raw.read(SAMPLE_BYTES))
    return digest.hexdigest()
