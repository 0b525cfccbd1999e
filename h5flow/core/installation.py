"""What this installation of h5flow can do: the facts that ``h5flow doctor`` prints."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from h5flow.backends.devices import INSTALL, LIBRARIES, find_devices
from h5flow.comm.choose import find_launcher
from h5flow.comm.cores import physical_cores
from h5flow.comm.library import Ask, Library, ask_child, find_library, find_mpiexec, python_words
from h5flow.errors import H5FlowError, UsageError

__all__ = ["Fact", "Installation", "Section", "survey"]

FILTERS = {"gzip": "FILTER_DEFLATE", "lzf": "FILTER_LZF", "szip": "FILTER_SZIP"}
INSTALL_FILTERS = "pip install 'h5flow[filters]'"
LOCKING = "HDF5_USE_FILE_LOCKING"
NO_MPI = "H5FLOW_NOMPI"


@dataclass(frozen=True)
class Fact:
    """One line: what it is about, what was found, and what would install more of it."""

    name: str
    value: str
    to_install: str | None = None


@dataclass(frozen=True)
class Section:
    """Facts under one title."""

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Installation:
    """What was found.

    Attributes
    ----------
    sections : tuple of Section
    """

    sections: tuple[Section, ...]

    @property
    def missing(self) -> tuple[Fact, ...]:
        """The facts that name something to install."""
        facts = (fact for section in self.sections for fact in section.facts)
        return tuple(fact for fact in facts if fact.to_install is not None)


def survey(ask: Ask = ask_child, environ: Mapping[str, str] | None = None) -> Installation:
    """Look at this installation; nothing is started but small processes with a time limit.

    Parameters
    ----------
    ask : callable
        Runs a command and returns what it prints.
    environ : mapping of str to str, optional
        Environment variables; this process's by default.
    """
    environ = os.environ if environ is None else environ
    with ThreadPoolExecutor() as pool:
        # each of these starts processes, and takes up to seconds
        ranks = pool.submit(lambda: tuple(_ranks(ask)))
        devices = pool.map(lambda name: _device(name, ask), LIBRARIES)
        sections = (
            Section("Python", tuple(_python())),
            Section("HDF5", (*_hdf5(), _filters(), _locking(environ))),
            Section("Ranks (MPI)", (*ranks.result(), *_here(environ))),
            Section("Devices", (Fact("numpy", f"{_version('numpy')}: host"), *devices)),
        )
    return Installation(sections)


def _python() -> Iterator[Fact]:
    from h5flow import __version__

    yield Fact("h5flow", __version__)
    yield Fact("Python", f"{platform.python_version()} ({sys.executable})")
    yield Fact("machine", f"{platform.system()} {platform.machine()}")


def _hdf5() -> Iterator[Fact]:
    import h5py

    yield Fact("h5py", h5py.version.version)
    yield Fact("HDF5", h5py.version.hdf5_version)
    if h5py.get_config().mpi:
        yield Fact("parallel", "yes; ranks write through rank 0 all the same")
    else:
        yield Fact("parallel", "no, and none is needed: ranks write through rank 0")


def _filters() -> Fact:
    import h5py

    known = h5py.h5z
    built_in = [name for name, code in FILTERS.items() if known.filter_avail(getattr(known, code))]
    try:
        plugins = _version("hdf5plugin")
    except ImportError:
        here = f"{' '.join(built_in)}; more with hdf5plugin, which is not installed"
        return Fact("filters", here, INSTALL_FILTERS)
    here = f"{' '.join(built_in)}; those of hdf5plugin {plugins}"
    try:
        return Fact("filters", f"{here}, in threads with imagecodecs {_version('imagecodecs')}")
    except ImportError:
        return Fact("filters", f"{here}, on one core without imagecodecs", INSTALL_FILTERS)


def _locking(environ: Mapping[str, str]) -> Fact:
    value = environ.get(LOCKING)
    return Fact(LOCKING, "not set: files are locked" if value is None else value)


def _ranks(ask: Ask) -> Iterator[Fact]:
    try:
        library = find_library(ask)
    except H5FlowError as error:
        yield Fact("mpi4py", error.message, error.advice)
        return
    yield Fact("mpi4py", library.mpi4py)
    yield Fact("library", library.name)
    yield _mpiexec(library, ask)


def _mpiexec(library: Library, ask: Ask) -> Fact:
    try:
        return Fact("mpiexec", find_mpiexec(library, ask))
    except UsageError as error:
        return Fact("mpiexec", error.message, error.advice)


def _here(environ: Mapping[str, str]) -> Iterator[Fact]:
    cores = physical_cores()
    yield Fact("cores", f"{cores}, which is what --ranks auto starts")
    launcher = find_launcher(environ)
    if launcher is None:
        yield Fact("launcher", "none has started this process")
    else:
        yield Fact("launcher", f"has started {launcher.ranks or 'several'} processes")
    if environ.get(NO_MPI, "0") not in {"", "0"}:
        yield Fact(NO_MPI, "set: runs are serial")


def _device(library: str, ask: Ask) -> Fact:
    found = find_devices(library, lambda program: ask(python_words(program)))
    if found is not None:
        return Fact(library, found)
    return Fact(library, "not installed", INSTALL[library])


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError as error:
        raise ImportError(package) from error
