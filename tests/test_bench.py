"""The harness of the benchmarks: what is collected when, in which order things run, the table."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[1]


def module(name: str) -> Any:
    """Return a module of ``bench``, which is not installed."""
    sys.path.insert(0, str(ROOT))
    try:
        return importlib.import_module(f"bench.{name}")
    finally:
        sys.path.remove(str(ROOT))


harness, table = module("harness"), module("table")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder set up as this one is, with one test and one benchmark."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for folder, file in (("tests", "test_something.py"), ("bench", "something.py")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text("def test_it(): pass\n", "utf-8")
    (tmp_path / "bench" / "something.py").write_text(
        "def test_it(benchmark): benchmark(int)\n", "utf-8"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("words", "collected"),
    [
        ([], ["tests/test_something.py::test_it"]),
        (["--benchmark-only"], ["bench/something.py::test_it"]),
        (["bench"], ["bench/something.py::test_it"]),
        (["--benchmark-only", "tests"], ["tests/test_something.py::test_it"]),
    ],
)
def test_benchmarks_are_collected_where_they_alone_are_asked_for(
    project: Path, words: list[str], collected: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *words],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert [line for line in done.stdout.splitlines() if "::" in line] == collected


class Rounds:
    """In place of pytest-benchmark's fixture."""

    def __init__(self) -> None:
        self.extra_info: dict[str, Any] = {}
        self.group = None

    def pedantic(
        self, target: Callable[[], object], *, setup: Any, rounds: int, warmup_rounds: int
    ) -> None:
        for _ in range(warmup_rounds + rounds):
            setup()
            target()


def test_floor_and_subject_take_turns() -> None:
    order: list[str] = []
    names = ("before_floor", "floor", "before", "subject", "after")
    work = {name: (lambda name=name: order.append(name)) for name in names}
    harness.Compare(Rounds())("nothing", floor_is="nothing", rounds=2, **work)
    assert order == list(names) * 3


def test_the_first_round_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    # floor, subject, and again
    taken = iter([1.0, 100.0, 1.0, 2.0, 1.0, 2.0])
    monkeypatch.setattr(harness, "seconds", lambda _work: next(taken))
    ratio = harness.Compare(Rounds())("x", floor=int, subject=int, floor_is="", rounds=2)
    assert ratio == 2.0


def test_a_ratio_is_that_of_rounds_and_not_of_medians() -> None:
    compare = harness.Compare(Rounds())
    # the machine is four times slower in the last rounds
    assert compare.measured("x", [1.0, 1.0, 4.0], [2.0, 3.0, 8.0], floor_is="") == 2.0
    assert (compare.info["seconds"], compare.info["floor_seconds"]) == (3.0, 1.0)


@given(scale=st.floats(0.001, 100), full=st.integers(1, 10**9), least=st.integers(1, 10**6))
def test_sizes_grow_with_the_scale_and_have_a_least(scale: float, full: int, least: int) -> None:
    size = harness.Sizes(scale).of(full, least)
    assert size == max(least, round(full * scale))
    assert harness.Sizes(2 * scale).of(full, least) >= size


def result(**more: Any) -> dict[str, Any]:
    compare = harness.Compare(Rounds())
    compare.measured("read all", [0.5], [1.0], floor_is="h5py", **more)
    return {"group": "loop", "extra_info": compare.info}


def test_a_row_has_both_times_their_ratio_and_the_goal() -> None:
    *_, row = table.table([result(goal=1.5)], scale=1)
    assert row == "| `loop`: read all | 1 s | 500 ms (h5py) | 2.00 x | 1.5 |  |"


def test_memory_is_in_megabytes() -> None:
    compare = harness.Compare(Rounds())
    compare.measured("peak", [1_000_000], [2_500_000], floor_is="rows", unit="B")
    *_, row = table.table([{"group": "memory", "extra_info": compare.info}], scale=1)
    assert "| 2.5 MB | 1 MB (rows) | 2.50 x |" in row


def test_what_measured_nothing_has_no_row() -> None:
    empty = {"group": "device", "extra_info": {}}
    assert table.table([empty], scale=1) == table.table([], scale=1)


TEXTS = st.text(st.characters(exclude_characters="<"))


@given(before=TEXTS, old=TEXTS, after=TEXTS, lines=st.lists(TEXTS, max_size=3))
def test_a_table_takes_the_place_of_the_old_one_and_of_nothing_else(
    before: str, old: str, after: str, lines: list[str]
) -> None:
    page = f"{before}{table.BEGIN}{old}{table.END}{after}"
    put = table.put_table(page, lines)
    assert put.startswith(before + table.BEGIN)
    assert put.endswith(table.END + after)
    assert "\n".join(lines) in put
    assert table.put_table(put, lines) == put


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table"):
        table.put_table("# Speed", [])


@pytest.mark.parametrize("path", sorted((ROOT / "bench").glob("[a-z]*.py")), ids=lambda p: p.stem)
def test_what_benchmarks_take_from_the_package_is_there(path: Path) -> None:
    assert module(path.stem).__doc__


def test_the_layer_of_arrays_can_be_left_out() -> None:
    with module("array_layer").without_layer():
        pass
