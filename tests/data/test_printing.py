"""What is printed of a file."""

from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from h5flow.data.printing import print_attr, print_data, print_ref
from h5flow.errors import DataError, FileFormatError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.h5"
    with h5py.File(path, "w") as file:
        file["events/data"] = np.zeros(1234, "i4")
        kind = [("q", "f4", (2,)), ("id", "i8"), ("at", [("x", "f8")])]
        file["charge/hits/data"] = np.zeros((5, 3), kind)
        file.create_dataset("names/data", (2,), h5py.string_dtype())
        file["events/ref/charge/hits/ref"] = np.zeros((7, 2), "i8")
        file["charge/hits"].attrs["gain"] = np.array([1.5, 2.5])
        file.attrs["title"] = "a run"
        file["h5flow/records"] = 1
        file["h5flow"].attrs["run_id"] = "x"
        file["lost/data"] = h5py.ExternalLink("missing.h5", "/lost/data")
    return path


def printed(capsys):
    return [line.split("  ") for line in capsys.readouterr().out.splitlines()]


def test_datasets_are_listed_with_rows_and_dtype(path, capsys):
    assert print_data(path) is None
    lines = [[cell.strip() for cell in line if cell] for line in printed(capsys)]
    assert lines == [
        ["dataset", "rows", "dtype"],
        ["charge/hits", "5", "q float32[2], id int64, at (x float64) x (3,)"],
        ["events", "1,234", "int32"],
        ["lost", "?", "cannot be opened"],
        ["names", "2", "string"],
    ]


def test_references_are_listed_with_parent_child_and_number(path, capsys):
    assert print_ref(str(path)) is None
    lines = [" ".join(line).split() for line in printed(capsys)]
    assert lines == [["parent", "child", "references"], ["events", "charge/hits", "7"]]


def test_metadata_are_listed_by_group_without_records_of_h5flow(path, capsys):
    assert print_attr(path) is None
    text = capsys.readouterr().out
    assert text.splitlines() == ["/", "    title: a run", "/charge/hits", "    gain: [1.5 2.5]"]


def test_a_group_lists_what_is_below_it(path, capsys):
    with h5py.File(path) as file:
        print_data(file["charge"])
        print_ref(file["charge/hits"])
        print_ref(file["names"])
        print_attr(file["charge"])
    text = capsys.readouterr().out
    assert "events  " not in text.split("parent", maxsplit=1)[0]
    assert text.count("charge/hits  7") == 1
    assert "gain" in text
    assert "title" not in text


def test_an_object_with_an_open_file_is_printed(path, capsys):
    with h5py.File(path) as file:
        print_data(SimpleNamespace(fh=file))
    assert "charge/hits" in capsys.readouterr().out


def test_a_file_that_is_none_is_an_error(tmp_path):
    with pytest.raises(FileFormatError):
        print_data(tmp_path / "absent.h5")


def test_what_is_no_file_is_refused():
    with pytest.raises(DataError, match="int"):
        print_attr(3)
