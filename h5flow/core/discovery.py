"""From the name of a class in a workflow file to the class.

The module that ``path:`` names comes first, then what h5flow ships, then what installed packages
offer by entry point, then the search through files.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from h5flow.core.class_request import ClassKind, ClassRequest, error_in_words
from h5flow.errors import H5FlowWarning, Place, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from h5flow.core.class_search import Definition, Unparsable

__all__ = ["ClassKind", "find_class"]

# What h5flow ships, by kind and name: asking installed packages takes as long as a small run.
OURS = {
    ("generator", "H5FlowDatasetLoopGenerator"): "h5flow.modules.dataset_loop",
    ("stage", "H5FlowTestStage"): "h5flow.modules.test_stage",
}


def find_class(
    classname: str,
    kind: ClassKind,
    *,
    module: str | None = None,
    place: Place | None = None,
    directory: Path | None = None,
) -> type:
    """Return the class that a workflow names, importing no more than the module that defines it.

    Parameters
    ----------
    classname : str
        The name that its ``class`` statement gives it.
    kind : ClassKind
        What it must be.
    module : str, optional
        The dotted module of ``path:``, in the working directory or installed; nothing else is
        searched then.
    place : Place, optional
        The line that names it, for errors.
    directory : Path, optional
        Where to search; the working directory if not given.

    Raises
    ------
    DiscoveryError
        It is not found, is found twice, cannot be imported, or is not of this kind.
    """
    where = Path(os.path.abspath(directory or Path.cwd()))
    request = ClassRequest(classname, kind, where, place)
    if not isinstance(classname, str) or not classname.isidentifier():
        request.fail(
            f"{classname!r} cannot be the name of a class",
            "Give the name alone as 'classname', and its module, such as my.package.geometry, "
            "as 'path'.",
        )
    if module is not None:
        return _checked(request, _from_module(request, module))
    ours = OURS.get((kind.noun, classname))
    if ours is not None:
        return _checked(request, getattr(import_module(ours), classname))
    offered = _from_entry_point(request)
    return _checked(request, _from_search(request) if offered is None else offered)


def _from_module(request: ClassRequest, module: str) -> object:
    parts = module.split(".")
    if not all(part.isidentifier() for part in parts) or parts[-1] == "py":
        dotted = module.removesuffix(".py").strip("./").replace("/", ".")
        request.fail(
            f"the path '{module}' of {request.what} is not a module",
            f"Write it with dots and without the ending: '{dotted}'.",
        )
    file = None if parts[0] == "h5flow" else _file_of(parts, request.directory)
    if file is not None:
        return _class_in(request, _imported(request, file), request.show(file))
    return _class_in(request, _installed(request, module), f"the module '{module}'")


def _file_of(parts: list[str], directory: Path) -> Path | None:
    folder = directory.joinpath(*parts)
    files = (folder / "__init__.py", folder.with_name(f"{folder.name}.py"))
    return next((file for file in files if file.is_file()), None)


def _from_entry_point(request: ClassRequest) -> object | None:
    for point in _entry_points(request.kind):
        if point.name != request.classname:
            continue
        try:
            offered: object = point.load()
        except (Exception, SystemExit) as error:
            warnings.warn(
                f"{request.what} that an installed package offers as {point.value} cannot be "
                f"loaded and is left out: {error_in_words(error)}",
                H5FlowWarning,
                stacklevel=3,
            )
        else:
            return offered
    return None


def _entry_points(kind: ClassKind) -> list[EntryPoint]:
    from importlib.metadata import entry_points

    return list(entry_points(group=kind.group))


def _from_search(request: ClassRequest) -> object:
    from h5flow.core import class_search

    result = class_search.search(request.classname, request.directory)
    if len(result.definitions) > 1:
        request.fail_ambiguous(result.definitions)
    if not result.definitions:
        offered = [point.name for point in _entry_points(request.kind)]
        request.fail_not_found(result.unparsable, offered)
    found = result.definitions[0]
    _warn_of_broken(request, found, result.unparsable)
    return _class_in(request, _imported(request, found.file), request.show(found.file, found.line))


def _warn_of_broken(
    request: ClassRequest, found: Definition, unparsable: tuple[Unparsable, ...]
) -> None:
    """Say that a file which seems to define the class, too, was passed over."""
    for broken in unparsable:
        if broken.at_line_start:
            warnings.warn(
                f"{request.what} is taken from {request.show(found.file, found.line)}; another "
                f"file that seems to define it is not valid Python: {request.describe(broken)}",
                H5FlowWarning,
                stacklevel=4,
            )


def _imported(request: ClassRequest, file: Path) -> ModuleType:
    from h5flow.core import class_import

    try:
        return class_import.import_file(file, request.directory)
    except (Exception, SystemExit) as error:
        request.fail_import(file, error)


def _installed(request: ClassRequest, module: str) -> ModuleType:
    """Import a module by name, telling one that is not there from one that fails."""
    from h5flow.core import class_import

    try:
        return class_import.import_name(module, request.directory)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module}.".startswith(f"{missing}."):
            request.fail_no_module(module)
        request.fail_import(module, error)


def _class_in(request: ClassRequest, module: ModuleType, shown: str) -> object:
    found: object = getattr(module, request.classname, None)
    if found is None:
        names = [name for name, value in vars(module).items() if isinstance(value, type)]
        request.fail(
            f"{shown} has no {request.kind.noun} '{request.classname}' once it is imported"
            f"{did_you_mean(request.classname, names)}",
            "'classname' is a class that the module has at its top level.",
        )
    return found


def _checked(request: ClassRequest, found: object) -> type:
    if not isinstance(found, type) or not issubclass(found, request.kind.base):
        what = f"of type {type(found).__name__}"
        if isinstance(found, type):
            what = f"a class derived from {', '.join(base.__name__ for base in found.__bases__)}"
        request.fail(
            f"'{request.classname}' of {getattr(found, '__module__', 'its module')} is not a "
            f"{request.kind.noun}: it is {what}",
            f"A {request.kind.noun} is a class derived from {request.kind.base.__name__}.",
        )
    return found
