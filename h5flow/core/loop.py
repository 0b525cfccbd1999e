"""The loop over a workflow's source: for each chunk every stage in turn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from h5flow.config.workflow import Requirement
from h5flow.core.cache import CacheLoader, requirements_so_far
from h5flow.core.generator import H5FlowGenerator
from h5flow.core.hooks import Hooks, Where
from h5flow.core.stage import H5FlowStage
from h5flow.errors import DataError
from h5flow.events import ChunkDone, HookTimed, Observer

__all__ = ["LoopResult", "PlannedStage", "run_loop"]


@dataclass(frozen=True)
class PlannedStage:
    """A stage and what must be in the cache before it runs: all requirements so far."""

    stage: H5FlowStage
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True)
class LoopResult:
    """How far a loop went, on this rank."""

    chunks: int
    rows: int


def plan_stages(
    stages: Sequence[H5FlowStage], requires: Sequence[Sequence[Requirement]]
) -> tuple[PlannedStage, ...]:
    """Pair each stage with its own requirements and those of the stages before it."""
    so_far: list[Requirement] = []
    planned = []
    for stage, own in zip(stages, requires, strict=True):
        so_far += own
        planned.append(PlannedStage(stage, requirements_so_far(so_far)))
    return tuple(planned)


def run_loop(
    generator: H5FlowGenerator,
    stages: Sequence[PlannedStage],
    hooks: Hooks,
    loader: CacheLoader,
    observe: Observer,
) -> LoopResult:
    """Run every stage on every chunk. Collective.

    The loop ends when the generator gives `H5FlowGenerator.EMPTY` on every rank; a rank that
    has no rows while others do runs its stages on zero rows.
    """
    source = generator.dset_name
    chunks = total_rows = 0
    for iteration in count():
        of_ranks = hooks.call(generator, "next", Where(source, iteration))
        if all(_is_empty(rows) for rows in of_ranks):
            return LoopResult(chunks, total_rows)
        rows = _checked(generator, of_ranks[generator.rank])
        cache = loader.begin_chunk()
        for planned in stages:
            begin = time.perf_counter()
            loader.fill(cache, rows, planned.requirements)
            observe(HookTimed("read", "", "run", time.perf_counter() - begin))
            where = Where(source, iteration, rows)
            hooks.call(planned.stage, "run", where, source, rows, cache)
        if not _is_empty(rows):
            chunks += 1
            total_rows += rows.stop - rows.start
            observe(ChunkDone(iteration, rows.stop - rows.start, rows.start, rows.stop))
    raise AssertionError("count() has no end")


def _is_empty(rows: object) -> bool:
    return isinstance(rows, slice) and rows == H5FlowGenerator.EMPTY


def _checked(generator: H5FlowGenerator, rows: object) -> slice:
    if (
        isinstance(rows, slice)
        and rows.step in {None, 1}
        and rows.start is not None
        and rows.stop is not None
        and (_is_empty(rows) or 0 <= rows.start <= rows.stop)
    ):
        return slice(int(rows.start), int(rows.stop))
    raise DataError(
        f"the generator '{generator.name}' ({generator.classname}) returned {rows!r} from next()",
        advice="It must be the slice of the next rows, as reserve_data returns it, or "
        "H5FlowGenerator.EMPTY.",
    )
