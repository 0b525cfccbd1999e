"""Mutated workflow files: a clean run, or an error that says where in the file something is wrong.

10,000 of them: ``pytest tests/faults/test_fuzzed_configs.py --fuzz 2000``.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from faults.fuzzed_texts import SHARED, TEXTS, mutated
from faults.fuzzing import LIMIT, Outcome, Server, complaints, make_project, make_whole

from h5flow.core.preparation import check_workflows
from h5flow.errors import H5FlowError

# So many for each damaged file of --fuzz: they take less time.
MORE = 5
# A place in one of the files, or the hook of a class that was given something that it cannot take.
PLACE = re.compile(r"(case|shared)\.yaml(:\d+)?|'\w+' \(\w+\) failed in ")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("configs")
    make_project(folder)
    make_whole(folder / "in.h5", old=False)
    folder.joinpath("shared.yaml").write_text(SHARED)
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    with Server(project) as server:
        yield server


def run(server: Server, project: Path, text: bytes) -> Outcome:
    project.joinpath("case.yaml").write_bytes(text)
    folder = project / "run"
    folder.mkdir()
    outcome = server.run("-q", "-i", "in.h5", "-o", "run/out.h5", "case.yaml")
    left = sorted(path.name for path in folder.iterdir())
    assert left == (["out.h5"] if outcome.status == 0 else []), f"left behind: {left}"
    shutil.rmtree(folder)
    return outcome


@pytest.mark.parametrize("text", TEXTS, ids=["plain", "loop", "aliases", "included"])
def test_what_is_mutated_runs(server: Server, project: Path, text: str) -> None:
    assert run(server, project, text.encode()) == Outcome(0, "", "")


def test_mutations_are_the_same_for_the_same_seed_and_are_there() -> None:
    texts = [mutated(seed) for seed in range(300)]
    assert texts == [mutated(seed) for seed in range(300)]
    assert len(set(texts) - {text.encode() for text in TEXTS}) > 200


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError where a block takes more of the processor's time."""

    def stop(*_: object) -> NoReturn:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def checked(text: bytes) -> str:
    """Return what is wrong with a workflow file, empty where nothing is; in this process."""
    Path("case.yaml").write_bytes(text)
    try:
        with time_limit(LIMIT):
            check_workflows(["case.yaml"])
    except H5FlowError as error:
        return str(error)
    return ""


# Many cases take their time: each has a limit of its own.
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore::h5flow.errors.H5FlowWarning")
def test_a_mutated_workflow_runs_or_is_an_error_with_a_place(
    server: Server,
    project: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(project)
    found: list[str] = []
    statuses = Counter[str]()
    for seed in range(request.config.getoption("--fuzz") * MORE):
        text = mutated(seed)
        try:
            error = checked(text)
        except BaseException as raised:
            found.append(f"seed {seed}: {raised!r}")
            continue
        if error:
            statuses["refused"] += 1
            found += [] if PLACE.search(error) else [f"seed {seed}: no place: {error}"]
            continue
        outcome = run(server, project, text)
        statuses[f"run {outcome.status}"] += 1
        if wrong := [*unbearable(outcome)]:
            found.append(f"seed {seed}: {'; '.join(wrong)}\n{outcome.stderr}")
    print(json.dumps(statuses, sort_keys=True))
    assert not found, f"{len(found)} of the files\n" + "\n".join(found)
    # many are still right, many are not
    assert min(statuses["run 0"], statuses["refused"]) > 0.05 * statuses.total()


def unbearable(outcome: Outcome) -> Iterator[str]:
    """Yield what must not happen, whatever is in a workflow file."""
    for complaint in complaints(outcome):
        # a class of the user's shows its own traceback
        if not ("Traceback" in complaint and ") failed in " in outcome.stderr):
            yield complaint
    if outcome.status and not PLACE.search(outcome.stderr):
        yield "no place"
