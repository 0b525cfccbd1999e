"""Files that others made: other integers, other layouts, other contents, and none of it HDF5."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import DataError, FileFormatError, NoSuchDatasetError

LINKS = [(0, 3), (2, 1), (2, 2), (3, 0)]
A, B = np.arange(4) * 10, np.arange(5) + 0.5


def regions(column: int, length: int, dtype: str) -> np.ndarray:
    found = np.zeros(length, [("start", dtype), ("stop", dtype)])
    for row in range(length):
        places = [place for place, pair in enumerate(LINKS) if pair[column] == row]
        found[row] = (min(places), max(places) + 1) if places else (0, 0)
    return found


def make_file(
    path: Path,
    ref_dtype: str = "u4",
    region_dtype: str = "i4",
    *,
    chunked: bool = True,
    region_lengths: tuple[int, int] = (4, 5),
    with_regions: bool = True,
) -> None:
    """Write 'a' (4 rows), 'x/b' (5 rows) and references as programs of the field do."""

    def put(file: h5py.File, name: str, rows: np.ndarray, **attributes: str) -> None:
        room = {"maxshape": (None, *rows.shape[1:]), "chunks": True} if chunked else {}
        dataset = file.create_dataset(name, data=rows, **room)
        dataset.attrs.update(attributes)

    with h5py.File(path, "w") as file:
        put(file, "a/data", A)
        put(file, "x/b/data", B)
        paths = {
            "dset0": "/a/data",
            "dset1": "/x/b/data",
            "ref_region0": "/a/ref/x/b/ref_region",
            "ref_region1": "/x/b/ref/a/ref_region",
        }
        put(file, "a/ref/x/b/ref", np.array(LINKS, ref_dtype), **paths)
        if with_regions:
            for column, name in enumerate((paths["ref_region0"], paths["ref_region1"])):
                rows = regions(column, region_lengths[column], region_dtype)
                put(file, name, rows, ref="/a/ref/x/b/ref")
        file["other/notes"] = "of another program"
        file["table"] = np.arange(3)
        file.attrs["made_by"] = "another program"


def linked(dm: H5FlowDataManager, parent: str, child: str) -> list[list[float]]:
    return [row.compressed().tolist() for row in dm[parent, child, :]]


FORWARD = [[3.5], [], [1.5, 2.5], [0.5]]
BACKWARD = [[30], [20], [20], [0], []]

INTEGERS = ["u4", "i4", "u2", "i8", "u8", ">u4"]


@pytest.mark.parametrize(
    ("ref_dtype", "region_dtype", "chunked"),
    [
        *itertools.product(INTEGERS, ["i4"], [True, False]),
        *itertools.product(["u4"], INTEGERS, [True]),
    ],
)
def test_references_of_any_integer_width_are_read(
    path: Path, ref_dtype: str, region_dtype: str, chunked: bool
):
    make_file(path, ref_dtype, region_dtype, chunked=chunked)
    for mode in ("r", "a"):
        with H5FlowDataManager(path, mode=mode) as dm:
            assert linked(dm, "a", "x/b") == FORWARD
            assert linked(dm, "x/b", "a") == BACKWARD


@pytest.mark.parametrize("lengths", [(9, 9), (3, 4), (0, 0), (1, 2)])
def test_a_region_longer_or_shorter_than_its_dataset_is_read(path: Path, lengths: tuple[int, int]):
    make_file(path, region_lengths=lengths)
    with H5FlowDataManager(path, mode="r") as dm:
        assert linked(dm, "a", "x/b") == [
            row if index < lengths[0] else [] for index, row in enumerate(FORWARD)
        ]
        assert linked(dm, "x/b", "a") == [
            row if index < lengths[1] else [] for index, row in enumerate(BACKWARD)
        ]


def test_references_without_regions_are_read_and_not_extended(path: Path):
    make_file(path, with_regions=False)
    with H5FlowDataManager(path) as dm:
        assert linked(dm, "a", "x/b") == FORWARD
        assert linked(dm, "x/b", "a") == BACKWARD
        with pytest.raises(NoSuchDatasetError, match="no table /a/ref/x/b/ref_region"):
            dm.write_ref("a", "x/b", [(0, 0)])
        assert len(dm.get_ref("a", "x/b")[0]) == 4


@pytest.mark.parametrize("ref_dtype", INTEGERS)
@pytest.mark.parametrize("lengths", [(4, 5), (9, 9), (4, 7), (7, 5)])
def test_references_of_others_are_extended(path: Path, ref_dtype: str, lengths: tuple[int, int]):
    make_file(path, ref_dtype, region_lengths=lengths)
    with H5FlowDataManager(path) as dm:
        dm.create_ref("a", "x/b")
        dm.write_ref("a", "x/b", [(1, 4), (0, 0)])
        dm.write_data("a", dm.reserve_data("a", 2), [40, 50])
        dm.write_ref("x/b", "a", [(2, 5), (4, 0)])
    with H5FlowDataManager(path, mode="r") as dm:
        assert linked(dm, "a", "x/b") == [[0.5, 3.5, 4.5], [4.5], [1.5, 2.5], [0.5], [], [2.5]]
        assert linked(dm, "x/b", "a") == [[0, 30], [20], [20, 50], [0], [0, 10]]
        assert dm.get_ref("a", "x/b")[0].dtype == ref_dtype
        assert dm.get_ref_region("a", "x/b").dtype["start"] == "i4"
        assert len(dm.get_ref_region("a", "x/b")) >= 6


def test_references_too_large_for_the_file_are_refused_before_anything_is_queued(path: Path):
    make_file(path, "u4")
    with H5FlowDataManager(path) as dm:
        dm.write_ref("a", "x/b", [(1, 1)])
        with pytest.raises(DataError, match=r"4294967296 is too large .*the file holds uint32"):
            dm.write_ref("a", "x/b", [(0, 0), (0, 2**32)])
        dm.write_ref("a", "x/b", [(2**20, 1)])
    with H5FlowDataManager(path, mode="r") as dm:
        assert dm.get_ref("a", "x/b")[0][4:].tolist() == [[1, 1], [2**20, 1]]


def test_contiguous_tables_are_read_and_changed_but_do_not_grow(path: Path):
    make_file(path, chunked=False)
    with H5FlowDataManager(path) as dm:
        dm.write_data("a", [1, 3], [11, 31])
        assert dm.reserve_data("a", slice(0, 4)) == slice(0, 4)
        assert dm.reserve_data("a", 0) == slice(4, 4)
        for wanted in (1, slice(3, 5)):
            with pytest.raises(DataError, match=r"a cannot grow to 5 rows.*room for 4 only"):
                dm.reserve_data("a", wanted)
        with pytest.raises(DataError, match="/a/ref/x/b/ref cannot grow to 5 rows"):
            dm.write_ref("a", "x/b", [(0, 0)])
        dm.create_dset("c", "i4")
        dm.create_ref("a", "c")
        dm.write_data("c", dm.reserve_data("c", 4), np.arange(4))
        dm.write_ref("a", "c", [(3, 0)])
        assert len(dm.get_ref_region("a", "x/b")) == 4
    with H5FlowDataManager(path, mode="r") as dm:
        assert dm["a", :].tolist() == [0, 11, 20, 31]
        assert linked(dm, "a", "x/b") == FORWARD
        assert linked(dm, "a", "c") == [[], [], [], [0]]


def test_a_region_without_room_refuses_references_before_they_are_queued(path: Path):
    make_file(path)
    with h5py.File(path, "r+") as file:
        del file["x/b/ref/a/ref_region"]
        file["x/b/ref/a/ref_region"] = regions(1, 5, "i4")
    with H5FlowDataManager(path) as dm:
        dm.reserve_data("x/b", 1)
        dm.write_ref("a", "x/b", [(1, 4)])
        with pytest.raises(DataError, match="/x/b/ref/a/ref_region cannot grow to 6 rows"):
            dm.write_ref("a", "x/b", [(1, 5)])
    with H5FlowDataManager(path, mode="r") as dm:
        assert linked(dm, "a", "x/b") == [[3.5], [4.5], [1.5, 2.5], [0.5]]
        assert len(dm.get_ref_region("x/b", "a")) == 5


def test_what_others_keep_in_a_file_stays_as_it_is(path: Path):
    make_file(path)
    with H5FlowDataManager(path) as dm:
        dm.reserve_data("a", 2)
        dm.create_dset("c", "i4")
        dm.set_attrs("other", unit="cm")
        assert dm["other/notes"][()] == b"of another program"
        assert dm["table"][:].tolist() == dm["table", :].tolist() == [0, 1, 2]
        assert dm.get_attrs("other") == {"unit": "cm"}
    with h5py.File(path) as file:
        assert file.attrs["made_by"] == "another program"
        assert file["table"][:].tolist() == [0, 1, 2]


def test_a_file_with_links_that_lead_nowhere_is_read(path: Path):
    make_file(path)
    with h5py.File(path, "r+") as file:
        file["soft"] = h5py.SoftLink("/nowhere")
        file["loop"] = h5py.SoftLink("/loop")
        file["y/data"] = h5py.SoftLink("/a/data")
    with H5FlowDataManager(path) as dm:
        for name in ("soft", "loop"):
            assert not dm.dset_exists(name)
            assert not dm.exists(name)
            with pytest.raises(NoSuchDatasetError):
                dm[name]
            with pytest.raises(NoSuchDatasetError):
                dm.get_dset(name)
        assert dm["y", :].tolist() == A.tolist()
        dm.reserve_data("a", 1)


def test_rows_in_another_file_are_read_and_not_written(path: Path):
    make_file(path.with_name("input.h5"))
    with h5py.File(path, "w") as file:
        for name in ("a/data", "x/b/data", "a/ref/x/b/ref", "a/ref/x/b/ref_region"):
            file[name] = h5py.ExternalLink("input.h5", f"/{name}")
        file["x/b/ref/a/ref_region"] = h5py.ExternalLink("input.h5", "/x/b/ref/a/ref_region")
        file["lost/data"] = h5py.ExternalLink("absent.h5", "/lost/data")
    before = path.with_name("input.h5").read_bytes()
    with H5FlowDataManager(path) as dm:
        assert linked(dm, "a", "x/b") == FORWARD
        assert dm["a/data"].file.mode == "r"
        for call in (
            lambda: dm.reserve_data("a", 1),
            lambda: dm.write_data("a", [0], [1]),
            lambda: dm.write_ref("a", "x/b", [(0, 0)]),
        ):
            with pytest.raises(DataError, match=r"is linked from the input .*input.h5"):
                call()
        dm.create_dset("c", "i4")
        dm.create_ref("a", "c")
        dm.write_ref("a", "c", [(3, 0)])
        dm.reserve_data("c", 1)
        with pytest.raises(
            FileFormatError, match=r"/lost/data in .* a link to another file: there is"
        ):
            dm.dset_exists("lost")
    assert path.with_name("input.h5").read_bytes() == before


def test_references_stored_in_both_directions_each_have_their_own(path: Path):
    make_file(path)
    with h5py.File(path, "r+") as file:
        file["x/b/ref/a/ref"] = np.array([(4, 1)], "u4")
    with H5FlowDataManager(path, mode="r") as dm:
        assert dm.get_ref("x/b", "a")[0].name == "/x/b/ref/a/ref"
        found = {(ref.name, direction) for ref, direction in dm.get_refs("a")}
        assert found == {("/a/ref/x/b/ref", (0, 1)), ("/x/b/ref/a/ref", (1, 0))}
