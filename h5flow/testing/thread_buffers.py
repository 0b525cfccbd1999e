"""Collectives on buffers, where ranks are threads, with mpi4py's methods."""

# ruff: noqa: N802 - names and arguments are mpi4py's

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from h5flow.comm.buffers import blocks, copy_elements, elements, is_in_place, reduce_elements
from h5flow.comm.mailbox import check_rank
from h5flow.errors import DataError
from h5flow.testing.thread_messages import Messages

__all__ = ["BufferCollectives"]

Elements: TypeAlias = npt.NDArray[Any]

# What MPI's operations do to elements; called as Python functions they take two numbers.
OPERATIONS = {
    "SUM": np.add,
    "PROD": np.multiply,
    "MAX": np.maximum,
    "MIN": np.minimum,
    "LAND": np.logical_and,
    "LOR": np.logical_or,
    "LXOR": np.logical_xor,
    "BAND": np.bitwise_and,
    "BOR": np.bitwise_or,
    "BXOR": np.bitwise_xor,
}


class BufferCollectives(Messages):
    """The upper-case collectives of a communicator."""

    def Bcast(self, buf: Any, root: int = 0) -> None:
        """Copy the root's elements to every rank's buffer."""
        self._check_root(root)
        is_root = self.rank == root
        mine = elements(buf, writable=not is_root)
        found = self._meet("Bcast", mine.copy() if is_root else None, root)[root]
        if not is_root:
            copy_elements(found, mine)

    def Gather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Copy every rank's elements to the root's buffer."""
        self._gather("Gather", sendbuf, recvbuf, root)

    def Gatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Copy every rank's elements, each its own number, to the root's buffer."""
        self._gather("Gatherv", sendbuf, recvbuf, root)

    def Allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Copy every rank's elements to every rank's buffer."""
        self._gather("Allgather", sendbuf, recvbuf, None)

    def Allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Copy every rank's elements, each its own number, to every rank's buffer."""
        self._gather("Allgatherv", sendbuf, recvbuf, None)

    def Scatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Copy to each rank's buffer its part of the root's elements."""
        self._scatter("Scatter", sendbuf, recvbuf, root)

    def Scatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Copy to each rank's buffer its part, each its own number, of the root's elements."""
        self._scatter("Scatterv", sendbuf, recvbuf, root)

    def Alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Copy to each rank's buffer its part of every rank's elements."""
        targets = blocks(recvbuf, self.size, writable=True)
        sent = targets if is_in_place(sendbuf) else blocks(sendbuf, self.size)
        found = self._meet("Alltoall", [part.copy() for part in sent])
        self._copy([parts[self.rank] for parts in found], targets)

    def Reduce(self, sendbuf: Any, recvbuf: Any, op: Any = None, root: int = 0) -> None:
        """Combine every rank's elements in the root's buffer."""
        self._check_root(root)
        is_root = self.rank == root
        target = elements(recvbuf, writable=True) if is_root else None
        found = self._meet("Reduce", self._sent(sendbuf, target), root)
        if target is not None:
            reduce_elements(_combined(_operation(op), found)[-1], target)

    def Allreduce(self, sendbuf: Any, recvbuf: Any, op: Any = None) -> None:
        """Combine every rank's elements in every rank's buffer."""
        target = elements(recvbuf, writable=True)
        found = self._meet("Allreduce", self._sent(sendbuf, target))
        reduce_elements(_combined(_operation(op), found)[-1], target)

    def Scan(self, sendbuf: Any, recvbuf: Any, op: Any = None) -> None:
        """Combine the elements of the ranks up to this one."""
        target = elements(recvbuf, writable=True)
        found = self._meet("Scan", self._sent(sendbuf, target))
        reduce_elements(_combined(_operation(op), found)[self.rank], target)

    def Exscan(self, sendbuf: Any, recvbuf: Any, op: Any = None) -> None:
        """Combine the elements of the ranks below this one; rank 0's buffer is left as it is."""
        target = elements(recvbuf, writable=True)
        found = self._meet("Exscan", self._sent(sendbuf, target))
        if self.rank:
            reduce_elements(_combined(_operation(op), found)[self.rank - 1], target)

    def _gather(self, what: str, sendbuf: Any, recvbuf: Any, root: int | None) -> None:
        if root is not None:
            self._check_root(root)
        by_rank = what.endswith("v")
        targets: list[Elements] = []
        if root in (None, self.rank):
            targets = blocks(recvbuf, self.size, writable=True, by_rank=by_rank)
        in_place = targets[self.rank] if targets else None
        found = self._meet(what, self._sent(sendbuf, in_place), root)
        if targets:
            self._copy(found, targets)

    def _scatter(self, what: str, sendbuf: Any, recvbuf: Any, root: int) -> None:
        self._check_root(root)
        is_root = self.rank == root
        target = None
        if not (is_root and is_in_place(recvbuf)):
            target = elements(recvbuf, writable=True)
        parts = blocks(sendbuf, self.size, by_rank=what.endswith("v")) if is_root else []
        found = self._meet(what, [part.copy() for part in parts], root)[root]
        if target is not None:
            copy_elements(found[self.rank], target)

    def _sent(self, sendbuf: Any, in_place: Elements | None) -> Elements:
        """Return a copy of the elements this rank gives."""
        if in_place is not None and is_in_place(sendbuf):
            return np.array(in_place)
        return np.array(elements(sendbuf))

    def _copy(self, found: Sequence[Elements], targets: Sequence[Elements]) -> None:
        for part, target in zip(found, targets, strict=True):
            copy_elements(part, target)

    def _check_root(self, root: int) -> None:
        check_rank(root, "root", self.size)


def _operation(op: Any) -> Callable[[Elements, Elements], Elements]:
    """Return what combines the elements of two buffers.

    Raises
    ------
    DataError
        It is an operation of MPI that has no counterpart in NumPy.
    """
    mpi = sys.modules.get("mpi4py.MPI")
    if op is None:
        return np.add
    if mpi is None or not isinstance(op, mpi.Op):
        return op  # type: ignore[no-any-return]
    for name, operation in OPERATIONS.items():
        if op == getattr(mpi, name):
            return operation
    raise DataError(
        "this operation of MPI cannot combine buffers of ranks that are threads",
        advice="Use the lower-case method, or an operation such as MPI.SUM.",
    )


def _combined(
    operation: Callable[[Elements, Elements], Elements], found: Sequence[Elements]
) -> list[Elements]:
    """Return what the elements of the ranks up to each one give."""
    for part in found[1:]:
        if len(part) != len(found[0]) or part.dtype != found[0].dtype:
            raise DataError(
                f"ranks give {len(found[0])} elements of {found[0].dtype} and {len(part)} of "
                f"{part.dtype} to one reduction",
                advice="Give as many elements of the same type on every rank.",
            )
    dtype = found[0].dtype
    return list(accumulate(found, lambda one, other: operation(one, other).astype(dtype)))
