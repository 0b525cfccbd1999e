"""What an entry of a cache is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from h5flow.data.layout import clean_name

if TYPE_CHECKING:
    from h5flow.config.workflow import Layout, Requirement

__all__ = ["Path", "Wanted", "requirement_path"]

Path: TypeAlias = tuple[str, ...]


class Wanted(NamedTuple):
    """What an entry is made of: a path, its form, and the versions of all tables on the path.

    A version is None where there is no such table.
    """

    path: Path
    layout: Layout
    index_only: bool
    versions: tuple[int | None, ...]


def requirement_path(source: str, requirement: Requirement) -> Path:
    """Return the chain of datasets from the source on, the source included."""
    source = clean_name(source)
    path = tuple(clean_name(name) for name in requirement.path)
    return path if path[0] == source and len(path) > 1 else (source, *path)
