"""Where the ranks of a run tell each other what they are doing; one for each process.

The channel exists before anything else of a run can fail, so that what fails on one rank ends
them all. After a failure every call raises without communicating, also where code of the user
has swallowed the first exception.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from h5flow.errors import H5FlowError, OtherRankError
from h5flow.events import Observer, Waited, ignore_event
from h5flow.transaction.acts import Act, EndOfHook, Failed, Outcome, Queued, Tag
from h5flow.transaction.error_texts import (
    describe_error,
    error_as_strings,
    error_from_strings,
    message_of,
    report_of,
    status_of,
    trace_of,
)
from h5flow.transaction.guard import Guard, Unguarded
from h5flow.transaction.messages import decode, encode

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator

__all__ = ["Channel", "Refused"]

ResultT = TypeVar("ResultT")


class Refused(Exception):
    """What is wrong is for those ranks to hear whose act it was; the run goes on.

    Parameters
    ----------
    error : H5FlowError
    """

    def __init__(self, error: H5FlowError) -> None:
        super().__init__(str(error))
        self.error = error


class Channel:
    """The exchange of acts between the ranks of a run.

    Parameters
    ----------
    communicator : Communicator

    Attributes
    ----------
    guard : Guard
    tag : Tag
        The hook that this rank is in.
    failure : Failed or None
        What has ended the run, the same on all ranks.
    working_path : pathlib.Path or None
        The file that the ranks write, once there is one.
    waited : float
        Seconds in which this rank was in exchanges, until all others were.
    observe : callable
        Told of each time that this rank has waited.
    """

    def __init__(self, communicator: Communicator) -> None:
        self.communicator = communicator
        self.guard: Guard = Unguarded()
        self.tag = Tag()
        self.failure: Failed | None = None
        self.working_path: Path | None = None
        self.waited = 0.0
        self.observe: Observer = ignore_event
        self._failed_rank = communicator.rank
        self._own_failure: Failed | None = None
        self._ending: BaseException | None = None
        self._thread = threading.get_ident()
        self._notes: list[str] = []
        self._hear: Callable[[int, str], None] = lambda rank, text: None

    def watch(self, guard: Guard) -> None:
        """Have this rank watched over until `close`."""
        self.guard = guard

    def close(self) -> None:
        """Let go of the guard; the last thing a run does."""
        self.guard.close()
        self.guard = Unguarded()

    def note(self, text: str) -> None:
        """Have rank 0 hear this at the end of the hook."""
        self._notes.append(text)

    def hear_notes(self, hear: Callable[[int, str], None]) -> None:
        """Have `hear` called with what other ranks note, and who does."""
        self._hear = hear

    def end_of_hook(self, result: Any, queued: Queued) -> EndOfHook:
        """Return the act that ends this rank's hook."""
        notes, self._notes = tuple(self._notes), []
        return EndOfHook(self.tag, result, queued, notes)

    @property
    def rank(self) -> int:
        """The number of this process."""
        return self.communicator.rank

    @property
    def size(self) -> int:
        """The number of ranks."""
        return self.communicator.size

    def describe(self) -> str:
        """Return what this rank is doing, in a line."""
        if self.failure is not None:
            return f"{self.failure.tag}, after a failure: {self.failure.error}"
        return str(self.tag)

    def check(self) -> None:
        """Refuse to go on after a failure.

        Raises
        ------
        OtherRankError
            Another rank has failed.
        H5FlowError
            This one has.
        """
        if self.failure is None:
            return
        if self._failed_rank != self.rank:
            raise OtherRankError(
                f"rank {self._failed_rank} has failed: {self.failure.error}",
                rank=self._failed_rank,
                status=self.failure.status,
            )
        raise H5FlowError(
            f"an earlier call has failed ({self.failure.error}); nothing more is written"
        )

    def exchange(self, act: Act) -> list[Act]:
        """Tell all ranks what this one does, and return what each does, in rank order.

        Raises
        ------
        OtherRankError
            A rank has failed.
        H5FlowError
            Ranks are in different hooks.
        """
        self.check()
        if threading.get_ident() != self._thread and self.size > 1:
            raise H5FlowError(
                "on several ranks only the thread that runs the workflow can use its data manager",
                advice="Collect what other threads make, and write it in the hook itself.",
            )
        acts = self._exchange(act)
        if self._hear_failures(acts):
            self.check()
        for rank, other in enumerate(acts):
            if other.tag != act.tag:
                raise H5FlowError(
                    f"ranks are in different hooks: rank {self.rank} in {act.tag}, rank {rank} in "
                    f"{other.tag}"
                )
        return acts

    def fail(self, error: BaseException, *, of_chunk: bool = False) -> None:
        """Tell all ranks that an exception escaped here; harmless after a failure.

        Parameters
        ----------
        of_chunk : bool
            The run can go on without this rank's chunk: see `recover`.

        Raises
        ------
        OtherRankError
            Another rank failed before, or a lower one at the same time, and reports.
        """
        if self.failure is not None:
            if self.failure.of_chunk and not of_chunk and not isinstance(error, OtherRankError):
                self._ending = self._ending or error  # the run does not go on without the chunk
            self._leave_to_other(error)
            return
        failed = Failed(self.tag, message_of(error), trace_of(error), status_of(error), of_chunk)
        self._own_failure = failed
        self._stop(self.rank, failed)
        # Others may be where no exchange is, in a collective of the user's: they are not waited
        # for longer than the guard allows.
        self._hear_failures(self._exchange(failed))
        self._leave_to_other(error)

    def recover(self) -> list[str | None]:
        """Go on after a failure `of_chunk`. Collective.

        Returns
        -------
        list
            What failed on each rank, None where nothing did.

        Raises
        ------
        BaseException
            What came after the failure, and ends the run.
        """
        assert self.failure is not None
        assert self.failure.of_chunk, "only a failure of chunks is forgotten"
        own = None if self._own_failure is None else self._own_failure.error
        ending, self._ending = self._ending, None
        self.failure = self._own_failure = None

        def answer() -> str | None:
            if ending is not None:
                raise ending
            return own

        return self.by_each("going on without a chunk", answer)

    def conclude(
        self, tag: Tag, work: Callable[[], ResultT] | None, *, fatal: bool = True
    ) -> ResultT:
        """Do `work` here, tell all ranks how it went, and return rank 0's result. Collective.

        Parameters
        ----------
        work : callable or None
            None where there is nothing to do on this rank.
        fatal : bool
            Whether an `H5FlowError` ends the run; other exceptions always do.

        Raises
        ------
        Refused
            `work` raised an `H5FlowError` somewhere that is not fatal: the same on all ranks.
        OtherRankError
            It failed on another rank.
        """
        error: BaseException | None = None
        answer = None
        if work is not None:
            try:
                answer = work()
            except BaseException as raised:
                error = raised
                if fatal or not isinstance(raised, H5FlowError):
                    # Others may still send to this rank, and never come to the exchange.
                    self.guard.ending(1, report_of(trace_of(raised), message_of(raised)))
        acts = self.exchange(
            Outcome(tag, error_as_strings(error), answer if self.rank == 0 else None)
        )
        outcomes = [act for act in acts if isinstance(act, Outcome)]
        for rank, other in enumerate(outcomes):
            if other.error is None:
                continue
            name, message, advice = other.error
            if not fatal and name:
                known = error if isinstance(error, H5FlowError) else None
                raise Refused(known or error_from_strings(name, message, advice))
            self._stop(rank, Failed(tag, message, trace_of(error)))
            if rank == self.rank and error is not None:
                raise error
            self.check()
        return outcomes[0].answer  # type: ignore[no-any-return]

    def together(self, what: str, work: Callable[[], ResultT]) -> ResultT:
        """Return what `work` returns here; no rank goes on before all have done it. Collective.

        Raises
        ------
        OtherRankError
            It failed on another rank.
        """
        done, _ = self._together(what, work, send=False)
        return done

    def by_first(self, what: str, work: Callable[[], ResultT]) -> ResultT:
        """Return on all ranks what `work` returns on rank 0, which alone does it. Collective."""
        done, results = self._together(what, work if self.rank == 0 else lambda: None, send=True)
        return done if self.rank == 0 else results[0]  # type: ignore[return-value]

    def by_each(self, what: str, work: Callable[[], ResultT]) -> list[ResultT]:
        """Return on all ranks what `work` returns on each, in rank order. Collective."""
        done, results = self._together(what, work, send=True)
        return [done if rank == self.rank else each for rank, each in enumerate(results)]

    def _together(
        self, what: str, work: Callable[[], ResultT], *, send: bool
    ) -> tuple[ResultT, list[Any]]:
        self.check()
        self.tag = Tag(hook=what)
        try:
            self.guard.raise_if_interrupted()
            done = work()
        except BaseException as error:
            self.fail(error)
            raise
        acts = self.exchange(self.end_of_hook(done if send else None, Queued()))
        self.tag = Tag()
        return done, [act.result for act in acts if isinstance(act, EndOfHook)]

    def _exchange(self, act: Act) -> list[Act]:
        try:
            message = encode(act) if self.size > 1 else b""
        except Exception as error:
            # The others wait for this rank: it has to come with something.
            self._exchange(Failed(act.tag, f"{describe_error(error)}, sending {act}", ""))
            raise
        begin = time.perf_counter()
        with self.guard.shielded():
            messages = self.communicator.exchange(message)
        if self.size > 1:
            seconds = time.perf_counter() - begin
            self.waited += seconds
            self.observe(Waited(begin, seconds))
        acts = [
            act if rank == self.rank else decode(message) for rank, message in enumerate(messages)
        ]
        for rank, other in enumerate(acts):
            if isinstance(other, EndOfHook):
                for text in other.notes:
                    self._hear(rank, text)
        return acts

    def _hear_failures(self, acts: list[Act]) -> bool:
        """Take down the failure that ends the run, where there is one; returns whether it does."""
        failures = [(rank, act) for rank, act in enumerate(acts) if isinstance(act, Failed)]
        if not failures:
            return False
        # one that ends the run comes before those of chunks
        failures.sort(key=lambda failure: failure[1].of_chunk)
        self._stop(*failures[0])
        return True

    def _leave_to_other(self, error: BaseException) -> None:
        if self._failed_rank != self.rank and not isinstance(error, OtherRankError):
            try:
                self.check()
            except OtherRankError as other:
                raise other from error

    def _stop(self, rank: int, failed: Failed) -> None:
        self.failure, self._failed_rank = failed, rank
        if failed.of_chunk:
            return  # others may take as long as they need for theirs
        report = report_of(failed.traceback, failed.error) if rank == self.rank else ""
        self.guard.ending(failed.status, report)
