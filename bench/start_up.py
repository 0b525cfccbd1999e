"""What starting costs: imports against their floor, and finding a class among many files.

Run with ``python -m bench.start_up`` from the repository's root.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 21
FLOOR = "import h5py, numpy, yaml"
SUBJECTS = {
    "import h5flow": "import h5py, numpy, yaml; import h5flow",
    "dereference, H5FlowDataManager": (
        "import h5py, numpy, yaml; from h5flow.data import dereference, H5FlowDataManager"
    ),
    "what a stage imports": (
        "import h5py, numpy, yaml; from h5flow import H5FlowStage, resources, H5FLOW_MPI"
    ),
    "all that a run imports": "import h5py, numpy, yaml; import h5flow.core.runner",
}


def seconds(code: str, bytecode: str) -> float:
    """Return the time a new interpreter takes to run `code`, its own start included.

    Modules come as compiled, as pip installs them: from the folder `bytecode`.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)
    return time.perf_counter() - begin


def imports() -> None:
    programs = {"floor": FLOOR, **SUBJECTS}
    taken: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as bytecode:
        for code in programs.values():
            seconds(code, bytecode)
        for _ in range(REPEATS):
            for name, code in programs.items():
                taken[name].append(seconds(code, bytecode))
    floor = statistics.median(taken["floor"])
    print(f"{FLOOR}: {floor * 1e3:.0f} ms (median of {REPEATS}, interleaved)")
    for name in SUBJECTS:
        # Paired with the floor of the same round: the machine's speed drifts.
        ratios = [own / base for own, base in zip(taken[name], taken["floor"], strict=True)]
        print(f"  {name}: {statistics.median(ratios):.3f} x")


def discovery(files: int = 2000) -> None:
    from h5flow.core.class_search import search

    with tempfile.TemporaryDirectory() as folder:
        for number in range(files):
            module = Path(folder, "h5flow_modules", f"group_{number % 20}", f"module_{number}.py")
            module.parent.mkdir(parents=True, exist_ok=True)
            body = "".join(f"    value_{line} = {line}\n" for line in range(150))
            module.write_text(f"class Stage{number}:\n{body}", "utf-8")
        taken = []
        for number in range(REPEATS):
            begin = time.perf_counter()
            assert len(search(f"Stage{number}", Path(folder)).definitions) == 1
            taken.append(time.perf_counter() - begin)
    print(f"finding a class among {files:,} files: {statistics.median(taken) * 1e3:.0f} ms")


if __name__ == "__main__":
    imports()
    discovery()
