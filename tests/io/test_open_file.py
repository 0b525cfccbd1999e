"""A file that cannot be opened is explained, with what to do."""

from __future__ import annotations

import errno
import gzip
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.errors import FileFormatError
from h5flow.io.open_file import open_file
from h5flow.io.superblock import read_superblock

RunPython = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.h5"
    with open_file(path, "w") as file:
        file["x"] = np.arange(1000)
    return path


def explained(path: Path, mode: str = "r") -> str:
    with pytest.raises(FileFormatError) as caught:
        open_file(path, mode)  # type: ignore[arg-type]
    assert caught.value.advice
    assert isinstance(caught.value.__cause__, OSError)
    return str(caught.value)


def test_files_are_made_in_the_format_since_2016(good: Path) -> None:
    superblock = read_superblock(good)
    assert superblock is not None
    assert (superblock.version, superblock.offset, superblock.is_closed) == (3, 0, True)
    with open_file(good, "r+") as file:
        assert file.libver == ("v110", h5py.File(good.with_name("n"), "w").libver[1])


def test_superblock_behind_a_userblock_is_found(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "user.h5", "w", userblock_size=2048, libver="earliest"):
        pass
    superblock = read_superblock(tmp_path / "user.h5")
    assert superblock is not None
    assert (superblock.version, superblock.offset) == (0, 2048)


def test_making_a_file_replaces_one_that_others_keep_open(good: Path) -> None:
    with open_file(good, "r") as old, open_file(good, "w") as new:
        assert len(old["x"]) == 1000
        assert "x" not in new


def test_missing_file_names_the_nearest(good: Path) -> None:
    text = explained(good.with_name("godo.h5"))
    assert "there is no file" in text
    assert "did you mean 'good.h5'?" in text


@pytest.mark.parametrize("mode", ["r", "r+", "w"])
def test_missing_folder_is_named(mode: str, tmp_path: Path) -> None:
    assert f"there is no folder {tmp_path / 'none'}" in explained(tmp_path / "none/x.h5", mode)


def test_dangling_link_names_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link.h5").symlink_to("gone.h5")
    assert "a link to gone.h5, which does not exist" in explained(tmp_path / "link.h5")


@pytest.mark.parametrize("mode", ["r", "r+", "w"])
def test_folder_is_not_a_file(mode: str, tmp_path: Path) -> None:
    assert "is a folder" in explained(tmp_path, mode)


def test_device_is_not_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in explained(tmp_path / "pipe", "w")


def test_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.h5").touch()
    assert "empty.h5 is empty" in explained(tmp_path / "empty.h5")


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "x")


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (lambda path: path.write_text("event,pt\n1,2.5\n"), "text, beginning with 'event,pt"),
        (lambda path: path.write_bytes(gzip.compress(b"x")), "gzip"),
        (write_zip, "zip"),
        (lambda path: path.write_bytes(b"root\0\0\1\2"), "ROOT"),
        (lambda path: path.write_bytes(bytes(5000)), "zeros"),
        (lambda path: path.write_bytes(b"\x01\x02\x03\x04" * 9), "the bytes 01 02 03 04"),
        (lambda path: path.write_text("<!DOCTYPE html>\n"), "web page"),
        (
            lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
            "git lfs pull",
        ),
    ],
)
def test_other_formats_are_recognised(
    write: Callable[[Path], object], kind: str, tmp_path: Path
) -> None:
    write(tmp_path / "x.h5")
    text = explained(tmp_path / "x.h5")
    assert "is not an HDF5 file: it looks like" in text
    assert kind in text


@pytest.mark.parametrize("length", [9, 20, 47, 100, 2000])
def test_truncated_file_is_called_cut_off(length: int, good: Path) -> None:
    whole = good.stat().st_size
    os.truncate(good, length)
    text = explained(good)
    assert "is cut off" in text
    assert str(length) in text
    assert str(whole) in text or length < 48


def test_damaged_file_is_called_damaged(good: Path) -> None:
    content = bytearray(good.read_bytes())
    content[12:40] = b"\xff" * 28
    good.write_bytes(content)
    assert "is damaged" in explained(good)


@pytest.mark.parametrize(("mode", "verb"), [("r", "read"), ("r+", "written"), ("w", "written")])
def test_missing_permission_is_named(
    mode: str, verb: str, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Unable to open file")

    monkeypatch.setattr(h5py, "File", refuse)
    assert f"may not be {verb}: Permission denied" in explained(good, mode)


def test_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "Unable to create file")

    monkeypatch.setattr(h5py, "File", refuse)
    assert "there is no space left" in explained(tmp_path / "x.h5", "w")


@pytest.fixture
def writer(good: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the file open for writing."""
    code = "import h5py, sys; f = h5py.File(sys.argv[1], 'r+'); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(good)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def test_file_that_another_process_writes_names_it(
    good: Path, writer: subprocess.Popen[str]
) -> None:
    text = explained(good)
    assert "is in use" in text
    if Path("/proc/locks").exists():
        assert f"process {writer.pid}" in text


def test_file_system_without_locks_is_named(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOLCK, "unable to lock file, errno = 37, error message = 'No locks'")

    monkeypatch.setattr(h5py, "File", refuse)
    assert "HDF5_USE_FILE_LOCKING" in explained(good)


def test_folder_that_may_not_be_entered_is_named(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    def refuse_to_open(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Unable to synchronously open file")

    monkeypatch.setattr(h5py, "File", refuse_to_open)
    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "is_dir", refuse)
    assert "may not be reached: Permission denied. Check the permissions" in explained(good)


def test_file_of_a_writer_that_was_killed_says_how_to_release_it(
    good: Path, run_python: RunPython
) -> None:
    code = """
import os, signal, sys
from h5flow.io.open_file import open_file
file = open_file(sys.argv[1], "r+")
file["y"] = 1
file.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_python(code, good).returncode == -signal.SIGKILL
    text = explained(good)
    assert "was when that program was killed" in text
    assert text.index("h5flow check --file") < text.index("h5clear -s")


def test_file_that_this_process_reads_is_not_opened_for_writing(good: Path) -> None:
    with open_file(good, "r"):
        assert "already open in this process" in explained(good, "r+")
