"""Calls of a communicator, and what they give on ranks that are threads and under mpi4py.

Run by `test_ranks_comm.py` as ``mpiexec -n 3 python comm_calls.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI

from h5flow.testing.ranks import ThreadCommunicator, run_on_ranks

Call = Callable[[Any], Any]


def into(name: str, *arguments: Any, size: int = 6, dtype: str = "f8", **named: Any) -> Call:
    """Return a call of an upper-case method that receives in an array, and gives that array."""

    def call(comm: Any) -> Any:
        received = np.full(size, 7, dtype)
        values = [value(comm) if callable(value) else value for value in arguments]
        getattr(comm, name)(*values, received, **named)
        return received

    return call


def mine(comm: Any) -> Any:
    return np.array([comm.rank, 2.5 * comm.rank])


def whole(comm: Any) -> Any:
    return np.arange(6.0) + comm.rank


def longer_by_rank(comm: Any) -> Any:
    return np.full(comm.rank + 1, comm.rank)


def in_place(name: str, *, root: int | None = None, size: int = 6) -> Call:
    def call(comm: Any) -> Any:
        buffer = np.arange(float(size)) * (comm.rank + 1)
        if root is None:
            getattr(comm, name)(MPI.IN_PLACE, buffer)
        elif comm.rank == root:
            getattr(comm, name)(MPI.IN_PLACE, buffer, root=root)
        else:
            getattr(comm, name)(
                buffer[: size // 3] if name == "Gather" else buffer, None, root=root
            )
        return buffer if root in (None, comm.rank) else None

    return call


def gather_by_rank(comm: Any) -> Any:
    received = np.full(8, -1)
    spec = [received, ([1, 2, 3], [6, 4, 0]), MPI.INT64_T]
    comm.Gatherv(longer_by_rank(comm), spec if comm.rank == 1 else None, root=1)
    return received


def allgather_by_rank(comm: Any) -> Any:
    received = np.full(6, -1)
    comm.Allgatherv(longer_by_rank(comm), [received, [1, 2, 3]])
    return received


def allgather_by_step(comm: Any) -> Any:
    received = np.full(9, -1.0)
    comm.Allgatherv(mine(comm), [received, 2, 3, MPI.DOUBLE])
    return received


def scatter_by_rank(comm: Any) -> Any:
    received = np.full(3, -1)
    spec = [np.arange(10), [1, 2, 3], [4, 0, 7], MPI.INT64_T]
    comm.Scatterv(spec if comm.rank == 0 else None, [received, comm.rank + 1])
    return received


def bcast_buffer(comm: Any) -> Any:
    buffer = np.arange(4.0) * comm.rank
    comm.Bcast([buffer, 3, MPI.DOUBLE], root=2)
    return buffer


def around(comm: Any) -> Any:
    after, before = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    return comm.sendrecv({"from": comm.rank}, dest=after, sendtag=3, source=before, recvtag=3)


def buffers_around(comm: Any) -> Any:
    received = np.zeros(4)
    after, before = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    comm.Sendrecv(whole(comm)[:3], after, 1, received, before, 1)
    return received


def to_the_first(comm: Any) -> Any:
    if comm.rank:
        comm.send(comm.rank, dest=0, tag=comm.rank)
        comm.Send(mine(comm), dest=0, tag=9)
        return None
    status, received = MPI.Status(), np.zeros(2)
    objects = [comm.recv(source=2), comm.recv(source=MPI.ANY_SOURCE, tag=1, status=status)]
    comm.Recv(received, source=1, tag=9)
    comm.Recv(np.zeros(5), source=MPI.ANY_SOURCE, tag=9)
    return objects, status.source, status.tag, received


def non_blocking(comm: Any) -> Any:
    others = [rank for rank in range(comm.size) if rank != comm.rank]
    received = {rank: comm.irecv(source=rank, tag=5) for rank in others}
    sent = [comm.isend((comm.rank, rank), dest=rank, tag=5) for rank in others]
    for request in sent:
        request.wait()
    return [request.wait() for request in received.values()]


def in_posting_order(comm: Any) -> Any:
    if comm.rank == 0:
        first, second = comm.irecv(source=1), comm.irecv(source=1)
        return second.wait(), first.wait()
    if comm.rank == 1:
        comm.send("first", 0)
        comm.send("second", 0)
    return None


def probed(comm: Any) -> Any:
    if comm.rank == 0:
        status = MPI.Status()
        comm.probe(source=MPI.ANY_SOURCE, tag=4, status=status)
        return comm.iprobe(source=2, tag=4), status.tag, comm.recv(source=2, tag=4)
    if comm.rank == 2:
        comm.send([1, 2], dest=0, tag=4)
    return None


def to_nobody(comm: Any) -> Any:
    comm.send(1, dest=MPI.PROC_NULL)
    return comm.recv(source=MPI.PROC_NULL)


def split(comm: Any) -> Any:
    part = comm.Split(comm.rank % 2, key=-comm.rank)
    return part.rank, part.size, part.allgather(comm.rank), part.allreduce(comm.rank)


def split_off(comm: Any) -> Any:
    part = comm.Split(MPI.UNDEFINED if comm.rank == 1 else 0)
    return part.size if part else None


def machine(comm: Any) -> Any:
    part = comm.Split_type(MPI.COMM_TYPE_SHARED)
    return part.rank, part.size


def duplicate(comm: Any) -> Any:
    other = comm.Dup()
    if comm.rank == 0:
        comm.send("comm's", dest=1)
        other.send("other's", dest=1)
    found = (other.recv(source=0), comm.recv(source=0)) if comm.rank == 1 else None
    return found, other.bcast(comm.rank, root=2)


def chosen(name: str, *names: str) -> dict[str, Call]:
    """Return calls of a reduction with operations of MPI."""
    return {
        f"{name} {operation}": lambda comm, operation=operation: getattr(comm, name)(
            comm.rank % 2 + 1, op=getattr(MPI, operation)
        )
        for operation in names
    }


CALLS: dict[str, Call] = {
    "rank": lambda comm: (comm.rank, comm.Get_rank(), comm.size, comm.Get_size()),
    "kind": lambda comm: (comm.is_intra, comm.Is_intra(), comm.is_inter, comm.Is_inter()),
    "barrier": lambda comm: (comm.barrier(), comm.Barrier()),
    "bcast": lambda comm: comm.bcast({"rank": comm.rank}, root=1),
    "gather": lambda comm: comm.gather([comm.rank], root=2),
    "allgather": lambda comm: comm.allgather((comm.rank, "x")),
    "scatter": lambda comm: comm.scatter(["a", "b", "c"] if comm.rank == 1 else None, root=1),
    "alltoall": lambda comm: comm.alltoall([(comm.rank, to) for to in range(comm.size)]),
    "reduce": lambda comm: comm.reduce(comm.rank + 1, root=1),
    "allreduce": lambda comm: comm.allreduce(comm.rank + 1),
    "allreduce of lists": lambda comm: comm.allreduce([comm.rank]),
    "allreduce of arrays": lambda comm: comm.allreduce(np.arange(3) * comm.rank),
    "allreduce with a function": lambda comm: comm.allreduce(comm.rank, lambda x, y: 10 * x + y),
    "allreduce MAXLOC": lambda comm: comm.allreduce((comm.rank % 2, comm.rank), op=MPI.MAXLOC),
    "scan": lambda comm: comm.scan(comm.rank + 1),
    "exscan": lambda comm: comm.exscan(comm.rank + 1),
    **chosen("reduce", "SUM", "PROD", "MAX", "MIN"),
    **chosen("scan", "SUM", "MAX", "BXOR"),
    **chosen("allreduce", "LAND", "LOR", "LXOR", "BAND", "BOR", "BXOR"),
    "Bcast": bcast_buffer,
    "Gather": into("Gather", mine),
    "Allgather": into("Allgather", mine),
    "Allgather with counts": into("Allgather", lambda comm: [whole(comm), 2, MPI.DOUBLE]),
    "Scatter": into("Scatter", whole, size=2, root=1),
    "Alltoall": into("Alltoall", whole),
    "Reduce": into("Reduce", whole),
    "Allreduce": into("Allreduce", whole),
    "Scan": into("Scan", whole),
    "Allreduce in place": in_place("Allreduce"),
    "Allgather in place": in_place("Allgather"),
    "Alltoall in place": in_place("Alltoall"),
    "Scan in place": in_place("Scan"),
    "Reduce in place": in_place("Reduce", root=1),
    "Gather in place": in_place("Gather", root=1),
    **{
        f"Allreduce {operation}": into(
            "Allreduce", lambda comm: (whole(comm) % 3).astype("i4"), dtype="i4", op=mpi_operation
        )
        for operation in ("SUM", "PROD", "MAX", "MIN", "LAND", "LOR", "LXOR", "BAND", "BOR", "BXOR")
        for mpi_operation in (getattr(MPI, operation),)
    },
    "Gatherv": gather_by_rank,
    "Allgatherv": allgather_by_rank,
    "Allgatherv by step": allgather_by_step,
    "Scatterv": scatter_by_rank,
    "sendrecv": around,
    "Sendrecv": buffers_around,
    "send and recv": to_the_first,
    "isend and irecv": non_blocking,
    "the order of receives": in_posting_order,
    "probe": probed,
    "messages to nobody": to_nobody,
    "Split": split,
    "Split with UNDEFINED": split_off,
    "Split_type": machine,
    "Dup": duplicate,
}


def results(comm: Any) -> dict[str, str]:
    """Return what each call gives on this rank, as text that shows types and all digits."""
    return {name: repr(call(comm)) for name, call in CALLS.items()}


def on_thread(communicator: ThreadCommunicator) -> dict[str, str]:
    return results(communicator.handle)


def main() -> None:
    real = MPI.COMM_WORLD.gather(results(MPI.COMM_WORLD), root=0)
    if MPI.COMM_WORLD.rank == 0:
        threads = run_on_ranks(MPI.COMM_WORLD.size, on_thread)
        for rank, (expected, found) in enumerate(zip(real, threads, strict=True)):
            for name in CALLS:
                if expected[name] != found[name]:
                    print(f"rank {rank}, {name}: {found[name]}, by mpi4py {expected[name]}")
        print(f"{len(CALLS)} calls compared")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
