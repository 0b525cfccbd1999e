"""What is found in files that are not whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import FileFormatError
from h5flow.journal.inspection import Finding, inspect_file
from h5flow.journal.repair import repair_file

REF, REGION, OTHER = "a/ref/b/ref", "a/ref/b/ref_region", "b/ref/a/ref_region"
PAIRS = [(0, 3), (2, 1), (0, 0), (4, 3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of two datasets with references."""
    path = tmp_path / "f.h5"
    with H5FlowDataManager(path, compression="gzip+fletcher32") as dm:
        for name in ("a", "b"):
            dm.create_dset(name, "i8")
            dm.reserve_data(name, 5)
            dm.write_data(name, slice(0, 5), np.arange(5))
        dm.create_ref("a", "b")
        dm.write_ref("a", "b", PAIRS)
    return path


def findings(path: Path) -> list[Finding]:
    return list(inspect_file(path))


def one(path: Path) -> Finding:
    (finding,) = inspect_file(path)
    return finding


def regions(path: Path) -> list[list[tuple[int, int]]]:
    with h5py.File(path) as file:
        return [file[place][:].tolist() for place in (REGION, OTHER)]


def test_of_a_whole_file_nothing_is_said(path: Path) -> None:
    assert findings(path) == []


def test_a_file_of_others_with_narrow_integers_is_whole(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["a/data"], file["b/data"] = np.arange(2), np.arange(2)
        ref = file.create_dataset(REF, data=np.array([(0, 1)], "u4"))
        for number, place in enumerate((REGION, OTHER)):
            file[place] = np.zeros(2, [("start", "i4"), ("stop", "i4")])
            file[place][number] = (0, 1)
            ref.attrs[f"ref_region{number}"] = f"/{place}"
        ref.attrs["dset0"], ref.attrs["dset1"] = "/a/data", "b/data"
    assert findings(tmp_path / "f.h5") == []


# -- regions ------------------------------------------------------------------------------------


def narrow(file: h5py.File) -> None:
    file[REGION][0] = (0, 1)


def no_region_at_all(file: h5py.File) -> None:
    file[REGION][2] = (0, 0)


def cut(file: h5py.File) -> None:
    file[REGION].resize((1,))


@pytest.mark.parametrize("spoil", [narrow, no_region_at_all, cut])
def test_references_outside_of_their_regions_are_counted(
    path: Path, spoil: Callable[[h5py.File], None]
) -> None:
    with h5py.File(path, "r+") as file:
        spoil(file)
    found = one(path)
    assert found.place == f"/{REGION}"
    assert "of 4 references lie outside of the region of their row" in found.text
    assert found.in_regions
    assert not found.is_note


@pytest.mark.parametrize("value", [(0, 9), (-1, 4), (3, 2)])
def test_regions_that_cannot_be_are_counted(path: Path, value: tuple[int, int]) -> None:
    with h5py.File(path, "r+") as file:
        file[REGION][1] = value
    assert one(path).text.startswith("1 of 5 regions are not within the 4 references")


def missing(file: h5py.File) -> None:
    del file[OTHER]


def of_another_type(file: h5py.File) -> None:
    del file[OTHER]
    file[OTHER] = np.zeros((5, 2))


def without_attributes(file: h5py.File) -> None:
    del file[REF].attrs["dset0"]


@pytest.mark.parametrize(
    "spoil", [narrow, no_region_at_all, cut, missing, of_another_type, without_attributes]
)
def test_repair_makes_the_file_what_it_was(path: Path, spoil: Callable[[h5py.File], None]) -> None:
    before = regions(path)
    with h5py.File(path, "r+") as file:
        spoil(file)
    assert [finding.in_regions for finding in inspect_file(path)] == [True]
    assert repair_file(path) == (f"/{REGION}", f"/{OTHER}")
    assert findings(path) == []
    assert regions(path) == before
    assert [each.name for each in path.parent.iterdir()] == ["f.h5"]
    with H5FlowDataManager(path) as dm:
        dm.write_ref("a", "b", [(4, 4)])
        assert dm["a", "b", 4].tolist() == [[3, 4]]


def test_references_of_a_dataset_to_itself_have_one_region(path: Path) -> None:
    with H5FlowDataManager(path) as dm:
        dm.create_ref("a", "a")
        dm.write_ref("a", "a", [(1, 4), (4, 0)])
    place = "a/ref/a/ref_region"
    with h5py.File(path, "r+") as file:
        before = file[place][:].tolist()
        file[place][4] = (0, 0)
    repair_file(path)
    with h5py.File(path) as file:
        assert file[place][:].tolist() == before


def test_a_repair_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file[REF][0] = (2**60, 0)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"far beyond its end"):
        repair_file(path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["f.h5"]


# -- references ---------------------------------------------------------------------------------


def test_references_to_rows_that_do_not_exist_are_a_note(path: Path) -> None:
    with H5FlowDataManager(path) as dm:
        dm.write_ref("a", "b", [(1, 7)])
    found = one(path)
    assert found.is_note
    assert found.text == "1 of 5 references lead to rows that 'b' does not have"


def test_rows_that_do_not_exist_need_no_region(path: Path) -> None:
    with H5FlowDataManager(path) as dm:
        dm.write_ref("a", "b", [(1, 7)])
    with h5py.File(path, "r+") as file:
        file[OTHER].resize((5,))
    assert one(path).is_note


def test_negative_references_are_no_note(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file[REF][1] = (-2, 1)
    assert "1 of 4 references are negative rows of 'a'" in [each.text for each in findings(path)]


def test_references_that_are_no_integers_are_told(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        attributes = dict(file[REF].attrs)
        del file[REF]
        file[REF] = np.zeros((4, 2))
        file[REF].attrs.update(attributes)
    assert one(path).text == "holds float64 of shape (4, 2), not pairs of integers"


def test_references_to_a_dataset_that_is_gone_are_told(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["b/data"]
    assert one(path).text == "leads to 'b', which is not in the file"


# -- what cannot be read ------------------------------------------------------------------------


def test_a_chunk_with_a_flipped_bit_is_named(path: Path) -> None:
    with h5py.File(path) as file:
        chunk = file["a/data"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 4
    path.write_bytes(data)
    found = one(path)
    assert found.place == "/a/data, rows 0 to 5"
    assert found.text.startswith("cannot be read: ")


def test_a_file_that_is_cut_off_is_a_finding(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    assert "is cut off" in one(path).text


@pytest.mark.parametrize("content", [b"", b"some text"])
def test_what_is_no_hdf5_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    tmp_path.joinpath("x.h5").write_bytes(content)
    with pytest.raises(FileFormatError):
        findings(tmp_path / "x.h5")


def test_other_files_are_not_read_and_that_is_noted(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["c/data"] = h5py.ExternalLink("absent.h5", "/x")
        file.create_dataset("d/data", (3,), "i8", external=[("absent.bin", 0, 24)])
    assert [(each.place, each.is_note) for each in inspect_file(path)] == [
        ("/c/data", True),
        ("/d/data", True),
    ]


# -- runs that did not end ----------------------------------------------------------------------


def test_a_working_file_beside_it_is_told(path: Path) -> None:
    path.with_name("f.h5.partial").touch()
    assert "a run that writes this file goes on, or was killed" in one(path).text
    path.unlink()
    assert "a run that writes this file goes on, or was killed" in one(path).text


def test_records_that_cannot_be_read_are_noted(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["h5flow/runs/0000"] = 3
    found = one(path)
    assert (found.text, found.is_note) == ("1 records of runs cannot be read", True)
