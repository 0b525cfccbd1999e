"""Subject and floor in turns, and what is recorded of them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Work = Callable[[], object]
ROUNDS = 15


class Benchmark(Protocol):
    """What is used of pytest-benchmark's fixture."""

    extra_info: dict[str, Any]
    group: str | None

    def pedantic(self, target: Work, *, setup: Work, rounds: int, warmup_rounds: int) -> object: ...


@dataclass(frozen=True)
class Sizes:
    """How large benchmarks are."""

    scale: float

    def of(self, full: int, least: int = 1) -> int:
        """Return a size that is `full` at scale 1."""
        return max(least, round(full * self.scale))


def nothing() -> None:
    """Prepare nothing."""


class Compare:
    """Measures a subject against a floor, and records both and their ratio.

    The floor runs before the subject in each round, so that what drifts on the machine drifts for
    both; the ratio is the median of the rounds' ratios.
    """

    def __init__(self, benchmark: Benchmark) -> None:
        self._benchmark = benchmark

    def __call__(
        self,
        title: str,
        *,
        floor: Work,
        subject: Work,
        floor_is: str,
        goal: float | None = None,
        rounds: int = ROUNDS,
        before_floor: Work = nothing,
        before: Work = nothing,
        after: Work = nothing,
        **more: Any,
    ) -> float:
        """Return the ratio.

        Parameters
        ----------
        floor_is : str
            What the floor does, in words.
        goal : float, optional
            The ratio that is wanted.
        before_floor, before, after : callable
            Called before the floor, before the subject and after it; not measured.
        **more
            Recorded as well.
        """
        taken: tuple[list[float], list[float]] = ([], [])

        def prepare() -> None:
            if taken[1]:
                after()
            before_floor()
            taken[0].append(seconds(floor))
            before()
            gc.collect()

        def measured() -> None:
            taken[1].append(seconds(subject))

        # the first round finds files and code cold
        self._benchmark.pedantic(measured, setup=prepare, rounds=rounds, warmup_rounds=1)
        after()
        base, own = (found[1:] or found for found in taken)
        return self.measured(title, base, own, floor_is=floor_is, goal=goal, **more)

    def measured(
        self,
        title: str,
        base: list[float],
        own: list[float],
        *,
        floor_is: str,
        goal: float | None = None,
        unit: str = "s",
        **more: Any,
    ) -> float:
        """Record what floor and subject took, measured in turns elsewhere; return the ratio.

        Parameters
        ----------
        unit : {"s", "B"}
            Whether it is time or memory.
        """
        ratio = statistics.median(two / one for one, two in zip(base, own, strict=True))
        self._benchmark.extra_info |= {
            "title": title,
            "floor": floor_is,
            "floor_seconds": statistics.median(base),
            "seconds": statistics.median(own),
            "ratio": ratio,
            "goal": goal,
            "unit": unit,
            **more,
        }
        return ratio

    @property
    def info(self) -> dict[str, Any]:
        """What is recorded by now."""
        return self._benchmark.extra_info

    def elsewhere(self, work: Work) -> None:
        """Run what measures by itself, in processes of its own, once."""
        self._benchmark.pedantic(work, setup=nothing, rounds=1, warmup_rounds=0)

    def note(self, **more: Any) -> None:
        """Record something beside."""
        self._benchmark.extra_info |= more


def seconds(work: Work) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
