"""In which file a class is defined: found by reading and parsing files, never by importing them.

Four ranks are searched in turn, and the first one that defines the class ends the search: the
Python files directly in the working directory; those in and below ``h5flow_modules/``; those below
its other sub-folders; and those of ``h5flow.modules``.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5flow.modules

__all__ = [
    "SKIPPED_FOLDERS",
    "Definition",
    "SearchResult",
    "Unparsable",
    "class_names",
    "module_names",
    "parse",
    "search",
]

MODULES_FOLDER = "h5flow_modules"
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
NAME_ENDS = rb"(?![0-9A-Za-z_])"
READ_BYTES = 2**20
ENVIRONMENT_MARKS = frozenset({"pyvenv.cfg", "conda-meta"})
CLASS_STATEMENT = re.compile(rb"^class[ \t]+([^\s(:]+)", re.MULTILINE)


@dataclass(frozen=True)
class Definition:
    """A ``class`` statement at the top level of a file."""

    file: Path
    line: int


@dataclass(frozen=True)
class Unparsable:
    """A file that holds the words ``class NAME`` and is not valid Python.

    `at_line_start` tells a likely definition from words in a comment or string.
    """

    file: Path
    line: int
    message: str
    text: str
    at_line_start: bool


@dataclass(frozen=True)
class SearchResult:
    """Definitions, all of one rank, and the broken files of that rank and those before it."""

    definitions: tuple[Definition, ...] = ()
    unparsable: tuple[Unparsable, ...] = ()


@dataclass
class FolderWalk:
    """Walks folders so that each is entered once, symbolic links after all real folders."""

    entered: set[tuple[int, int]] = field(default_factory=set)

    def files(self, folders: Iterable[Path]) -> Iterator[Path]:
        """Yield the Python files in and below `folders`."""
        pending, links = list(folders)[::-1], list[Path]()
        while pending or links:
            folder = pending.pop() if pending else links.pop(0)
            entries = self.enter(folder)
            if any(entry.name in ENVIRONMENT_MARKS for entry in entries):
                continue
            yield from _python_files(entries)
            below = [entry for entry in entries if _is_searched_folder(entry)]
            pending += [Path(entry.path) for entry in reversed(below) if not entry.is_symlink()]
            links += [Path(entry.path) for entry in below if entry.is_symlink()]

    def enter(self, folder: Path) -> list[os.DirEntry[str]]:
        """List a folder, in order of names; empty where it was listed before or cannot be."""
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in self.entered:
                return []
            self.entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return []


def search(classname: str, directory: Path) -> SearchResult:
    """Return where `classname` is defined, seen from the working directory `directory`."""
    unparsable: list[Unparsable] = []
    for files in _ranks(directory):
        definitions: dict[str, Definition] = {}
        for file in files:
            found = _look_into(file, classname)
            if isinstance(found, Unparsable):
                unparsable.append(found)
            elif found is not None:
                definitions.setdefault(os.path.realpath(file), found)
        if definitions:
            return SearchResult(tuple(definitions.values()), tuple(unparsable))
    return SearchResult((), tuple(unparsable))


def class_names(directory: Path) -> frozenset[str]:
    """Return the names of all classes in the files that `search` looks at, found by their text."""
    return frozenset(
        name.decode("utf-8", "replace")
        for files in _ranks(directory)
        for file in files
        for name in CLASS_STATEMENT.findall(_read(file))
    )


def module_names(directory: Path) -> frozenset[str]:
    """Return the dotted names of all files below `directory` that `search` looks at."""
    return frozenset(
        ".".join(file.relative_to(directory).with_suffix("").parts).removesuffix(".__init__")
        for files in _ranks(directory)
        for file in files
        if file.is_relative_to(directory)
    )


def parse(source: bytes | str, file: str = "<source>") -> ast.Module:
    """Parse Python source without a word about questionable escapes in it.

    Raises
    ------
    SyntaxError
        The source is not valid Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source, file)
        except (ValueError, RecursionError, MemoryError) as error:  # null bytes, absurd nesting
            raise SyntaxError(str(error) or type(error).__name__, (file, 1, 0, "")) from error


def _ranks(directory: Path) -> Iterator[Iterator[Path]]:
    """Yield the files of each rank; a rank is read only if those before it were in vain."""
    walk = FolderWalk()
    entries = walk.enter(directory)
    yield _python_files(entries)
    yield walk.files([directory / MODULES_FOLDER])
    below = [Path(entry.path) for entry in entries if _is_searched_folder(entry)]
    others = [path for path in below if path.name != MODULES_FOLDER and not _is_h5flow(path)]
    yield walk.files(sorted(others, key=Path.is_symlink))
    yield FolderWalk().files(Path(folder) for folder in h5flow.modules.__path__)


def _look_into(file: Path, classname: str) -> Definition | Unparsable | None:
    source = _read(file)
    words = b"class " + classname.encode()
    # Parsing takes a hundred times as long as this: not for `class Hits` in search of `Hit`.
    if words not in source or not re.search(re.escape(words) + NAME_ENDS, source):
        return None
    try:
        tree = parse(source, str(file))
    except SyntaxError as error:
        return Unparsable(
            file,
            error.lineno or 1,
            error.msg,
            (error.text or "").strip(),
            at_line_start=classname.encode() in CLASS_STATEMENT.findall(source),
        )
    for node in _top_level(tree.body):
        if isinstance(node, ast.ClassDef) and node.name == classname:
            return Definition(file, node.lineno)
    return None


def _top_level(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the statements that make a module's names, also those under ``if`` and ``try``."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            for name in ("body", "handlers", "orelse", "finalbody"):
                yield from _top_level(getattr(node, name, ()))


def _python_files(entries: Iterable[os.DirEntry[str]]) -> Iterator[Path]:
    for entry in entries:
        # is_file: reading from a pipe would wait for ever
        if entry.name.endswith(".py") and not entry.name.startswith(".") and entry.is_file():
            yield Path(entry.path)


def _is_searched_folder(entry: os.DirEntry[str]) -> bool:
    return entry.name not in SKIPPED_FOLDERS and not entry.name.startswith(".") and entry.is_dir()


def _is_h5flow(folder: Path) -> bool:
    """Tell a checkout of this package, whose classes are those of the installed one."""
    return folder.name == "h5flow" and (folder / "core" / "class_search.py").is_file()


def _read(file: Path) -> bytes:
    # Without Python's file object, which takes longer than the reading.
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(descriptor, READ_BYTES):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
