"""The schema of a workflow file: which blocks there are, and what each may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h5flow.config.fields import Block, Field, Fields
from h5flow.config.names import class_name, compression, dataset, drop, module
from h5flow.config.requirements import requires
from h5flow.config.workflow import GeneratorSpec, ResourceSpec, StageSpec, Workflow
from h5flow.errors import Place, Problem, did_you_mean

if TYPE_CHECKING:
    from h5flow.config.tree import Node

__all__ = ["DEFAULT_GENERATOR", "read_workflow"]

DEFAULT_GENERATOR = "H5FlowDatasetLoopGenerator"
FLOW_KEYS = ("source", "stages", "drop", "input", "output", "backend", "compression")
RESOURCE_KEYS = ("classname", "path", "params")
GENERATOR_KEYS = ("classname", "path", "dset_name", "requires", "params")
STAGE_KEYS = ("classname", "path", "requires", "params", "backend")
NOT_BLOCKS = ("flow", "resources")


def read_workflow(root: Node, name: str, text: str) -> tuple[Workflow | None, list[Problem]]:
    """Read a workflow out of its tree.

    Parameters
    ----------
    root : Node
        The value of the whole file.
    name : str
        What the workflow is called: its path.
    text : str
        The file as read.

    Returns
    -------
    workflow : Workflow or None
        None if there are problems.
    problems : list of Problem
        Everything that is wrong with it.
    """
    fields = Fields()
    top = fields.block(Field(root, root.place()), "a workflow")
    workflow = _workflow(fields, top, name, text) if top else None
    return (None if fields.problems else workflow), fields.problems


def _workflow(fields: Fields, top: Block, name: str, text: str) -> Workflow | None:
    resources = _resources(fields, top.get("resources"))
    where = top.get("flow")
    if where is None:
        hint = did_you_mean("flow", [str(key) for key in top.given if key != "flow"])
        fields.wrong(top.place, f"the block 'flow' is missing{hint}")
        return None
    flow = fields.block(where, "flow", FLOW_KEYS)
    if flow is None:
        return None
    names = _stage_names(fields, flow, top)
    generator = _generator(fields, flow, top, names)
    stages = tuple(_stage(fields, stage, top.given[stage]) for stage in names)
    workflow = Workflow(
        name=name,
        generator=generator or GeneratorSpec("", "", ""),
        stages=stages,
        resources=resources,
        drop=drop(fields, flow.get("drop")),
        input=fields.text(flow.get("input"), "the path of a file"),
        output=fields.text(flow.get("output"), "the path of a file"),
        backend=fields.text(flow.get("backend"), "the name of a backend"),
        compression=compression(fields, flow.get("compression")),
        text=text,
        unused=_unused(top, {generator.name if generator else "", *names, *NOT_BLOCKS}),
    )
    return workflow if generator else None


def _stage_names(fields: Fields, flow: Block, top: Block) -> list[str]:
    names: list[str] = []
    blocks = _block_names(top)
    for item in fields.items(flow.get("stages"), "names of stages"):
        name = fields.text(item, "the name of a stage")
        if name is None:
            continue
        if name in names:
            fields.wrong(item.place, f"the stage '{name}' is listed twice")
        elif name not in blocks:
            hint = did_you_mean(name, blocks)
            fields.wrong(item.place, f"the stage '{name}' is not defined in this file{hint}")
        else:
            names.append(name)
    return names


def _generator(fields: Fields, flow: Block, top: Block, stages: list[str]) -> GeneratorSpec | None:
    what = "the dataset to loop over, or the name of a generator's block"
    where = fields.required(flow, "source", what)
    name = fields.text(where, what)
    if where is None or name is None:
        return None
    if name in stages:
        fields.wrong(where.place, f"'{name}' is a stage; a source is a dataset or a generator")
        return None
    if name in _block_names(top):
        return _generator_block(fields, name, top.given[name])
    if dataset(fields, where, what) is None:
        return None
    params = {"chunk_size": "auto"}
    return GeneratorSpec(name, DEFAULT_GENERATOR, name, params=params, place=where.place)


def _generator_block(fields: Fields, name: str, where: Field) -> GeneratorSpec | None:
    block = fields.block(where, "a generator", GENERATOR_KEYS)
    if block is None:
        return None
    what = "the dataset that the generator makes or loops over"
    makes = fields.required(block, "dset_name", what)
    dset_name = dataset(fields, makes, what)
    return GeneratorSpec(
        name=name,
        classname=class_name(fields, block),
        # As it is written: stages know their source by this name.
        dset_name=str(makes.node.plain()) if makes and dset_name else "",
        module=module(fields, block),
        requires=requires(fields, block),
        params=fields.mapping(block.get("params")),
        place=where.place,
    )


def _stage(fields: Fields, name: str, where: Field) -> StageSpec:
    block = fields.block(where, "a stage", STAGE_KEYS)
    if block is None:
        return StageSpec(name, "")
    return StageSpec(
        name=name,
        classname=class_name(fields, block),
        module=module(fields, block),
        requires=requires(fields, block),
        params=fields.mapping(block.get("params")),
        backend=fields.text(block.get("backend"), "the name of a backend"),
        place=where.place,
    )


def _resources(fields: Fields, where: Field | None) -> tuple[ResourceSpec, ...]:
    resources: list[ResourceSpec] = []
    for item in fields.items(where, "resources"):
        block = fields.block(item, "a resource", RESOURCE_KEYS)
        if block is None:
            continue
        name = class_name(fields, block)
        if name and any(name == resource.classname for resource in resources):
            # Resources are reached by class name: the second would hide the first.
            fields.wrong(item.place, f"there is a resource '{name}' already")
        params = fields.mapping(block.get("params"))
        resources.append(ResourceSpec(name, module(fields, block), params, place=item.place))
    return tuple(resources)


def _block_names(top: Block) -> list[str]:
    return [key for key in top.given if isinstance(key, str) and key not in NOT_BLOCKS]


def _unused(top: Block, used: set[str]) -> tuple[Place, ...]:
    return tuple(
        where.place
        for key, where in top.given.items()
        if key not in used and not where.node.is_shared()
    )
