"""The most memory of a run: source chunk, requirements and 64 MiB, however long the file is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.harness import Compare, Sizes
from bench.parts import ROW, make_links
from bench.processes import answer_of, peak_bytes

EVENTS = 4_000_000
HITS = 5  # of an event
STEP = 65_536
ALLOWED = 64 * 2**20


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_memory(compare: Compare, sizes: Sizes, folder: Path, share: float) -> None:
    events = sizes.of(round(EVENTS * share), STEP)
    make_links(folder / "in.h5", np.full(events, HITS))
    found: dict[str, int] = {}
    compare.elsewhere(lambda: found.update(answer_of("bench.memory", folder=folder)))
    # the padded rows, their mask, and the references that lead to them
    requirements = STEP * HITS * (ROW.itemsize + len(ROW.names or ()) + 16)
    compare.measured(
        f"peak memory of a loop over {events:,} events with {HITS} hits each, beyond the imports",
        [STEP * 8 + requirements + ALLOWED],
        [found["peak"] - found["imports"]],
        floor_is="source chunk, requirements and 64 MiB",
        goal=1.0,
        unit="B",
    )


def main() -> None:
    """Run a workflow on the file in the working directory."""
    from h5flow.core.request import RunRequest
    from h5flow.core.runner import execute

    imports = peak_bytes()
    looks = {"classname": "LooksAt", "path": "bench.parts", "requires": ["hits"]}
    config = {"flow": {"source": "events", "stages": ["looks"]}, "looks": looks}
    execute(RunRequest((config,), "out.h5", "in.h5", chunk_size=STEP, strict=True))
    print(json.dumps({"imports": imports, "peak": peak_bytes()}))


if __name__ == "__main__":
    sys.exit(main())
