"""Measuring in processes of their own: ranks, memory, and what is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["answer_of", "peak_bytes"]

ROOT = Path(__file__).resolve().parents[1]
LIMIT_SECONDS = 600


def answer_of(
    module: str, *words: object, ranks: int = 1, folder: Path | None = None
) -> dict[str, Any]:
    """Return what ``python -m module words`` prints as JSON in its last line, on rank 0."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    start = [str(mpiexec if mpiexec.exists() else "mpiexec"), "-n", str(ranks)]
    done = subprocess.run(
        [*(start if ranks > 1 else []), sys.executable, "-m", module, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {words} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_bytes() -> int:
    """Return the most memory that this process has had; getrusage counts its parent's, too."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
