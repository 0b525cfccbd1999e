"""Collectives announce themselves before they start; all else is left as it is."""

# ruff: noqa: SIM905 - names are read in rows

from __future__ import annotations

import threading
from typing import Any

import pytest

from h5flow.comm.announcing import COLLECTIVES, Announcer, announcing
from h5flow.errors import H5FlowError


class Comm:
    """A communicator that writes down what is called."""

    def __init__(self, other: Comm | None = None) -> None:
        self.calls: list[Any] = []

    def allreduce(self, value: int, op: str = "sum") -> int:
        """Add up."""
        self.calls.append((value, op))
        return 2 * value

    def send(self, value: int, dest: int) -> None:
        self.calls.append("send")

    def Dup(self) -> Comm:
        return type(self)()

    def Idup(self) -> tuple[Comm, str]:
        return type(self)(), "request"


def test_a_collective_is_announced_then_done() -> None:
    announced: list[str] = []
    comm = announcing(Comm, announced.append)()
    assert comm.allreduce(3, op="max") == 6
    assert announced == ["allreduce"]
    assert comm.calls == [(3, "max")]
    assert comm.allreduce.__doc__ == "Add up."


def test_a_collective_whose_announcement_fails_is_not_started() -> None:
    def refuse(name: str) -> None:
        raise H5FlowError(f"not now: {name}")

    comm = announcing(Comm, refuse)()
    with pytest.raises(H5FlowError, match="not now: allreduce"):
        comm.allreduce(3)
    assert comm.calls == []


def test_messages_from_rank_to_rank_are_not_announced() -> None:
    announced: list[str] = []
    comm = announcing(Comm, announced.append)()
    comm.send(1, dest=2)
    assert comm.calls == ["send"]
    assert announced == []


def test_derived_communicators_are_plain_ones() -> None:
    announced: list[str] = []
    comm = announcing(Comm, announced.append)()
    assert type(comm.Dup()) is Comm
    assert type(comm.Idup()[0]) is Comm
    assert comm.Idup()[1] == "request"
    assert announced == ["Dup", "Idup", "Idup"]


def test_without_a_listener_nothing_is_announced() -> None:
    announcer = Announcer()
    comm = announcing(Comm, announcer)()
    assert comm.allreduce(1) == 2
    announced: list[str] = []
    announcer.announce = announced.append
    comm.allreduce(1)
    announcer.announce = None
    comm.allreduce(1)
    assert announced == ["allreduce"]


def test_another_thread_may_not_call_collectives() -> None:
    comm = announcing(Comm, Announcer())()
    raised: list[H5FlowError] = []

    def work() -> None:
        try:
            comm.allreduce(1)
        except H5FlowError as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "self.comm.allreduce is called from another thread" in str(raised[0])
    assert comm.calls == []


def test_every_method_of_mpi4py_is_either_announced_or_no_collective() -> None:
    mpi = pytest.importorskip("mpi4py.MPI", exc_type=ImportError)
    # of one rank's own doing, of two ranks, of a part of the ranks, or with no ranks at all
    others = set(
        "Abort Ack_failed Attach_buffer Bsend Bsend_init Buffer Call_errhandler Cart_map Compare "
        "Create_errhandler Create_from_group Create_group Create_keyval Delete_attr "
        "Detach_buffer Flush_buffer Free_keyval Get_attr Get_errhandler Get_failed Get_group "
        "Get_info Get_name Get_parent Get_rank Get_size Get_topology Graph_map Ibsend "
        "Iflush_buffer Improbe Iprobe Irecv Irsend Is_inter Is_intra Is_revoked Isend Isendrecv "
        "Isendrecv_replace Issend Join Mprobe Precv_init Probe Psend_init Recv Recv_init Revoke "
        "Rsend Rsend_init Send Send_init Sendrecv Sendrecv_replace Set_attr Set_errhandler "
        "Set_name Ssend Ssend_init bsend f2py fromhandle fromint group handle ibsend improbe info "
        "iprobe irecv is_inter is_intra is_topo isend issend mprobe name probe py2f rank recv "
        "send sendrecv size ssend toint topology".split()
    )
    methods = {name for name in dir(mpi.Intracomm) if not name.startswith("_")}
    assert methods - set(COLLECTIVES) <= others
    assert not set(COLLECTIVES) & others
