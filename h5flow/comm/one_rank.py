"""The communicator of a single process, with mpi4py's methods.

Results are those of mpi4py on ``MPI.COMM_SELF``: the lower-case methods give copies made by
pickle, the upper-case ones copy between buffers. What could only hang, or would be read wrongly by
other ranks, raises.
"""

# ruff: noqa: N802 - names and arguments are mpi4py's

from __future__ import annotations

import operator
import pickle
from collections.abc import Iterable
from typing import Any, NoReturn

from h5flow.comm.buffers import copy_elements, elements, is_in_place, reduce_elements
from h5flow.comm.mailbox import check_rank
from h5flow.comm.point_to_point import PointToPoint
from h5flow.errors import DataError

__all__ = ["OneRankComm"]

UNDEFINED = -32766  # MPI.UNDEFINED, the colour of ranks that no group is made for


class OneRankComm(PointToPoint):
    """A group of one, with the methods of ``mpi4py.MPI.Intracomm``.

    Parameters
    ----------
    name : str
        What `Get_name` says.
    is_null : bool
        No group at all, like ``MPI.COMM_NULL``: false, and every method raises.
    """

    is_intra, is_inter = True, False

    def __init__(self, name: str = "one rank", *, is_null: bool = False) -> None:
        super().__init__(name, is_null=is_null)

    def __bool__(self) -> bool:
        return not self._is_null

    @property
    def rank(self) -> int:
        """The rank of this process: 0."""
        return self.Get_rank()

    @property
    def size(self) -> int:
        """The number of ranks: 1."""
        return self.Get_size()

    @property
    def name(self) -> str:
        """What `Get_name` says."""
        return self.Get_name()

    @name.setter
    def name(self, name: str) -> None:
        self.Set_name(name)

    def Get_rank(self) -> int:
        """Return this rank: 0."""
        self._check_alive()
        return 0

    def Get_size(self) -> int:
        """Return the number of ranks: 1."""
        self._check_alive()
        return 1

    def Get_name(self) -> str:
        """Return the name of this communicator."""
        self._check_alive()
        return self._name

    def Set_name(self, name: str) -> None:
        """Give this communicator a name."""
        self._check_alive()
        self._name = str(name)

    def Is_intra(self) -> bool:
        """Return True: there is one group."""
        return True

    def Is_inter(self) -> bool:
        """Return False: there is one group."""
        return False

    # Python objects

    def barrier(self) -> None:
        """Wait for nobody."""
        self._check_alive()

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """Return a copy of `obj`."""
        self._check_root(root)
        return _copy(obj)

    def gather(self, sendobj: Any, root: int = 0) -> list[Any]:
        """Return a list of one copy of `sendobj`."""
        self._check_root(root)
        return [_copy(sendobj)]

    def allgather(self, sendobj: Any) -> list[Any]:
        """Return a list of one copy of `sendobj`."""
        return self.gather(sendobj)

    def scatter(self, sendobj: Iterable[Any] | None, root: int = 0) -> Any:
        """Return a copy of the one item of `sendobj`."""
        self._check_root(root)
        return _copy(_one_item(sendobj))

    def alltoall(self, sendobj: Iterable[Any] | None) -> list[Any]:
        """Return a list of a copy of the one item of `sendobj`."""
        return [self.scatter(sendobj)]

    def reduce(self, sendobj: Any, op: Any = None, root: int = 0) -> Any:
        """Return a copy of `sendobj`: there is nothing to combine it with."""
        return self.bcast(sendobj, root)

    def allreduce(self, sendobj: Any, op: Any = None) -> Any:
        """Return a copy of `sendobj`: there is nothing to combine it with."""
        return self.bcast(sendobj)

    def scan(self, sendobj: Any, op: Any = None) -> Any:
        """Return a copy of `sendobj`: no rank comes before."""
        return self.bcast(sendobj)

    def exscan(self, sendobj: Any, op: Any = None) -> None:
        """Return None: no rank comes before."""
        self.bcast(sendobj)

    # buffers

    Barrier = barrier

    def Bcast(self, buf: Any, root: int = 0) -> None:
        """Leave the buffer as it is."""
        self._check_root(root)
        elements(buf)

    def Gather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Copy `sendbuf` into `recvbuf`, unless it is in place."""
        self._check_root(root)
        receive = elements(recvbuf, writable=True)
        if not is_in_place(sendbuf):
            copy_elements(elements(sendbuf), receive)

    def Gatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Copy `sendbuf` to its place in `recvbuf`, unless it is in place."""
        self._check_root(root)
        receive = elements(recvbuf, writable=True, by_rank=True)
        if not is_in_place(sendbuf):
            copy_elements(elements(sendbuf), receive)

    def Allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Copy `sendbuf` into `recvbuf`, unless it is in place."""
        self.Gather(sendbuf, recvbuf)

    def Allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Copy `sendbuf` to its place in `recvbuf`, unless it is in place."""
        self.Gatherv(sendbuf, recvbuf)

    def Scatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Copy `sendbuf` into `recvbuf`, unless that is in place."""
        self._check_root(root)
        send = elements(sendbuf)
        if not is_in_place(recvbuf):
            copy_elements(send, elements(recvbuf, writable=True))

    def Scatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Copy this rank's part of `sendbuf` into `recvbuf`, unless that is in place."""
        self._check_root(root)
        send = elements(sendbuf, by_rank=True)
        if not is_in_place(recvbuf):
            copy_elements(send, elements(recvbuf, writable=True))

    Alltoall = Allgather

    def Alltoallv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Copy this rank's part of `sendbuf` to its place in `recvbuf`, unless it is in place."""
        self._check_alive()
        receive = elements(recvbuf, writable=True, by_rank=True)
        if not is_in_place(sendbuf):
            copy_elements(elements(sendbuf, by_rank=True), receive)

    def Reduce(self, sendbuf: Any, recvbuf: Any, op: Any = None, root: int = 0) -> None:
        """Copy `sendbuf` into `recvbuf`, unless it is in place."""
        self._check_root(root)
        receive = elements(recvbuf, writable=True)
        if not is_in_place(sendbuf):
            reduce_elements(elements(sendbuf), receive)

    def Allreduce(self, sendbuf: Any, recvbuf: Any, op: Any = None) -> None:
        """Copy `sendbuf` into `recvbuf`, unless it is in place."""
        self.Reduce(sendbuf, recvbuf, op)

    Scan = Allreduce

    def Exscan(self, sendbuf: Any, recvbuf: Any, op: Any = None) -> None:
        """Leave the buffer as it is: no rank comes before."""
        self._check_alive()
        receive = elements(recvbuf, writable=True)
        if not is_in_place(sendbuf):
            reduce_elements(elements(sendbuf), receive.copy())

    # groups

    def Dup(self, info: Any = None) -> OneRankComm:
        """Return another group of one, with messages of its own."""
        self._check_alive()
        return OneRankComm("")

    Clone = Dup

    def Split(self, color: int = 0, key: int = 0) -> OneRankComm:
        """Return another group of one; no group for the colour ``MPI.UNDEFINED``."""
        self._check_alive()
        return OneRankComm(is_null=operator.index(color) == UNDEFINED)

    def Split_type(self, split_type: int, key: int = 0, info: Any = None) -> OneRankComm:
        """Return another group of one: every type of machine part holds this rank."""
        return self.Split(0 if split_type != UNDEFINED else UNDEFINED, key)

    def Free(self) -> None:
        """End the use of this communicator."""
        self._check_alive()
        self._is_null = True

    def Abort(self, errorcode: int = 0) -> NoReturn:
        """End the process with an exit status."""
        raise SystemExit(errorcode)

    def _check_root(self, root: int) -> None:
        self._check_alive()
        check_rank(operator.index(root), "root")


def _copy(obj: Any) -> Any:
    return pickle.loads(pickle.dumps(obj, pickle.HIGHEST_PROTOCOL))


def _one_item(sendobj: Iterable[Any] | None) -> Any:
    if sendobj is None:
        return None
    items = list(sendobj)
    if len(items) != 1:
        raise DataError(
            f"{len(items)} items cannot be given to one rank",
            advice="Scatter one item for each rank: self.comm.size of them.",
        )
    return items[0]
