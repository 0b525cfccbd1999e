"""``!include other.yaml``: the root of another file in the place of a value.

A file is looked up beside the including one, then in the working directory, and never outside
of both: a workflow from elsewhere cannot make h5flow read and show any other file.
"""

from __future__ import annotations

import os
import re

import yaml

from h5flow.config.nodes import Document, children, compose, nearest_file, place_of, read_text
from h5flow.errors import ConfigError, Problem

__all__ = ["INCLUDE", "MAX_INCLUDES", "Includes"]

INCLUDE = "!include"
MAX_INCLUDES = 16
_URL = r"[A-Za-z][A-Za-z0-9+.-]*://|(https?|ftp|file|data):"


class Includes:
    """Puts the included files into one workflow file's tree.

    Attributes
    ----------
    problems : list of Problem
        What could not be included, and why.
    broken : set of yaml.Node
        The nodes that stayed because of that.
    aliased : set of yaml.Node
        The nodes of all files that an alias refers to.
    text : str
        The file as read, with the included ones after it.
    """

    def __init__(self, document: Document) -> None:
        self.problems: list[Problem] = []
        self.broken: set[yaml.Node] = set()
        self.aliased: set[yaml.Node] = set(document.aliased)
        self.text = document.text
        self._main = document
        # None for a file that cannot be included, which is reported once.
        self._roots: dict[str, yaml.Node | None] = {}

    def expand(self) -> yaml.Node:
        """Return the root of the file, all its includes (and theirs) in place."""
        return self._expand(self._main, (os.path.realpath(self._main.file),), "")

    def _expand(self, document: Document, chain: tuple[str, ...], key: str) -> yaml.Node:
        folder = os.path.dirname(chain[-1])
        if len(chain) == 1:
            # A link to a workflow file has the included files beside the link.
            folder = os.path.realpath(os.path.dirname(document.file))
        replaced: dict[yaml.Node, yaml.Node] = {}

        def replace(node: yaml.Node, key: str) -> yaml.Node:
            if node.tag != INCLUDE:
                return node
            if node not in replaced:
                replaced[node] = self._included(node, folder, chain, key)
                if node in self.aliased:
                    self.aliased.add(replaced[node])
            return replaced[node]

        root = replace(document.root, key)
        seen: set[yaml.Node] = set()
        stack = [(root, key)] if root is document.root else []
        while stack:
            node, key = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            below = list(children(node, key))
            values = [replace(child, path) for child, path in below]
            _set_children(node, values)
            # What was included is expanded already.
            own = [pair for pair, value in zip(below, values, strict=True) if pair[0] is value]
            stack.extend(reversed(own))
        return root

    def _included(
        self, node: yaml.Node, folder: str, chain: tuple[str, ...], key: str
    ) -> yaml.Node:
        try:
            path = self._find(node, folder, key)
            if path in chain:
                shown = " -> ".join(_shown(p) for p in (*chain[chain.index(path) :], path))
                raise _error(node, key, f"the files include each other: {shown}")
            if path not in self._roots:
                if len(chain) > MAX_INCLUDES:
                    raise _error(node, key, f"includes are more than {MAX_INCLUDES} deep")
                self._roots[path] = None
                self._roots[path] = self._load(node, path, chain, key)
            root = self._roots[path]
        except ConfigError as error:
            self.problems.extend(error.problems)
            root = None
        if root is None:
            self.broken.add(node)
            return node
        return root

    def _load(self, node: yaml.Node, path: str, chain: tuple[str, ...], key: str) -> yaml.Node:
        file = _shown(path)
        try:
            text = read_text(path, file)
        except ConfigError as error:
            problem = error.problems[0]
            if problem.place is not None and problem.place.line:
                raise
            raise _error(node, key, f"cannot include {file}: {problem.message}") from None
        document = compose(text, file)
        self.aliased |= document.aliased
        self.text += f"\n# included: {file}\n{text}"
        return self._expand(document, (*chain, path), key)

    def _find(self, node: yaml.Node, folder: str, key: str) -> str:
        name = node.value.strip() if isinstance(node, yaml.ScalarNode) else ""
        if not name or not name.isprintable():
            raise _error(node, key, f"{INCLUDE} is followed by the name of one file")
        if re.match(_URL, name, re.IGNORECASE):
            raise _error(node, key, f"'{name}' is a URL; only local files can be included")
        roots = list(dict.fromkeys((folder, os.path.realpath(os.getcwd()))))
        paths = [os.path.realpath(os.path.join(root, name)) for root in roots]
        inside = [path for path in paths if any(_is_inside(path, root) for root in roots)]
        for path in inside:
            if os.path.isfile(path):
                return path
        looked = " and ".join(roots)
        if not inside:
            raise _error(node, key, f"'{name}' cannot be included: it is outside of {looked}")
        nearest = nearest_file(inside[0])
        raise _error(node, key, f"there is no file '{name}' in {looked}{nearest}")


def _set_children(node: yaml.Node, values: list[yaml.Node]) -> None:
    if isinstance(node, yaml.MappingNode):
        node.value = [(pair[0], value) for pair, value in zip(node.value, values, strict=True)]
    elif isinstance(node, yaml.SequenceNode):
        node.value = values


def _error(node: yaml.Node, key: str, message: str) -> ConfigError:
    return ConfigError([Problem(message, place_of(node, key))])


def _is_inside(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder


def _shown(path: str) -> str:
    """Name a file as a user in the working directory would."""
    relative = os.path.relpath(path, os.path.realpath(os.getcwd()))
    return path if relative.startswith(os.pardir) else relative
