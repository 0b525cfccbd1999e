"""The options of the command line, as an argparse parser."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import Literal, NoReturn

from h5flow import __version__
from h5flow.errors import UsageError

__all__ = ["SEE_HELP", "USAGE", "Parser", "make_parser", "option_names"]

USAGE = """\
h5flow run [OPTIONS] CONFIG [CONFIG ...]
       h5flow [OPTIONS] -o OUT.h5 -c CONFIG [CONFIG ...]
       h5flow check CONFIG [CONFIG ...]
       h5flow check [--repair] --file FILE [FILE ...]
       h5flow index FILE [FILE ...]
       h5flow doctor"""

EXIT_STATUSES = """\
The first form is strict, the second, older one lenient: see --strict and --lenient.

exit status: 0 done; 1 the run failed; 2 the command line or a workflow file is wrong;
3 done, but for chunks that --on-error skip left out;
75 stopped in time, 130 interrupted, 143 terminated: --resume goes on.
Unless it is 0, the output is as it was."""

SEE_HELP = "'h5flow --help' lists all options."


class Parser(argparse.ArgumentParser):
    """Raises what is wrong in place of printing it."""

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError`."""
        raise UsageError(message, advice=SEE_HELP)


def make_parser(in_run: bool) -> Parser:
    """Return the parser of ``h5flow run``, or that of the older form."""
    parser = Parser(
        prog="h5flow",
        usage=USAGE,
        description="Run workflows over the linked tables of an HDF5 file.",
        epilog=EXIT_STATUSES,
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=_width()),
        allow_abbrev=False,
    )
    _add_files(parser, in_run)
    _add_existing(parser)
    _add_how(parser)
    _add_messages(parser)
    return parser


def _width() -> int:
    """Return the columns of the help, as argparse does, which imports a dozen modules to ask."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns) - 2
    try:
        found = os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 0
    except (ValueError, OSError):
        found = 0
    return (found or 80) - 2


def _add_files(parser: Parser, in_run: bool) -> None:
    files = parser.add_argument_group("files and rows")
    # the older form collects stray words too, to say what to do about them
    about = "workflow files, run one after the other on one output"
    hidden = argparse.SUPPRESS
    files.add_argument("positional", metavar="CONFIG", nargs="*", help=about if in_run else hidden)
    files.add_argument(
        "-c",
        "--config",
        "--configs",
        dest="configs",
        metavar="CONFIG",
        nargs="+",
        action="extend",
        default=[],
        help="the same, as an option" if in_run else about,
    )
    files.add_argument(
        "-o",
        "--output",
        "--output_filename",
        dest="output",
        metavar="FILE",
        help="the output (else 'output' of the first workflow)",
    )
    files.add_argument(
        "-i",
        "--input",
        "--input_filename",
        dest="input",
        metavar="FILE",
        help="the input (else 'input' of the first workflow, else the output itself)",
    )
    files.add_argument(
        "-s",
        "--start",
        "--start_position",
        dest="start",
        metavar="ROW",
        type=_row,
        help="first row of the source; negative counts from the end",
    )
    files.add_argument(
        "-e",
        "--end",
        "--end_position",
        dest="end",
        metavar="ROW",
        type=_row,
        help="row of the source to stop before; negative counts from the end",
    )
    files.add_argument(
        "-d",
        "--drop",
        metavar="NAME",
        nargs="+",
        action="extend",
        default=[],
        help="datasets to leave out of the output",
    )
    files.add_argument(
        "-z",
        "--compression",
        metavar="NAME[:LEVEL]",
        help="the filter of new datasets: gzip, gzip:6, lzf ...; +fletcher32 adds checksums",
    )


def _add_existing(parser: Parser) -> None:
    existing = parser.add_argument_group("an output that exists").add_mutually_exclusive_group()
    existing.add_argument(
        "--append",
        dest="on_existing",
        action="store_const",
        const="append",
        default="default",
        help="add to it",
    )
    existing.add_argument(
        "--overwrite",
        dest="on_existing",
        action="store_const",
        const="overwrite",
        help="replace it when the run has succeeded",
    )
    interrupted = parser.add_argument_group("a run that did not end")
    interrupted.add_argument(
        "--resume",
        action="store_true",
        help="go on from its last checkpoint; begin where there is none; do nothing where the "
        "output is there",
    )
    interrupted.add_argument(
        "--force",
        action="store_true",
        help="with --resume: also where the workflow, the input or the range has changed",
    )
    interrupted.add_argument(
        "--checkpoint-every",
        metavar="SECONDS",
        type=_seconds,
        default=10.0,
        help="how much of a loop is done again at most (default 10)",
    )
    interrupted.add_argument(
        "--time-limit",
        metavar="[H:]MM:SS",
        type=_time_limit,
        help="after so long end the chunk, save a checkpoint and exit with 75; so does the signal "
        "USR1",
    )


def _add_how(parser: Parser) -> None:
    how = parser.add_argument_group("how it runs")
    missing = how.add_mutually_exclusive_group()
    missing.add_argument(
        "--strict",
        action="store_true",
        default=None,
        help="a requirement that cannot be loaded is an error (default of 'h5flow run')",
    )
    missing.add_argument(
        "--lenient",
        dest="strict",
        action="store_false",
        default=None,
        help="it is None, with a warning (default without 'run')",
    )
    how.add_argument(
        "--backend",
        metavar="NAME",
        default="auto",
        help="array library of the stages: auto, numpy ...",
    )
    how.add_argument(
        "--ranks",
        metavar="N|auto",
        type=_ranks,
        help="start mpiexec with so many processes; auto: as many as there are cores",
    )
    where = how.add_mutually_exclusive_group()
    where.add_argument(
        "--comm",
        metavar="NAME",
        help="communicator: auto (MPI where a launcher has started this), serial, mpi ...",
    )
    where.add_argument(
        "--nompi",
        action="store_true",
        help="--comm serial; also: H5FLOW_NOMPI=1 in the environment",
    )
    how.add_argument(
        "--stall-timeout",
        metavar="SECONDS",
        type=_seconds,
        default=600.0,
        help="on several ranks: stop all, and say where each one is, when so long none has "
        "gone on (default 600; 0: never)",
    )
    how.add_argument(
        "--chunk-size", metavar="ROWS|auto", type=_chunk_size, help="rows of the source in a chunk"
    )
    how.add_argument(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="skip: leave chunks out that fail, record them in the output, and exit with 3",
    )
    how.add_argument(
        "--input-data",
        choices=("copy", "link"),
        default="copy",
        help="copy the input's datasets to the output, or link to them",
    )
    how.add_argument(
        "--allow-external-links",
        action="store_true",
        help="read what the input has in other files: links, virtual datasets, raw files",
    )


def _add_messages(parser: Parser) -> None:
    messages = parser.add_argument_group("messages")
    messages.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="say what is done; -vv: everything, and tracebacks of errors",
    )
    messages.add_argument("-q", "--quiet", action="store_true", help="no progress, no summary")
    messages.add_argument(
        "--profile",
        action="store_true",
        help="at the end show where the time went: read, dereference, each stage, write, wait",
    )
    messages.add_argument(
        "--trace",
        metavar="FILE.json",
        help="write what each rank did when, as a time line for https://ui.perfetto.dev",
    )
    messages.add_argument(
        "--version",
        action="version",
        version=f"h5flow {__version__}",
        help="show the version and exit",
    )


def _row(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a row number") from None


def _chunk_size(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        rows = int(text)
    except ValueError:
        rows = 0
    if rows < 1:
        raise argparse.ArgumentTypeError(
            f"'{text}' is neither a positive number of rows nor 'auto'"
        )
    return rows


def _ranks(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        ranks = int(text)
    except ValueError:
        ranks = 0
    if ranks < 1:
        raise argparse.ArgumentTypeError(
            f"'{text}' is neither a positive number of processes nor 'auto'"
        )
    return ranks


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds, 0 or more")
    return seconds


def _time_limit(text: str) -> float:
    days, dash, clock = text.rpartition("-")
    fields = clock.split(":")
    try:
        numbers = [int(field) for field in fields[:-1]] + [float(fields[-1])]
        day = int(days) if dash else 0
    except ValueError:
        numbers = []
    seconds = 0.0
    for number in numbers:
        seconds = 60 * seconds + number
    seconds += 86_400 * day if numbers else 0
    in_range = all(0 <= number < 60 for number in numbers[1:]) and all(n >= 0 for n in numbers)
    if not 1 <= len(numbers) <= 3 or not in_range or not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(
            f"'{text}' is no time: write 1:55:00 (hours), 55:00 (minutes) or 3300 (seconds)"
        )
    return seconds


def option_names(parser: Parser) -> list[str]:
    """Return all options that `parser` knows, aliases too."""
    return [name for action in parser._actions for name in action.option_strings]
