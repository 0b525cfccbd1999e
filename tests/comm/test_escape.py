"""An exception that ends a script on one rank ends all."""

from __future__ import annotations

import pytest
from ranks import run_ranks

PROGRAM = """
from h5flow.comm import choose_communicator
from h5flow.errors import DataError

comm = choose_communicator()
if comm.rank == 1:
    raise {error}
comm.exchange(b"")
"""


@pytest.mark.parametrize(
    ("error", "status"), [("ValueError('a mistake')", 1), ("KeyboardInterrupt", 130)]
)
def test_what_escapes_a_script_ends_ranks_that_wait_for_this_one(error: str, status: int):
    done = run_ranks(3, PROGRAM.format(error=error), timeout=20)
    assert done.returncode == status
    assert done.stderr.count("Traceback") == 1


def test_what_all_ranks_were_told_is_shown_by_each():
    program = PROGRAM.replace("comm.rank == 1", "True").format(error="DataError('told to all')")
    done = run_ranks(3, program, timeout=20)
    assert done.returncode == 1
    assert done.stderr.count("DataError: told to all") == 3
