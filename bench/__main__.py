"""Runs all benchmarks, and writes the table and the picture of ``docs/speed.md``.

    python -m bench [--scale S] [--only NAME ...]

With ``--only``, and where one of them fails, the table of those that ran is printed, and nothing is
written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.processes import ROOT
from bench.table import put_table, table

PAGE, PICTURE = ROOT / "docs" / "speed.md", ROOT / "docs" / "speed.png"
LIMIT_SECONDS = 3600


def results(scale: float, names: list[str]) -> tuple[list[dict[str, Any]], int]:
    """Run benchmarks; return what pytest-benchmark recorded, and pytest's exit status."""
    paths = [f"bench/{name}.py" for name in names] or ["bench"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "results.json")
        words = ["--benchmark-only", f"--benchmark-json={file}", f"--scale={scale}", "-q"]
        command = [sys.executable, "-m", "pytest", *paths, *words, f"--basetemp={folder}/files"]
        done = subprocess.run(command, cwd=ROOT, timeout=LIMIT_SECONDS, check=False)
        recorded = file.read_text("utf-8") if file.exists() else ""
    found: list[dict[str, Any]] = json.loads(recorded)["benchmarks"] if recorded else []
    return found, done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="All benchmarks.")
    parser.add_argument("--scale", type=float, default=0.1, help="1: the sizes of docs/speed.md")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="modules in bench/")
    options = parser.parse_args()
    found, status = results(options.scale, options.only)
    lines = table(found, options.scale)
    if options.only or status:
        print("\n".join(lines))
        sys.exit(status)
    from bench.picture import draw

    PAGE.write_text(put_table(PAGE.read_text("utf-8"), lines), "utf-8")
    draw(found, PICTURE)


if __name__ == "__main__":
    main()
