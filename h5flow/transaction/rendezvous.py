"""Where ranks agree: every collective act of a run is one exchange here.

A rank that has reached the end of its hook keeps answering *end* until all have, so a rank may
leave any call out. One process is a group of one and takes the same way.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from h5flow.errors import H5FlowWarning, NoSuchDatasetError, OrderError
from h5flow.transaction.acts import (
    Act,
    Ask,
    Collective,
    Create,
    Delete,
    EndOfHook,
    Extend,
    Flush,
    Reserve,
    Tag,
)
from h5flow.transaction.catalogue import Catalogue
from h5flow.transaction.channel import Channel, Refused
from h5flow.transaction.ledger import Ledger, Turn
from h5flow.transaction.milestones import Milestones
from h5flow.transaction.placement import Placement
from h5flow.transaction.questions import Question, Questions

if TYPE_CHECKING:
    from h5flow.io.reading import RowSource
    from h5flow.storage.protocol import CreateTable, Link, Storage, TableDescription, Write

__all__ = ["Rendezvous"]

# With more entries than this a rank has its rows placed before it reads them.
OVERLAID_WRITES = 64


class Rendezvous:
    """What the ranks of a run make together of one file.

    Parameters
    ----------
    channel : Channel
    storage : Storage
    strict : bool
        Whether rows that do not lie where one process puts them are an error, not a warning.
    """

    def __init__(self, channel: Channel, storage: Storage, *, strict: bool = False) -> None:
        self.channel = channel
        self.storage = storage
        self.catalogue = Catalogue()
        self._strict = strict
        self._ledger = Ledger(channel.size, lambda path: self.catalogue.find(path) is not None)
        self._placement = Placement(channel, storage, self.catalogue, self._ledger)
        self.milestones = Milestones(
            channel, storage, self.catalogue, self._placement, self.flush, self.find
        )
        self._questions = Questions(channel, storage)
        self._tag = Tag()
        self._ordinals: dict[tuple[type[Act], str], int] = {}
        #: Tables whose rows do not lie where one process puts them, and why.
        self.judged: dict[str, str] = {}
        #: While what was done once is done again: the lengths of tables, as they were then.
        self._again: dict[str, int] | None = None
        self._made_again: set[str] = set()
        #: Names that were deleted, and the paths that went with them: HDF5 keeps their space.
        self.deleted: set[str] = set()
        channel.communicator.announce_with(self.announce_collective)

    @property
    def failed(self) -> bool:
        """Whether a rank has failed: nothing more is written, and every call raises."""
        return self.channel.failure is not None

    @property
    def queued_bytes(self) -> int:
        """Memory that rows and references take which are not placed yet."""
        return self._placement.queue.size_bytes

    def answer(self, question: str, answer: Question) -> None:
        """Have a question about the file answered by this function, on rank 0 for all."""
        self._questions.add(question, answer)

    # -- hooks ----------------------------------------------------------------------------------

    def begin(self, tag: Tag, *, ordered: bool = False) -> None:
        """Enter a hook.

        Parameters
        ----------
        ordered : bool
            Each rank is served when all lower ones have ended the hook.
        """
        self._tag = self.channel.tag = tag
        self._ordinals = {}
        self._ledger.begin(tag, ordered=ordered)
        self._placement.begin(tag.iteration)

    def end(self, result: Any = None) -> list[Any]:
        """Leave a hook: wait for all ranks, place what they queued, return every `result`.

        Collective.
        """
        with self.channel.guard.shielded():
            while True:
                # Anew in each round: other ranks may have had some of it placed.
                queued = self._placement.summary(self._tag)
                acts, turns, _ = self._round(self.channel.end_of_hook(result, queued))
                if not turns:
                    break
            ends = [act for act in acts if isinstance(act, EndOfHook)]
            self._placement.place([end.queued for end in ends], self._tag)
        self._speak_judgement()
        self._tag = self.channel.tag = Tag()
        return [end.result for end in ends]

    def fail(self, error: BaseException, *, of_chunk: bool = False) -> None:
        """Tell all ranks that an exception escaped; what the hook queued is forgotten.

        Parameters
        ----------
        of_chunk : bool
            The run can go on without this rank's chunk.

        Raises
        ------
        OtherRankError
            Another rank has failed, too, and reports.
        """
        self._placement.queue.clear()
        self.channel.fail(error, of_chunk=of_chunk)

    # -- acts -----------------------------------------------------------------------------------

    def reserve(self, path: str, rows: int) -> slice:
        """Return `rows` new rows of a table.

        Raises
        ------
        NoSuchDatasetError
            There is no such table, and no lower rank can make it any more.
        """
        act = Reserve(self._tag, path, rows, self._ordinal(Reserve, path))
        result = self._announce(act)
        assert isinstance(result, slice)
        self._placement.give(path, result)
        return result

    def extend(self, path: str, stop: int) -> None:
        """Give a table `stop` rows at least."""
        if self.table(path).length < stop:
            self._announce(Extend(self._tag, path, stop))

    def create(self, tables: tuple[CreateTable, ...]) -> None:
        """Make those of these tables that do not exist yet."""
        self._announce(Create(self._tag, tables, self._ordinal(Create, tables[0].path)))

    def delete(self, name: str) -> bool:
        """Remove a dataset or group; returns whether there was one.

        What it takes with it is for the question ``"delete"`` to say.
        """
        return bool(self._announce(Delete(self._tag, name)))

    def flush(self, paths: tuple[str, ...] | None = None) -> None:
        """Place what is queued for `paths`, for all with None, where every rank can read it."""
        self._announce(Flush(self._tag, paths))

    def ask(self, question: str, about: str = "") -> Any:
        """Return what rank 0 finds in the file."""
        return self._announce(Ask(self._tag, question, about))

    def announce_collective(self, name: str) -> None:
        """Wait until all ranks are about to call this collective of ``self.comm``.

        Raises
        ------
        H5FlowError
            They never will: one calls another collective, or has ended the hook.
        """
        self._announce(Collective(self._tag, name))

    def remove(self, paths: tuple[str, ...]) -> None:
        """Remove objects of h5flow's own, the same on all ranks. Collective."""
        if paths:
            self._placement.delete(paths, self._tag)

    @contextmanager
    def again(self, lengths: Mapping[str, int]) -> Iterator[None]:
        """Let hooks do again what the file has of them already.

        They are given the rows that they were given then; what they write is in the file, and is
        left out, as is what they delete. What they make and was deleted later is removed again.
        Collective.

        Parameters
        ----------
        lengths : mapping of str to int
            Of tables, when the hooks were called first; those that are missing had no rows.
        """
        self._again = dict(lengths)
        try:
            yield
        finally:
            self._again = None
            gone, self._made_again = self._made_again & self.deleted, set()
        # made by the hooks and deleted later on
        self.begin(Tag(hook="going on from a checkpoint"))
        self.remove(tuple(sorted(gone)))
        self.end()

    # -- queueing -------------------------------------------------------------------------------

    def write(self, write: Write) -> bool:
        """Queue rows; returns whether they are this rank's alone to write in this iteration."""
        self.channel.check()
        if self._again is not None:
            return False
        self._placement.queue.write(write)
        self.catalogue.touch(write.path)
        return self._placement.is_given(write)

    def link(self, link: Link) -> None:
        """Queue references."""
        self.channel.check()
        if self._again is not None:
            return
        self._placement.queue.link(link)
        self.catalogue.touch(link.path)

    def set_attributes(self, path: str, values: dict[str, Any]) -> None:
        """Queue metadata."""
        self.channel.check()
        if self._again is not None:
            return
        self._placement.queue.set_attributes(path, values)

    # -- reading --------------------------------------------------------------------------------

    def find(self, path: str) -> TableDescription | None:
        """Return what the table at `path` is, None where there is none."""
        if not self.catalogue.knows(path):
            self.ask("table", path)
        return self.catalogue.find(path)

    def table(self, path: str) -> TableDescription:
        """Return what the table at `path` is.

        Raises
        ------
        NoSuchDatasetError
            There is none.
        """
        found = self.find(path)
        if found is None:
            raise NoSuchDatasetError(f"there is no table {path}")
        return found

    def attributes(self, path: str) -> dict[str, Any] | None:
        """Return the metadata of the object at `path`, None where there is no object."""
        if not self.catalogue.knows_attributes(path):
            self.ask("attributes", path)
        found, queued = self.catalogue.attributes(path), self._placement.queue.attributes_of(path)
        if queued is None:
            return None if found is None else dict(found)
        return {**(found or {}), **queued.as_read()}

    def rows(self, path: str) -> RowSource:
        """Return the table at `path` for reading, with what this rank has queued for it."""
        description, queue, catalogue = self.table(path), self._placement.queue, self.catalogue
        writes, links = queue.writes_to(path), queue.links_in(path)
        over = bool(writes) or catalogue.is_grown(path)
        if max(len(writes), len(links)) > OVERLAID_WRITES or (over and description.dtype.hasobject):
            self.flush((path,))
            writes, links = [], []
        elif catalogue.outdated or path in catalogue.dirty:
            self._announce(Flush(self._tag, (path,), places=False))
        table = self.storage.rows(path)
        length = catalogue.table(path).length
        if not (links or writes or length > table.shape[0]):
            return table
        from h5flow.transaction.overlay import Overlay, appended, widened

        if links and path == links[0].path:
            return appended(table, links, length)
        if links:
            first = catalogue.table(links[0].path).length
            return widened(table, path, links, length, first)
        return Overlay(table, writes, length)

    def is_handed_out(self, path: str) -> bool:
        """Return whether a rank has the table at a path as h5py's dataset, and may write it."""
        return path in self._placement.watched

    def handle(self, path: str) -> Any:
        """Return the h5py dataset at `path`, with all rows, and up to date after every hook."""
        queue, catalogue = self._placement.queue, self.catalogue
        if (
            path not in self._placement.watched
            or catalogue.outdated
            or path in catalogue.dirty
            or catalogue.is_grown(path)
            or queue.writes_to(path)
            or queue.links_in(path)
        ):
            self._announce(Flush(self._tag, (path,), watches=True))
        return self.storage.table(path)

    # -- serving --------------------------------------------------------------------------------

    def _ordinal(self, kind: type[Act], path: str) -> int:
        ordinal = self._ordinals.get((kind, path), 0)
        self._ordinals[kind, path] = ordinal + 1
        return ordinal

    def _announce(self, act: Act) -> Any:
        """Exchange `act` until it is served; return what that gave."""
        while True:
            _, turns, results = self._round(act)
            for turn, result in zip(turns, results, strict=True):
                if self.channel.rank in turn.ranks:
                    if isinstance(result, Refused):
                        raise result.error
                    return result

    def _round(self, act: Act) -> tuple[list[Act], list[Turn], list[Any]]:
        """Exchange `act` once, and serve whose turn it is; nobody's where all have ended."""
        self.channel.guard.raise_if_interrupted()
        with self.channel.guard.shielded():
            acts = self.channel.exchange(act)
            turns = self._ledger.turns(acts)
            results = [self._serve(turn) for turn in turns]
        self._speak_judgement()
        return acts, turns, results

    def _serve(self, turn: Turn) -> Any:
        """Do what an act asks for; an error that is the asking ranks' alone is returned."""
        act = turn.act
        try:
            if isinstance(act, Reserve):
                return self._reserve(act, turn.ranks)
            if isinstance(act, Extend):
                # the loop may have let the source grow since, from which the hook has the length
                if self._again is None or act.path in self._made_again:
                    self.catalogue.grow(act.path, act.stop)
            elif isinstance(act, Create):
                self._create(act.tables)
            elif isinstance(act, Ask):
                return self._answer(act)
            elif isinstance(act, Flush):
                self._placement.flush(act)
            elif isinstance(act, Delete):
                return self._delete(act.name)
        except Refused as refused:
            return refused
        return None

    def _reserve(self, act: Reserve, ranks: Sequence[int]) -> slice:
        table = self.catalogue.find(act.path)
        if table is None:
            raise Refused(NoSuchDatasetError(f"there is no table {act.path}"))
        if self._again is not None:
            begin = self._again.get(act.path, 0)
            self._again[act.path] = begin + act.rows
            return slice(begin, begin + act.rows)
        rows = slice(table.length, table.length + act.rows)
        self.catalogue.grow(act.path, rows.stop)
        if len(ranks) > 1:
            self._placement.share_rows(act.path, rows)
        return rows

    def _create(self, tables: Sequence[CreateTable]) -> None:
        missing = [table for table in tables if self.catalogue.find(table.path) is None]
        if missing:
            self._placement.create(missing, self._tag)
            if self._again is not None:
                self._made_again.update(table.path for table in missing)
        self.catalogue.ever_linked.update(
            table.path for table in tables if "ref_region0" in table.attributes
        )

    def _answer(self, act: Ask) -> Any:
        answer = self._questions.answer(act.question, act.about, self._tag)
        if act.question == "table":
            self.catalogue.learn(act.about, answer)
        elif act.question == "attributes":
            self.catalogue.learn_attributes(act.about, answer)
        return answer

    def _delete(self, name: str) -> bool:
        self._placement.flush(Flush(self._tag))
        paths = self._questions.answer("delete", name, self._tag)
        if self._again is not None:
            # it is gone, or what has the name now was made after it
            return bool(paths) or name in self.deleted
        if paths:
            self._placement.delete(paths, self._tag)
            self.deleted.update((name, *paths))
        return bool(paths)

    def _speak_judgement(self) -> None:
        """Warn once for each table, on rank 0, or raise on all ranks."""
        judgements, self._ledger.judgements = self._ledger.judgements, []
        for judgement in judgements:
            if judgement.path in self.judged:
                continue
            self.judged[judgement.path] = judgement.why
            message = (
                f"the rows of {judgement.path} will not lie where one process puts them: "
                f"{judgement.why}"
            )
            advice = (
                "Append to a dataset once for a chunk and in one stage only, or have the stage say "
                "`ordered = True`"
            )
            if self._strict:
                raise OrderError(message, advice=f"{advice}.")
            if self.channel.rank == 0:
                warnings.warn(f"{message}. {advice}.", H5FlowWarning, stacklevel=4)
