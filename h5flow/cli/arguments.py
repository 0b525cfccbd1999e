"""Read the command line: words to a `Command`.

There are two forms with the same options, ``h5flow run CONFIG …`` and the older
``h5flow -o OUT.h5 -c CONFIG …``; they differ in what is the default for requirements that cannot
be loaded. What the words mean for the files at hand is for `h5flow.core` to judge.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from h5flow import __version__
from h5flow.cli.options import SEE_HELP, Parser, make_parser, option_names
from h5flow.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from h5flow.core.request import RunRequest

__all__ = ["Command", "parse", "without_ranks"]

LATER_COMMANDS = ("inspect", "new")


class Command(NamedTuple):
    """What the command line asks for.

    Attributes
    ----------
    request : RunRequest
        The run.
    verbose : int
        0 to 2.
    quiet : bool
        Neither progress nor a summary are shown.
    ranks : int or "auto"
        Processes to start; 1 runs in this one.
    profile : bool
        Where the time of the loops went is shown.
    trace : str or None
        A file for what each rank did when.
    """

    request: RunRequest
    verbose: int = 0
    quiet: bool = False
    ranks: int | Literal["auto"] = 1
    profile: bool = False
    trace: str | None = None


def parse(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> Command:
    """Return what the words of a command line ask for.

    Parameters
    ----------
    words : sequence of str
        All of them but the program's name.
    environ : mapping of str to str
        Environment variables; ``H5FLOW_NOMPI=1`` is read.

    Raises
    ------
    UsageError
        The command line is wrong.
    SystemExit
        The help or the version were asked for, and have been printed.
    """
    in_run = bool(words) and words[0] == "run"
    parser = make_parser(in_run)
    found, unknown = parser.parse_known_intermixed_args(words[1:] if in_run else words)
    _refuse_unknown(unknown, parser)
    configs = _configs(found, in_run)
    from h5flow.core.request import RunRequest  # the help ends before it

    request = RunRequest(
        configs=configs,
        output=found.output,
        input=found.input,
        start=found.start,
        end=found.end,
        drop=tuple(found.drop),
        compression=found.compression,
        on_existing=found.on_existing,
        strict=in_run if found.strict is None else found.strict,
        backend=found.backend,
        comm=_comm(found, environ),
        chunk_size=found.chunk_size,
        input_data=found.input_data,
        stall_timeout=found.stall_timeout,
        allow_external_links=found.allow_external_links,
        resume=found.resume,
        force=found.force,
        checkpoint_every=found.checkpoint_every,
        time_limit=found.time_limit,
        on_error=found.on_error,
    )
    ranks = _number_of_ranks(found, request.comm)
    return Command(
        request,
        verbose=min(found.verbose, 2),
        quiet=found.quiet,
        ranks=ranks,
        profile=found.profile,
        trace=found.trace,
    )


def without_ranks(words: Sequence[str]) -> list[str]:
    """Return the words of a command line for each of the processes that ``--ranks`` starts."""
    kept, skip = [], False
    for word in words:
        if not skip and word != "--ranks" and not word.startswith("--ranks="):
            kept.append(word)
        skip = word == "--ranks" and not skip
    return kept


def _number_of_ranks(found: argparse.Namespace, comm: str) -> int | Literal["auto"]:
    ranks: int | Literal["auto"] = 1 if found.ranks is None else found.ranks
    if ranks != 1 and comm == "serial":
        raise UsageError(
            "--ranks starts several processes that make one output, and --comm serial (or "
            "H5FLOW_NOMPI=1) keeps them apart",
            advice="Leave one of the two out.",
        )
    return ranks


def _comm(found: argparse.Namespace, environ: Mapping[str, str]) -> str:
    if found.nompi:
        return "serial"
    if found.comm is not None:
        return str(found.comm)
    return "serial" if environ.get("H5FLOW_NOMPI", "0") not in ("", "0") else "auto"


def _refuse_unknown(unknown: Sequence[str], parser: Parser) -> None:
    for word in unknown:
        name = word.partition("=")[0]
        known = option_names(parser)
        raise UsageError(f"there is no option '{name}'{did_you_mean(name, known)}", advice=SEE_HELP)


def _configs(found: argparse.Namespace, in_run: bool) -> tuple[str, ...]:
    """Return the workflow files in the order given; they are all named in one way, at least one."""
    if found.positional and not in_run:
        raise _stray(found.positional[0])
    if found.positional and found.configs:
        raise UsageError(
            f"workflow files are given both with -c ({', '.join(found.configs)}) and without "
            f"({', '.join(found.positional)}), so their order is not known",
            advice="Give all of them without -c.",
        )
    configs = found.positional or found.configs
    if configs:
        return tuple(configs)
    eaten = [name for name in found.drop if name.endswith((".yaml", ".yml"))]
    if eaten:
        raise UsageError(
            f"no workflow file is given; '{eaten[0]}' was taken for a dataset to drop",
            advice="Put workflow files before -d.",
        )
    form = "h5flow run CONFIG" if in_run else "h5flow -o OUT.h5 -c CONFIG"
    raise UsageError(f"no workflow file is given: {form}", advice=SEE_HELP)


def _stray(word: str) -> UsageError:
    if word in LATER_COMMANDS:
        return UsageError(f"h5flow {__version__} does not have the command '{word}' yet")
    if word == "doctor":
        return UsageError("'doctor' stands alone: h5flow doctor")
    if word in {"check", "index"}:
        what = "CONFIG" if word == "check" else "FILE"
        return UsageError(f"'{word}' comes first: h5flow {word} {what} ...")
    if word == "run":
        return UsageError("'run' comes first: h5flow run [OPTIONS] CONFIG ...")
    if word.endswith((".yaml", ".yml")):
        return UsageError(
            f"it is not clear what '{word}' is",
            advice=f"To run this workflow file: h5flow run {word}, or -c {word}.",
        )
    return UsageError(
        f"h5flow has no command '{word}'{did_you_mean(word, ['run', 'doctor'])}", advice=SEE_HELP
    )
