"""Reading through the data manager: rows by any selection, linked rows, h5py's own objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import DataError, NoSuchDatasetError

X = np.arange(10) * 10
LINKS = {0: [1, 2], 3: [0], 9: [4, 2, 2]}


@pytest.fixture
def dm(path: Path) -> Iterator[H5FlowDataManager]:
    """'a' of ten rows, linked to 'b/c' of five, which is linked to 'd' of five row by row."""
    with H5FlowDataManager(path) as manager:
        for name, values in (("a", X), ("b/c", np.arange(5) + 0.5), ("d", np.arange(5) * 100)):
            manager.create_dset(name, values.dtype)
            manager.write_data(name, manager.reserve_data(name, len(values)), values)
        manager.create_ref("a", "b/c")
        manager.write_ref("a", "b/c", [(a, b) for a, children in LINKS.items() for b in children])
        manager.create_ref("d", "b/c")
        manager.write_ref("d", "b/c", np.column_stack((np.arange(5), np.arange(5))))
        yield manager


SELECTIONS = [
    slice(None),
    slice(2, 5),
    slice(-5, None),
    slice(None, -7),
    slice(5, 2),
    slice(7, 99),
    slice(None, None, 3),
    slice(None, None, -1),
    slice(np.int64(1), np.uint8(3)),
    slice(-1, -1),
    3,
    -1,
    np.int64(3),
    np.uint8(9),
    np.array(4),
    [],
    [7],
    [3, 1, 3],
    [-1, 0],
    (2, 4),
    range(2, 9, 3),
    np.array([9, 0, 9], "u2"),
    np.array([], "i8"),
    np.arange(10) % 3 == 0,
    np.zeros(10, bool),
    [True, False] * 5,
    None,
]


def expected_rows(selection: Any) -> np.ndarray:
    """The rows as NumPy selects them, except that an int keeps its axis."""
    if selection is None:
        selection = slice(None)
    if isinstance(selection, list | tuple | range):
        selection = np.array(selection, None if len(selection) else int)
    chosen = np.arange(10)[selection]
    return np.atleast_1d(chosen)


@pytest.mark.parametrize("selection", SELECTIONS, ids=repr)
def test_rows_are_selected_as_numpy_does_and_an_int_keeps_its_axis(
    dm: H5FlowDataManager, selection: Any
):
    found = dm["a", selection]
    assert type(found) is np.ndarray
    assert found.dtype == X.dtype
    assert found.tolist() == X[expected_rows(selection)].tolist()


@pytest.mark.parametrize("selection", SELECTIONS, ids=repr)
def test_linked_rows_are_selected_likewise(dm: H5FlowDataManager, selection: Any):
    parents = expected_rows(selection)
    found = dm["a", "b/c", selection]
    wanted = [sorted(LINKS.get(row, [])) for row in parents.tolist()]
    width = max(map(len, wanted), default=1) or 1
    assert isinstance(found, np.ma.MaskedArray)
    assert found.shape == (len(parents), width)
    assert [row.compressed().tolist() for row in found] == [
        [b + 0.5 for b in row] for row in wanted
    ]
    assert not found.data[found.mask].any()


@pytest.mark.parametrize(
    "selection",
    [
        10,
        -11,
        [0, 10],
        [-11],
        1.0,
        [0.5],
        "3:5",
        [True],
        np.ones(9, bool),
        np.zeros((2, 2), int),
        True,
        {1},
        slice("a", "b"),
        slice(0, 1.5),
    ],
    ids=repr,
)
def test_a_selection_of_rows_that_are_not_there_is_an_error(dm: H5FlowDataManager, selection: Any):
    for names in (("a",), ("a", "b/c")):
        with pytest.raises((DataError, NoSuchDatasetError)):
            dm[(*names, selection)]


def test_names_alone_are_all_rows(dm: H5FlowDataManager):
    assert np.array_equal(dm["a", "b/c"], dm["a", "b/c", :])
    assert dm["a", "b/c"].shape == (10, 3)
    assert dm[("a",)].tolist() == X.tolist()


def test_a_chain_has_an_axis_for_each_link(dm: H5FlowDataManager):
    found = dm["a", "b/c", "d", 0]
    assert found.shape == (1, 2, 1)
    assert found.tolist() == [[[100], [200]]]
    assert dm["d", "b/c", "a", "b/c", 2].shape == (1, 1, 3, 3)


def test_names_may_be_paths_of_rows(dm: H5FlowDataManager):
    assert dm["/a/data", 1:3].tolist() == [10, 20]
    assert dm["a/data", "b/c/data/", 0].tolist() == [[1.5, 2.5]]
    assert dm["a/ref/b/c/ref", 0:2].tolist() == [[0, 1], [0, 2]]
    assert [tuple(row) for row in dm["a/ref/b/c/ref_region", [0, 3]]] == [(0, 2), (2, 3)]


@pytest.mark.parametrize("key", [3, slice(None), (), (3,), ("a", 0, "b"), ("a", 0, 1), None, b"a"])
def test_what_is_not_a_key_is_an_error(dm: H5FlowDataManager, key: Any):
    with pytest.raises(DataError, match="Write dm"):
        dm[key]


def test_a_single_string_is_a_path_in_the_file(dm: H5FlowDataManager):
    dm.set_attrs("plain", x=1)
    assert isinstance(dm["a"], h5py.Group)
    assert dm["/"].name == dm[""].name == "/"
    assert set(dm["/"]) == {"a", "b", "d", "plain"}
    assert isinstance(dm["a/data"], h5py.Dataset)
    assert dm["//a//data/"][:].tolist() == X.tolist()
    assert dict(dm["plain"].attrs) == {"x": 1}
    assert dm["a/ref/b/c/ref"].shape == (6, 2)


def test_paths_hold_all_that_was_written(dm: H5FlowDataManager):
    for value in range(3):
        dm.write_data("a", dm.reserve_data("a", 1), [value])
        dm.write_ref("a", "b/c", [(10, 0)])
        assert dm["a/data"][-1] == value
        assert len(dm["a"]["data"]) == 11 + value
        assert len(dm["a/ref/b/c/ref"]) == 7 + value
        assert len(dm.fh["a/data"]) == 11 + value


@pytest.mark.parametrize("key", ["x", "a/x", "b/cc", "h5flow"])
def test_a_path_that_is_not_there_is_an_error_that_names_the_datasets(
    dm: H5FlowDataManager, key: str
):
    with pytest.raises(KeyError, match=rf"nothing at '/{key}' .*datasets are a, b/c, d\."):
        dm[key]


def test_a_path_in_a_file_without_datasets_is_an_error_that_says_so(tmp_path: Path):
    with H5FlowDataManager(tmp_path / "empty.h5") as dm:
        with pytest.raises(NoSuchDatasetError, match=r"nothing at '/C' in .*It has no datasets\."):
            dm["C"]
        with pytest.raises(NoSuchDatasetError, match=r"no dataset 'C'\. The file has none\."):
            dm["C", :]


@pytest.mark.parametrize("name", ["bc", "b/cd", "/b/c2/"])
def test_a_missing_dataset_is_an_error_that_names_the_nearest(dm: H5FlowDataManager, name: str):
    for call in (
        lambda: dm.get_dset(name),
        lambda: dm[name, 0],
        lambda: dm["a", name, :],
        lambda: dm.get_refs(name),
    ):
        with pytest.raises(KeyError, match=r"no (dataset|references)"):
            call()
    with pytest.raises(NoSuchDatasetError, match="did you mean 'b/c'"):
        dm.get_dset(name)


def test_a_group_without_rows_is_an_error_that_says_what_is_below(dm: H5FlowDataManager):
    with pytest.raises(NoSuchDatasetError, match=r"'b' is a group without rows.* Below it are b/c"):
        dm.get_dset("b")
    with pytest.raises(NoSuchDatasetError, match="'b' is a group"):
        dm["b", :]


def test_get_dset_gives_h5pys_dataset_with_all_rows_reserved(dm: H5FlowDataManager):
    dataset = dm.get_dset("/a")
    assert type(dataset) is h5py.Dataset
    dm.reserve_data("a", 2)
    dm.write_data("a", [10], [7])
    dm.reserve_data("a", slice(0, 15))
    assert len(dm.get_dset("a")) == 15
    assert dm.get_dset("a")[10:].tolist() == [7, 0, 0, 0, 0]


def test_a_dataset_that_was_kept_has_the_new_rows_once_it_is_asked_for_again(
    dm: H5FlowDataManager,
):
    kept = dm.get_dset("a")
    dm.write_data("a", dm.reserve_data("a", 1), [7])
    dm.get_dset("a")
    assert kept[-1] == 7


def test_rows_that_were_read_are_the_users_own(dm: H5FlowDataManager):
    dm["a", :][:] = 0
    assert dm["a", :].tolist() == X.tolist()


def test_the_file_is_there_for_reading(dm: H5FlowDataManager):
    dm.write_data("a", [0], [5])
    assert isinstance(dm.fh, h5py.File)
    assert dm.fh["a/data"][0] == 5
