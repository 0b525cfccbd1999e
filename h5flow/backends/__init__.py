"""Array libraries: what a run needs of one, and the implementations by name."""

from __future__ import annotations

from collections.abc import Callable

from h5flow.backends.protocol import Backend
from h5flow.registry import Registry

__all__ = ["Backend", "backends", "choose_backend"]

backends: Registry[Callable[[], Backend]] = Registry(
    "backend", "h5flow.backends", {"numpy": "h5flow.backends.numpy:NumPyBackend"}
)


def choose_backend(name: str = "auto") -> Backend:
    """Return the backend called `name`; ``"auto"`` is NumPy.

    Raises
    ------
    UsageError
        There is no such backend.
    """
    return backends.get("numpy" if name == "auto" else name)()
