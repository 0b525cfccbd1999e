"""``h5flow check``: what it prints, and its exit status."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from file_contents import last_written

from h5flow.cli.app import main
from h5flow.data import H5FlowDataManager

WORKFLOW = "flow: {source: events, stages: [look]}\nlook: {classname: H5FlowTestStage}\n"


@pytest.fixture
def linked(working_directory: Path) -> Path:
    """A file with references, one of them outside of its region."""
    with H5FlowDataManager("f.h5", compression="gzip") as dm:
        for name in ("a", "b"):
            dm.create_dset(name, "i8")
            dm.reserve_data(name, 2)
        dm.create_ref("a", "b")
        dm.write_ref("a", "b", [(0, 0), (1, 1)])
    with h5py.File("f.h5", "r+") as file:
        file["a/ref/b/ref_region"][1] = (0, 0)
    return Path("f.h5")


def test_a_finding_is_a_line_with_its_place_and_what_to_do(
    linked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--file", "f.h5"]) == 1
    assert capsys.readouterr().out == (
        "f.h5: /a/ref/b/ref_region: 1 of 2 references lie outside of the region of their row. "
        "--repair rebuilds the regions from the references.\n"
        "f.h5: 1 finding\n"
    )


def test_what_was_repaired_is_looked_at_again(
    linked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--repair", "--file", "f.h5"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "f.h5: 2 tables of regions were rebuilt; once more:",
        "f.h5: all is well",
    ]


def test_a_file_that_needs_no_repair_is_left_alone(linked: Path) -> None:
    main(["check", "--repair", "--file", "f.h5"])
    before = last_written(linked)
    assert main(["check", "--repair", "--file", "f.h5"]) == 0
    assert last_written(linked) == before


def test_of_several_files_the_worst_counts(
    linked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x.txt").write_text("text")
    assert main(["check", "--file", "x.txt", "f.h5"]) == 2
    assert "x.txt is not an HDF5 file" in capsys.readouterr().err


def test_a_workflow_is_checked_and_nothing_is_made(
    working_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flow.yaml").write_text(f"{WORKFLOW}spare: {{a: 1}}\n")
    assert main(["check", "flow.yaml"]) == 0
    assert capsys.readouterr().out == (
        "flow.yaml:3: spare: note: nothing refers to this block; it was not checked\n"
        "flow.yaml: all is well: source events, stages look\n"
    )
    assert [path.name for path in working_directory.iterdir()] == ["flow.yaml"]


def test_a_workflow_that_is_wrong_is_exit_status_2(
    working_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flow.yaml").write_text(WORKFLOW.replace("H5FlowTestStage", "Absent"))
    assert main(["check", "flow.yaml"]) == 2
    assert "flow.yaml:2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("", "needs one or the other"),
        ("a.yaml --file f.h5", "needs one or the other"),
        ("--repair a.yaml", "--repair is for files"),
        ("--mend --file f.h5", "--mend"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    working_directory: Path, capsys: pytest.CaptureFixture[str], words: str, text: str
) -> None:
    assert main(["check", *words.split()]) == 2
    assert text in capsys.readouterr().err


def test_what_the_machine_refuses_is_one_line(
    linked: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_paths: Path) -> None:
        raise PermissionError(13, "Permission denied", "f.h5")

    monkeypatch.setattr("h5flow.journal.in_place.put_in_place", refuse)
    before = linked.read_bytes()
    assert main(["check", "--repair", "--file", "f.h5"]) == 1
    assert capsys.readouterr().err == (
        "h5flow: error: f.h5: Permission denied; the files are as they were\n"
    )
    assert linked.read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["f.h5"]
