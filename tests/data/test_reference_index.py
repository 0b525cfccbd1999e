"""Following references by their index, against a loop over all references."""

from __future__ import annotations

import warnings

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from h5flow.data import H5FlowDataManager, dereference
from h5flow.data import following as following_module
from h5flow.data.layout import reference_paths
from h5flow.data.reference_index import find_index
from h5flow.journal import indexing
from h5flow.journal.indexing import index_file
from h5flow.testing.strategies import linked_arrays, selections

PAIRS = np.array([(0, 3), (2, 1), (0, 0), (4, 3), (2, 2), (0, 3)])


@pytest.fixture(autouse=True)
def of_use_in_small_files(monkeypatch):
    """Take an index for the least of reasons."""
    monkeypatch.setattr(indexing, "overlaps", lambda _total, _widest, references: references > 0)
    monkeypatch.setattr(following_module, "WIDE_ROWS", 0)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "f.h5"
    with H5FlowDataManager(path) as dm:
        for name in ("a", "b"):
            dm.create_dset(name, "i8")
            dm.write_data(name, dm.reserve_data(name, 5), np.arange(5))
        dm.create_ref("a", "b")
        dm.write_ref("a", "b", PAIRS)
    index_file(path)
    return path


def store(path, link):
    """Write a link with regions of both directions, as files of others have them."""
    names = ("a", "b") if link.direction == (0, 1) else ("b", "a")
    paths = reference_paths(*names)
    mine, other = ((paths.parent_region, paths.child_region)[column] for column in link.direction)
    everything = np.zeros(len(link.data), link.region.dtype)
    everything["stop"] = len(link.ref)
    with h5py.File(path, "w", libver=("v110", "latest")) as file:
        file["a/data"], file["b/data"] = np.arange(link.parent_rows), link.data
        file[paths.ref], file[mine], file[other] = link.ref, link.region, everything
        file[paths.ref].attrs.update(paths.ref_attributes)
    return paths


def chosen_rows(selection, length):
    if selection is None or (isinstance(selection, list) and not selection):
        return np.arange(length if selection is None else 0)
    return np.atleast_1d(np.arange(length)[selection])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), link=linked_arrays())
def test_rows_are_those_of_the_naive_loop(tmp_path_factory, data, link):
    path = tmp_path_factory.mktemp("index") / "f.h5"
    paths = store(path, link)
    index_file(path)
    selection = data.draw(selections(link.parent_rows), label="selection")
    chosen = chosen_rows(selection, link.parent_rows)
    hidden = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(chosen), max_size=len(chosen))), bool
    )
    parent, child = link.direction
    expected = [
        [] if masked else sorted(int(p[child]) for p in link.ref if p[parent] == row)
        for row, masked in zip(chosen.tolist(), hidden, strict=True)
    ]
    with h5py.File(path, data.draw(st.sampled_from(["r", "r+"]))) as file:
        ref = file[paths.ref]
        region = file[(paths.parent_region, paths.child_region)[parent]]
        assert (find_index(ref, region, parent) is not None) == (len(link.ref) > 0)
        found = dereference(
            selection,
            ref,
            mask=hidden,
            ref_direction=link.direction,
            indices_only=True,
            as_masked=False,
        )
        assert [each.tolist() for each in found] == expected


def test_both_directions_are_followed(path):
    with H5FlowDataManager(path, mode="r") as dm:
        assert dm["a", "b", [2, 0]].tolist() == [[1, 2, None], [0, 3, 3]]
        assert dm["b", "a", [3]].tolist() == [[0, 0, 4]]


def uses_index(path):
    """Say whether the references of a file are followed by an index that is there."""
    with h5py.File(path) as file:
        ref = file["a/ref/b/ref"]
        return find_index(ref, file["a/ref/b/ref_region"], 0) is not None


def test_an_index_is_not_taken_for_other_regions(path):
    with h5py.File(path) as file:
        ref, region = file["a/ref/b/ref"], file["a/ref/b/ref_region"]
        assert find_index(ref, None, 0) is not None
        assert find_index(ref, file["b/ref/a/ref_region"], 0) is None
        assert find_index(ref, region[:], 0) is None
        own = region[:]
        own[0] = (0, 1)
        assert dereference(file["b/data"], ref, own, sel=[0]).tolist() == [[3]]


def test_a_table_that_does_not_name_its_regions_has_an_index_all_the_same(path):
    with h5py.File(path, "r+") as file:
        del file["a/ref/b/ref"].attrs["ref_region0"]
    assert uses_index(path)


def test_an_index_of_fewer_references_is_not_used(path):
    with h5py.File(path, "r+") as file:
        ref = file["a/ref/b/ref"]
        ref.resize(len(ref) + 1, axis=0)
        ref[-1] = (0, 1)
        file["a/ref/b/ref_region"][0] = (0, len(ref))
    assert not uses_index(path)
    with h5py.File(path) as file:
        found = dereference([0], file["a/ref/b/ref"], file["b/data"])
    assert found.tolist() == [[0, 1, 3, 3]]


def test_references_that_were_made_anew_have_no_index(path):
    with h5py.File(path, "r+") as file:
        del file["a/ref/b/ref"]
        file["a/ref/b/ref"] = PAIRS[::-1]
    assert not uses_index(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file, group: file.__delitem__(f"{group}/children"),
        lambda file, group: file.__delitem__(group),
        lambda file, group: file[f"{group}/offsets"].attrs.__delitem__("references"),
        lambda file, group: file[f"{group}/offsets"].write_direct(np.full(6, 2**30, "i4")),
        lambda file, group: file[f"{group}/offsets"].write_direct(
            np.arange(6, dtype="i4")[::-1].copy()
        ),
    ],
)
def test_without_a_whole_index_references_are_followed_all_the_same(path, spoil):
    with h5py.File(path, "r+") as file:
        spoil(file, reference_paths("a", "b").indices[0].group)
    with H5FlowDataManager(path, mode="r") as dm:
        assert dm["a", "b", [0]].tolist() == [[0, 3, 3]]


def test_writing_references_drops_their_index_and_keeps_that_of_others(path):
    with H5FlowDataManager(path) as dm:
        dm.create_dset("c", "i8")
        dm.reserve_data("c", 5)
        dm.create_ref("a", "c")
        dm.write_ref("a", "c", PAIRS)
    index_file(path)
    with H5FlowDataManager(path) as dm:
        dm.write_ref("a", "c", [(1, 1)])
    with h5py.File(path) as file:
        assert "h5flow/index/a/ref/b/ref/0/offsets" in file
        assert "h5flow/index/a/ref/c" not in file
    with H5FlowDataManager(path) as dm:
        dm.write_ref("b", "a", [(4, 4)])
    with h5py.File(path) as file:
        assert "h5flow/index" not in file


def test_an_index_goes_with_its_dataset(path):
    with H5FlowDataManager(path) as dm:
        dm.delete("b")
    with h5py.File(path) as file:
        assert "h5flow/index" not in file


def test_an_index_is_no_dataset(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with H5FlowDataManager(path, mode="r") as dm:
            assert dm._open().inventory.datasets == ("a", "b")
            assert len(dm.get_refs("a")) == 1
