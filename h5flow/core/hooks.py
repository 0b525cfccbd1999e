"""Calling users' code: each hook is one transaction, and what escapes it names its place."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from h5flow.core.component import Component
from h5flow.data.linked_tables import LinkedTables
from h5flow.errors import H5FlowError, HookError
from h5flow.events import HookTimed, Observer
from h5flow.transaction.acts import Tag

__all__ = ["Hooks", "Where"]

ComponentT = TypeVar("ComponentT", bound=Component)


@dataclass(frozen=True)
class Where:
    """The chunk that a hook works on."""

    source: str
    iteration: int = -1
    rows: slice | None = None

    def __str__(self) -> str:
        if self.rows is None:
            return ""
        return (
            f", chunk {self.iteration}, rows {self.rows.start}:{self.rows.stop} of '{self.source}'"
        )


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

    def call(self, part: Component, hook: str, where: Where, *arguments: Any) -> list[Any]:
        """Call ``part.hook(*arguments)`` and end its transaction. Collective.

        Returns
        -------
        list
            What the hook returned, on every rank.

        Raises
        ------
        HookError
            An exception, or an attempt to exit, escaped the hook of a user's class.
        """
        return self._transact(part.name, part.classname, hook, where, getattr(part, hook), arguments)

    def construct(
        self, name: str, classname: str, cls: type[ComponentT], arguments: Mapping[str, Any]
    ) -> ComponentT:
        """Return a part, made of its class. Collective."""
        made: list[ComponentT] = []

        def construct() -> None:
            made.append(cls(**arguments))

        construct.__module__ = cls.__module__
        self._transact(name, classname, "__init__", Where(""), construct, ())
        return made[0]

    def _transact(
        self,
        name: str,
        classname: str,
        hook: str,
        where: Where,
        function: Callable[..., Any],
        arguments: Sequence[Any],
    ) -> list[Any]:
        rendezvous = self._tables.rendezvous
        rendezvous.begin(Tag(where.iteration, name, hook))
        begin = time.perf_counter()
        try:
            result = function(*arguments)
        except BaseException as error:
            rendezvous.fail(f"{type(error).__name__}: {error}", traceback.format_exc())
            if isinstance(error, Exception | SystemExit):
                _raise_with_place(name, classname, hook, where, function, error)
            raise
        worked = time.perf_counter()
        results = rendezvous.end(result)
        self._tables.end_hook()
        self._observe(HookTimed(name, classname, hook, worked - begin))
        self._observe(HookTimed("write", "", hook, time.perf_counter() - worked))
        return results


def _raise_with_place(
    name: str,
    classname: str,
    hook: str,
    where: Where,
    function: Callable[..., Any],
    error: Exception | SystemExit,
) -> NoReturn:
    ours = (getattr(function, "__module__", None) or "").partition(".")[0] == "h5flow"
    if ours and isinstance(error, H5FlowError):
        raise error
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, SystemExit):
        what = f"it called sys.exit({'' if error.code is None else error.code})"
    raise HookError(f"'{name}' ({classname}) failed in {hook}{where}: {what}") from error
