"""Strategies by name: what h5flow ships, and what other packages add by entry point.

A broken plug-in warns and is left out; an unknown name is an error that lists what there is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar, cast

from h5flow.errors import H5FlowWarning, UsageError, did_you_mean

__all__ = ["Registry", "load_object"]

T = TypeVar("T")


def load_object(target: str) -> Any:
    """Import ``"package.module:name"``."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


class Registry(Generic[T]):
    """A table of implementations of one Protocol, each imported when it is first asked for.

    Parameters
    ----------
    kind : str
        What the entries are, in the singular, for error messages: ``"backend"``.
    group : str
        The entry-point group through which packages add to the table.
    built_in : mapping of str to str
        Name to ``"module:object"``.
    """

    def __init__(self, kind: str, group: str, built_in: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self._built_in = dict(built_in)

    def get(self, name: str, /) -> T:
        """Return the implementation called `name`.

        Raises
        ------
        UsageError
            No implementation has that name; the message lists those that exist.
        """
        if name in self._built_in:
            return cast(T, load_object(self._built_in[name]))
        for entry_name, load in self._entry_points():
            if entry_name == name:
                return cast(T, load())
        names = self.names()
        raise UsageError(
            f"there is no {self.kind} '{name}'{did_you_mean(name, names)}",
            advice=f"Installed: {', '.join(names)}.",
        )

    def names(self) -> list[str]:
        """Return all names, those of h5flow first."""
        return [*self._built_in, *sorted(name for name, _ in self._entry_points())]

    def find(self, name: str, /) -> T | None:
        """Return the implementation called `name`, None where there is none or it is broken."""
        for entry_name, load in self._entry_points():
            if entry_name != name:
                continue
            try:
                return cast(T, load())
            except Exception as error:
                warnings.warn(
                    f"the {self.kind} '{name}' of an installed package cannot be loaded: "
                    f"{type(error).__name__}: {error}",
                    H5FlowWarning,
                    stacklevel=2,
                )
        return cast(T, load_object(self._built_in[name])) if name in self._built_in else None

    def _entry_points(self) -> Iterator[tuple[str, Callable[[], object]]]:
        from importlib.metadata import entry_points

        for point in entry_points(group=self.group):
            if point.name not in self._built_in:
                yield point.name, point.load
