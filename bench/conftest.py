"""Fixtures of benchmarks, and their ratios at the end of the run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for `bench.harness` and the stages in `bench.parts`

from bench.harness import Benchmark, Compare, Sizes  # noqa: E402


@pytest.fixture
def sizes(request: pytest.FixtureRequest) -> Sizes:
    return Sizes(request.config.getoption("--scale"))


@pytest.fixture
def compare(benchmark: Any, request: pytest.FixtureRequest) -> Compare:
    typed: Benchmark = benchmark
    typed.group = request.module.__name__.rpartition(".")[2]
    return Compare(typed)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a working directory whose files are gone afterwards: they may be large."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for path in tmp_path.iterdir():
        if path.is_file():
            path.unlink()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if ROOT / "bench" in item.path.parents:
            # ranks, and files of gigabytes, take longer than a test
            item.add_marker(pytest.mark.timeout(900))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    session = getattr(config, "_benchmarksession", None)
    measured = [each.extra_info for each in session.benchmarks] if session else []
    if not any("ratio" in each for each in measured):
        return
    terminalreporter.section("ratios to the floor")
    for each in measured:
        if "ratio" in each:
            goal = "" if each["goal"] is None else f"  (goal {each['goal']:g})"
            terminalreporter.line(f"{each['ratio']:8.3f} x{goal:14} {each['title']}")
