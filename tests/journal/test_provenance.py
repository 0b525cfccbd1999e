"""What a file says of the runs that made it, and which of them are the same."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.journal.provenance import (
    RunRecord,
    StageRecord,
    digest_of_input,
    read_records,
    write_record,
)

RECORD = RunRecord(
    source="events",
    generator=StageRecord("events", "H5FlowDatasetLoopGenerator", "1.0.0"),
    stages=(StageRecord("pairs", "MuonPairs", "1.0.0"), StageRecord("plot", "Plot", "0.1")),
    input="/data/in.h5",
    input_digest="sample:abc",
    start=None,
    end=None,
    config="dimuon.yaml",
    text="flow:\n  source: événements\n",
    h5flow_version="1.0",
)


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    second = replace(RECORD, source="hits", stages=(), start=-5, end=7, rows=3, seconds=0.5)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        run_id = write_record(file, [RECORD, second])
        found = read_records(file)
        assert file["h5flow"].attrs["run_id"] == run_id
    assert [replace(record, date="") for record in found] == [RECORD, second]
    assert all(record.date for record in found)


def test_records_are_added_to_those_of_earlier_runs_oldest_first(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        ids = {write_record(file, [replace(RECORD, rows=number)]) for number in range(12)}
        assert [record.rows for record in read_records(file)] == list(range(12))
    assert len(ids) == 12


def test_a_long_workflow_is_recorded_whole(tmp_path: Path) -> None:
    text = "# a comment\n" * 20_000  # more than 64 KiB, the limit of old attributes
    with h5py.File(tmp_path / "f.h5", "w", libver=("v110", "latest")) as file:
        write_record(file, [replace(RECORD, text=text)])
        assert read_records(file)[0].text == text


def test_a_file_of_others_has_no_records(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        assert read_records(file) == []
        file["h5flow/runs"] = np.arange(3)
        assert read_records(file) == []


def test_a_record_of_a_later_version_is_read_and_one_that_is_broken_is_left_out(
    tmp_path: Path,
) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        write_record(file, [RECORD])
        entry = file["h5flow/runs/0000"]
        entry.attrs["record"] = entry.attrs["record"].replace("{", '{"novelty": 1, ', 1)
        file.create_group("h5flow/runs/0001").attrs["record"] = "no JSON"
        file.create_group("h5flow/runs/0002")
        assert [record.source for record in read_records(file)] == ["events"]


# -- the same run -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"config": "renamed.yaml"},
        {"text": "params: other"},
        {"h5flow_version": "2"},
        {"rows": 5, "chunks": 2, "seconds": 1.0, "date": "2020"},
        {"start": 0},
        {"source": "/events/"},
        {"generator": StageRecord("loop", "H5FlowDatasetLoopGenerator", "2.0.0")},
        {"input": "/elsewhere/copy.h5"},  # with the same digest
        {"input_digest": "sample:other"},  # the same file, changed
        {"stages": (StageRecord("pairs", "MuonPairs", "2"), StageRecord("plot", "Plot", "2"))},
    ],
    ids=",".join,
)
def test_it_is_the_same_run_all_the_same(change: dict[str, Any]) -> None:
    assert RECORD.is_same_run(replace(RECORD, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"source": "hits"},
        {"start": 5},
        {"end": 100},
        {"generator": StageRecord("events", "MyGenerator", "1.0.0")},
        {"stages": RECORD.stages[:1]},
        {"stages": RECORD.stages[::-1]},
        {"stages": (StageRecord("pears", "MuonPairs", "1.0.0"), RECORD.stages[1])},
        {"stages": (StageRecord("pairs", "OtherPairs", "1.0.0"), RECORD.stages[1])},
        {"input": "/data/other.h5", "input_digest": "sample:other"},
        {"input": "", "input_digest": ""},
    ],
    ids=",".join,
)
def test_it_is_another_run(change: dict[str, Any]) -> None:
    assert not RECORD.is_same_run(replace(RECORD, **change))


def test_two_runs_without_input_are_the_same() -> None:
    alone = replace(RECORD, input="", input_digest="")
    assert alone.is_same_run(alone)


# -- what identifies an input -----------------------------------------------------------------


def test_a_file_made_by_h5flow_is_identified_by_its_run(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        run_id = write_record(file, [RECORD])
    assert digest_of_input(str(tmp_path / "f.h5")) == f"run_id:{run_id}"


def test_files_of_one_structure_and_other_rows_are_different(tmp_path: Path) -> None:
    digests = set()
    for day in range(3):
        with h5py.File(tmp_path / f"{day}.h5", "w") as file:
            file["events/data"] = np.full(1000, day)
        digests.add(digest_of_input(str(tmp_path / f"{day}.h5")))
    assert len(digests) == 3


def test_any_file_has_a_digest_and_its_copy_the_same(tmp_path: Path) -> None:
    for name, content in (("a", b"raw"), ("b", b"raw"), ("c", b"war"), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
    digest = {name: digest_of_input(str(tmp_path / name)) for name in ("a", "b", "c", "empty")}
    assert digest["a"] == digest["b"]
    assert len(set(digest.values())) == 3


def test_of_a_large_file_samples_of_all_parts_count(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as raw:
        raw.truncate(2**26)  # a sparse file
    before = digest_of_input(str(path))
    for position in (0, 2**26 - 1):
        with open(path, "r+b") as raw:
            raw.seek(position)
            raw.write(b"x")
        after = digest_of_input(str(path))
        assert after != before
        before = after


@pytest.mark.parametrize("path", [None, "nowhere.h5", "."])
def test_what_is_no_file_has_no_digest(path: str | None) -> None:
    assert digest_of_input(path) == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "locked"
    path.write_bytes(b"x")
    path.chmod(0)
    assert digest_of_input(str(path)) == ""
