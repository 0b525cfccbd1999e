"""Workflow files, and mutated copies of them; the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["SHARED", "TEXTS", "mutated"]

SHARED = "classname: Sums\nrequires: [hits]\n"
PLAIN = """\
flow:
  source: events
  stages: [sums, look]
sums:
  classname: Sums
  path: h5flow_modules.sums
  requires:
    - hits
    - {name: calib, path: calib, layout: aligned}
    - {name: rows, path: hits, index_only: true}
    - {name: tracks, path: [hits, tracks], layout: jagged}
look:
  classname: H5FlowTestStage
  requires: [hits]
"""
LOOP = """\
flow: {source: loop, stages: [look, sums], drop: [sums], compression: "gzip:2", backend: numpy}
loop:
  classname: H5FlowDatasetLoopGenerator
  dset_name: events
  params: {chunk_size: 16}
look: {classname: H5FlowTestStage, params: {x: 1.5, 0x10: [1, null], y: {z: yes}}}
sums: &sums
  classname: Sums
  requires: [{name: hits, optional: true}]
"""
ALIASES = """\
common: &common {classname: Sums, requires: &needs [hits]}
flow: {source: events, stages: [first], drop: sums}
first:
  <<: *common
  requires: *needs
"""
INCLUDED = """\
flow: {source: events, stages: [sums]}
sums: !include shared.yaml
"""
TEXTS = (PLAIN, LOOP, ALIASES, INCLUDED)

VALUES = (
    *("", "null", "[]", "{}", "0", "-1", "1e400", ".nan", "true", "2001-01-01", "6:30", "1_000"),
    *("0x" + "f" * 40, "9" * 5000, "'", '"', "{", "[", "]", ":", "- ", "? ", "|", ">-", "=", "~"),
    *("!!python/object:os.system x", "!!set {a}", "!!binary aGk=", "!!str", "! x", "%TAG ! x"),
    *("!include shared.yaml", "!include ../../x", "*needs", "&a [*a]", "<<", "--- {}", "..."),
    *("é\u2028", "\U0001f600", "\x00", "\x07", "a/b", "/", "events/data", "[hits, hits]"),
    *("H5FlowStage", "h5flow", "os", "Sums", "hits", "numpy", "torch:x", "auto", "shared.yaml"),
)
WORDS = (
    *("sums", "hits", "events", "flow", "classname"),
    *("requires", "layout", "path", "name", "Sums"),
)
Mutation = Callable[[random.Random, bytes], bytes]


def flip(draw: random.Random, text: bytes) -> bytes:
    data = bytearray(text)
    for _ in range(draw.choice([1, 1, 2, 5])):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def lines(change: Callable[[random.Random, list[bytes], int], None]) -> Mutation:
    def mutate(draw: random.Random, text: bytes) -> bytes:
        parts = text.split(b"\n")
        change(draw, parts, draw.randrange(len(parts)))
        return b"\n".join(parts)

    return mutate


def delete(_draw: random.Random, parts: list[bytes], place: int) -> None:
    del parts[place]


def double(draw: random.Random, parts: list[bytes], place: int) -> None:
    parts.insert(draw.randrange(len(parts) + 1), parts[place])


def indent(draw: random.Random, parts: list[bytes], place: int) -> None:
    parts[place] = draw.choice([b" ", b"\t", b"    ", b"- "]) + parts[place]


def give_value(draw: random.Random, parts: list[bytes], place: int) -> None:
    key = parts[place].partition(b":")[0]
    parts[place] = key + b": " + draw.choice(VALUES).encode("utf-8", "replace")


def swap_words(draw: random.Random, text: bytes) -> bytes:
    one, other = draw.sample(WORDS, 2)
    return text.replace(one.encode(), other.encode(), draw.choice([1, -1]))


def insert(draw: random.Random, text: bytes) -> bytes:
    place = draw.randrange(len(text) + 1)
    return text[:place] + draw.choice(VALUES).encode("utf-8", "replace") + text[place:]


def nest(draw: random.Random, text: bytes) -> bytes:
    depth = draw.choice([10, 200, 3000])
    opening, closing = draw.choice([(b"[", b"]"), (b"{a: ", b"}"), (b"- ", b""), (b"? ", b"")])
    return text + b"deep: " + opening * depth + b"1" + closing * depth + b"\n"


def bomb(draw: random.Random, text: bytes) -> bytes:
    """A billion laughs: each list holds the one before ten times."""
    count = draw.choice([3, 12, 30])
    levels = [b"l0: &l0 [ha]"] + [
        b"l%d: &l%d [%s]" % (level, level, b", ".join([b"*l%d" % (level - 1)] * 10))
        for level in range(1, count)
    ]
    used = b"*l%d" % (count - 1)
    where = draw.choice([b"params: ", b"requires: ", b"stages: "])
    if b"classname: Sums\n" in text and draw.random() < 0.7:
        text = text.replace(b"classname: Sums\n", b"classname: Sums\n  " + where + used + b"\n", 1)
    return b"\n".join(levels) + b"\n" + text


def cut(draw: random.Random, text: bytes) -> bytes:
    return text[: draw.randrange(len(text))]


def encode(draw: random.Random, text: bytes) -> bytes:
    decoded = text.decode("utf-8", "replace")
    return decoded.encode(draw.choice(["utf-16", "utf-8-sig", "utf-32", "utf-16-le"]))


MUTATIONS: tuple[Mutation, ...] = (
    *(flip, swap_words, insert, nest, bomb, cut, encode),
    *(lines(change) for change in (delete, double, indent, give_value, give_value)),
)
RARE = {nest, bomb, encode}


def mutated(seed: int) -> bytes:
    """Return a workflow file with one to four mutations."""
    draw = random.Random(seed)
    text = draw.choice(TEXTS).encode()
    for _ in range(draw.choice([1, 1, 2, 4])):
        mutate = draw.choice(MUTATIONS)
        if mutate not in RARE or draw.random() < 0.4:
            text = mutate(draw, text) if text else text
    return text
