"""Changes that are made as a whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from h5flow.errors import NoRoomError
from h5flow.io import edit
from h5flow.io.edit import edit_at_once, finish_edit, forget_edit, open_left
from h5flow.io.overlay import PAGE_BYTES, Overlay

ROWS = 5000


class Killed(BaseException):
    """In the place of a kill, after which nothing is done any more."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "f.h5"
    with h5py.File(path, "w", libver=("v110", "latest")) as file:
        file.create_dataset("a", data=np.arange(ROWS), maxshape=(None,), chunks=(100,))
        file["b"] = np.arange(10)
    return path


def change(path: Path) -> None:
    with edit_at_once(path) as file:
        file["a"].resize(70, 0)
        del file["b"]
        file["c"] = np.arange(3 * ROWS)


def contents(path: Path) -> dict[str, list[int]]:
    with open_left(path) as file:
        return {name: item[:].tolist() for name, item in file.items()}


BEFORE = {"a": list(range(ROWS)), "b": list(range(10))}
AFTER = {"a": list(range(70)), "c": list(range(3 * ROWS))}


def test_what_is_changed_is_in_the_file_when_the_block_has_ended(path: Path) -> None:
    change(path)
    with h5py.File(path) as file:
        assert {name: item[:].tolist() for name, item in file.items()} == AFTER
    assert [each.name for each in path.parent.iterdir()] == ["f.h5"]


def test_meanwhile_the_file_is_as_it_was(path: Path) -> None:
    before = path.read_bytes()

    def fail() -> None:
        with edit_at_once(path) as file:
            file["a"][:] = 0
            file.flush()
            assert path.read_bytes() == before
            raise Killed

    with pytest.raises(Killed):
        fail()
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["f.h5"]


@pytest.mark.parametrize("writes", range(8))
def test_wherever_it_is_killed_the_file_is_the_old_one_or_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    done = 0

    def pwrite(*arguments: Any) -> int:
        nonlocal done
        done += 1
        if done > writes:
            raise Killed
        return written(*arguments)

    written = os.pwrite
    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(Killed):
        change(path)
    monkeypatch.undo()
    assert contents(path) == AFTER  # as it is on record
    finish_edit(path)
    with h5py.File(path) as file:
        assert {name: item[:].tolist() for name, item in file.items()} == AFTER
    assert [each.name for each in path.parent.iterdir()] == ["f.h5"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_record_that_is_not_whole_does_not_count(
    path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(edit, "finish_edit", lambda _: None)
    change(path)
    monkeypatch.undo()
    record = path.with_name("f.h5.edit")
    raw = record.read_bytes()
    record.write_bytes(raw[: int(share * len(raw))])
    assert contents(path) == BEFORE
    finish_edit(path)
    assert contents(path) == BEFORE
    assert not record.exists()


def test_an_edit_of_a_file_that_is_gone_is_forgotten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edit, "finish_edit", lambda _: None)
    change(path)
    forget_edit(path)
    assert [each.name for each in path.parent.iterdir()] == ["f.h5"]


def test_without_room_nothing_is_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(NoRoomError):
        change(path)
    monkeypatch.undo()
    assert contents(path) == BEFORE
    assert [each.name for each in path.parent.iterdir()] == ["f.h5"]


def test_what_is_no_hdf5_file_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"text" * 100)
    with pytest.raises(OSError, match="no head"), edit_at_once(tmp_path / "x"):
        pass


places = st.integers(0, 4 * PAGE_BYTES)


@given(st.lists(st.tuples(st.sampled_from("rw"), places, st.integers(0, 3 * PAGE_BYTES))))
@example([("w", 4 * PAGE_BYTES, 0)])
def test_an_overlay_reads_as_a_file_that_was_written(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "overlay.h5"
    with h5py.File(path, "w", libver=("v110", "latest")) as file:
        file["x"] = np.arange(1000)
    model = bytearray(path.read_bytes())
    with Overlay(path) as overlay:
        for number, (what, place, count) in enumerate(steps):
            overlay.seek(place)
            if what == "w":
                data = bytes([number % 255 + 1]) * count
                overlay.write(data)
                model.extend(bytes(max(0, place + count - len(model)) if count else 0))
                model[place : place + count] = data
            elif what == "r":
                found = bytearray(b"?" * count)
                overlay.readinto(found)
                assert found == model[place : place + count].ljust(count, b"\0")
        assert overlay.size == len(model)
