"""What a rank can be doing, as it tells the others in an exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from h5flow.storage.protocol import CreateTable

__all__ = ["Act", "Create", "Delete", "EndOfHook", "Extend", "Failed", "Flush", "Reserve", "Tag"]


@dataclass(frozen=True)
class Tag:
    """The hook that an act belongs to; acts of one exchange have equal tags."""

    iteration: int = -1
    part: str = ""
    hook: str = ""

    def __str__(self) -> str:
        place = f"{self.part}.{self.hook}" if self.part else "outside of a run"
        return f"{place}, iteration {self.iteration}" if self.iteration >= 0 else place


@dataclass(frozen=True)
class Reserve:
    """A rank wants `rows` new rows of a table; its `ordinal`-th such wish in this hook."""

    tag: Tag
    path: str
    rows: int
    ordinal: int = 0


@dataclass(frozen=True)
class Extend:
    """A rank wants a table to have `stop` rows at least."""

    tag: Tag
    path: str
    stop: int


@dataclass(frozen=True)
class Create:
    """A rank wants tables made together: a dataset, or references with both regions."""

    tag: Tag
    tables: tuple[CreateTable, ...]
    ordinal: int = 0

    @property
    def path(self) -> str:
        """The first table's path, which stands for all."""
        return self.tables[0].path


@dataclass(frozen=True)
class Flush:
    """A rank wants what is queued to be written: for `paths`, or for all with None."""

    tag: Tag
    paths: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Delete:
    """A rank wants objects removed."""

    tag: Tag
    paths: tuple[str, ...]


@dataclass(frozen=True)
class EndOfHook:
    """A rank has reached the end of its hook; repeated until all have."""

    tag: Tag
    result: Any = None


@dataclass(frozen=True)
class Failed:
    """An exception escaped a rank's hook; strings only, so that it can travel."""

    tag: Tag
    error: str
    traceback: str


Act: TypeAlias = Reserve | Extend | Create | Flush | Delete | EndOfHook | Failed
