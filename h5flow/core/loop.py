"""The loop over a workflow's source: for each chunk every stage in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import count
from operator import index
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from h5flow.backends import Backend, using
from h5flow.core.cache import CacheLoader, requirements_so_far
from h5flow.core.generator import H5FlowGenerator
from h5flow.core.hooks import Hooks, Where
from h5flow.errors import DataError
from h5flow.events import ChunkDone, LoopFinished, Observer

if TYPE_CHECKING:
    from h5flow.config.workflow import Requirement
    from h5flow.core.skipping import Skipping
    from h5flow.core.stage import H5FlowStage
    from h5flow.journal.provenance import SkippedChunk

__all__ = ["LoopResult", "PlannedStage", "run_loop"]


class PlannedStage(NamedTuple):
    """A stage, what must be in the cache before it runs (all requirements so far), and where."""

    stage: H5FlowStage
    requirements: tuple[Requirement, ...]
    backend: Backend


class LoopResult(NamedTuple):
    """How far a loop went, on all ranks; what it left out is not in `chunks` and `rows`."""

    chunks: int
    rows: int
    skipped: tuple[SkippedChunk, ...] = ()


NOTHING_DONE = LoopResult(0, 0)


def plan_stages(
    stages: Sequence[H5FlowStage],
    requires: Sequence[Sequence[Requirement]],
    backends: Sequence[Backend],
) -> tuple[PlannedStage, ...]:
    """Pair each stage with its own requirements, those of the stages before it, and a backend."""
    so_far: list[Requirement] = []
    planned = []
    for stage, own, backend in zip(stages, requires, backends, strict=True):
        so_far += own
        planned.append(PlannedStage(stage, requirements_so_far(so_far), backend))
    return tuple(planned)


def run_loop(
    generator: H5FlowGenerator,
    stages: Sequence[PlannedStage],
    hooks: Hooks,
    loader: CacheLoader,
    observe: Observer,
    done: LoopResult = NOTHING_DONE,
    after_iteration: Callable[[LoopResult], None] = lambda result: None,
    skipping: Skipping | None = None,
) -> LoopResult:
    """Run every stage on every chunk. Collective.

    The loop ends when the generator gives `H5FlowGenerator.EMPTY` on every rank; a rank that
    has no rows while others do runs its stages on zero rows.

    Parameters
    ----------
    done : LoopResult
        What was done before this run.
    after_iteration : callable
        Told how far the loop is, whenever all ranks have done a chunk.
    skipping : Skipping, optional
        Leaves out chunks that fail.
    """
    backends = tuple(dict.fromkeys(planned.backend for planned in stages))
    with using(*dict.fromkeys((*backends, generator._backend))):
        work = partial(_run_stages, generator, stages, hooks, loader, backends)
        try:
            for result in _chunks(
                generator, work, hooks, loader, observe, backends, done, skipping
            ):
                done = result
                after_iteration(result)
        finally:
            loader.close()
    return done


def _chunks(
    generator: H5FlowGenerator,
    work: Callable[[Where], None],
    hooks: Hooks,
    loader: CacheLoader,
    observe: Observer,
    backends: tuple[Backend, ...],
    done: LoopResult,
    skipping: Skipping | None,
) -> Iterator[LoopResult]:
    """Run chunk after chunk; yield how far the loop is after each."""
    source = generator.dset_name
    begin = perf_counter()
    for iteration in count():
        loader.begin_iteration(iteration)
        of_ranks = hooks.call(generator, "next", Where(source, iteration))
        length = loader.source_length()
        checked = [_checked(generator, rows, length) for rows in of_ranks]
        if all(rows == H5FlowGenerator.EMPTY for rows in checked):
            names = tuple(backend.name for backend in backends)
            observe(LoopFinished(perf_counter() - begin, names, len(of_ranks)))
            return
        left, skipped = checked, done.skipped
        if skipping is not None:
            skipping.begin()
        while any(rows != H5FlowGenerator.EMPTY for rows in left):
            try:
                with _range_of_chunk(backends, iteration):
                    work(Where(source, iteration, left[hooks.rank]))
                break
            except BaseException as error:
                if skipping is None:
                    raise
                left, failed = skipping.leave_out(error, iteration, left)
                skipped += tuple(failed)
                loader.begin_iteration(iteration)
        done = LoopResult(done.chunks, done.rows, skipped)
        for each in left:
            if each != H5FlowGenerator.EMPTY:
                size = each.stop - each.start
                done = LoopResult(done.chunks + 1, done.rows + size, skipped)
                observe(ChunkDone(iteration, size, each.start, each.stop))
        yield done


def _run_stages(
    generator: H5FlowGenerator,
    stages: Sequence[PlannedStage],
    hooks: Hooks,
    loader: CacheLoader,
    backends: Sequence[Backend],
    where: Where,
) -> None:
    """Run every stage on one chunk."""
    rows = where.rows
    assert rows is not None
    cache = loader.begin_chunk(backends)
    ahead = partial(_read_ahead, generator, stages, loader)
    for position, planned in enumerate(stages):
        stage, backend = planned.stage, planned.backend
        fill = partial(loader.fill, cache, rows, planned.requirements, backend)
        hooks.read(stage, where, fill if position else partial(_fill_first, fill, ahead))
        hooks.call(stage, "run", where, where.source, rows, cache)


def _fill_first(fill: Callable[[], None], read_ahead: Callable[[], None]) -> None:
    fill()
    read_ahead()


def _read_ahead(
    generator: H5FlowGenerator, stages: Sequence[PlannedStage], loader: CacheLoader
) -> None:
    """Have the next chunk read while stages work on this one."""
    rows = generator.upcoming()
    loader.read_ahead(
        None if rows == H5FlowGenerator.EMPTY else rows, stages[-1].requirements, stages[0].backend
    )


def _range_of_chunk(backends: Sequence[Backend], iteration: int) -> AbstractContextManager[Any]:
    """Return the range of a chunk for profilers: one, whatever the stages are on."""
    device = next((backend for backend in backends if not backend.is_host), None)
    return nullcontext() if device is None else device.named_range(f"chunk {iteration}")


def _checked(generator: H5FlowGenerator, rows: object, source_length: int | None) -> slice:
    """Return the rows of a chunk as a slice of integers, or refuse them."""
    who = f"the generator '{generator.name}' ({generator.classname}) returned {rows!r} from next()"
    found = _as_slice(rows)
    if found == H5FlowGenerator.EMPTY:
        return found
    if found is None:
        raise DataError(
            who,
            advice="It must be the slice of the next rows, as reserve_data returns it, or "
            "H5FlowGenerator.EMPTY.",
        )
    if source_length is None:
        raise DataError(
            f"{who}, but there is no dataset '{generator.dset_name}'",
            advice="A generator creates the dataset in init(): "
            "self.data_manager.create_dset(self.dset_name, dtype).",
        )
    if found.stop > source_length:
        raise DataError(
            f"{who}, but '{generator.dset_name}' has {source_length:,} rows",
            advice="Reserve rows before they are returned: "
            "self.data_manager.reserve_data(self.dset_name, n).",
        )
    return found


def _as_slice(rows: object) -> slice | None:
    """Return `rows` in Python's integers, None where it is no half-open range nor `EMPTY`."""
    if not isinstance(rows, slice) or rows.step not in {None, 1}:
        return None
    try:
        start, stop = index(rows.start), index(rows.stop)
    except TypeError:
        return None
    found = slice(start, stop)
    return found if 0 <= start <= stop or found == H5FlowGenerator.EMPTY else None
