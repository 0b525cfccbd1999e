"""Calling users' code: each hook is one transaction, and what escapes it names its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from h5flow.backends import Backend, moved_so_far
from h5flow.core.component import Component, Surroundings, surrounded_by
from h5flow.errors import H5FlowError, HookError, OrderError, OtherRankError
from h5flow.events import FileTraffic, HookTimed, Moved, Observer
from h5flow.io.metering import ReadMeter, metered
from h5flow.transaction.acts import Tag
from h5flow.transaction.error_texts import describe_error

if TYPE_CHECKING:
    from h5flow.data.linked_tables import LinkedTables

__all__ = ["Hooks", "Where"]

# Hooks whose result is asked for; what others return may be large, and does not travel.
ANSWERING = frozenset({"next", "__len__", "state"})

SMALLER_CHUNKS = (
    "Take smaller chunks: --chunk-size ROWS; a generator of your own decides for itself."
)

ComponentT = TypeVar("ComponentT", bound=Component)


class Where(NamedTuple):
    """The chunk that a hook works on."""

    source: str
    iteration: int = -1
    rows: slice | None = None

    def __str__(self) -> str:
        chunk = f", chunk {self.iteration}" if self.iteration >= 0 else ""
        if self.rows is None:
            return chunk
        return f"{chunk}, rows {self.rows.start}:{self.rows.stop} of '{self.source}'"


class Hook(NamedTuple):
    """One call of a hook: of which part, and where."""

    name: str
    classname: str
    hook: str
    where: Where
    is_ours: bool = False
    ordered: bool = False
    backend: Backend | None = None

    def __str__(self) -> str:
        return f"{self.hook}{self.where}"

    @property
    def part(self) -> str:
        """The part, for messages."""
        return f"'{self.name}' ({self.classname})"


class Measured(NamedTuple):
    """What a clock shows, and what grows as it goes on."""

    now: float
    moved: Moved
    waited: float


def _timed(
    called: Hook, begin: Measured, end: Measured, files: FileTraffic, *, by_ours: str = ""
) -> HookTimed:
    """Return how long a hook took, or what h5flow does before and after it: `by_ours`."""
    return HookTimed(
        by_ours or called.name,
        "" if by_ours else called.classname,
        called.hook,
        end.now - begin.now,
        end.moved - begin.moved,
        begin.now,
        end.waited - begin.waited,
        files,
        called.where.iteration,
    )


def _read_by(meter: ReadMeter) -> FileTraffic:
    return FileTraffic(meter.size_bytes, meter.seconds)


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
        #: Whether a failure while a chunk is read, or in a stage's ``run``, is that chunk's alone.
        self.skips = False

    @property
    def rank(self) -> int:
        """The number of this process."""
        return self._tables.rendezvous.channel.rank

    def call(
        self,
        part: Component,
        hook: str,
        where: Where,
        *arguments: Any,
    ) -> list[Any]:
        """Call ``part.hook(*arguments)`` and end its transaction. Collective.

        What it has handed to the part's device is awaited when it returns, so that its time, and
        errors that come late, are those of this hook.

        Returns
        -------
        list
            What ``next``, ``__len__`` or ``state`` returned, on every rank; None for other hooks.

        Raises
        ------
        HookError
            An exception, or an attempt to exit, escaped the hook of a user's class.
        H5FlowError
            What the hook wrote cannot be stored.
        """
        function = getattr(part, hook)
        ordered = hook == "run" and bool(getattr(part, "ordered", False))
        backend = part._backend
        called = Hook(part.name, part.classname, hook, where, _is_ours(function), ordered, backend)

        def work() -> Any:
            with backend.current(), backend.named_range(part.name):
                result = function(*arguments)
                backend.synchronise()
                return result

        return self._transact(called, work)

    def skip(self, part: Component, hook: str, where: Where) -> None:
        """Take part in the end of a hook that other ranks call. Collective."""
        called = Hook(part.name, part.classname, hook, where, is_ours=True)
        self._transact(called, lambda: None)

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
            with surrounded_by(surroundings), surroundings.backend.current():
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
        begin = self._measured()
        try:
            with part._backend.current(), metered() as meter:
                load()
        except BaseException as error:
            rendezvous.fail(error, of_chunk=self._is_of_chunk(error))
            raise
        rendezvous.end()
        called = Hook("read", "", "run", where)
        self._observe(_timed(called, begin, self._measured(), _read_by(meter)))

    def _transact(self, called: Hook, work: Callable[[], Any]) -> list[Any]:
        rendezvous = self._tables.rendezvous
        tag = Tag(called.where.iteration, called.name, called.hook)
        rendezvous.begin(tag, ordered=called.ordered)
        begin = self._measured()
        try:
            with metered() as meter:
                result = work()
        except BaseException as error:
            named = self._named(called, error)
            rendezvous.fail(named, of_chunk=called.hook == "run" and self._is_of_chunk(error))
            if named is error:
                raise
            raise named from error
        worked, queued = self._measured(), rendezvous.queued_bytes
        results = self._store(called, result if called.hook in ANSWERING else None)
        stored = self._measured()
        self._observe(_timed(called, begin, worked, _read_by(meter)))
        written = FileTraffic(bytes_written=queued)
        self._observe(_timed(called, worked, stored, written, by_ours="write"))
        return results

    def _is_of_chunk(self, error: BaseException) -> bool:
        if not self.skips or not isinstance(error, Exception):
            return False
        return not any(isinstance(each, OrderError) for each in _chain_of(error))

    def _measured(self) -> Measured:
        waited = self._tables.rendezvous.channel.waited
        return Measured(time.perf_counter(), moved_so_far(), waited)

    def _store(self, called: Hook, result: Any) -> list[Any]:
        """Place what a hook has queued."""
        rendezvous = self._tables.rendezvous
        had_failed = rendezvous.failed
        try:
            return rendezvous.end(result)
        except Exception as error:
            # What fails while rows are placed has ended the run; the rest is about the hook.
            if isinstance(error, OtherRankError) or had_failed or not rendezvous.failed:
                rendezvous.fail(error)
                raise
            raise H5FlowError(
                f"what {called.part} wrote in {called} cannot be stored: "
                f"{error.message if isinstance(error, H5FlowError) else describe_error(error)}",
                advice=getattr(error, "advice", None),
            ) from error

    def _named(self, called: Hook, error: BaseException) -> BaseException:
        """Return what escaped a hook, with the name of its place where it is of a user's class."""
        if isinstance(error, KeyboardInterrupt | OtherRankError) or (
            called.is_ours and isinstance(error, H5FlowError)
        ):
            return error
        on_rank = f" on rank {self.rank}" if self._tables.rendezvous.channel.size > 1 else ""
        named = HookError(
            f"{called.part} failed in {called}{on_rank}: {describe_error(error)}",
            advice=_advice_on(called, error),
        )
        named.__cause__ = error
        return named


def _chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, and those that it was raised from or while they were handled."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_ours(function: Any) -> bool:
    return (getattr(function, "__module__", None) or "").partition(".")[0] == "h5flow"


def _advice_on(called: Hook, error: BaseException) -> str | None:
    """Say what to do about full memory, and about errors of h5py likely to be met on ranks."""
    # errors of h5flow's own, such as of padding, have their advice in them
    is_foreign = called.hook == "run" and not isinstance(error, H5FlowError)
    if is_foreign and called.backend is not None and called.backend.is_out_of_memory(error):
        return SMALLER_CHUNKS
    if isinstance(error, ValueError) and "mpio" in str(error) and "MPI" in str(error):
        return (
            "Either open the file without driver='mpio', for every rank can read it by itself, or "
            "install h5py with parallel HDF5: HDF5_MPI=ON CC=mpicc pip install --no-binary=h5py "
            "h5py."
        )
    return None
