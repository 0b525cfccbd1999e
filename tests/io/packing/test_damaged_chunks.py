"""Damaged chunks of the filters beside gzip: refused, or other bytes, but never the end.

10,000 of each: ``pytest tests/io/packing/test_damaged_chunks.py --fuzz 1000``.
"""

from __future__ import annotations

import subprocess
import sys

import damaged_chunks
import pytest

pytest.importorskip("imagecodecs", reason="NOT TESTED WITHOUT imagecodecs")

# So many for each damaged file of --fuzz: they take less time.
MORE = 10


@pytest.mark.skipif(sys.platform != "linux", reason="memory is guarded by Linux")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", damaged_chunks.FILTERS)
def test_no_damage_ends_the_process_or_takes_memory(name, request):
    count = request.config.getoption("--fuzz") * MORE
    command = [sys.executable, damaged_chunks.__file__, name, str(count), "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    # Of plain bits only the number can be wrong.
    assert int(done.stdout) > count * (0.2 if name == "bitshuffle" else 0.5)
