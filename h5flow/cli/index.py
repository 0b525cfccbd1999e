"""``h5flow index``: sorted indices for the references of finished files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from h5flow.cli.messages import log_shown, say, warnings_shown
from h5flow.cli.options import Parser
from h5flow.cli.report import paragraph
from h5flow.errors import H5FlowError

if TYPE_CHECKING:
    from h5flow.journal.indexing import Indexed

__all__ = ["run_index"]

DONE, FAILED = 0, 1

INDEX_USAGE = "h5flow index FILE [FILE ...]"
ABOUT = """\
References whose regions overlap get a sorted index beside them: following those of a few rows then
takes the same time however long the file is. exit status: 0 done; 1 a file could not be indexed,
and is as it was."""


def run_index(words: Sequence[str], stream: TextIO) -> int:
    """Index the files that the words after ``index`` name, and return the exit status.

    Raises
    ------
    UsageError
        The words are wrong.
    SystemExit
        The help was asked for, and has been printed.
    """
    parser = Parser(prog="h5flow index", usage=INDEX_USAGE, description=ABOUT, allow_abbrev=False)
    parser.add_argument("files", metavar="FILE", nargs="+", help="HDF5 files")
    names = parser.parse_args(list(words)).files
    with log_shown(0), warnings_shown():
        return max([_index_file(name, stream) for name in names])


def _index_file(name: str, stream: TextIO) -> int:
    # numpy and h5py come with it, and take their time
    from h5flow.journal.indexed_copy import index_in_place

    try:
        done = index_in_place(Path(name))
    except H5FlowError as error:
        say(paragraph(error))
        return FAILED
    for each in done:
        print(f"{name}: {_said(each)}", file=stream)
    if not done:
        print(f"{name}: there are no references", file=stream)
    return DONE


def _said(done: Indexed) -> str:
    names = done.relation.parent, done.relation.child
    said = []
    if done.columns:
        said.append(f"indexed {_sides(names, done.columns)}")
    if done.refused:
        said.append(
            f"not indexed {_sides(names, done.refused)}, where regions leave references out: "
            "h5flow check --file says more"
        )
    return f"{names[0]} -> {names[1]}: {'; '.join(said) or 'needs no index'}"


def _sides(names: tuple[str, str], columns: Sequence[int]) -> str:
    return " and ".join(f"from {names[column]}" for column in columns)
