"""Calling users' code: each hook is one transaction, and what escapes it names its place."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from h5flow.core.component import Component, Surroundings, surrounded_by
from h5flow.data.linked_tables import LinkedTables
from h5flow.errors import H5FlowError, HookError
from h5flow.events import HookTimed, Observer
from h5flow.transaction.acts import Tag

__all__ = ["Hooks", "Where"]

# Hooks whose result is asked for; what others return may be large, and does not travel.
ANSWERING = frozenset({"next", "__len__"})

ComponentT = TypeVar("ComponentT", bound=Component)


@dataclass(frozen=True)
class Where:
    """The chunk that a hook works on."""

    source: str
    iteration: int = -1
    rows: slice | None = None

    def __str__(self) -> str:
        chunk = f", chunk {self.iteration}" if self.iteration >= 0 else ""
        if self.rows is None:
            return chunk
        return f"{chunk}, rows {self.rows.start}:{self.rows.stop} of '{self.source}'"


@dataclass(frozen=True)
class Hook:
    """One call of a hook: of which part, and where."""

    name: str
    classname: str
    hook: str
    where: Where
    is_ours: bool = False

    def __str__(self) -> str:
        return f"{self.hook}{self.where}"

    @property
    def part(self) -> str:
        """The part, for messages."""
        return f"'{self.name}' ({self.classname})"


class Hooks:
    """Calls the hooks of a workflow's parts.

    Parameters
    ----------
    tables : LinkedTables
        What the hooks write to.
    observe : callable
        Told how long each hook took.
    """

    def __init__(self, tables: LinkedTables, observe: Observer) -> None:
        self._tables = tables
        self._observe = observe

    @property
    def rank(self) -> int:
        """The number of this process."""
        return self._tables.rendezvous.communicator.rank

    def call(self, part: Component, hook: str, where: Where, *arguments: Any) -> list[Any]:
        """Call ``part.hook(*arguments)`` and end its transaction. Collective.

        Returns
        -------
        list
            What ``next`` or ``__len__`` returned, on every rank; None for the other hooks.

        Raises
        ------
        HookError
            An exception, or an attempt to exit, escaped the hook of a user's class.
        H5FlowError
            What the hook wrote cannot be stored.
        """
        function = getattr(part, hook)
        called = Hook(part.name, part.classname, hook, where, _is_ours(function))
        return self._transact(called, lambda: function(*arguments))

    def construct(
        self,
        name: str,
        classname: str,
        cls: type[ComponentT],
        arguments: Mapping[str, Any],
        surroundings: Surroundings,
    ) -> ComponentT:
        """Return a part, made of its class. Collective."""
        made: list[ComponentT] = []

        def construct() -> None:
            with surrounded_by(surroundings):
                part = cls(**arguments)
            if not hasattr(part, "data_manager"):
                raise TypeError("the constructor does not call super().__init__(**params)")
            made.append(part)

        called = Hook(name, classname, "__init__", Where(""), _is_ours(cls))
        self._transact(called, construct)
        return made[0]

    def read(self, part: Component, where: Where, load: Callable[[], None]) -> None:
        """Call `load`, which reads what `part` needs for a chunk. Collective."""
        rendezvous = self._tables.rendezvous
        rendezvous.begin(Tag(where.iteration, part.name, "read"))
        begin = time.perf_counter()
        try:
            load()
        except BaseException as error:
            rendezvous.fail(_in_a_line(error), traceback.format_exc())
            raise
        rendezvous.end()
        self._observe(HookTimed("read", "", "run", time.perf_counter() - begin))

    def _transact(self, called: Hook, work: Callable[[], Any]) -> list[Any]:
        rendezvous = self._tables.rendezvous
        rendezvous.begin(Tag(called.where.iteration, called.name, called.hook))
        begin = time.perf_counter()
        try:
            result = work()
        except BaseException as error:
            rendezvous.fail(_in_a_line(error), traceback.format_exc())
            if isinstance(error, KeyboardInterrupt) or (
                called.is_ours and isinstance(error, H5FlowError)
            ):
                raise
            raise HookError(f"{called.part} failed in {called}: {_in_a_line(error)}") from error
        worked = time.perf_counter()
        results = self._store(called, result if called.hook in ANSWERING else None)
        self._observe(HookTimed(called.name, called.classname, called.hook, worked - begin))
        self._observe(HookTimed("write", "", called.hook, time.perf_counter() - worked))
        return results

    def _store(self, called: Hook, result: Any) -> list[Any]:
        """Place what a hook has queued."""
        rendezvous = self._tables.rendezvous
        try:
            results = rendezvous.end(result)
            self._tables.end_hook()
        except Exception as error:
            if type(error) is H5FlowError:
                raise  # the failure of another rank
            rendezvous.fail(_in_a_line(error), traceback.format_exc())
            raise H5FlowError(
                f"what {called.part} wrote in {called} cannot be stored: "
                f"{error.message if isinstance(error, H5FlowError) else _in_a_line(error)}",
                advice=getattr(error, "advice", None),
            ) from error
        return results


def _is_ours(function: Any) -> bool:
    return (getattr(function, "__module__", None) or "").partition(".")[0] == "h5flow"


def _in_a_line(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({'' if error.code is None else error.code})"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
