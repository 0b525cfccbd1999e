"""The cache of a workflow whose stages run on several backends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from h5flow.data.host_copies import to_host
from h5flow.data.presentation import present

if TYPE_CHECKING:
    from h5flow.backends import Backend

__all__ = ["ChunkCache"]

_MISSING = object()


class ChunkCache(dict[str, Any]):
    """A dict whose entries move to the backend of the stage that looks at them.

    Each moves once, and stays there: what a stage edits in place, later stages see, wherever they
    run. What nobody looks at does not move.

    Parameters
    ----------
    backend : Backend
        Of the first stage.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend = backend
        self._lives: dict[str, Backend] = {}

    def hand_to(self, backend: Backend) -> None:
        """Have entries appear on this backend from now on."""
        self._backend = backend

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        lives = self._lives.get(key)
        if lives is None or lives is self._backend:
            return value
        moved = present(self._backend, to_host(value))
        self[key] = moved
        return moved

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._lives[key] = self._backend

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._lives.pop(key, None)

    def __iter__(self) -> Iterator[str]:
        """Iterate over names; with a method of its own ``dict(cache)`` and ``{**cache}`` ask us."""
        return super().__iter__()

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def get(self, key: str, default: Any = None) -> Any:
        """Return an entry, `default` where there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Take an entry out."""
        if key not in self and default is not _MISSING:
            return default
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the latest entry out."""
        key = next(reversed(self), None)
        if key is None:
            raise KeyError("the cache is empty")
        return key, self.pop(key)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return an entry; put `default` there where there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *others: Any, **more: Any) -> None:
        """Put entries in."""
        for key, value in dict(*others, **more).items():
            self[key] = value

    def values(self) -> list[Any]:  # type: ignore[override]
        """Return all entries."""
        return [self[key] for key in self]

    def items(self) -> list[tuple[str, Any]]:  # type: ignore[override]
        """Return names and entries."""
        return [(key, self[key]) for key in self]

    def copy(self) -> dict[str, Any]:
        """Return a plain dict of what this stage sees."""
        return dict(self.items())
