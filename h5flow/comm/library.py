"""The MPI library that mpi4py uses, and the ``mpiexec`` that belongs to it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from h5flow.errors import UsageError

__all__ = ["Ask", "Library", "ask_child", "find_library", "find_mpiexec", "python_words"]

Ask: TypeAlias = Callable[[Sequence[str]], str]
"""Runs a command and returns what it prints; raises `OSError` where it fails."""

ANSWER_SECONDS = 20.0
NAMES = ("mpiexec", "mpirun")
# What libraries and launchers call themselves; within a family they speak one protocol.
FAMILIES = {
    "MPICH": re.compile(r"mpich|hydra|intel\(r\) mpi|mvapich", re.IGNORECASE),
    "Open MPI": re.compile(r"open ?mpi|prrte|openrte|spectrum mpi", re.IGNORECASE),
}
# MPI is loaded and not started: that would take the part of a rank of whatever started h5flow.
PROGRAM = """
import mpi4py
mpi4py.rc.initialize = False
from mpi4py import MPI
print(mpi4py.__version__)
print(MPI.Get_library_version())
"""
INSTALL = (
    "Install MPI (pip install 'h5flow[mpi]'), or load this site's MPI module and install mpi4py "
    "built with it."
)


@dataclass(frozen=True)
class Library:
    """The MPI library that mpi4py loads.

    Attributes
    ----------
    mpi4py : str
        The version of mpi4py.
    name : str
        What the library calls itself, with its version.
    family : str or None
        ``"MPICH"`` or ``"Open MPI"``, also for what is derived from them; None for others.
    """

    mpi4py: str
    name: str
    family: str | None


def ask_child(words: Sequence[str]) -> str:
    """Run a command, and return what it prints.

    Raises
    ------
    OSError
        It cannot be run, fails (`ChildProcessError`, with the last line that it has printed on
        stderr), or has not ended after 20 s.
    """
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            timeout=ANSWER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ChildProcessError(f"no answer in {ANSWER_SECONDS:g} s") from None
    if done.returncode:
        lines = done.stderr.split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
        # a negative status is the signal that has ended it, as a crash does
        ended = f"exit status {done.returncode}: " if done.returncode != 1 else ""
        raise ChildProcessError(f"{ended}{last}")
    return done.stdout


def python_words(program: str) -> list[str]:
    """Return the command that runs a program's text in an interpreter like this one."""
    # a file torch.py in the working directory is not the package
    paths = "import sys; sys.path[:] = filter(None, sys.path)\n"
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, "-c", paths + program]


def find_library(ask: Ask = ask_child) -> Library:
    """Return the MPI library that mpi4py uses; MPI is not started.

    Raises
    ------
    UsageError
        mpi4py is not installed, or finds no MPI library.
    """
    try:
        mpi4py, *lines = ask(python_words(PROGRAM)).strip().splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"MPI cannot be used: {error}", advice=INSTALL) from error
    name = _name("\n".join(lines))
    return Library(mpi4py, name, _family(name))


def find_mpiexec(library: Library, ask: Ask = ask_child, path: str | None = None) -> str:
    """Return the ``mpiexec`` that belongs to an MPI library.

    The one beside this interpreter, where the wheels of MPI put it; else the first one of the
    same family in the command path.

    Parameters
    ----------
    library : Library
    ask : callable
    path : str, optional
        Folders to look in after this interpreter's own; ``PATH`` by default.

    Raises
    ------
    UsageError
        There is none, or only some that belong to other libraries.
    """
    others = {}
    for candidate in _candidates(os.environ.get("PATH", "") if path is None else path):
        try:
            version = ask([candidate, "--version"])
        except OSError as error:
            version = f"{error}"
        if library.family is not None and _family(version) == library.family:
            return candidate
        others[candidate] = _family(version) or _name(version)
    if not others:
        raise UsageError(
            f"mpi4py uses {library.name}, and there is no mpiexec to start ranks with",
            advice=INSTALL,
        )
    found = "; ".join(f"{candidate}: {kind}" for candidate, kind in others.items())
    raise UsageError(
        f"mpi4py uses {library.name}, and there is no mpiexec that belongs to it ({found})",
        advice="Install the one or the other anew (pip install 'h5flow[mpi]' brings both), or "
        "start with this site's launcher: srun -n N h5flow run ...",
    )


def _candidates(path: str) -> Iterator[str]:
    """Yield launchers, each once."""
    seen = set()
    scripts = sysconfig.get_path("scripts"), os.path.join(sys.prefix, "bin")
    for folder in (os.path.dirname(sys.executable), *scripts, *path.split(os.pathsep)):
        for name in NAMES:
            # an empty entry of a command path is the working directory, which nobody means
            found = shutil.which(name, path=folder) if folder else None
            if found is not None and (real := Path(found).resolve()) not in seen:
                seen.add(real)
                yield found


def _family(text: str) -> str | None:
    return next((name for name, known in FAMILIES.items() if known.search(text)), None)


def _name(text: str) -> str:
    """Return what a library or launcher says first of itself: ``"MPICH 4.2"``."""
    lines = [line for line in text.replace("\0", "").splitlines() if line.strip()]
    name = lines[0].partition(",")[0] if lines else "nothing"
    return " ".join(re.sub(r"\bversion\b\s*:?", " ", name, flags=re.IGNORECASE).split())
