"""The items of ``requires``: a dataset's name, or a mapping that says more."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from h5flow.config.names import dataset
from h5flow.config.workflow import Layout, Requirement
from h5flow.errors import did_you_mean

if TYPE_CHECKING:
    from h5flow.config.fields import Block, Field, Fields

__all__ = ["requires"]

MAX_PATH = 4
KEYS = ("name", "path", "index_only", "optional", "layout")


def requires(fields: Fields, block: Block) -> tuple[Requirement, ...]:
    """Return the requirements of a stage or generator, in their order."""
    requirements: dict[str, Requirement] = {}
    for item in fields.items(block.get("requires"), "datasets, or of {name: …, path: …}"):
        requirement = _requirement(fields, item)
        if requirement is None:
            continue
        name = requirement.name.strip("/")
        if name in requirements:
            fields.wrong(item.place, f"'{requirement.name}' is required twice here")
        requirements[name] = requirement
    return tuple(requirements.values())


def _requirement(fields: Fields, item: Field) -> Requirement | None:
    if item.node.kind != "mapping":
        name = fields.text(item, "a dataset, or {name: …, path: …}")
        only = dataset(fields, item, "a dataset") if name else None
        return Requirement(name, (only,), place=item.place) if name and only else None
    block = fields.block(item, "a requirement", KEYS)
    if block is None:
        return None
    where = fields.required(block, "name", "what the cache holds it under")
    name = fields.text(where, "the name of an entry of the cache")
    path = _path(fields, block.get("path") or (where if name else None))
    layout = _layout(fields, block.get("layout"))
    index_only = fields.flag(block.get("index_only"))
    optional = fields.flag(block.get("optional"))
    if name is None or path is None:
        return None
    return Requirement(name, path, layout, index_only, optional, item.place)


def _path(fields: Fields, where: Field | None) -> tuple[str, ...] | None:
    if where is None:
        return None
    items = [where]
    if where.node.kind == "list":
        items = list(fields.items(where, "datasets"))
        if not 1 <= len(items) <= MAX_PATH:
            message = f"a path is 1 to {MAX_PATH} datasets long, not {len(items)}"
            fields.wrong(where.place, message)
            return None
    names = [dataset(fields, item, "a dataset, or a list of datasets") for item in items]
    path = tuple(name for name in names if name)
    return path if len(path) == len(items) else None


def _layout(fields: Fields, where: Field | None) -> Layout:
    layouts: tuple[Layout, ...] = get_args(Layout)
    name = fields.text(where, f"one of {', '.join(layouts)}")
    for layout in layouts:
        if name == layout:
            return layout
    if where is not None and name is not None:
        hint = did_you_mean(name, layouts) or f"; there are {', '.join(layouts)}"
        fields.wrong(where.place, f"there is no layout '{name}'{hint}")
    return "padded"
