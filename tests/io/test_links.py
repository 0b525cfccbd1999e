"""An output that leaves its datasets in the input."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.errors import FileFormatError
from h5flow.io.links import link_input, linked_target
from h5flow.io.open_file import open_file


def link(source: Path, output: Path) -> frozenset[str]:
    """Make the output of `--input-data link`, by way of a working file."""
    working = output.with_name(f"{output.name}.partial")
    with open_file(working, "w") as file:
        linked = link_input(source, file, output)
    working.replace(output)
    return linked


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["hits/data"] = np.arange(10)
        file["hits/ref/tracks/ref"] = np.zeros((4, 2), "u4")
        file["same"] = file["hits/data"]
        file["soft"] = h5py.SoftLink("/hits")
        file["outside"] = h5py.ExternalLink("other.h5", "/x")
        file.attrs["title"] = "input"
        file["hits"].attrs["group"] = file["hits/ref"].ref
        file["hits"].attrs["dataset"] = file["hits/data"].ref
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(3)
    return path


def test_all_is_read_through_the_links(source: Path, tmp_path: Path) -> None:
    link(source, tmp_path / "out.h5")
    with h5py.File(source) as old, h5py.File(tmp_path / "out.h5") as new:
        for path in ("hits/data", "hits/ref/tracks/ref", "same", "soft/data", "outside"):
            assert np.array_equal(old[path], new[path]), path


def test_linked_paths_are_returned(source: Path, tmp_path: Path) -> None:
    assert link(source, tmp_path / "out.h5") == {
        "/hits/data",
        "/hits/ref/tracks/ref",
        "/same",
        "/outside",
    }


def test_groups_are_of_the_output(source: Path, tmp_path: Path) -> None:
    link(source, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["hits"].file == file
        assert file.attrs["title"] == "input"
        assert file.get("soft", getlink=True).path == "/hits"


def test_group_with_two_names_stays_one(source: Path, tmp_path: Path) -> None:
    with h5py.File(source, "r+") as file:
        file["again"] = file["hits"]
        file["hits/ref/up"] = file["/"]
    link(source, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["again"] == file["hits"]
        assert file["hits/ref/up"] == file["/"]
        assert file["hits/data"][:].tolist() == file["again/data"][:].tolist()


def test_references_to_groups_stay_and_those_to_datasets_are_null(
    source: Path, tmp_path: Path
) -> None:
    link(source, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        attributes = file["hits"].attrs
        assert file[attributes["group"]] == file["hits/ref"]
        assert not attributes["dataset"]


def test_excluded_paths_are_left_out(source: Path, tmp_path: Path) -> None:
    with open_file(tmp_path / "out.h5", "w") as file:
        linked = link_input(source, file, tmp_path / "out.h5", exclude=["/hits/ref"])
        assert list(file["hits"]) == ["data"]
        assert linked >= {"/hits/data"}


@pytest.mark.parametrize(
    ("input_name", "output_name", "is_relative"),
    [
        ("a/in.h5", "a/out.h5", True),
        ("a/b/in.h5", "a/out.h5", True),
        ("a/in.h5", "a/b/out.h5", False),
        ("a/in.h5", "b/out.h5", False),
    ],
)
def test_link_is_relative_where_the_input_is_beside_or_below_the_output(
    input_name: str, output_name: str, is_relative: bool, tmp_path: Path
) -> None:
    source, output = tmp_path / input_name, tmp_path / output_name
    for path in (source, output):
        path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(source, "w") as file:
        file["x"] = np.arange(3)
    link(source, output)
    with h5py.File(output) as file:
        assert file["x"][:].tolist() == [0, 1, 2]
        assert os.path.isabs(file.get("x", getlink=True).filename) != is_relative


def test_input_and_output_beside_each_other_can_be_moved_together(tmp_path: Path) -> None:
    folder = tmp_path / "run 1"
    folder.mkdir()
    with h5py.File(folder / "ein gäng.h5", "w") as file:
        file["x"] = np.arange(3)
    link(folder / "ein gäng.h5", folder / "out.h5")
    folder.rename(tmp_path / "moved")
    with h5py.File(tmp_path / "moved" / "out.h5") as file:
        assert file["x"][:].tolist() == [0, 1, 2]


def test_external_link_of_the_input_leads_on_from_another_folder(
    source: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    link(source, tmp_path / "elsewhere" / "out.h5")
    with h5py.File(tmp_path / "elsewhere" / "out.h5") as file:
        assert file["outside"][:].tolist() == [0, 1, 2]


def test_input_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with (
        open_file(tmp_path / "out.h5", "w") as file,
        pytest.raises(FileFormatError, match="there is no file"),
    ):
        link_input(tmp_path / "none.h5", file, tmp_path / "out.h5")


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("/hits/data", "/hits/data"),
        ("hits/ref/tracks/ref", "/hits/ref/tracks/ref"),
        ("/soft/data", "/hits/data"),
        ("/same", "/same"),
    ],
)
def test_target_of_a_link_is_the_input(path: str, inner: str, source: Path, tmp_path: Path) -> None:
    link(source, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        assert linked_target(file, path) == (source, inner)


@pytest.mark.parametrize(
    "path", ["/", "/hits", "/own/data", "/own/data/below", "/none/data", "/up"]
)
def test_what_is_in_the_file_itself_has_no_target(path: str, source: Path, tmp_path: Path) -> None:
    link(source, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5", "r+") as file:
        file["own/data"] = [1]
        file["up"] = h5py.SoftLink("/up")
        assert linked_target(file, path) is None


def test_target_below_a_linked_group_is_found(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["a/b/data"] = [1]
    with h5py.File(tmp_path / "out.h5", "w") as file:
        file["x"] = h5py.ExternalLink("in.h5", "a")
        assert linked_target(file, "/x/b/data") == (tmp_path / "in.h5", "/a/b/data")


def test_target_is_found_without_opening_the_input(source: Path, tmp_path: Path) -> None:
    link(source, tmp_path / "out.h5")
    source.write_bytes(b"damaged")
    with h5py.File(tmp_path / "out.h5", "r+") as file:
        assert linked_target(file, "/hits/data") == (source, "/hits/data")
