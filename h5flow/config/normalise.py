"""What YAML itself asks of a file: unique keys, merge keys, scalars that can be constructed.

Merge keys are resolved here, not by PyYAML, whose lists of merged keys grow exponentially in a
chain of aliases. The size and the depth that count are those with every alias written out, as
that is what everything after this module walks over.
"""

from __future__ import annotations

from typing import Any

import yaml

from h5flow.config.include import INCLUDE
from h5flow.config.nodes import MAX_DEPTH, MAX_NODES, children, join_key, key_text, place_of
from h5flow.config.tree import is_list, is_mapping
from h5flow.errors import ConfigError, Problem

__all__ = ["Normaliser"]

_MERGE = "tag:yaml.org,2002:merge"
_STRING = "tag:yaml.org,2002:str"
_VALUE = "tag:yaml.org,2002:value"
# What PyYAML's constructors raise for a scalar that does not fit its tag (`!!int ''`, 2001-99-99).
_NOT_CONSTRUCTED = (
    yaml.YAMLError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    TypeError,
)


class Normaliser:
    """Checks a tree of YAML nodes and resolves its merge keys, in place.

    Parameters
    ----------
    broken : set of yaml.Node
        Nodes about which a problem is reported already; the others that are wrong join them.

    Attributes
    ----------
    problems : list of Problem
        What is wrong.
    """

    def __init__(self, broken: set[yaml.Node]) -> None:
        self.broken = broken
        self.problems: list[Problem] = []
        # (nodes, levels) of what is visited, every alias counted as a copy.
        self._extent: dict[yaml.Node, tuple[int, int]] = {}
        self._open: set[yaml.Node] = set()

    def visit(self, node: yaml.Node, key: str = "", depth: int = 1) -> tuple[int, int]:
        """Normalise a node and all below it; return the number of nodes and of levels.

        Raises
        ------
        ConfigError
            An alias refers to a node that it is in, or the tree is too deep or too large.
        """
        if node in self._open:
            raise ConfigError([Problem("this value contains itself", place_of(node, key))])
        if node not in self._extent:
            self._open.add(node)
            self._extent[node] = self._visit(node, key, depth)
            self._open.remove(node)
        size, levels = self._extent[node]
        if depth + levels - 1 > MAX_DEPTH:
            message = f"more than {MAX_DEPTH} levels are nested here"
            raise ConfigError([Problem(message, place_of(node, key))])
        return size, levels

    def _visit(self, node: yaml.Node, key: str, depth: int) -> tuple[int, int]:
        if node in self.broken:
            return 1, 1
        if depth > MAX_DEPTH:
            return 1, MAX_DEPTH
        size, levels = 1, 0
        for child, path in children(node, key):
            child_size, child_levels = self.visit(child, path, depth + 1)
            # A mapping's key is counted with its value.
            size += child_size + isinstance(node, yaml.MappingNode)
            levels = max(levels, child_levels)
            if size > MAX_NODES:
                message = f"with its aliases written out this has more than {MAX_NODES} values"
                raise ConfigError([Problem(message, place_of(node, key))])
        if isinstance(node, yaml.MappingNode):
            self._settle_keys(node, key)
        if not is_mapping(node) and not is_list(node):
            self._construct(node, key)
        return size, levels + 1

    def _settle_keys(self, node: yaml.MappingNode, key: str) -> None:
        """Refuse keys given twice, and put what is merged before the mapping's own entries."""
        own: dict[Any, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[Any, tuple[yaml.Node, yaml.Node]] = {}
        merge_key: yaml.Node | None = None
        for name, value in node.value:
            path = join_key(key, key_text(name))
            if name.tag == _MERGE:
                if merge_key is None:
                    merge_key = name
                    self._merge(value, merged, path)
                else:
                    self._twice(name, merge_key, path, "write <<: [*first, *second]")
                continue
            found, plain = self._key(name, path)
            if found and plain in own:
                self._twice(name, own[plain][0], path)
            elif found:
                own[plain] = (name, value)
        node.value = [pair for plain, pair in merged.items() if plain not in own]
        node.value += own.values()

    def _merge(
        self, value: yaml.Node, merged: dict[Any, tuple[yaml.Node, yaml.Node]], key: str
    ) -> None:
        for source in value.value if is_list(value) else [value]:
            if source in self.broken:
                continue
            if not is_mapping(source):
                self._wrong(source, key, "only a mapping, or a list of mappings, can be merged")
                continue
            for name, entry in source.value:
                found, plain = self._key(name, key)
                if found:
                    # Of several merged mappings the earlier wins.
                    merged.setdefault(plain, (name, entry))

    def _key(self, name: yaml.Node, key: str) -> tuple[bool, Any]:
        if name in self.broken:
            return False, None
        if name.tag == INCLUDE:
            self._wrong(name, key, f"{INCLUDE} cannot be a key; to merge a file: <<: {INCLUDE} …")
            return False, None
        if not isinstance(name, yaml.ScalarNode):
            self._wrong(name, key, "a key is a single value, not a list or a mapping")
            return False, None
        return self._construct(name, key)

    def _construct(self, node: yaml.Node, key: str) -> tuple[bool, Any]:
        if node.tag in (_VALUE, _MERGE):
            # PyYAML gives `=` and `<<` types of their own, which nothing constructs.
            node.tag = _STRING
        if node.tag == _STRING and isinstance(node, yaml.ScalarNode):
            return True, node.value
        try:
            return True, yaml.constructor.SafeConstructor().construct_document(node)
        except _NOT_CONSTRUCTED:
            kind = node.tag.replace("tag:yaml.org,2002:", "!!")
            message = f"this value does not fit its type, {kind}"
            if node.tag not in yaml.SafeLoader.yaml_constructors:
                message = f"the tag {kind} is not known; {INCLUDE} and YAML's own (!!str …) are"
            elif isinstance(node, yaml.ScalarNode):
                message = f"'{node.value}' is not a valid {kind}; if it is text, put it in quotes"
            self._wrong(node, key, message)
            return False, None

    def _twice(self, name: yaml.Node, first: yaml.Node, key: str, advice: str = "") -> None:
        place = place_of(first)
        message = f"the key '{key_text(name)}' is given twice, first in {place.file}:{place.line}"
        self.problems.append(
            Problem(f"{message}; {advice}" if advice else message, place_of(name, key))
        )

    def _wrong(self, node: yaml.Node, key: str, message: str) -> None:
        self.broken.add(node)
        self.problems.append(Problem(message, place_of(node, key)))
