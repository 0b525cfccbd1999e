"""``h5flow check``: whether files are whole, and whether workflows could run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from h5flow.cli.messages import log_shown, say, warnings_shown
from h5flow.cli.options import Parser
from h5flow.cli.report import paragraph
from h5flow.errors import H5FlowError, UsageError

if TYPE_CHECKING:
    from h5flow.journal.finding import Finding

__all__ = ["run_check"]

CHECK_USAGE = """\
h5flow check CONFIG [CONFIG ...]
       h5flow check [--repair] --file FILE [FILE ...]"""
ABOUT = """\
Workflows are read and their classes are found, as for a run; nothing is created. Of files
everything is read, and each line says what is wrong where, and what to do. exit status: 0 all is
well; 1 something was found; 2 a workflow is wrong, or a file is none of HDF5."""
ALL_WELL, FOUND = 0, 1


def run_check(words: Sequence[str], stream: TextIO) -> int:
    """Check what the words after ``check`` name, print what is found, and return the exit status.

    Raises
    ------
    UsageError
        The words are wrong.
    SystemExit
        The help was asked for, and has been printed.
    """
    found = _parser().parse_args(list(words))
    if bool(found.configs) == bool(found.files):
        raise UsageError(
            "check looks at workflows or at files, and needs one or the other",
            advice="Write h5flow check WORKFLOW.yaml, or h5flow check --file FILE.h5.",
        )
    if found.repair and not found.files:
        raise UsageError("--repair is for files", advice="Name them with --file.")
    with log_shown(0), warnings_shown():
        if found.configs:
            return _check_workflows(found.configs, stream)
        return max(_check_file(name, found.repair, stream) for name in found.files)


def _parser() -> Parser:
    parser = Parser(prog="h5flow check", usage=CHECK_USAGE, description=ABOUT, allow_abbrev=False)
    parser.add_argument("configs", metavar="CONFIG", nargs="*", help="workflow files")
    parser.add_argument(
        "-f", "--file", dest="files", metavar="FILE", nargs="+", action="extend", default=[],
        help="HDF5 files",
    )  # fmt: skip
    parser.add_argument(
        "--repair",
        action="store_true",
        help="rebuild regions where they are wrong, and make an ordinary file of what a run has "
        "left, in a copy that then takes the file's place",
    )
    return parser


def _check_workflows(configs: Sequence[str], stream: TextIO) -> int:
    from h5flow.core.preparation import check_workflows

    try:
        workflows = check_workflows(configs)
    except UsageError as error:
        say(paragraph(error))
        return error.exit_status
    for workflow in workflows:
        for place in workflow.unused:
            print(f"{place}: note: nothing refers to this block; it was not checked", file=stream)
        stages = ", ".join(stage.name for stage in workflow.stages) or "none"
        source = workflow.generator.dset_name
        print(f"{workflow.name}: all is well: source {source}, stages {stages}", file=stream)
    return ALL_WELL


def _check_file(name: str, repair: bool, stream: TextIO) -> int:
    from h5flow.journal.inspection import inspect_file

    def tell(finding: Finding) -> None:
        where = f"{name}: {finding.place}: " if finding.place else f"{name}: "
        advice = f". {finding.advice}" if finding.advice else ""
        print(f"{where}{'note: ' if finding.is_note else ''}{finding.text}{advice}", file=stream)

    wrong: list[Finding] = []
    try:
        for finding in inspect_file(Path(name)):
            tell(finding)
            wrong += [] if finding.is_note else [finding]
    except H5FlowError as error:
        say(paragraph(error))
        return UsageError.exit_status
    if repair and any(finding.is_unfinished for finding in wrong):
        return _salvage_file(name, stream)
    if repair and any(finding.in_regions for finding in wrong):
        return _repair_file(name, stream)
    what = (
        "all is well"
        if not wrong
        else f"{len(wrong)} {'finding' if len(wrong) == 1 else 'findings'}"
    )
    print(f"{name}: {what}", file=stream)
    return FOUND if wrong else ALL_WELL


def _repair_file(name: str, stream: TextIO) -> int:
    from h5flow.journal.repair import repair_file

    try:
        made = repair_file(Path(name))
    except H5FlowError as error:
        say(paragraph(error))
        return FOUND
    print(f"{name}: {len(made)} tables of regions were rebuilt; once more:", file=stream)
    return _check_file(name, False, stream)


def _salvage_file(name: str, stream: TextIO) -> int:
    from h5flow.journal.salvage import salvage_file

    try:
        salvage_file(Path(name))
    except H5FlowError as error:
        say(paragraph(error))
        return FOUND
    print(
        f"{name}: it is an ordinary file now, as it was at that checkpoint; once more:", file=stream
    )
    return _check_file(name, True, stream)
