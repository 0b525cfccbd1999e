"""The single values of a workflow: names of datasets, classes, modules and filters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from h5flow.config.fields import Block, Field, Fields

__all__ = ["class_name", "compression", "dataset", "drop", "module"]

GZIP_LEVELS = range(10)


def dataset(fields: Fields, where: Field | None, what: str) -> str | None:
    """Return the name of a dataset without leading and trailing slashes.

    Words that the file format reserves are refused by the format itself, later.
    """
    text = fields.text(where, what)
    if where is None or text is None:
        return None
    name = text.strip("/")
    parts = name.split("/")
    if not name or not text.isprintable() or {".", ".."}.intersection(parts):
        fields.wrong(where.place, f"{text!r} cannot be the name of a dataset")
        return None
    return name


def class_name(fields: Fields, block: Block) -> str:
    """Return the `classname` of a block, an empty string where it is missing or wrong."""
    where = fields.required(block, "classname", "the name of the Python class")
    name = fields.text(where, "the name of a Python class")
    if where is None or name is None:
        return ""
    if not name.isidentifier():
        hint = "; its module is given as path" if "." in name else ""
        fields.wrong(where.place, f"'{name}' cannot be the name of a Python class{hint}")
        return ""
    return name


def module(fields: Fields, block: Block) -> str | None:
    """Return the dotted module that a block's `path` names, None where there is none."""
    where = block.get("path")
    name = fields.text(where, "a dotted module, such as my_package.my_module")
    if where is None or name is None:
        return None
    if name.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
        dotted = re.sub(r"\.py$", "", name).strip("./").replace("/", ".")
        is_dotted = all(part.isidentifier() for part in dotted.split("."))
        hint = f" (did you mean '{dotted}'?)" if is_dotted else ""
        fields.wrong(where.place, f"'{name}' is not a dotted module{hint}")
        return None
    return name


def drop(fields: Fields, where: Field | None) -> tuple[str, ...]:
    """Return the datasets to drop, each once; one name stands for a list of one."""
    if where is None:
        return ()
    items = [where] if where.node.kind == "scalar" else list(fields.items(where, "datasets"))
    names = [dataset(fields, item, "the name of a dataset") for item in items]
    return tuple(dict.fromkeys(name for name in names if name))


def compression(fields: Fields, where: Field | None) -> str | None:
    """Return ``NAME`` or ``NAME:LEVEL``; whether a filter is installed is for others to say."""
    text = fields.text(where, "NAME or NAME:LEVEL, such as gzip:4")
    if where is None or text is None:
        return None
    name, colon, level = text.partition(":")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        fields.wrong(where.place, f"'{text}' is not NAME or NAME:LEVEL, such as gzip:4")
    elif colon and not re.fullmatch(r"-?[0-9]{1,9}", level):
        fields.wrong(where.place, f"the level of '{text}' is not a whole number")
    elif colon and name == "lzf":
        fields.wrong(where.place, "lzf has no levels; write lzf")
    elif colon and name == "gzip" and int(level) not in GZIP_LEVELS:
        fields.wrong(where.place, f"the level of gzip is 0 to 9, not {level}")
    return text
