"""What a workflow file says, once it is read: frozen records, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from h5flow.errors import Place

__all__ = ["GeneratorSpec", "Layout", "Requirement", "ResourceSpec", "StageSpec", "Workflow"]

Layout = Literal["padded", "jagged", "single", "aligned"]


@dataclass(frozen=True)
class Requirement:
    """What a stage wants to find in its cache.

    `name` is the key in the cache, as it is written; `path` is the chain of datasets from the
    source on, one to four of them, without leading and trailing slashes.
    """

    name: str
    path: tuple[str, ...]
    layout: Layout = "padded"
    index_only: bool = False
    optional: bool = False
    place: Place | None = None


@dataclass(frozen=True)
class StageSpec:
    """A stage's block."""

    name: str
    classname: str
    module: str | None = None
    requires: tuple[Requirement, ...] = ()
    params: Mapping[Any, Any] = field(default_factory=dict)
    backend: str | None = None
    place: Place | None = None


@dataclass(frozen=True)
class GeneratorSpec:
    """A generator's block, or the default loop over a dataset.

    `dset_name` is as it is written: stages know their source by it.
    """

    name: str
    classname: str
    dset_name: str
    module: str | None = None
    requires: tuple[Requirement, ...] = ()
    params: Mapping[Any, Any] = field(default_factory=dict)
    place: Place | None = None


@dataclass(frozen=True)
class ResourceSpec:
    """An item of ``resources``."""

    classname: str
    module: str | None = None
    params: Mapping[Any, Any] = field(default_factory=dict)
    place: Place | None = None


@dataclass(frozen=True)
class Workflow:
    """One workflow file, checked against the schema.

    Attributes
    ----------
    name : str
        The file as the user named it, ``"<dict>"`` for a dict.
    drop : tuple of str
        Datasets, each once, without leading and trailing slashes.
    text : str
        The file as read and the included ones after it; a dict's YAML.
    unused : tuple of Place
        The top-level blocks that nothing refers to; they are not checked.
    """

    name: str
    generator: GeneratorSpec
    stages: tuple[StageSpec, ...] = ()
    resources: tuple[ResourceSpec, ...] = ()
    drop: tuple[str, ...] = ()
    input: str | None = None
    output: str | None = None
    backend: str | None = None
    compression: str | None = None
    text: str = ""
    unused: tuple[Place, ...] = ()
