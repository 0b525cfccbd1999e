"""Random programs on 1 to 5 ranks: every one ends, and comes out as in one process."""

from __future__ import annotations

import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import Operation, Outcome, Program, content, leaves_out_a_collective, perform
from ranks import run_ranks

from h5flow.comm.serial import SerialCommunicator
from h5flow.testing.ranks import run_on_ranks

few = st.integers(0, 3)
row = st.integers(0, 4)

WITHOUT_ROWS: list[st.SearchStrategy[Operation]] = [
    st.tuples(st.just("wrong")),
    st.tuples(st.just("read")),
    st.tuples(st.just("handle")),
    st.tuples(st.just("return")),
]
WITH_ROWS: list[st.SearchStrategy[Operation]] = [
    *WITHOUT_ROWS,
    st.tuples(st.just("write"), few),
    st.tuples(st.just("grid"), row, row),
    st.tuples(st.just("link"), few),
    st.tuples(st.just("grid_link"), row),
    st.tuples(st.just("create"), st.integers(0, 1)),
    st.tuples(st.just("attribute"), few),
    st.tuples(st.just("follow")),
]
RARE: list[st.SearchStrategy[Operation]] = [
    st.tuples(st.just("reserve"), few),
    st.tuples(st.just("reserve_made"), st.integers(0, 1)),
    st.tuples(st.just("collective"), few),
    st.tuples(st.just("raise")),
    st.tuples(st.just("exit")),
]


@st.composite
def well_behaved(draw: st.DrawFn) -> Program:
    """Programs inside of the guarantee.

    A dataset is appended to once for a chunk, the first of all, and collectives are called on all
    ranks, after it.
    """
    calls = tuple(("collective", which) for which in draw(st.lists(few, max_size=2)))

    def chunk() -> tuple[Operation, ...]:
        begin = [("reserve", draw(few))] if draw(st.booleans()) else []
        middle = draw(st.lists(st.one_of(WITH_ROWS[4:-1]), max_size=5))
        end = draw(st.lists(st.one_of(WITH_ROWS), max_size=2))
        return (*begin, *middle, *calls, *end)

    count = draw(st.integers(0, 7))
    return Program(
        chunks=tuple((chunk(), chunk()) for _ in range(count)),
        empty=(calls, calls),
        shared=draw(few),
    )


@st.composite
def any_program(draw: st.DrawFn) -> Program:
    """Programs that may do anything, mistakes too."""
    usual, rare = st.one_of(WITH_ROWS), st.one_of(RARE)
    operations = st.lists(st.one_of(usual, usual, rare), max_size=6).map(tuple)
    without_rows = st.lists(
        st.one_of(*WITHOUT_ROWS, st.tuples(st.just("collective"), few)), max_size=2
    ).map(tuple)
    return Program(
        chunks=tuple(draw(st.lists(st.tuples(operations, operations), max_size=7))),
        empty=draw(st.tuples(without_rows, without_rows)),
        ordered=draw(st.tuples(st.booleans(), st.booleans())),
        shared=draw(few),
    )


def in_one_process(program: Program, path: Path) -> Outcome:
    return perform(SerialCommunicator(), path, program)


def on_threads(program: Program, path: Path, size: int) -> list[Outcome]:
    return run_on_ranks(size, lambda communicator: perform(communicator, path, program))


def check(program: Program, size: int, folder: Path, outcomes: list[Outcome]) -> None:
    """Compare what ranks made at ``folder / "ranks.h5"`` with one process."""
    alone = in_one_process(program, folder / "alone.h5")
    errors = {bool(outcome.error) for outcome in outcomes}
    assert len({outcome.exchanges for outcome in outcomes}) == 1, "they left at different exchanges"
    assert len(errors) == 1, outcomes
    assert len({outcome.judged for outcome in outcomes}) == 1
    if alone.error or leaves_out_a_collective(program, size):
        assert errors == {True}, (alone, outcomes)
        return
    judged = outcomes[0].judged
    if not judged or errors == {True}:
        # Rows in another order may have led a program astray, but only where that was said.
        assert errors == {False} or judged, outcomes
    if not judged:
        assert content(folder / "ranks.h5") == content(folder / "alone.h5")


@settings(max_examples=40)
@given(program=well_behaved(), size=st.integers(1, 5))
def test_what_is_guaranteed_comes_out_as_in_one_process(program: Program, size: int):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outcomes = on_threads(program, folder / "ranks.h5", size)
        assert [outcome.error for outcome in outcomes] == [""] * size
        assert outcomes[0].judged == ()
        check(program, size, folder, outcomes)


@settings(max_examples=60)
@given(program=any_program(), size=st.integers(1, 5))
def test_every_program_ends_and_what_differs_is_said(program: Program, size: int):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check(program, size, folder, on_threads(program, folder / "ranks.h5", size))


SAMPLE = 25
PERFORM = Path(__file__).resolve().parent.parent / "perform.py"


def sample(strategy: st.SearchStrategy[Program]) -> list[Program]:
    found: list[Program] = []

    @settings(max_examples=SAMPLE, database=None, derandomize=True)
    @given(program=strategy)
    def collect(program: Program) -> None:
        found.append(program)

    collect()
    return found


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_sample_of_programs_on_processes(tmp_path: Path, size: int):
    programs = [*sample(well_behaved()), *sample(any_program())]
    (tmp_path / "programs.pickle").write_bytes(pickle.dumps(programs))
    done = run_ranks(size, [str(PERFORM), str(tmp_path)], timeout=100)
    assert done.returncode == 0, done.stderr
    for number, program in enumerate(programs):
        folder = tmp_path / str(number)
        outcomes = [
            pickle.loads((folder / f"outcome{rank}.pickle").read_bytes()) for rank in range(size)
        ]
        check(replace(program), size, folder, outcomes)
