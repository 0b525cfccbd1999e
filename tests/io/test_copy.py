"""All of the input is in the output, whatever its format and the file system."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.errors import FileFormatError, H5FlowError
from h5flow.events import CopyProgress, Event
from h5flow.io import clone, copy, space
from h5flow.io.copy import copy_input
from h5flow.io.superblock import read_superblock

Compare = Callable[[Path, Path], None]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.h5"


def version(path: Path) -> int | None:
    superblock = read_superblock(path)
    return superblock.version if superblock else None


def fail_with(number: int) -> Callable[..., Any]:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_copy_holds_all_that_the_input_holds(
    any_file: Path, out: Path, assert_same_content: Compare
) -> None:
    copy_input(any_file, out)
    assert_same_content(any_file, out)


def test_object_by_object_holds_the_same_as_byte_by_byte(
    new_file: Path, out: Path, assert_same_content: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "_is_cloneable", lambda *_: False)
    copy_input(new_file, out)
    assert_same_content(new_file, out)


def test_real_collisions_are_copied(
    collisions: Path, out: Path, assert_same_content: Compare
) -> None:
    copy_input(collisions, out)
    assert_same_content(collisions, out)


def test_old_format_is_upgraded(old_file: Path, out: Path) -> None:
    assert version(old_file) == 0
    copy_input(old_file, out)
    assert version(out) == 3


def test_todays_format_is_copied_byte_by_byte(new_file: Path, out: Path) -> None:
    copy_input(new_file, out)
    assert out.read_bytes() == new_file.read_bytes()


def test_what_lay_there_is_replaced_and_not_written_into(
    new_file: Path, out: Path, tmp_path: Path
) -> None:
    out.write_bytes(b"of another")
    other_name = tmp_path / "other"
    os.link(out, other_name)
    copy_input(new_file, out)
    assert out.read_bytes() == new_file.read_bytes()
    assert other_name.read_bytes() == b"of another"


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_bytes_go_through_the_process_where_the_kernel_cannot_copy(
    number: int, new_file: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "copy_file_range", fail_with(number), raising=False)
    monkeypatch.setattr(clone, "PIECE_BYTES", 1000)
    copy_input(new_file, out)
    assert out.read_bytes() == new_file.read_bytes()


def test_references_lead_to_the_copies(old_file: Path, out: Path) -> None:
    copy_input(old_file, out)
    with h5py.File(out) as file:
        data = file["charge/hits/data"]
        assert file[file.attrs["object"]] == data
        assert file[file["rows"][1]["to"]] == data
        assert [bool(r) and file[r] for r in file["objects"][:]] == [data, file["charge"], False]
        assert np.array_equal(data[file.attrs["region"]], data[2:5])
        assert file[file["charge"].attrs["root"]] == file["/"]
        assert not file["charge"].attrs["deleted"]


def test_dimension_scales_stay_attached(old_file: Path, out: Path) -> None:
    copy_input(old_file, out)
    with h5py.File(out) as file:
        assert file["curve"].dims[0]["time"] == file["axis"]


def test_object_with_two_names_stays_one(old_file: Path, out: Path) -> None:
    copy_input(old_file, out)
    with h5py.File(out) as file:
        assert file["again"] == file["charge/hits/data"]


def test_order_of_creation_is_kept(tmp_path: Path, out: Path) -> None:
    with h5py.File(tmp_path / "in.h5", "w", libver="earliest", track_order=True) as file:
        for name in "cab":
            file.create_group(f"{name}", track_order=True).create_group("z")
            file[name].create_group("y")
            file[name].attrs.update({str(number): number for number in range(20)})
    copy_input(tmp_path / "in.h5", out)
    with h5py.File(out) as file:
        assert list(file["/"]) == ["c", "a", "b"]
        assert list(file["c"]) == ["z", "y"]
        assert list(file["c"].attrs) == [str(number) for number in range(20)]


def test_attribute_of_a_type_that_numpy_lacks_is_kept(tmp_path: Path, out: Path) -> None:
    with h5py.File(tmp_path / "in.h5", "w", libver="earliest") as file:
        kind, one = h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((1,))
        time = h5py.h5a.create(file.create_group("group").id, b"time", kind, one)
        time.write(np.frombuffer(b"\1\2\3\4", "V4"), mtype=kind)
    copy_input(tmp_path / "in.h5", out)
    with h5py.File(out) as file:
        group = file["group"].id
        time, value = h5py.h5a.open(group, b"time"), np.zeros(1, "V4")
        time.read(value, mtype=time.get_type())
        assert value.tobytes() == b"\1\2\3\4"


@pytest.mark.parametrize("libver", ["earliest", "v110"])
def test_userblock_does_no_harm(
    libver: str, tmp_path: Path, out: Path, assert_same_content: Compare
) -> None:
    with h5py.File(tmp_path / "in.h5", "w", libver=(libver, "latest"), userblock_size=1024) as file:
        file["x"] = np.arange(10)
    copy_input(tmp_path / "in.h5", out)
    assert_same_content(tmp_path / "in.h5", out)


def test_excluded_paths_are_left_out(any_file: Path, out: Path) -> None:
    copy_input(any_file, out, exclude=["/charge/hits", "/typed", "/not there"])
    with h5py.File(out) as file:
        assert "hits" not in file["charge"]
        assert "typed" not in file
        assert "contiguous/data" in file


@pytest.mark.parametrize("libver", ["earliest", "v110"])
def test_external_links_lead_to_the_same_file_from_another_folder(
    libver: str, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(3)
    with h5py.File(tmp_path / "in.h5", "w", libver=(libver, "latest")) as file:
        file["x"] = h5py.ExternalLink("other.h5", "/x")
    copy_input(tmp_path / "in.h5", folder / "out.h5")
    with h5py.File(folder / "out.h5") as file:
        assert file["x"][:].tolist() == [0, 1, 2]


def test_virtual_dataset_that_would_lose_its_source_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(3)
    with h5py.File(tmp_path / "in.h5", "w", libver="latest") as file:
        layout = h5py.VirtualLayout((3,), "i8")
        layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
        file.create_virtual_dataset("x", layout)
    with pytest.raises(FileFormatError, match=r"/x in .* takes its rows from other\.h5"):
        copy_input(tmp_path / "in.h5", folder / "out.h5")
    assert not list(folder.iterdir())
    copy_input(tmp_path / "in.h5", tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["x"][:].tolist() == [0, 1, 2]


@pytest.mark.parametrize("libver", ["earliest", "v110"])
def test_progress_grows_to_the_size_of_the_input(
    libver: str, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "PIECE_BYTES", 4000)
    monkeypatch.setattr(clone, "PIECE_BYTES", 4000)
    source = tmp_path / "in.h5"
    with h5py.File(source, "w", libver=(libver, "latest")) as file:
        for index in range(5):
            file[str(index)] = np.arange(1000)
    seen: list[Event] = []
    copy_input(source, out, observe=seen.append)
    done = [event.done for event in seen if isinstance(event, CopyProgress)]
    size = source.stat().st_size
    assert len(done) > 5
    assert done == sorted(done)
    assert seen[-1] == CopyProgress(str(source), size, size)


def test_source_is_locked_while_it_is_copied(
    new_file: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_the_source(*_arguments: object) -> bool:
        with pytest.raises(OSError, match="already open"):
            h5py.File(new_file, "r+")
        return False

    monkeypatch.setattr(copy, "share_blocks", write_the_source)
    copy_input(new_file, out)
    assert out.exists()


@pytest.mark.parametrize("name", ["old_file", "new_file"])
def test_full_disk_is_seen_before_the_copy(
    name: str, request: pytest.FixtureRequest, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source: Path = request.getfixturevalue(name)
    monkeypatch.setattr(space, "free_bytes", lambda _: 1500)
    with pytest.raises(H5FlowError, match=r"needs [\d.]+ kB, and 1\.5 kB are free"):
        copy_input(source, out)
    assert not out.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_disk_that_fills_up_leaves_nothing_behind(
    number: int, new_file: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "copy_file_range", fail_with(number), raising=False)
    with pytest.raises(H5FlowError, match=r"no room for .*out\.h5"):
        copy_input(new_file, out)
    assert not out.exists()


def test_hdf5_that_runs_out_of_space_leaves_nothing_behind(
    old_file: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError(
            "Unable to synchronously copy object (file write failed: time = now, filename = 'x', "
            "file descriptor = 4, errno = 28, error message = 'No space left on device', buf = 0)"
        )

    monkeypatch.setattr("h5flow.io.objects.copy_object", fail)
    with pytest.raises(H5FlowError, match=r"no room for .*out\.h5"):
        copy_input(old_file, out)
    assert not out.exists()


def test_interrupted_copy_leaves_nothing_behind(
    old_file: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("h5flow.io.objects.copy_object", interrupt)
    with pytest.raises(KeyboardInterrupt):
        copy_input(old_file, out)
    assert not out.exists()


def test_input_that_is_not_hdf5_leaves_nothing_behind(tmp_path: Path, out: Path) -> None:
    (tmp_path / "in.h5").write_text("x,y\n1,2\n")
    with pytest.raises(FileFormatError, match="not an HDF5 file"):
        copy_input(tmp_path / "in.h5", out)
    assert not out.exists()
