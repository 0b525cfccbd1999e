"""Which acts of an exchange are served, so that rows lie where one process would put them.

A pure bookkeeper: it sees the acts of every rank, in rank order, and says whose turn it is.
Every rank keeps one and comes to the same judgement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from h5flow.errors import H5FlowError
from h5flow.transaction.acts import (
    Act,
    Collective,
    Create,
    Delete,
    EndOfHook,
    Reserve,
    Tag,
)

__all__ = ["Judgement", "Ledger", "Turn"]


@dataclass(frozen=True)
class Turn:
    """An act that is served now, once for all these ranks."""

    ranks: tuple[int, ...]
    act: Act


@dataclass(frozen=True)
class Judgement:
    """Rows or references that do not lie where one process puts them, and why."""

    path: str
    why: str


class Ledger:
    """The turns of one hook, and who has appended to what in the loop.

    Parameters
    ----------
    size : int
        Number of ranks.
    exists : callable
        Whether the table at a path exists by now.

    Attributes
    ----------
    judgements : list of Judgement
        Whoever looks at them takes them out.
    """

    def __init__(self, size: int, exists: Callable[[str], bool]) -> None:
        self._size = size
        self._exists = exists
        self._appenders: dict[str, str] = {}
        self.judgements: list[Judgement] = []
        self.begin(Tag())

    def begin(self, tag: Tag, *, ordered: bool = False) -> None:
        """Start a hook: nobody has been served.

        Parameters
        ----------
        ordered : bool
            A rank is served only when all lower ranks have ended the hook.
        """
        self._in_loop = tag.iteration >= 0
        if not self._in_loop:
            self._appenders.clear()
        self._part = tag.part
        self._ordered = ordered
        self._served: list[Counter[tuple[type[Act], str]]] = [Counter() for _ in range(self._size)]
        self._highest: dict[str, int] = {}

    def turns(self, acts: Sequence[Act]) -> list[Turn]:
        """Return what is served in this exchange, in the order of serving.

        In the loop a rank's k-th reservation of a table is served when every lower rank has ended
        its hook, has had its k-th, or is served it now. A reservation of a table that does not
        exist waits until it does, or all lower ranks have ended. Outside of the loop reservations
        wait until nothing else can be served, and those that all ranks make alike are one; so do
        deletions everywhere. Collectives start when all ranks are there. Where nobody could be
        served the lowest rank that waits is: a lower one may be in a collective that it has yet to
        reach.

        Raises
        ------
        H5FlowError
            Ranks are in different collectives, or one has ended that another waits for.
        """
        self._check_collectives(acts)
        found = self._at_once(acts) or self._when_all_wait(acts)
        for turn in found:
            for rank in turn.ranks:
                self._record(rank, turn)
        return found

    def note_links(self, rank: int, path: str) -> None:
        """Take down that references of a rank are placed, in the loop."""
        self._note_order(rank, path, "references")
        if self._size > 1:
            self._note_part(path)

    def _at_once(self, acts: Sequence[Act]) -> list[Turn]:
        served: list[int] = []
        for rank, act in enumerate(acts):
            if isinstance(act, EndOfHook | Collective | Delete):
                continue
            if isinstance(act, Reserve) and not self._in_loop:
                continue
            if not isinstance(act, Reserve | Create) or self._is_due(rank, act, acts, served):
                served.append(rank)
        return _grouped(served, acts)

    def _when_all_wait(self, acts: Sequence[Act]) -> list[Turn]:
        waiting = [
            rank for rank, act in enumerate(acts) if not isinstance(act, EndOfHook | Collective)
        ]
        if not waiting:
            everyone = tuple(range(self._size))
            return [Turn(everyone, acts[0])] if isinstance(acts[0], Collective) else []
        first = acts[waiting[0]]
        alike = tuple(rank for rank in waiting if acts[rank] == first)
        if isinstance(first, Delete) or (not self._in_loop and len(alike) == self._size):
            return [Turn(alike, first)]
        return [Turn((waiting[0],), first)]

    def _check_collectives(self, acts: Sequence[Act]) -> None:
        calls = [(rank, act) for rank, act in enumerate(acts) if isinstance(act, Collective)]
        if not calls:
            return
        rank, call = calls[0]
        for other, act in enumerate(acts):
            if isinstance(act, EndOfHook):
                raise H5FlowError(
                    f"rank {rank} waits in comm.{call.name}() in {call.tag}, but rank {other} has "
                    "ended this hook",
                    advice="A collective has to be called on all ranks: also on those without "
                    "rows, and where the stage returns early.",
                )
        different = [(other, act) for other, act in calls if act.name != call.name]
        if different and len(calls) == self._size:
            other, act = different[0]
            raise H5FlowError(
                f"rank {rank} waits in comm.{call.name}() and rank {other} in comm.{act.name}(), "
                f"in {call.tag}",
                advice="All ranks have to call the same collectives in the same order.",
            )

    def _is_due(
        self, rank: int, act: Reserve | Create, acts: Sequence[Act], served: Sequence[int]
    ) -> bool:
        lower = range(rank)
        if all(isinstance(acts[other], EndOfHook) for other in lower):
            return True
        if self._ordered or (isinstance(act, Reserve) and not self._exists(act.path)):
            return False
        return all(
            isinstance(acts[other], EndOfHook)
            or self._served[other][type(act), act.path] > act.ordinal
            or (other in served and _is_same_wish(acts[other], act))
            for other in lower
        )

    def _record(self, rank: int, turn: Turn) -> None:
        act = turn.act
        if not isinstance(act, Reserve | Create):
            return
        self._served[rank][type(act), act.path] += 1
        if isinstance(act, Create) or not self._in_loop or self._size == 1:
            return
        self._note_order(rank, act.path, "rows")
        self._note_part(act.path)

    def _note_part(self, path: str) -> None:
        part = self._appenders.setdefault(path, self._part)
        if part != self._part:
            self._judge(
                path, f"both '{part}' and '{self._part}' append to it in the loop, in turns"
            )

    def _note_order(self, rank: int, path: str, what: str) -> None:
        highest = self._highest.get(path, -1)
        if rank < highest:
            self._judge(
                path,
                f"in '{self._part}', {what} of rank {rank} come after those of rank {highest}: it "
                "appends to it more than once for a chunk",
            )
        self._highest[path] = max(highest, rank)

    def _judge(self, path: str, why: str) -> None:
        self.judgements.append(Judgement(path, why))


def _is_same_wish(act: Act, wish: Reserve | Create) -> bool:
    return (
        isinstance(act, Reserve | Create)
        and type(act) is type(wish)
        and (act.path, act.ordinal) == (wish.path, wish.ordinal)
    )


def _grouped(served: Sequence[int], acts: Sequence[Act]) -> list[Turn]:
    """Return one turn for ranks that want the same, where it is enough to do that once."""
    turns: list[Turn] = []
    for rank in served:
        act = acts[rank]
        last = turns[-1] if turns else None
        if last and not isinstance(act, Reserve) and last.act == act:
            turns[-1] = Turn((*last.ranks, rank), act)
        else:
            turns.append(Turn((rank,), act))
    return turns
