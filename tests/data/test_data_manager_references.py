"""References through the data manager: both directions, any order, checked before queued."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from h5flow.data import H5FlowDataManager
from h5flow.errors import DataError, H5FlowWarning, NoSuchDatasetError


@pytest.fixture
def linked(dm: H5FlowDataManager) -> H5FlowDataManager:
    """Datasets 'a' (4 rows, 0 to 3) and 'b' (6 rows, 0 to 50) and references a -> b, empty."""
    for name, values in (("a", np.arange(4)), ("b", np.arange(6) * 10)):
        dm.create_dset(name, "i8")
        dm.write_data(name, dm.reserve_data(name, len(values)), values)
    dm.create_ref("a", "b")
    return dm


def pairs(dm: H5FlowDataManager, parent: str = "a", child: str = "b") -> list[list[int]]:
    ref, direction = dm.get_ref(parent, child)
    return ref[:][:, list(direction)].tolist()


def lists(padded: Any) -> list[list[int]]:
    return [row.compressed().tolist() for row in padded]


def test_references_are_followed_in_both_directions(linked: H5FlowDataManager):
    linked.write_ref("a", "b", [(0, 1), (0, 2), (2, 2)])
    assert lists(linked["a", "b", :]) == [[10, 20], [], [20], []]
    assert lists(linked["b", "a", :]) == [[], [0], [0, 2], [], [], []]


def test_references_are_written_in_either_direction(linked: H5FlowDataManager):
    linked.write_ref("b", "a", [(5, 3), (4, 3)])
    linked.write_ref("a", "b", [(1, 0)])
    assert pairs(linked) == [[3, 5], [3, 4], [1, 0]]
    assert pairs(linked, "b", "a") == [[5, 3], [4, 3], [0, 1]]


def test_the_direction_says_which_column_is_the_parent(linked: H5FlowDataManager):
    assert linked.get_ref("a", "b")[1] == (0, 1)
    assert linked.get_ref("b", "a")[1] == (1, 0)
    assert linked.get_ref("a", "b")[0].name == linked.get_ref("b", "a")[0].name
    assert linked.ref_exists("a", "b")
    assert linked.ref_exists("b", "a")
    assert not linked.ref_exists("a", "a")


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "u4", "i8", "u8", ">i4"])
def test_references_are_integers_of_any_type(linked: H5FlowDataManager, dtype: str):
    linked.write_ref("a", "b", np.array([(3, 5)], dtype))
    assert pairs(linked) == [[3, 5]]


@pytest.mark.parametrize(
    "nothing", [np.empty((0, 2)), np.empty((0, 2), "i8"), [], np.empty(0), np.empty((0, 2), "f4")]
)
def test_no_references_are_fine_whatever_their_type(linked: H5FlowDataManager, nothing: Any):
    linked.write_ref("a", "b", nothing)
    assert pairs(linked) == []


@pytest.mark.parametrize(
    ("refs", "message"),
    [
        ([(0, -1)], "-1 is negative"),
        ([(0.0, 1.0)], "integers, not float64"),
        ([(0, 1.5)], "integers"),
        ([(True, False)], "integers, not bool"),
        ([0, 1], "shape"),
        ([(0, 1, 2)], "shape"),
        ([[(0, 1)]], "shape"),
        ([(0, 1), (2,)], "not an array"),
        (np.array([(0, 2**63)], "u8"), "9223372036854775808 is too large"),
        (np.ma.array([(0, 1)], mask=[(False, True)]), "masked"),
        (None, "shape|integers"),
    ],
)
def test_what_no_references_can_be_is_refused_before_anything_is_queued(
    linked: H5FlowDataManager, refs: Any, message: str
):
    linked.write_ref("a", "b", [(0, 1)])
    with pytest.raises(DataError, match=message):
        linked.write_ref("a", "b", refs)
    assert pairs(linked) == [[0, 1]]


def test_references_that_were_not_created_are_an_error(linked: H5FlowDataManager):
    linked.create_dset("c", "i4")
    for call in (
        lambda: linked.write_ref("a", "c", [(0, 0)]),
        lambda: linked.get_ref("a", "c"),
        lambda: linked.get_ref_region("a", "c"),
        lambda: linked["a", "c", :],
    ):
        with pytest.raises(NoSuchDatasetError, match=r"no references a -> c.* linked to b"):
            call()
    with pytest.raises(NoSuchDatasetError, match="linked to no dataset; create_ref"):
        linked.get_ref("c", "a")


def test_references_may_be_written_in_any_order_many_times_with_repeats(
    linked: H5FlowDataManager,
):
    written = [[(3, 1), (0, 5)], [(3, 1)], [(0, 0), (3, 2), (0, 0)]]
    for refs in written:
        linked.write_ref("a", "b", refs)
    assert lists(linked["a", "b", :]) == [[0, 0, 50], [], [], [10, 10, 20]]
    assert lists(linked["b", "a", :]) == [[0, 0], [3, 3], [3], [], [], [0]]


def test_references_to_rows_that_do_not_exist_yet_are_accepted(linked: H5FlowDataManager):
    linked.write_ref("a", "b", [(0, 7), (5, 1)])
    with pytest.warns(H5FlowWarning, match="1 of the references"):
        assert linked["a", "b", 0].tolist() == [[None]]
    linked.reserve_data("a", 2)
    linked.write_data("b", linked.reserve_data("b", 2), [60, 70])
    assert lists(linked["a", "b", :]) == [[70], [], [], [], [], [10]]


def test_a_dataset_refers_to_itself(linked: H5FlowDataManager):
    linked.create_ref("a", "a")
    linked.create_ref("a", "a")
    linked.write_ref("a", "a", [(0, 1), (1, 2), (3, 3)])
    assert linked.get_ref("a", "a")[1] == (0, 1)
    assert lists(linked["a", "a", :]) == [[1], [2], [], [3]]
    assert lists(linked["a", "a", "a", 0]) == [[2]]


def test_all_references_of_a_dataset_are_listed_each_with_its_direction(
    linked: H5FlowDataManager,
):
    for name in ("c", "c/d"):
        linked.create_dset(name, "i4")
    linked.create_ref("c", "a")
    linked.create_ref("a", "c/d")
    linked.create_ref("a", "a")
    linked.create_ref("c", "c/d")
    found = {(ref.name, direction) for ref, direction in linked.get_refs("/a/")}
    assert found == {
        ("/a/ref/b/ref", (0, 1)),
        ("/a/ref/a/ref", (0, 1)),
        ("/a/ref/c/d/ref", (0, 1)),
        ("/c/ref/a/ref", (1, 0)),
    }
    assert len(linked.get_refs("c//d")) == 2
    assert linked.get_refs("b")[0][0].shape == (0, 2)
    with pytest.raises(NoSuchDatasetError):
        linked.get_refs("x")


def test_a_region_is_as_long_as_its_dataset(linked: H5FlowDataManager):
    assert [tuple(r) for r in linked.get_ref_region("a", "b")[:]] == [(0, 0)] * 4
    linked.write_ref("a", "b", [(1, 0), (1, 2)])
    assert [tuple(r) for r in linked.get_ref_region("a", "b")[:]] == [
        (0, 0),
        (0, 2),
        (0, 0),
        (0, 0),
    ]
    assert len(linked.get_ref_region("b", "a")) == 6
    linked.reserve_data("b", 3)
    assert len(linked.get_ref_region("b", "a")) == 9


@pytest.mark.parametrize("reopened", [False, True])
def test_regions_are_as_long_as_their_datasets_in_the_file(path: Path, reopened: bool):
    with H5FlowDataManager(path) as dm:
        dm.create_dset("a", "i4")
        dm.create_dset("b", "i4")
        dm.create_ref("a", "b")
        dm.reserve_data("a", 3)
        if reopened:
            dm.close_file()
        dm.reserve_data("a", 4)
        dm.reserve_data("b", 5)
    with H5FlowDataManager(path, mode="r") as dm:
        assert len(dm.get_ref_region("a", "b")) == 7
        assert len(dm.get_ref_region("b", "a")) == 5


def test_regions_hold_all_references_of_their_row(path: Path):
    random = np.random.default_rng(3)
    with H5FlowDataManager(path) as dm:
        for name in ("a", "b"):
            dm.create_dset(name, "i4")
            dm.reserve_data(name, 50)
        dm.create_ref("a", "b")
        written = [random.integers(0, 50, (random.integers(0, 9), 2)) for _ in range(30)]
        for number, refs in enumerate(written):
            if number % 2:
                dm.write_ref("a", "b", refs)
            else:
                dm.write_ref("b", "a", refs[:, ::-1])
            if number % 7 == 0:
                dm.get_ref("a", "b")
            if number % 11 == 0:
                dm.close_file()
    expected: list[dict[int, list[int]]] = [defaultdict(list), defaultdict(list)]
    for parent, child in np.concatenate(written).tolist():
        expected[0][parent].append(child)
        expected[1][child].append(parent)
    with H5FlowDataManager(path, mode="r") as dm:
        for one, other, wanted in (("a", "b", expected[0]), ("b", "a", expected[1])):
            region, (ref, direction) = dm.get_ref_region(one, other)[:], dm.get_ref(one, other)
            for row in range(50):
                part = ref[region["start"][row] : region["stop"][row]]
                mine = part[part[:, direction[0]] == row][:, direction[1]]
                assert mine.tolist() == wanted[row]


def test_a_reference_to_a_far_row_costs_no_memory_for_those_before(dm: H5FlowDataManager):
    dm.create_dset("a", "i4")
    dm.create_dset("b", "i4")
    dm.create_ref("a", "b")
    dm.write_ref("a", "b", [(10**12, 0)])
    assert len(dm.get_ref_region("a", "b")) == 10**12 + 1
    region = dm.get_ref_region("a", "b")[10**12]
    assert (region["start"], region["stop"]) == (0, 1)
