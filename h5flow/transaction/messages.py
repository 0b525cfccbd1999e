"""Acts as bytes: short, for what is longer than a slot of the communicator takes two rounds."""

from __future__ import annotations

import marshal
import pickle
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from h5flow.transaction.acts import (
    Act,
    Ask,
    Collective,
    Create,
    Delete,
    EndOfHook,
    Extend,
    Failed,
    Flush,
    Linked,
    Outcome,
    Queued,
    Reserve,
    Tag,
)

__all__ = ["decode", "encode"]

# The kinds of acts, and their fields after the tag.
# All ranks run the same Python, so its own format of plain values will do.
FIELDS: dict[type[Any], tuple[str, ...]] = {
    Reserve: ("path", "rows", "ordinal"),
    Extend: ("path", "stop"),
    Create: ("tables", "ordinal"),
    Ask: ("question", "about"),
    Flush: ("paths", "places", "watches"),
    Delete: ("name",),
    Collective: ("name",),
    EndOfHook: ("result", "queued", "notes"),
    Outcome: ("error", "answer"),
    Failed: ("error", "traceback", "status", "of_chunk"),
}
KINDS = tuple(FIELDS)
CODES = {kind: code for code, kind in enumerate(KINDS)}


def _pickled(value: Any) -> bytes | None:
    return None if value is None else pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def _unpickled(data: bytes | None) -> Any:
    return None if data is None else pickle.loads(data)


def _packed(queued: Queued) -> tuple[Any, ...] | None:
    if not queued:
        return None
    links = tuple((link.path, link.regions, link.rows, link.stops) for link in queued.links)
    return queued.writes, links, queued.attributes, queued.digest, queued.elsewhere


def _unpacked(values: tuple[Any, ...] | None) -> Queued:
    if values is None:
        return Queued()
    writes, links, attributes, digest, elsewhere = values
    linked = tuple(Linked(*link) for link in links)
    return Queued(writes, linked, attributes, digest, elsewhere)


# What is not plain by itself: how it is made so, and back.
RICH: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tables": (_pickled, _unpickled),
    "result": (_pickled, _unpickled),
    "answer": (_pickled, _unpickled),
    "queued": (_packed, _unpacked),
}
GETTERS = {kind: attrgetter("tag", FIELDS[kind][0], *FIELDS[kind][1:]) for kind in KINDS}


def encode(act: Act) -> bytes:
    """Return an act as bytes."""
    kind = type(act)
    tag, *values = GETTERS[kind](act)
    for position, name in enumerate(FIELDS[kind]):
        if name in RICH:
            values[position] = RICH[name][0](values[position])
    return marshal.dumps((CODES[kind], tag.iteration, tag.part, tag.hook, *values))


def decode(message: bytes) -> Act:
    """Return the act that `encode` made these bytes of."""
    code, iteration, part, hook, *values = marshal.loads(message)
    kind = KINDS[code]
    for position, name in enumerate(FIELDS[kind]):
        if name in RICH:
            values[position] = RICH[name][1](values[position])
    act: Act = kind(Tag(iteration, part, hook), *values)
    return act
