"""The command as a process: signals, pipes, encodings, and what it imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import h5flow.errors
from h5flow.data import H5FlowDataManager

PACKAGE_PARENT = Path(h5flow.errors.__file__).parents[1]
SCRIPT = Path(__file__).parents[2] / "scripts" / "run_h5flow.py"
LIMIT = 60

DRIVER = """
import sys, time, types

def execute(request, observe, stop):
    try:
        print("running", flush=True)
        {body}
    finally:
        print("cleaned up", flush=True)
    return types.SimpleNamespace(nothing_to_do=False, skipped=())

sys.modules["h5flow.core.runner"] = types.SimpleNamespace(execute=execute)
from h5flow.cli.app import main
sys.exit(main(["run", "events.yaml", "-o", "out.h5"]))
"""


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **more}


def python(*words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *words],
        env=environment(**more),
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )


@pytest.mark.parametrize(
    ("number", "word", "status"),
    [(signal.SIGTERM, "terminated", 143), (signal.SIGINT, "interrupted", 130)],
)
def test_a_signal_lets_the_run_clean_up(number: signal.Signals, word: str, status: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(body=f"time.sleep({LIMIT})")],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == status
    assert out == b"cleaned up\n"
    assert err.decode() == f"h5flow: {word}; nothing was published, out.h5 is as it was\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_away_does_not_change_the_status(unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "h5flow", "--help"],
            env=environment(PYTHONUNBUFFERED=unbuffered),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("closed", [1, 2])
def test_it_runs_without_stdout_or_stderr(closed: int) -> None:
    driver = DRIVER.format(body="pass")
    # a shell starts it, for only there a stream can be closed
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}>&-', sys.executable, driver],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0


def test_a_terminal_without_utf8_does_not_crash() -> None:
    body = "print('µ'); raise RuntimeError('µ → e')"
    done = python("-c", DRIVER.format(body=body), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 1
    assert b"\\xb5\n" in done.stdout
    assert b"\\xb5 \\u2192 e" in done.stderr


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_help_and_version_import_nothing_heavy(word: str) -> None:
    done = python(
        "-c",
        f"import sys; from h5flow.cli.app import main; main(['{word}']);"
        "sys.exit(str({'dataclasses', 'h5py', 'numpy', 'pathlib', 'rich', 'shutil', 'yaml'}"
        " & set(sys.modules) or ''))",
    )
    assert done.stderr.strip() == b""


# What only stages, references, packed rows, messages and failures need, and users' own classes.
NOT_FOR_NEXT_TO_NOTHING = (
    "array_api_compat",
    "concurrent.futures",
    "deflate",
    "h5flow.arrays",
    "h5flow.cli.tracing",
    "h5flow.comm.mpi",
    "h5flow.comm.vigil",
    "h5flow.core.chunk_cache",
    "h5flow.core.class_import",
    "h5flow.core.class_search",
    "h5flow.core.class_source",
    "h5flow.core.linked_bytes",
    "h5flow.core.skipping",
    "h5flow.core.traces",
    "h5flow.data.access",
    "h5flow.data.columns",
    "h5flow.data.conversion",
    "h5flow.data.device_results",
    "h5flow.data.following",
    "h5flow.data.masked",
    "h5flow.data.presentation",
    "h5flow.data.rows",
    "h5flow.io.codecs",
    "h5flow.io.compact",
    "h5flow.io.objects",
    "h5flow.io.reading",
    "h5flow.journal.indexing",
    "h5flow.journal.linked_rows",
    "h5flow.observe.profile",
    "h5flow.observe.progress",
    "h5flow.observe.summary",
    "h5flow.references.regions",
    "h5flow.storage.undo",
    "h5flow.transaction.overlay",
    "importlib.metadata",
    "mpi4py",
    "numpy.typing",
    "rich",
    "shutil",
)


def test_what_a_small_run_does_without_is_there() -> None:
    ours = [name for name in NOT_FOR_NEXT_TO_NOTHING if name.startswith("h5flow.")]
    assert [name for name in ours if find_spec(name) is None] == []


def test_a_quiet_run_of_next_to_nothing_imports_what_it_uses(tmp_path: Path) -> None:
    with H5FlowDataManager(tmp_path / "in.h5") as dm:
        dm.create_dset("events", "i8")
    (tmp_path / "events.yaml").write_text("flow: {source: events}\n", "utf-8")
    words = ["run", "-q", "-i", "in.h5", "-o", "out.h5", "events.yaml"]
    done = python(
        "-c",
        f"import os, sys; os.chdir({str(tmp_path)!r})\n"
        f"from h5flow.cli.app import main; assert main({words}) == 0\n"
        f"sys.exit(str(set({NOT_FOR_NEXT_TO_NOTHING}) & set(sys.modules) or ''))",
    )
    assert done.stderr.strip() == b""


@pytest.mark.parametrize("program", [("-m", "h5flow"), (str(SCRIPT),)])
def test_all_ways_to_start_it_are_one_command(program: tuple[str, ...]) -> None:
    done = python(*program, "-o", "out.h5")
    assert done.returncode == 2
    assert b"h5flow: error: no workflow file is given" in done.stderr


def test_the_script_can_be_executed() -> None:
    assert os.access(SCRIPT, os.X_OK)
