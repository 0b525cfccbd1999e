"""What a rank can be doing, as it tells the others in an exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from h5flow.storage.protocol import CreateTable

__all__ = [
    "Act",
    "Ask",
    "Collective",
    "Create",
    "Delete",
    "EndOfHook",
    "Extend",
    "Failed",
    "Flush",
    "Linked",
    "Outcome",
    "Queued",
    "Reserve",
    "Tag",
]


@dataclass(frozen=True, slots=True)
class Tag:
    """The hook that an act belongs to; acts of one exchange have equal tags.

    Only the loop's hooks have an iteration; it is -1 outside of the loop.
    """

    iteration: int = -1
    part: str = ""
    hook: str = ""

    def __str__(self) -> str:
        if not self.hook:
            return "between hooks"
        place = f"{self.hook} of '{self.part}'" if self.part else self.hook
        return f"{place}, chunk {self.iteration}" if self.iteration >= 0 else place


@dataclass(frozen=True, slots=True)
class Reserve:
    """A rank wants `rows` new rows of a table; its `ordinal`-th such wish in this hook."""

    tag: Tag
    path: str
    rows: int
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class Extend:
    """A rank wants a table to have `stop` rows at least."""

    tag: Tag
    path: str
    stop: int


@dataclass(frozen=True, slots=True)
class Create:
    """A rank wants tables made together: a dataset, or references with both regions."""

    tag: Tag
    tables: tuple[CreateTable, ...]
    ordinal: int = 0

    @property
    def path(self) -> str:
        """The first table's path, which stands for all."""
        return self.tables[0].path


@dataclass(frozen=True, slots=True)
class Ask:
    """A rank wants to know something about the file, which rank 0 looks up for all."""

    tag: Tag
    question: str
    about: str


@dataclass(frozen=True, slots=True)
class Flush:
    """A rank wants to read: tables at `paths`, or everything with None.

    Attributes
    ----------
    places : bool
        What is queued for these tables is placed first.
    watches : bool
        From now on they are up to date after every hook.
    """

    tag: Tag
    paths: tuple[str, ...] | None = None
    places: bool = True
    watches: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """A rank wants a dataset or group removed, with all that belongs to it."""

    tag: Tag
    name: str


@dataclass(frozen=True, slots=True)
class Collective:
    """A rank is about to call a collective of ``self.comm``."""

    tag: Tag
    name: str


@dataclass(frozen=True, slots=True)
class Linked:
    """References that a rank has queued: how many, and one past the last row on either side."""

    path: str
    regions: tuple[str, str]
    rows: int
    stops: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Queued:
    """What a rank has queued, without the rows: enough to know what will have changed.

    Attributes
    ----------
    writes : tuple of str
        Paths of tables.
    links : tuple of Linked
    attributes : tuple of str
        Paths of groups.
    digest : bytes
        Of all references; empty in the loop, where nobody asks whether ranks have the same.
    elsewhere : tuple of str
        Paths of those tables in which it writes rows that it was not given in this iteration.
    """

    writes: tuple[str, ...] = ()
    links: tuple[Linked, ...] = ()
    attributes: tuple[str, ...] = ()
    digest: bytes = b""
    elsewhere: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.writes or self.links or self.attributes)


@dataclass(frozen=True, slots=True)
class EndOfHook:
    """A rank has reached the end of its hook; repeated until all have.

    Attributes
    ----------
    result : object
        What the hook returned, where that is for all ranks.
    notes : tuple of str
        Warnings of this rank, for rank 0 to show.
    """

    tag: Tag
    result: Any = None
    queued: Queued = field(default_factory=Queued)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rank's part of a common step went; rank 0 may have an answer for all.

    Attributes
    ----------
    error : tuple of str, optional
        Class, message and advice of what was raised.
    """

    tag: Tag
    error: tuple[str, str, str] | None = None
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An exception escaped a rank's hook; strings only, so that it can travel.

    Attributes
    ----------
    of_chunk : bool
        It has to do with that rank's chunk alone: the run can go on without it.
    """

    tag: Tag
    error: str
    traceback: str = ""
    status: int = 1
    of_chunk: bool = False


Act: TypeAlias = (
    Reserve | Extend | Create | Ask | Flush | Delete | Collective | EndOfHook | Outcome | Failed
)
