"""Every storage does the same: the suite of `h5flow.testing.storage_suite` on all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranks import run_ranks

from h5flow.storage import storages
from h5flow.testing.storage_on_ranks import Case, run_in_this_process
from h5flow.testing.storage_suite import CASES, compare_with_one_process

HERE = [
    ("single_process", 1),
    ("live_process", 1),
    ("single_writer", 1),
    ("shared_file", 2),
    ("shared_file", 3),
]
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)

PROGRAM = """
import json, sys
from pathlib import Path
from h5flow.comm import choose_communicator
from h5flow.storage import storages
from h5flow.testing.storage_suite import run_cases, run_on_this_rank

folder, communicator = Path(sys.argv[1]), choose_communicator("mpi")
failures = run_cases(run_on_this_rank(storages.get("single_writer"), communicator, folder))
if communicator.rank == 0:
    (folder / "failures.json").write_text(json.dumps(failures))
"""


@each_case
@pytest.mark.parametrize(("name", "size"), HERE, ids=[f"{name}-{size}" for name, size in HERE])
def test_a_storage_in_this_process(name: str, size: int, case: Case, tmp_path: Path) -> None:
    run_in_this_process(storages.get(name), size, tmp_path)(case)


@pytest.fixture(scope="module", params=[2, 3], ids=["2 processes", "3 processes"])
def failures(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What failed on ranks that are processes; one start does for all cases."""
    folder = tmp_path_factory.mktemp("ranks")
    done = run_ranks(request.param, ["-c", PROGRAM, str(folder)], 100)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads((folder / "failures.json").read_text())
    return found


@pytest.mark.parametrize("name", CASES)
def test_single_writer_on_processes(name: str, failures: dict[str, str]) -> None:
    assert failures.get(name, "") == ""


@settings(max_examples=15)
@given(seed=st.integers(5, 2**32 - 1), size=st.integers(1, 4))
def test_batches_at_random_make_what_one_process_makes(
    seed: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = "shared_file" if size > 1 else "single_writer"
    run = run_in_this_process(storages.get(name), size, tmp_path_factory.mktemp("random"))
    run(lambda ours: compare_with_one_process(ours, seed))
