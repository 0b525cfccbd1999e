"""What the schema reads: values with places, from a YAML file or from a Python dict alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Literal, NamedTuple, Protocol

import yaml

from h5flow.config.nodes import children, place_of
from h5flow.errors import Place

__all__ = ["DICT", "Findings", "Kind", "Node", "ValueNode", "YamlNode", "is_list", "is_mapping"]

DICT = "<dict>"
Kind = Literal["mapping", "list", "scalar", "broken"]


class Node(Protocol):
    """A value in a workflow; `kind` "broken" is one about which a problem is reported already."""

    @property
    def kind(self) -> Kind:
        """What can be asked of the node."""

    def place(self, key: str = "") -> Place:
        """Return where the value begins; `key` is the dotted path to it."""

    def entries(self) -> Iterator[tuple[Node, Node]]:
        """Iterate over the keys and values of a mapping."""

    def items(self) -> Iterator[Node]:
        """Iterate over the items of a list."""

    def plain(self) -> Any:
        """Return the value as Python objects, made anew at each call."""

    def is_shared(self) -> bool:
        """Whether an alias refers to the value, or to a value right in it."""


def is_mapping(node: yaml.Node) -> bool:
    """Whether a YAML node is an ordinary mapping (not a set or an ordered one)."""
    return isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map"


def is_list(node: yaml.Node) -> bool:
    """Whether a YAML node is an ordinary list."""
    return isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq"


class Findings(NamedTuple):
    """What is known of the nodes of a file: those that are wrong, those that aliases refer to."""

    broken: AbstractSet[yaml.Node]
    aliased: AbstractSet[yaml.Node]


class YamlNode(NamedTuple):
    """A node of a YAML file whose includes and merge keys are resolved."""

    node: yaml.Node
    findings: Findings

    @property
    def kind(self) -> Kind:
        """What can be asked of the node."""
        if self.node in self.findings.broken:
            return "broken"
        if is_mapping(self.node):
            return "mapping"
        return "list" if is_list(self.node) else "scalar"

    def place(self, key: str = "") -> Place:
        """Return where the value begins."""
        return place_of(self.node, key)

    def entries(self) -> Iterator[tuple[Node, Node]]:
        """Iterate over the keys and values of a mapping."""
        for key, value in self.node.value:
            yield YamlNode(key, self.findings), YamlNode(value, self.findings)

    def items(self) -> Iterator[Node]:
        """Iterate over the items of a list."""
        for item in self.node.value:
            yield YamlNode(item, self.findings)

    def plain(self) -> Any:
        """Return the value as Python objects, made anew at each call.

        A file with broken nodes is refused as a whole, so its collections are not made.
        """
        if self.findings.broken and self.kind in ("mapping", "list"):
            return {} if self.kind == "mapping" else []
        return yaml.constructor.SafeConstructor().construct_document(self.node)

    def is_shared(self) -> bool:
        """Whether an alias refers to the value, or to a value that is written right in it."""
        start, end = self.node.start_mark, self.node.end_mark
        if self.node in self.findings.aliased:
            return True
        below = [child for child, _ in children(self.node, "")]
        return any(
            child in self.findings.aliased
            and child.start_mark.name == start.name
            and start.index <= child.start_mark.index < end.index
            for child in below
        )


class ValueNode(NamedTuple):
    """A value in a dict that was given in place of a file: it has a key, but no line."""

    value: object

    @property
    def kind(self) -> Kind:
        """What can be asked of the node."""
        if isinstance(self.value, Mapping):
            return "mapping"
        return "list" if isinstance(self.value, (list, tuple)) else "scalar"

    def place(self, key: str = "") -> Place:
        """Return the key, in no file and no line."""
        return Place(DICT, 0, 0, key)

    def entries(self) -> Iterator[tuple[Node, Node]]:
        """Iterate over the keys and values of a mapping."""
        if isinstance(self.value, Mapping):
            for key, value in self.value.items():
                yield ValueNode(key), ValueNode(value)

    def items(self) -> Iterator[Node]:
        """Iterate over the items of a list."""
        if isinstance(self.value, (list, tuple)):
            for item in self.value:
                yield ValueNode(item)

    def plain(self) -> Any:
        """Return the value with its dicts and lists copied; what they hold stays itself."""
        if isinstance(self.value, Mapping):
            return {key: ValueNode(value).plain() for key, value in self.value.items()}
        if isinstance(self.value, list):
            return [ValueNode(item).plain() for item in self.value]
        return self.value

    def is_shared(self) -> bool:
        """Whether an alias refers to the value: a dict has none."""
        return False
