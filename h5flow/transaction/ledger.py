"""Which acts of an exchange are served, so that rows lie where one process would put them.

A pure bookkeeper: it sees the acts of every rank, in rank order, and says whose turn it is.
Every rank keeps one and comes to the same judgement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from h5flow.transaction.acts import Act, Create, EndOfHook, Failed, Reserve

__all__ = ["Ledger", "OutOfOrder"]


@dataclass(frozen=True)
class OutOfOrder:
    """A rank was served after a higher one: its rows do not lie where one process puts them."""

    path: str
    rank: int
    after_rank: int


class Ledger:
    """The turns of one hook.

    Parameters
    ----------
    size : int
        Number of ranks.
    exists : callable
        Whether the table at a path exists by now.
    """

    def __init__(self, size: int, exists: Callable[[str], bool]) -> None:
        self._size = size
        self._exists = exists
        self._served: list[Counter[str]] = []
        self._highest: dict[str, int] = {}
        self.out_of_order: list[OutOfOrder] = []
        self.begin()

    def begin(self) -> None:
        """Start a hook: nobody has been served."""
        self._served = [Counter() for _ in range(self._size)]
        self._highest = {}
        self.out_of_order = []

    def turns(self, acts: Sequence[Act]) -> list[int]:
        """Return the ranks whose act is served in this exchange, in the order of serving.

        A rank's k-th reservation of a table is served when every lower rank has ended its hook,
        has had its k-th, or is served it now. A reservation of a table that does not exist
        waits until it does, or all lower ranks have ended. Where nobody could be served the
        lowest rank that waits is: a lower one may be in a collective that it has yet to reach.
        """
        served: list[int] = []
        for rank, act in enumerate(acts):
            if isinstance(act, EndOfHook | Failed):
                continue
            if not isinstance(act, Reserve | Create) or self._is_due(rank, act, acts, served):
                served.append(rank)
        if not served:
            waiting = [
                rank for rank, act in enumerate(acts) if not isinstance(act, EndOfHook | Failed)
            ]
            served = waiting[:1]
        for rank in served:
            self._record(rank, acts[rank])
        return served

    def _is_due(
        self, rank: int, act: Reserve | Create, acts: Sequence[Act], served: Sequence[int]
    ) -> bool:
        lower = range(rank)
        if all(isinstance(acts[other], EndOfHook) for other in lower):
            return True
        if isinstance(act, Reserve) and not self._exists(act.path):
            return False
        return all(
            isinstance(acts[other], EndOfHook)
            or self._served[other][act.path] > act.ordinal
            or (other in served and getattr(acts[other], "path", None) == act.path)
            for other in lower
        )

    def _record(self, rank: int, act: Act) -> None:
        if not isinstance(act, Reserve | Create):
            return
        self._served[rank][act.path] += 1
        if isinstance(act, Create):
            return
        highest = self._highest.get(act.path, -1)
        if rank < highest:
            self.out_of_order.append(OutOfOrder(act.path, rank, highest))
        self._highest[act.path] = max(highest, rank)
