"""A workflow file as YAML nodes, which know their places: reading and composing, no meaning."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from typing import NamedTuple

import yaml

from h5flow.errors import ConfigError, Place, Problem, did_you_mean

__all__ = [
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "children",
    "compose",
    "join_key",
    "key_text",
    "nearest_file",
    "place_of",
    "read_text",
    "without_place",
]

MAX_BYTES = 4 << 20
MAX_DEPTH = 100
MAX_NODES = 100_000
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Document(NamedTuple):
    """One file's YAML: its root node, and the nodes that an alias (``*name``) refers to."""

    file: str
    text: str
    root: yaml.Node
    aliased: frozenset[yaml.Node]


def without_place(file: str, message: str) -> ConfigError:
    """Return the error for a file as a whole."""
    return ConfigError([Problem(message, Place(file, 0, 0))])


def place_of(node: yaml.Node, key: str = "") -> Place:
    """Return where a node begins; `key` is the dotted path to it."""
    mark = node.start_mark
    return Place(mark.name, mark.line + 1, mark.column + 1, key)


def read_text(path: str, file: str) -> str:
    """Return the text of the file at `path`, called `file` in messages.

    Raises
    ------
    ConfigError
        The file is missing, a directory, unreadable, an HDF5 file, too large or not UTF-8.
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise without_place(file, f"there is no such file{nearest_file(path)}") from None
    except IsADirectoryError:
        raise without_place(file, "this is a directory, not a workflow file") from None
    except OSError as error:
        raise without_place(file, f"the file cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise without_place(file, f"this cannot be the name of a file: {error}") from None
    if _is_hdf5(content):
        raise without_place(
            file, "this is an HDF5 file, not a workflow file; data are given as input or output"
        )
    if len(content) > MAX_BYTES:
        raise without_place(file, f"a workflow file has at most {MAX_BYTES >> 20} MiB")
    return _decode(content, file)


def compose(text: str, file: str) -> Document:
    """Parse YAML without constructing any object.

    Raises
    ------
    ConfigError
        The text is empty, is not YAML, holds several documents, or is too deep or long.
    """
    try:
        loader = _Loader(text, file)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, text, file)]) from None
    if root is None or root.tag == "tag:yaml.org,2002:null":
        raise ConfigError([Problem("the file is empty", Place(file, 1, 1))])
    return Document(file, text, root, frozenset(loader.aliased))


def join_key(parent: str, key: str) -> str:
    """Return the dotted path of an entry of the mapping at `parent`."""
    return f"{parent}.{key}" if parent else key


def key_text(name: yaml.Node) -> str:
    """Return a mapping's key as it is written."""
    return str(name.value) if isinstance(name, yaml.ScalarNode) else "?"


def children(node: yaml.Node, key: str) -> Iterator[tuple[yaml.Node, str]]:
    """Iterate over the values below a node at `key`, each with its dotted path."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield value, join_key(key, key_text(name))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield item, f"{key}[{index}]"


class _Loader(yaml.SafeLoader):
    """Composes nodes, bounds their depth and number and notes which ones are aliased."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self.name = file
        self.aliased: set[yaml.Node] = set()
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        is_alias = self.check_event(yaml.AliasEvent)
        self._count += 1
        if self._depth >= MAX_DEPTH or self._count > MAX_NODES:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            problem = f"more than {MAX_DEPTH} levels are nested here"
            if self._count > MAX_NODES:
                problem = f"there are more than {MAX_NODES} values"
            raise yaml.composer.ComposerError(None, None, problem, mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias and node is not None:
            self.aliased.add(node)
        return node


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    line, column, reason = 1, 1, str(error)
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        reason = f"the character {chr(int(error.character))!r} is not allowed"
    elif isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            line, column = mark.line + 1, mark.column + 1
        reason = _explanation(error)
    return Problem(f"this is not valid YAML: {reason}", Place(file, line, column))


def _explanation(error: yaml.MarkedYAMLError) -> str:
    reason = error.problem or "it cannot be parsed"
    if error.context:
        begun = f" begun in line {error.context_mark.line + 1}" if error.context_mark else ""
        reason = f"{error.context}{begun}, {reason}"
    if r"'\t'" in reason:
        reason += "; indent with spaces, not with tabs"
    return reason


def _decode(content: bytes, file: str) -> str:
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        start = content.rfind(b"\n", 0, error.start) + 1
        place = Place(file, content.count(b"\n", 0, start) + 1, error.start - start + 1)
        message = f"the file is not UTF-8 text: byte 0x{content[error.start]:02x}"
        raise ConfigError([Problem(message, place)]) from None


def _is_hdf5(content: bytes) -> bool:
    # The signature stands at 0 or, behind a user block, at 512, 1024, 2048 …
    if content.startswith(HDF5_SIGNATURE):
        return True
    offset = 512
    while offset < len(content):
        if content.startswith(HDF5_SIGNATURE, offset):
            return True
        offset *= 2
    return False


def nearest_file(path: str) -> str:
    """Return a hint at the YAML file beside `path` whose name is nearest to it, or nothing."""
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return ""
    return did_you_mean(name, (n for n in names if n.endswith((".yaml", ".yml"))))
