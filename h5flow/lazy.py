"""Public names of a package that are imported from its modules when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's ``__getattr__``.

    Parameters
    ----------
    package : str
        The module it is for.
    homes : mapping of str to str
        Name to the module that defines it; a name that is a module itself maps to itself.
    """

    def load(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        module = import_module(home)
        return module if home == f"{package}.{name}" else getattr(module, name)

    return load
