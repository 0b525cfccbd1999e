"""Who is on which device: said once where ranks share one, and what memory each may take."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from libraries import make_backend

from h5flow import H5FlowStage
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.core.seating import Seat, room_of_all, shared_devices
from h5flow.errors import H5FlowWarning
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]


def on(*devices: str | None, node: str = "node1", free: int | None = 1000) -> list[tuple[Seat]]:
    """Return the seats of as many ranks, each on one of these devices."""
    return [(Seat(node, device, free),) for device in devices]


def said(seats: Sequence[Sequence[Seat]]) -> list[str]:
    return [shared_devices(seats, rank) for rank in range(len(seats))]


def test_as_many_ranks_as_devices_are_not_worth_a_word() -> None:
    assert said(on("A", "B", "C")) == ["", "", ""]


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ("AB" * 2, "the 4 ranks of this node share 2 devices, and the memory of each"),
        ("AA", "the 2 ranks of this node share 1 device, and the memory of each"),
        ("ABA", "the 3 ranks of this node share 2 devices, and the memory of each"),
    ],
)
def test_the_first_of_the_ranks_that_share_devices_says_so(devices: str, expected: str) -> None:
    assert said(on(*devices)) == [expected, *[""] * (len(devices) - 1)]


def test_the_host_is_nothing_that_ranks_share() -> None:
    assert said(on(None, None, free=None)) == ["", ""]


def test_devices_of_the_same_number_on_two_nodes_are_two() -> None:
    seats = on("A", "B", node="node1") + on("A", "B", node="node2")
    assert said(seats) == [""] * 4


def test_each_node_speaks_for_its_own_ranks() -> None:
    seats = on("A", node="node1") + on("B", "B", node="node2")
    sentence = "the 2 ranks of this node share 1 device, and the memory of each"
    assert said(seats) == ["", sentence, ""]


def test_two_backends_of_one_rank_may_be_on_one_device() -> None:
    (first,), (second,) = on("A", "B")
    seats = [(first, first), (second, second)]
    assert said(seats) == ["", ""]
    assert room_of_all(seats) == 1000


def test_ranks_on_the_host_beside_those_on_a_device_do_not_count() -> None:
    assert said(on(None, "A", "A"))[1].startswith("the 2 ranks of this node share 1 device")


def test_ranks_divide_the_memory_of_a_device_that_they_share() -> None:
    assert room_of_all(on("A", "A", "B")) == 500
    assert room_of_all(on("A", "A", node="node1") + on("A", node="node2")) == 500


def test_the_least_room_of_any_rank_is_that_of_all() -> None:
    assert room_of_all(on("A", free=900) + on("B", free=300)) == 300


def test_what_does_not_tell_its_memory_does_not_count() -> None:
    assert room_of_all(on(None, free=None)) is None
    assert room_of_all(on("A", free=None) + on("B", free=300)) == 300


# -- in a run ---------------------------------------------------------------------------------


class Counts(H5FlowStage):
    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("counts", "i8")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        rows = self.data_manager.reserve_data("counts", 1)
        self.data_manager.write_data("counts", rows, [len(cache[source_name])])


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a backend that looks like a GPU of little memory."""
    strict = type(make_backend("array-api-strict"))
    monkeypatch.setattr(strict, "device_id", lambda _self: "GPU-1")
    monkeypatch.setattr(strict, "free_bytes", lambda _self: 16 * 64 * 6)
    return "array-api-strict"


def counts(content: dict[str, Any], ranks: int, **options: Any) -> tuple[list[int], list[str]]:
    """Return the rows of each chunk, and the warnings, of a run on this many ranks."""
    request = RunRequest((content,), output="out.h5", input="in.h5", **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", H5FlowWarning)
        run_on_ranks(ranks, lambda comm: execute(request, communicator=comm))
    with h5py.File("out.h5") as file:
        return file["counts/data"][:].tolist(), sorted({str(each.message) for each in caught})


@pytest.fixture
def source(working_directory: Path) -> None:
    with h5py.File("in.h5", "w") as file:
        file["events/data"] = np.zeros(10, [("id", "i8"), ("x", "f8")])


@pytest.mark.usefixtures("source")
def test_ranks_of_a_run_say_that_they_share_a_device(workflow: MakeWorkflow, one_gpu: str) -> None:
    _, told = counts(workflow(Counts), 2, backend=one_gpu, chunk_size=5)
    assert told == ["the 2 ranks of this node share 1 device, and the memory of each"]


@pytest.mark.usefixtures("source")
def test_a_chunk_that_a_device_has_no_room_for_is_smaller_and_that_is_said(
    workflow: MakeWorkflow, one_gpu: str
) -> None:
    rows, (told,) = counts(workflow(Counts), 1, backend=one_gpu)
    assert rows == [6, 4]
    assert "chunks have 6 rows of 'events' in place of 10" in told
    assert "--chunk-size 6" in told


@pytest.mark.usefixtures("source")
def test_all_ranks_agree_on_the_bounds_of_smaller_chunks(
    workflow: MakeWorkflow, one_gpu: str
) -> None:
    rows, told = counts(workflow(Counts), 2, backend=one_gpu)
    assert rows == [3, 3, 3, 1]
    assert "--chunk-size 3" in told[1]


@pytest.mark.usefixtures("source")
def test_the_rows_that_a_user_asks_for_are_left_alone(workflow: MakeWorkflow, one_gpu: str) -> None:
    assert counts(workflow(Counts), 1, backend=one_gpu, chunk_size=9) == ([9, 1], [])


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("backend", ["numpy", "array-api-strict", "torch:cpu"])
def test_where_there_is_room_chunks_are_the_same_everywhere(
    workflow: MakeWorkflow, backend: str
) -> None:
    if backend != "numpy":
        make_backend(backend)
    assert counts(workflow(Counts), 1, backend=backend) == ([10], [])
