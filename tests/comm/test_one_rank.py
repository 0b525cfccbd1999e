"""The one-rank communicator gives what mpi4py gives on MPI.COMM_SELF, and never hangs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.comm.one_rank import UNDEFINED, OneRankComm
from h5flow.errors import DataError

OBJECTS = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
COPYING = [
    "Gather",
    "Gatherv",
    "Allgather",
    "Allgatherv",
    "Scatter",
    "Scatterv",
    "Alltoall",
    "Alltoallv",
]
REDUCING = ["Reduce", "Allreduce", "Scan"]


class InPlaceType(int):
    """Stands for the type of MPI.IN_PLACE, which is known by its name."""


IN_PLACE = InPlaceType(-1)


@pytest.fixture
def comm() -> OneRankComm:
    return OneRankComm()


def numbers(dtype: str = "f8", n: int = 6) -> np.ndarray:
    return np.arange(n).astype(dtype)


# Python objects


@given(OBJECTS)
def test_lower_case_collectives_give_what_they_got(obj: Any) -> None:
    comm = OneRankComm()
    for one in (comm.bcast, comm.reduce, comm.allreduce, comm.scan):
        assert one(obj) == obj
    for listed in (comm.gather, comm.allgather):
        assert listed(obj) == [obj]
    assert comm.scatter([obj]) == obj
    assert comm.alltoall([obj]) == [obj]
    assert comm.exscan(obj) is None


def test_results_are_copies(comm: OneRankComm) -> None:
    obj = [1]
    assert comm.bcast(obj) is not obj
    assert comm.allgather(obj)[0] is not obj
    assert comm.scatter([obj]) is not obj


def test_what_other_ranks_could_not_get_is_an_error(comm: OneRankComm) -> None:
    with pytest.raises((AttributeError, TypeError)):
        comm.bcast(lambda: None)


@pytest.mark.parametrize("items", [[], [1, 2], range(3)])
def test_scatter_and_alltoall_take_one_item(comm: OneRankComm, items: Any) -> None:
    with pytest.raises(DataError, match=f"{len(items)} items"):
        comm.scatter(items)
    with pytest.raises(DataError, match="one item for each rank"):
        comm.alltoall(items)


@pytest.mark.parametrize("root", [1, -1, np.int64(2)])
@pytest.mark.parametrize("name", ["bcast", "gather", "reduce", "scatter"])
def test_a_root_that_does_not_exist_is_an_error(comm: OneRankComm, name: str, root: int) -> None:
    with pytest.raises(DataError, match=rf"no rank {root}.*range\(self.comm.size\)"):
        getattr(comm, name)([1], root=root)
    buffers = [numbers()] * (1 if name == "bcast" else 2)
    with pytest.raises(DataError, match=f"no rank {root}"):
        getattr(comm, name.capitalize())(*buffers, root=root)


# buffers


@pytest.mark.parametrize("name", COPYING + REDUCING)
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u2", "c16", "?"])
def test_upper_case_collectives_copy(comm: OneRankComm, name: str, dtype: str) -> None:
    send, receive = numbers(dtype), numbers(dtype)[::-1].copy()
    getattr(comm, name)(send, receive)
    np.testing.assert_array_equal(receive, numbers(dtype))


@pytest.mark.parametrize("name", COPYING + REDUCING)
def test_shapes_do_not_matter_memory_does(comm: OneRankComm, name: str) -> None:
    receive = np.zeros((3, 2))
    getattr(comm, name)(np.asfortranarray(numbers().reshape(2, 3)), receive)
    np.testing.assert_array_equal(receive.ravel(), [0, 3, 1, 4, 2, 5])


@pytest.mark.parametrize("name", COPYING)
def test_a_longer_receiving_buffer_keeps_its_end(comm: OneRankComm, name: str) -> None:
    receive = np.full(8, -1.0)
    getattr(comm, name)(numbers(), receive)
    np.testing.assert_array_equal(receive, [0, 1, 2, 3, 4, 5, -1, -1])


@pytest.mark.parametrize("name", ["Gather", "Allgather", "Scatter", "Alltoall", "Reduce"])
@pytest.mark.parametrize(
    ("send", "expected"),
    [
        ([numbers(), 3], [0, 1, 2]),
        ([numbers(), None], [0, 1, 2, 3, 4, 5]),
        ([numbers(), (3, 1)], [1, 2, 3]),
        ([numbers(), 3, 1, "d"], [1, 2, 3]),
        ([numbers(), 3, None, "d"], [0, 1, 2]),
        ([numbers(), "d"], [0, 1, 2, 3, 4, 5]),
    ],
)
def test_a_count_a_displacement_and_a_type(
    comm: OneRankComm, name: str, send: Any, expected: list[int]
) -> None:
    receive = np.zeros(len(expected) + 2)
    getattr(comm, name)(send, [receive, (len(expected), 2), "d"])
    np.testing.assert_array_equal(receive, [0, 0, *expected])


@pytest.mark.parametrize(
    ("spec", "places"),
    [
        ([3], [0, 1, 2]),
        ([[3], [2]], [2, 3, 4]),
        ([([3], [2])], [2, 3, 4]),
        ([np.array([3]), np.array([2]), "d"], [2, 3, 4]),
        ([[3], None, "d"], [0, 1, 2]),
        ([3, 2, "d"], [0, 1, 2]),
    ],
)
def test_counts_and_displacements_by_rank(
    comm: OneRankComm, spec: list[Any], places: list[int]
) -> None:
    for name in ("Gatherv", "Allgatherv", "Alltoallv"):
        receive = np.full(6, -1.0)
        getattr(comm, name)(np.array([7.0, 8.0, 9.0]), [receive, *spec])
        np.testing.assert_array_equal(receive[places], [7, 8, 9])
    for name in ("Scatterv", "Alltoallv"):
        receive = np.zeros(3)
        getattr(comm, name)([numbers(), *spec], receive)
        np.testing.assert_array_equal(receive, places)


@pytest.mark.parametrize("counts", [[1, 1], [], "3", [1.5]])
def test_counts_by_rank_have_an_entry_for_each(comm: OneRankComm, counts: Any) -> None:
    with pytest.raises(DataError, match=r"count|typecode"):
        comm.Scatterv([numbers(), counts, None], np.zeros(3))


def test_an_mpi_type_is_taken_by_its_size(comm: OneRankComm) -> None:
    rows = np.array([(1, 2.5), (3, 4.5)], [("a", "i4"), ("b", "f8")])
    byte = SimpleNamespace(Get_size=lambda: 1, Get_extent=lambda: (0, 1), tocode=lambda: "B")
    receive = np.zeros_like(rows)
    comm.Allgather([rows, byte], [receive, byte])
    np.testing.assert_array_equal(receive, rows)


def test_bytes_are_buffers(comm: OneRankComm) -> None:
    receive = bytearray(3)
    comm.Allgather(b"abc", receive)
    assert receive == b"abc"


@pytest.mark.parametrize("in_place", [None, IN_PLACE])
@pytest.mark.parametrize("name", [*COPYING, *REDUCING, "Exscan"])
def test_in_place_leaves_the_buffer(comm: OneRankComm, name: str, in_place: Any) -> None:
    buffer = numbers()
    arguments = (buffer, in_place) if name.startswith("Scatter") else (in_place, buffer)
    getattr(comm, name)(*arguments)
    np.testing.assert_array_equal(buffer, numbers())


def test_exscan_and_bcast_leave_the_buffer(comm: OneRankComm) -> None:
    buffer = numbers()
    comm.Exscan(numbers() + 1, buffer)
    comm.Bcast(buffer)
    comm.Bcast([buffer, 3, "d"], root=0)
    np.testing.assert_array_equal(buffer, numbers())


@pytest.mark.parametrize(
    ("send", "receive", "words"),
    [
        (numbers(), np.zeros(4), "buffer"),
        (numbers("i4"), np.zeros(6, "i8"), "int32 are sent to a buffer of int64"),
        (numbers(n=12)[::2], np.zeros(6), "contiguous"),
        (numbers(), np.zeros(12)[::2], "contiguous"),
        (numbers(), None, "a NoneType is not a buffer"),
        (3.0, np.zeros(1), "a float is not a buffer"),
        ("text", np.zeros(1), "a str is not a buffer"),
        ([1, 2], np.zeros(2), "a int is not a buffer"),
        ([], np.zeros(2), "not a buffer"),
        (numbers(">f8"), np.zeros(6), "no type for elements of dtype >f8"),
        (np.zeros(2, "S3"), np.zeros(2, "S3"), "no type"),
        (np.zeros(2, "M8[ns]"), np.zeros(2, "M8[ns]"), "no type"),
        (np.zeros(2, object), np.zeros(2, object), "no type"),
        (np.zeros(2, [("x", "f8")]), np.zeros(2), "no type"),
        (numbers(), np.float64(1), "writable"),
        (numbers(), b"abc", "writable"),
        ([numbers(), 9], np.zeros(9), "cannot hold 9"),
        ([numbers(), (3, 4)], np.zeros(9), "cannot hold 3 from 4"),
        ([numbers(), -1], np.zeros(9), "cannot hold -1"),
        ([numbers(), [1]], np.zeros(9), "not the count"),
        ([numbers(), 1.5], np.zeros(9), "not the count"),
        ([numbers(), (3,)], np.zeros(9), "at most"),
        ([numbers(), 1, 2, 3, "d"], np.zeros(9), "at most"),
        ([numbers(), "nonsense"], np.zeros(9), "typecode"),
    ],
)
@pytest.mark.parametrize("name", ["Allgather", "Allreduce"])
def test_buffers_that_mpi_would_refuse_or_misread_are_errors(
    comm: OneRankComm, name: str, send: Any, receive: Any, words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        getattr(comm, name)(send, receive)
    assert caught.value.advice


@pytest.mark.parametrize("name", [*REDUCING, "Exscan"])
def test_reductions_take_buffers_of_one_length(comm: OneRankComm, name: str) -> None:
    with pytest.raises(DataError, match="6 elements are reduced into a buffer of 8"):
        getattr(comm, name)(numbers(), np.zeros(8))


def test_a_strided_mpi_type_is_an_error(comm: OneRankComm) -> None:
    strided = SimpleNamespace(Get_size=lambda: 8, Get_extent=lambda: (0, 16))
    with pytest.raises(DataError, match="gaps"):
        comm.Allgather([numbers(), strided], numbers())


# groups


def test_it_is_rank_0_of_1(comm: OneRankComm) -> None:
    assert (comm.rank, comm.Get_rank(), comm.size, comm.Get_size()) == (0, 0, 1, 1)
    assert (comm.is_intra, comm.Is_intra(), comm.is_inter, comm.Is_inter()) == (
        True,
        True,
        False,
        False,
    )
    assert comm


def test_barriers_do_not_wait(comm: OneRankComm) -> None:
    assert comm.barrier() is comm.Barrier() is None


def test_its_name_can_be_set(comm: OneRankComm) -> None:
    comm.name = "mine"
    assert comm.Get_name() == comm.name == "mine"
    comm.Set_name("other")
    assert comm.name == "other"


def test_a_duplicate_has_messages_of_its_own(comm: OneRankComm) -> None:
    other = comm.Dup()
    comm.send(1, 0)
    assert not other.iprobe()
    assert other != comm
    assert other.size == 1


def test_splits_are_groups_of_one_or_none(comm: OneRankComm) -> None:
    assert comm.Split(3, key=2).size == 1
    assert comm.Split_type(1).size == 1
    assert not comm.Split(UNDEFINED)


def test_a_freed_communicator_refuses_every_call(comm: OneRankComm) -> None:
    other = comm.Dup()
    other.Free()
    assert not other
    for call in (
        other.Get_rank,
        other.Get_size,
        other.barrier,
        other.Dup,
        other.Free,
        other.recv,
        lambda: other.bcast(1),
        lambda: other.send(1, 0),
        lambda: other.Allreduce(numbers(), numbers()),
    ):
        with pytest.raises(DataError, match="freed"):
            call()
    assert comm.size == 1


def test_abort_ends_the_process(comm: OneRankComm) -> None:
    with pytest.raises(SystemExit) as caught:
        comm.Abort(3)
    assert caught.value.code == 3


# against mpi4py, where it is installed


def outcome(call: Callable[..., object], *arguments: object) -> object:
    """Return a call's result, or that it failed."""
    try:
        return call(*arguments)
    except Exception:
        return "an error"


@pytest.mark.parametrize(
    "make",
    [
        lambda mpi: (numbers(), np.ones(6)),
        lambda mpi: (numbers().reshape(2, 3), np.ones((3, 2), order="F")),
        lambda mpi: ([numbers(), mpi.DOUBLE], [np.ones(6), mpi.DOUBLE]),
        lambda mpi: ([numbers(), 4], [np.ones(4), mpi.DOUBLE]),
        lambda mpi: ([numbers(), 3, 2, mpi.DOUBLE], np.ones(3)),
        lambda mpi: ([numbers(), (3, 2)], np.ones(3)),
        lambda mpi: ([numbers(), ([3], [2])], np.ones(3)),
        lambda mpi: ([numbers(), [3]], np.ones(3)),
        lambda mpi: ([numbers(), (3,)], np.ones(3)),
        lambda mpi: (numbers(), [np.ones(8), [6], [2], mpi.DOUBLE]),
        lambda mpi: (numbers(), [np.ones(8), ([6], None), "d"]),
        lambda mpi: (np.float64(3), np.ones(1)),
        lambda mpi: (np.zeros(0), np.zeros(0)),
        lambda mpi: (numbers()[::2], np.ones(3)),
        lambda mpi: ([1, 2], np.ones(2)),
        lambda mpi: (np.zeros(2, [("x", "f8")]), np.zeros(2, [("x", "f8")])),
        lambda mpi: (mpi.IN_PLACE, numbers()),
        lambda mpi: (None, numbers()),
    ],
)
def test_buffers_fare_as_with_mpi4py(comm: OneRankComm, make: Callable[..., Any]) -> None:
    mpi = pytest.importorskip("mpi4py.MPI", exc_type=ImportError)
    for name in [*COPYING, *REDUCING, "Exscan"]:
        results = []
        for group in (mpi.COMM_SELF, comm):
            send, receive = make(mpi)
            if name.startswith("Scatter") and (send is None or send is mpi.IN_PLACE):
                send, receive = receive, send
            status = outcome(getattr(group, name), send, receive)
            array = receive[0] if isinstance(receive, list) else receive
            has_result = status is None and name != "Exscan"  # which leaves it undefined on rank 0
            results.append((status, np.asarray(array).tobytes() if has_result else None))
        assert results[0] == results[1], name
