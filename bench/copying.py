"""The input into the working file, against `cp`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.harness import Compare, Sizes
from bench.parts import ROW, make_source
from h5flow.io.copy import copy_input

BYTES = 1_000_000_000


def test_copying(compare: Compare, sizes: Sizes, folder: Path) -> None:
    source, target, other = folder / "in.h5", folder / "copy.h5", folder / "copied.h5"
    size = sizes.of(BYTES)
    make_source(source, size // ROW.itemsize, 65_536)

    def without_copies() -> None:
        target.unlink(missing_ok=True)
        other.unlink(missing_ok=True)

    compare(
        f"input of {size / 1e6:,.0f} MB into the working file",
        floor=lambda: subprocess.run(["cp", str(source), str(other)], check=True, timeout=120),
        floor_is="cp, its start included",
        subject=lambda: copy_input(source, target),
        before_floor=without_copies,
        before=without_copies,
        goal=1.1,
    )
