"""What starting costs: imports, the help, a run of next to nothing, and finding a class.

Modules come as compiled, as pip installs them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.harness import Compare
from h5flow.core.class_search import search

FLOOR = "import h5py, numpy, yaml"
IMPORTS = {
    "import h5flow": f"{FLOOR}; import h5flow",
    "dereference, H5FlowDataManager": (
        f"{FLOOR}; from h5flow.data import dereference, H5FlowDataManager"
    ),
    "what a stage imports": f"{FLOOR}; from h5flow import H5FlowStage, resources, H5FLOW_MPI",
    "all that a run imports": f"{FLOOR}; import h5flow.core.runner",
}
RUN = ["-m", "h5flow", "run", "-q", "--overwrite", "-i", "in.h5", "-o", "out.h5", "events.yaml"]
FILES = 2000


def python(words: list[str], bytecode: Path) -> None:
    """Run a new interpreter, its start and end included."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(
        [sys.executable, *words],
        check=True,
        timeout=60,
        env=environment,
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("what", IMPORTS)
def test_imports(compare: Compare, folder: Path, what: str) -> None:
    compare(
        what,
        floor=lambda: python(["-c", FLOOR], folder / "bytecode"),
        floor_is=f"python -c '{FLOOR}'",
        subject=lambda: python(["-c", IMPORTS[what]], folder / "bytecode"),
    )


def test_a_run_of_next_to_nothing(compare: Compare, folder: Path) -> None:
    from h5flow.data import H5FlowDataManager

    with H5FlowDataManager("in.h5") as dm:
        dm.create_dset("events", "i8")
        dm.reserve_data("events", 100)
    Path("events.yaml").write_text("flow: {source: events}\n", "utf-8")
    compare(
        "h5flow run of a workflow without stages, 100 rows",
        floor=lambda: python(["-c", FLOOR], folder / "bytecode"),
        floor_is=f"python -c '{FLOOR}'",
        subject=lambda: python(RUN, folder / "bytecode"),
        goal=1.15,
        rounds=21,
    )


def test_the_help(compare: Compare, folder: Path) -> None:
    compare(
        "h5flow --help",
        floor=lambda: python(["-c", "import argparse"], folder / "bytecode"),
        floor_is="python -c 'import argparse'",
        subject=lambda: python(["-m", "h5flow", "--help"], folder / "bytecode"),
    )
    compare.note(beside=f"{compare.info['seconds'] * 1e3:.0f} ms (goal 100)")


def test_finding_a_class(compare: Compare, folder: Path) -> None:
    modules = []
    for number in range(FILES):
        module = Path("h5flow_modules", f"group_{number % 20}", f"module_{number}.py")
        module.parent.mkdir(parents=True, exist_ok=True)
        body = "".join(f"    value_{line} = {line}\n" for line in range(150))
        module.write_text(f"class Stage{number}:\n{body}", "utf-8")
        modules.append(module)
    compare(
        f"finding a class among {FILES:,} files",
        floor=lambda: [module.read_bytes() for module in modules],
        floor_is="reading all of them",
        subject=lambda: search("Stage7", folder),
    )
