"""Strategies by name: what h5flow ships, and what other packages add by entry point.

An unknown name is an error that lists what there is; so is one whose implementation cannot be
loaded. Names that nobody asks for are not loaded, and cannot break anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from h5flow.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

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
        The entry-point group through which packages add to the table; they cannot replace what
        h5flow ships.
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
            No implementation has that name (the message lists those that exist), two packages
            offer one, or it cannot be loaded; `__cause__` says why.
        """
        load = self._loader(name)
        if load is None:
            names = self.names()
            raise UsageError(
                f"there is no {self.kind} '{name}'{did_you_mean(name, names)}",
                advice=f"Installed: {', '.join(names) or 'none'}.",
            )
        try:
            return load()
        except Exception as error:
            raise UsageError(
                self._describe(name, error),
                advice=f"Install what it needs, or choose another {self.kind}: "
                f"{', '.join(other for other in self.names() if other != name) or 'none'}.",
            ) from error

    def names(self) -> list[str]:
        """Return all names, those of h5flow first."""
        offered = {point.name for point in self._entry_points()}
        return [*self._built_in, *sorted(offered.difference(self._built_in))]

    def _loader(self, name: str) -> Callable[[], T] | None:
        if name in self._built_in:
            return lambda: cast(T, load_object(self._built_in[name]))
        # one package can be seen twice, as installed and as a checkout
        targets = {point.value: point for point in self._entry_points() if point.name == name}
        if len(targets) > 1:
            raise UsageError(
                f"the {self.kind} '{name}' is offered by more than one package: "
                f"{', '.join(sorted(targets))}",
                advice="Uninstall all but one of them.",
            )
        return next((cast(Callable[[], T], point.load) for point in targets.values()), None)

    def _describe(self, name: str, error: Exception) -> str:
        return f"the {self.kind} '{name}' cannot be loaded: {type(error).__name__}: {error}"

    def _entry_points(self) -> list[EntryPoint]:
        from importlib.metadata import entry_points

        return list(entry_points(group=self.group))
