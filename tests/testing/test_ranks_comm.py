"""The handle of ranks that are threads does what mpi4py does, and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranks import run_ranks

from h5flow.errors import DataError, H5FlowError
from h5flow.testing.ranks import BrokenGroupError, run_on_ranks


def on_handles(size: int, function: Callable[[Any], Any]) -> list[Any]:
    return run_on_ranks(size, lambda communicator: function(communicator.handle))


def test_every_call_gives_what_mpi4py_gives() -> None:
    script = Path(__file__).with_name("comm_calls.py")
    done = run_ranks(3, [str(script)])
    assert done.returncode == 0, done.stderr
    (summary,) = done.stdout.splitlines()
    assert summary.endswith("calls compared")


def test_objects_are_copied() -> None:
    obj = [1]
    for copy in on_handles(2, lambda comm: comm.bcast(obj)):
        assert copy == obj
        assert copy is not obj


def test_buffers_that_were_sent_may_be_used_again() -> None:
    def around(comm: Any) -> Any:
        buffer, received = np.full(2, comm.rank), np.zeros(2, "i8")
        comm.Send(buffer, 1 - comm.rank)
        comm.Allgather(buffer[:1], received)
        buffer[:] = 9
        comm.Recv(buffer, 1 - comm.rank)
        return received.tolist(), buffer.tolist()

    assert on_handles(2, around) == [([0, 1], [1, 1]), ([0, 1], [0, 0])]


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=4))
def test_arrays_of_unequal_length_are_gathered_whole(parts: list[list[int]]) -> None:
    lengths = [len(part) for part in parts]

    def gather(comm: Any) -> Any:
        received = np.full(sum(lengths), -1)
        comm.Allgatherv(np.array(parts[comm.rank], "i8"), [received, lengths])
        return received.tolist()

    whole = [number for part in parts for number in part]
    assert on_handles(len(parts), gather) == [whole] * len(parts)


@given(st.permutations(range(4)), st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_a_split_has_the_ranks_of_one_colour_by_key(keys: list[int], colours: list[int]) -> None:
    def split(comm: Any) -> Any:
        part = comm.Split(colours[comm.rank], keys[comm.rank])
        return part.allgather(comm.rank)

    for rank, members in enumerate(on_handles(4, split)):
        same = [other for other in range(4) if colours[other] == colours[rank]]
        assert members == sorted(same, key=lambda other: keys[other])


def test_a_synchronous_send_waits_for_its_receiver() -> None:
    def both(comm: Any) -> None:
        comm.ssend("x", 1 - comm.rank)

    with pytest.raises(BrokenGroupError, match="rank 0 waits in send to rank 1"):
        on_handles(2, both)


def test_a_request_that_is_cancelled_takes_nothing() -> None:
    def cancel(comm: Any) -> Any:
        if comm.rank:
            comm.send("kept", 0)
            return None
        comm.irecv(source=1).cancel()
        return comm.recv(source=1)

    assert on_handles(2, cancel)[0] == "kept"


def test_a_request_can_be_tested() -> None:
    def polled(comm: Any) -> Any:
        request = comm.irecv(source=1 - comm.rank)
        assert request.test() == (False, None) or comm.rank
        comm.barrier()
        comm.send(comm.rank, 1 - comm.rank)
        while not (done := request.test())[0]:
            pass
        return done[1], request.test(), bool(request)

    assert [found[0] for found in on_handles(2, polled)] == [1, 0]


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda comm: comm.bcast(1, root=3), "no rank 3 to be the root: this run has ranks 0 to 2"),
    (lambda comm: comm.send(1, dest=-5), "no rank -5 to be the destination"),
    (lambda comm: comm.recv(source=3), "no rank 3 to be the source"),
    (lambda comm: comm.send(1, dest=0, tag=-1), "tag -1"),
    (lambda comm: comm.alltoall([1, 2]), "2 items cannot be given to 3 ranks"),
    (lambda comm: comm.Allgather(np.ones(1), np.ones(4)), "not a multiple of 3 ranks"),
    (lambda comm: comm.Allgather(np.ones(2), np.ones(3)), "16 bytes are sent to a buffer of 8"),
    (lambda comm: comm.Allreduce(np.ones(2), np.ones(3)), "2 elements are reduced into"),
    (
        lambda comm: comm.Allreduce(np.ones(comm.rank + 1), np.ones(3)),
        "1 elements of float64 and 2 of float64",
    ),
    (lambda comm: comm.Allgatherv(np.ones(1), [np.ones(3), [1, 1]]), "each of 3 ranks"),
    (lambda comm: (comm.Free(), comm.barrier()), "was freed"),
    (lambda comm: comm.bcast(1, root=comm.rank), "bcast with root 0, rank 1 in bcast with root 1"),
]


@pytest.mark.parametrize(("call", "words"), WRONG)
def test_wrong_calls_are_errors_that_say_why(call: Callable[[Any], Any], words: str) -> None:
    with pytest.raises(H5FlowError, match=words) as caught:
        on_handles(3, call)
    assert caught.value.advice


def test_a_root_whose_items_do_not_fit_stops_those_who_wait() -> None:
    with pytest.raises(DataError, match="2 items cannot be given to 3 ranks") as caught:
        on_handles(3, lambda comm: comm.scatter([1, 2], root=1))
    assert "rank 0 waits in scatter with root 1" in " ".join(caught.value.__notes__)


def test_an_operation_without_counterpart_is_refused_on_buffers() -> None:
    mpi = pytest.importorskip("mpi4py.MPI", exc_type=ImportError)
    with pytest.raises(DataError, match="cannot combine buffers"):
        on_handles(2, lambda comm: comm.Allreduce(np.ones(2), np.ones(2), op=mpi.MINLOC))
