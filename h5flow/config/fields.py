"""Taking typed values out of a tree of nodes, noting every problem instead of stopping at one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from h5flow.config.nodes import join_key
from h5flow.errors import Place, Problem, did_you_mean

if TYPE_CHECKING:
    from h5flow.config.tree import Node

__all__ = ["Block", "Field", "Fields"]


class Field(NamedTuple):
    """A value with the place that is to blame for it; `place.key` is the dotted path."""

    node: Node
    place: Place


@dataclass(frozen=True)
class Block:
    """A mapping's values by key.

    `misspelt` are the keys that an unknown key of the block seems to mean.
    """

    place: Place
    given: dict[Any, Field] = field(default_factory=dict)
    misspelt: frozenset[str] = frozenset()

    def get(self, key: str) -> Field | None:
        """Return a value, None where there is none or it is null."""
        found = self.given.get(key)
        if found is None or (found.node.kind == "scalar" and found.node.plain() is None):
            return None
        return found


class Fields:
    """Reads fields and collects what is wrong with them.

    Every method that finds something wrong notes it in `problems` and returns None or what is
    left; a field that is None reads as "not given", without a problem.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, place: Place, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(message, place))

    def block(self, where: Field, what: str, keys: Sequence[str] | None = None) -> Block | None:
        """Return the mapping at `where`; with `keys`, no other keys are allowed in it."""
        if where.node.kind == "broken":
            return None
        if where.node.kind != "mapping":
            self.wrong(where.place, f"{what} must be a mapping, not {describe(where.node)}")
            return None
        given: dict[Any, Field] = {}
        misspelt: set[str] = set()
        for key_node, node in where.node.entries():
            key = key_node.plain()
            dotted = join_key(where.place.key, str(key))
            if keys is not None and key not in keys:
                hint = did_you_mean(str(key), keys)
                misspelt.update(known for known in keys if f"'{known}'" in hint)
                hint = hint or f"; its keys are {', '.join(keys)}"
                self.wrong(key_node.place(dotted), f"this is not a key of {what}{hint}")
            else:
                given[key] = Field(node, _blame(key_node, node, dotted))
        return Block(where.place, given, frozenset(misspelt))

    def items(self, where: Field | None, what: str) -> Iterator[Field]:
        """Iterate over the items of a list; `what` says what it is a list of."""
        if where is None or where.node.kind == "broken":
            return
        if where.node.kind != "list":
            given = describe(where.node)
            hint = ""
            if where.node.kind == "scalar":
                hint = f"; write [{where.node.plain()}]"
            self.wrong(where.place, f"this must be a list of {what}, not {given}{hint}")
            return
        for index, node in enumerate(where.node.items()):
            yield Field(node, node.place(f"{where.place.key}[{index}]"))

    def required(self, block: Block, key: str, what: str) -> Field | None:
        """Return a field that must be there."""
        found = block.get(key)
        if found is None and key not in block.misspelt:
            self.wrong(block.place, f"'{key}' is missing: {what}")
        return found

    def text(self, where: Field | None, what: str) -> str | None:
        """Return a string that is not empty."""
        if where is None or where.node.kind == "broken":
            return None
        value = where.node.plain() if where.node.kind == "scalar" else None
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str) and value.strip():
            return value
        hint = ""
        if where.node.kind == "scalar" and value is not None and not isinstance(value, str):
            hint = "; if it is meant as text, put it in quotes"
        self.wrong(where.place, f"this must be {what}, not {describe(where.node)}{hint}")
        return None

    def flag(self, where: Field | None) -> bool:
        """Return a boolean, False where there is none."""
        if where is None or where.node.kind == "broken":
            return False
        value = where.node.plain() if where.node.kind == "scalar" else None
        if isinstance(value, bool):
            return value
        self.wrong(where.place, f"this must be true or false, not {describe(where.node)}")
        return False

    def mapping(self, where: Field | None) -> dict[Any, Any]:
        """Return a mapping with any keys as plain values, an empty one where there is none."""
        if where is None or where.node.kind == "broken":
            return {}
        if where.node.kind == "mapping":
            return dict(where.node.plain())
        self.wrong(
            where.place, f"this must be a mapping of names to values, not {describe(where.node)}"
        )
        return {}


def describe(node: Node) -> str:
    """Return what a value is, for "… is a list, not …"."""
    if node.kind == "mapping":
        return "a mapping"
    if node.kind == "list":
        return "a list"
    value = node.plain()
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        shown = value if len(value) <= 40 else f"{value[:40]}…"
        return f"'{shown}'" if value.strip() else "an empty string"
    return f"{str(value)[:40]} (of type {type(value).__name__})"


def _blame(key: Node, value: Node, dotted: str) -> Place:
    # A block is best shown by the line of its key, where it is written there and not included.
    key_place, value_place = key.place(dotted), value.place(dotted)
    is_block = value.kind in ("mapping", "list")
    return key_place if is_block and key_place.file == value_place.file else value_place
