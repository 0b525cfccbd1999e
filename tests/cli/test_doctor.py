"""``h5flow doctor`` prints what was found, and what to install."""

from __future__ import annotations

import io

import pytest

from h5flow.cli.app import main
from h5flow.cli.doctor import format_installation, run_doctor
from h5flow.core.installation import Fact, Installation, Section

FOUND = Installation(
    (
        Section("HDF5", (Fact("h5py", "3.16.0"),)),
        Section("Devices", (Fact("numpy", "host"), Fact("torch", "no", "pip install torch"))),
    )
)


def test_facts_stand_under_their_titles_and_what_to_install_at_the_end() -> None:
    assert list(format_installation(FOUND)) == [
        "HDF5",
        "  h5py   3.16.0",
        "",
        "Devices",
        "  numpy  host",
        "  torch  no",
        "",
        "To install, where you need it",
        "  torch  pip install torch",
    ]


def test_where_nothing_is_missing_it_says_so() -> None:
    whole = Installation(FOUND.sections[:1])
    assert list(format_installation(whole))[-1] == "Nothing is missing."


def test_the_command_prints_and_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr()
    assert "h5py" in printed.out
    assert "mpi4py" in printed.out
    assert printed.err == ""


def test_of_several_ranks_one_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "3")
    monkeypatch.setenv("PMI_RANK", "1")
    stream = io.StringIO()
    assert run_doctor(stream) == 0
    assert stream.getvalue() == ""
