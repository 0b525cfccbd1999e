"""What one process, as a group of one, and scripted groups make of calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from h5flow.comm.serial import SerialCommunicator
from h5flow.errors import FileFormatError, H5FlowError, NoSuchDatasetError, OtherRankError
from h5flow.storage.protocol import Batch, CreateTable, Link, Write
from h5flow.storage.single_process import SingleProcessStorage
from h5flow.transaction.acts import Act, EndOfHook, Failed, Tag
from h5flow.transaction.channel import Channel
from h5flow.transaction.messages import encode
from h5flow.transaction.rendezvous import Rendezvous

X = CreateTable("/x/data", np.dtype("i4"))
LINK_TABLES = (
    CreateTable("/x/ref/x/ref", np.dtype("i8"), (2,)),
    CreateTable("/x/ref/x/ref_region", np.dtype([("start", "i8"), ("stop", "i8")])),
)


@pytest.fixture
def storage(tmp_path: Path):
    opened = SingleProcessStorage(tmp_path / "out.h5")
    yield opened
    opened.close()


@pytest.fixture
def rendezvous(storage: SingleProcessStorage) -> Rendezvous:
    made = Rendezvous(Channel(SerialCommunicator()), storage)
    made.answer("delete", lambda file, path: (path,) if path in file else ())
    made.create((X,))
    return made


def write(rows: slice, *values: int) -> Write:
    return Write("/x/data", rows, np.array(values, "i4"))


def test_rows_are_reserved_one_after_the_other(rendezvous: Rendezvous):
    assert [rendezvous.reserve("/x/data", rows) for rows in (2, 0, 3)] == [
        slice(0, 2),
        slice(2, 2),
        slice(2, 5),
    ]
    rendezvous.extend("/x/data", 4)
    rendezvous.extend("/x/data", 8)
    assert rendezvous.reserve("/x/data", 1) == slice(8, 9)


def test_rows_are_placed_at_the_end_of_the_hook(
    rendezvous: Rendezvous, storage: SingleProcessStorage
):
    rendezvous.begin(Tag(0, "stage", "run"))
    rendezvous.reserve("/x/data", 3)
    rendezvous.write(write(slice(0, 2), 1, 2))
    assert len(storage.table("/x/data")) == 0
    assert rendezvous.end("result") == ["result"]
    assert storage.table("/x/data")[:].tolist() == [1, 2, 0]
    assert rendezvous.queued_bytes == 0


def test_a_flush_places_rows_of_its_table_alone(
    rendezvous: Rendezvous, storage: SingleProcessStorage
):
    rendezvous.create((CreateTable("/y/data", np.dtype("i4")),))
    for path in ("/x/data", "/y/data"):
        rendezvous.reserve(path, 1)
        rendezvous.write(Write(path, slice(0, 1), np.array([7], "i4")))
    rendezvous.flush(("/y/data",))
    assert storage.table("/y/data")[:].tolist() == [7]
    assert len(storage.table("/x/data")) == 0
    rendezvous.flush()
    assert storage.table("/x/data")[:].tolist() == [7]


def test_creating_again_makes_what_is_missing_only(
    rendezvous: Rendezvous, storage: SingleProcessStorage
):
    rendezvous.create((X, *LINK_TABLES))
    rendezvous.create((X, *LINK_TABLES))
    assert storage.describe("/x/ref/x/ref").length == 0


def test_what_was_looked_for_in_vain_is_found_once_it_is_made(rendezvous: Rendezvous):
    assert rendezvous.find("/y/data") is None
    with pytest.raises(NoSuchDatasetError):
        rendezvous.reserve("/y/data", 1)
    rendezvous.create((CreateTable("/y/data", np.dtype("i4")),))
    assert rendezvous.reserve("/y/data", 1) == slice(0, 1)
    assert rendezvous.delete("/y/data")
    assert rendezvous.find("/y/data") is None
    assert not rendezvous.delete("/y/data")


def test_a_refused_creation_makes_nothing_and_is_no_failure(rendezvous: Rendezvous):
    with pytest.raises(FileFormatError):
        rendezvous.create((CreateTable("/y/data", np.dtype("i4")), CreateTable("/x", X.dtype)))
    assert rendezvous.find("/y/data") is None
    assert not rendezvous.failed
    rendezvous.reserve("/x/data", 1)


def test_lengths_of_reference_tables_are_known_after_they_were_written(rendezvous: Rendezvous):
    rendezvous.create(LINK_TABLES)
    region = LINK_TABLES[1].path
    rendezvous.link(Link(LINK_TABLES[0].path, (region, region), np.array([[0, 4], [1, 1]])))
    rendezvous.flush()
    assert rendezvous.table(LINK_TABLES[0].path).length == 2
    assert rendezvous.table(region).length == 5


def test_what_is_written_or_removed_has_a_new_version(rendezvous: Rendezvous):
    rendezvous.create(LINK_TABLES)
    versions, seen = rendezvous.catalogue.versions, []
    for change in (
        lambda: rendezvous.write(write(slice(0, 0))),
        lambda: rendezvous.delete("/x/data"),
    ):
        change()
        seen.append(versions["/x/data"])
    assert seen == [1, 2]


def test_after_a_failure_nothing_is_written_and_every_call_says_why(
    rendezvous: Rendezvous, storage: SingleProcessStorage
):
    rendezvous.reserve("/x/data", 1)
    rendezvous.write(write(slice(0, 1), 7))
    rendezvous.fail(ValueError("no"))
    assert rendezvous.failed
    for call in (
        lambda: rendezvous.reserve("/x/data", 1),
        lambda: rendezvous.write(write(slice(0, 1), 1)),
        lambda: rendezvous.set_attributes("/x", {}),
        rendezvous.flush,
        rendezvous.end,
    ):
        with pytest.raises(H5FlowError, match="ValueError: no"):
            call()
    assert len(storage.table("/x/data")) == 0


def test_a_storage_that_breaks_is_a_failure(
    rendezvous: Rendezvous, storage: SingleProcessStorage, monkeypatch: pytest.MonkeyPatch
):
    def broken(_batch: Batch) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(storage, "apply", broken)
    rendezvous.write(write(slice(0, 0)))
    with pytest.raises(KeyboardInterrupt):
        rendezvous.flush()
    with pytest.raises(H5FlowError, match=r"an earlier call has failed .KeyboardInterrupt"):
        rendezvous.reserve("/x/data", 1)


class Scripted:
    """A group of two whose other rank, the lower one, does what a script says."""

    name, rank, size, local_rank, local_size, handle = "scripted", 1, 2, 1, 2, None
    storage, activity = "single_process", 0

    def __init__(self, *acts: Act) -> None:
        self._acts = list(acts)

    def announce_with(self, _announce: Any, /) -> None:
        """Nobody calls collectives here."""

    def exchange(self, message: bytes, /) -> list[bytes]:
        return [encode(self._acts.pop(0)), message]


def group(storage: SingleProcessStorage, *acts: Act) -> Rendezvous:
    return Rendezvous(Channel(Scripted(*acts)), storage)  # type: ignore[arg-type]


def test_the_failure_of_another_rank_is_raised_here(storage: SingleProcessStorage):
    rendezvous = group(storage, Failed(Tag(), "ValueError: there", status=2))
    for call in (rendezvous.flush, rendezvous.end, lambda: rendezvous.reserve("/x/data", 1)):
        with pytest.raises(OtherRankError, match="rank 0 has failed: ValueError: there") as caught:
            call()
        assert (caught.value.rank, caught.value.exit_status) == (0, 2)


def test_of_two_failures_at_once_the_lower_rank_reports(storage: SingleProcessStorage):
    rendezvous = group(storage, Failed(Tag(), "ValueError: there"))
    with pytest.raises(OtherRankError, match="rank 0 has failed: ValueError: there"):
        rendezvous.fail(KeyError("here"))


def test_ranks_in_different_hooks_are_an_error(storage: SingleProcessStorage):
    other = EndOfHook(Tag(0, "stage", "run"))
    with pytest.raises(
        H5FlowError, match=r"rank 1 in between hooks, rank 0 in run of 'stage', chunk 0"
    ):
        group(storage, other).flush()
