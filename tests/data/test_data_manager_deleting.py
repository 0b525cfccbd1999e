"""What goes with a name that is deleted, and what stays."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import DataError, NoSuchDatasetError


def make(dm: H5FlowDataManager, *names: str) -> None:
    for name in names:
        dm.create_dset(name, "i4")
        dm.write_data(name, dm.reserve_data(name, 3), [1, 2, 3])
        dm.set_attrs(name, of=name)


def everything(path: Path) -> set[str]:
    found: set[str] = set()
    with h5py.File(path) as file:
        file.visit(found.add)
    return found


def test_a_dataset_goes_with_its_metadata(path: Path):
    with H5FlowDataManager(path) as dm:
        make(dm, "a", "b")
        dm.delete("a")
        assert not dm.exists("a")
        with pytest.raises(NoSuchDatasetError):
            dm.get_dset("a")
    assert everything(path) == {"b", "b/data"}


def test_references_go_in_all_directions_and_others_stay(path: Path):
    with H5FlowDataManager(path) as dm:
        make(dm, "a", "b", "c", "d/e")
        for parent, child in (("a", "b"), ("c", "a"), ("a", "a"), ("d/e", "a"), ("b", "c")):
            dm.create_ref(parent, child)
            dm.write_ref(parent, child, [(0, 1)])
        dm.delete("/a/")
        assert not any(dm.ref_exists("a", other) for other in ("a", "b", "c", "d/e"))
        assert [ref.name for ref, _ in dm.get_refs("b")] == ["/b/ref/c/ref"]
        assert dm["b", "c", 0].tolist() == [[2]]
    assert everything(path) == {
        *("b", "b/data", "c", "c/data", "d", "d/e", "d/e/data"),
        *("b/ref", "b/ref/c", "b/ref/c/ref", "b/ref/c/ref_region"),
        *("c/ref", "c/ref/b", "c/ref/b/ref_region"),
    }


def test_datasets_below_a_dataset_stay(path: Path):
    with H5FlowDataManager(path) as dm:
        make(dm, "hits", "hits/calib", "hits/calib/fine")
        dm.create_ref("hits", "hits/calib")
        dm.create_ref("hits/calib", "hits/calib/fine")
        dm.delete("hits")
        assert not dm.dset_exists("hits")
        assert dm.get_attrs("hits") == {}
        assert dm["hits/calib", :].tolist() == [1, 2, 3]
        assert dm.get_attrs("hits/calib") == {"of": "hits/calib"}
        assert not dm.ref_exists("hits", "hits/calib")
        assert dm.ref_exists("hits/calib", "hits/calib/fine")
    assert not any(name.startswith("hits/ref") for name in everything(path))


def test_a_dataset_below_goes_alone(dm: H5FlowDataManager):
    make(dm, "hits", "hits/calib")
    dm.delete("hits/calib")
    assert not dm.exists("hits/calib")
    assert dm["hits", :].tolist() == [1, 2, 3]
    assert dm.get_attrs("hits") == {"of": "hits"}


@pytest.mark.parametrize("name", ["hits", "it", "calib_hits", "hits2", "x/hits"])
def test_names_match_whole_and_never_in_part(dm: H5FlowDataManager, name: str):
    names = ["hits", "calib_hits", "hits2", "hits_calib", "x/hits", "hits/x"]
    make(dm, *names)
    for other in names[1:]:
        dm.create_ref("hits", other)
    if name not in names:
        with pytest.raises(NoSuchDatasetError):
            dm.delete(name)
    else:
        dm.delete(name)
    left = [other for other in names if other != name]
    assert [other for other in names if dm.dset_exists(other)] == left
    if name != "hits":
        assert [other for other in left[1:] if not dm.ref_exists("hits", other)] == []


def test_a_plain_group_goes_with_everything_below(path: Path):
    with h5py.File(path, "w") as file:
        file["raw/notes/text"] = "of another program"
        file["raw/soft"] = h5py.SoftLink("/kept")
        file["raw/external"] = h5py.ExternalLink("absent.h5", "/x")
    with H5FlowDataManager(path) as dm:
        make(dm, "raw/a", "raw/deep/b", "kept")
        dm.set_attrs("raw", x=1)
        dm.set_attrs("raw/empty/group")
        dm.create_ref("kept", "raw/deep/b")
        dm.create_ref("raw/a", "raw/deep/b")
        dm.write_ref("kept", "raw/deep/b", [(0, 0)])
        dm.delete("raw")
        assert not dm.exists("raw")
        assert not dm.exists("raw/a")
        assert dm.get_refs("kept") == []
        assert dm.get_attrs("kept") == {"of": "kept"}
    assert everything(path) == {"kept", "kept/data"}


def test_what_others_keep_below_a_dataset_stays(path: Path):
    with H5FlowDataManager(path) as dm:
        make(dm, "a")
    with h5py.File(path, "r+") as file:
        file["a/notes"] = "of another program"
    with H5FlowDataManager(path) as dm:
        dm.delete("a")
    assert everything(path) == {"a", "a/notes"}


def test_a_link_goes_and_what_it_leads_to_stays(path: Path):
    with H5FlowDataManager(path) as dm:
        make(dm, "a")
    with h5py.File(path, "r+") as file:
        file["link"] = h5py.SoftLink("/a")
        file["nowhere"] = h5py.SoftLink("/b")
    with H5FlowDataManager(path) as dm:
        dm.delete("link")
        dm.delete("nowhere")
        assert dm["a", :].tolist() == [1, 2, 3]
        assert dm.get_attrs("a") == {"of": "a"}
    assert everything(path) == {"a", "a/data"}


def test_what_is_queued_goes_as_well(path: Path):
    with H5FlowDataManager(path) as dm:
        make(dm, "a", "b")
        dm.create_ref("a", "b")
        dm.write_ref("a", "b", [(0, 0)])
        dm.set_attrs("plain", x=1)
        dm.delete("a")
        dm.delete("plain")
    assert everything(path) == {"b", "b/data"}


def test_a_deleted_name_can_be_made_anew(path: Path):
    with H5FlowDataManager(path) as dm:
        make(dm, "a", "b")
        dm.create_ref("a", "b")
        dm.write_ref("a", "b", [(2, 2)])
        dm.delete("a")
        dm.create_dset("a", "f8", (2,))
        assert dm.get_dset("a").shape == (0, 2)
        assert dm.get_attrs("a") == {}
        dm.create_ref("b", "a")
        dm.write_ref("b", "a", [(0, 0)])
        dm.write_data("a", dm.reserve_data("a", 1), [[1, 2]])
        assert dm["b", "a", 0].tolist() == [[[1, 2]]]
    with H5FlowDataManager(path, mode="r") as dm:
        assert np.array_equal(dm["a", :], [[1, 2]])
        assert len(dm.get_ref_region("a", "b")) == 1


def test_what_is_not_there_cannot_be_deleted(dm: H5FlowDataManager):
    make(dm, "hits")
    with pytest.raises(NoSuchDatasetError, match=r"nothing named 'hit' in .*did you mean 'hits'"):
        dm.delete("hit")
    dm.delete("hits")
    with pytest.raises(NoSuchDatasetError):
        dm.delete("hits")


@pytest.mark.parametrize("name", ["", "/", "hits/data", "hits/ref/hits", "h5flow"])
def test_what_is_not_a_name_cannot_be_deleted(path: Path, name: str):
    with H5FlowDataManager(path) as dm:
        make(dm, "hits")
        with pytest.raises(DataError):
            dm.delete(name)
        assert dm["hits", :].tolist() == [1, 2, 3]
    assert everything(path) == {"hits", "hits/data"}
