"""Import a file of the working directory as one module, which can shadow no other.

A file has its dotted name relative to the working directory (``h5flow_modules.dimuon``), as long
as that name leads to nothing else; code below the working directory can import it by this name,
by a relative import, or, for a file beside it, by its bare name, and always gets the same module.
The standard library and installed packages win: a local ``json.py`` is imported under a private
name, and installed packages never see the working directory's modules.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING

import h5flow

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:
    Loader = MetaPathFinder = object  # theirs come with a dozen modules more

__all__ = ["MACHINERY", "LocalFinder", "import_file", "import_name"]

#: Files whose lines stand in every traceback of an import that fails.
MACHINERY = frozenset({__file__, importlib.__file__, importlib.util.__file__})

PRIVATE_ROOT = "h5flow_local_"
H5FLOW_FOLDERS = tuple(os.path.realpath(folder) for folder in h5flow.__path__)
H5FLOW_PARENT = Path(h5flow.__path__[0]).parent
INSTALLED = frozenset({"site-packages", "dist-packages"})


class LocalFinder(MetaPathFinder):
    """Finds the modules of one working directory, after everything else was asked.

    It answers only to code that stands below that directory, to the main program and to h5flow's
    own search, so that no package takes a local file for an optional dependency.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.real_directory = os.path.realpath(directory)
        self.siblings: set[str] = set()  # bare names in sys.modules that stand for a sibling

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return where `fullname` is in the working directory, None where it is not."""
        package, _, name = fullname.rpartition(".")
        if package.startswith(PRIVATE_ROOT):
            return self._beside_private(fullname)
        importer = _importer(sys._getframe(1))
        if fullname in sys.stdlib_module_names or not self._answers_to(importer):
            return None
        if package:  # only a folder without __init__.py may lie in several places
            owner = sys.modules[package]
            is_shared = getattr(owner, "__file__", None) is None
            folder = self.directory.joinpath(*package.split("."))
            return PathFinder.find_spec(fullname, [str(folder)]) if is_shared else None
        spec = PathFinder.find_spec(fullname, [str(self.directory)])
        if spec is None or spec.origin is None:
            spec = self._sibling(name, importer) or spec
        return _as_plain_package(spec)

    def _answers_to(self, importer: FrameType | None) -> bool:
        if importer is None or importer.f_globals.get("__name__") in ("__main__", __name__):
            return True
        file = os.path.abspath(importer.f_globals.get("__file__") or importer.f_code.co_filename)
        pairs = [(file, str(self.directory)), (os.path.realpath(file), self.real_directory)]
        if any(_is_below(pairs[1][0], own) for own in H5FLOW_FOLDERS):
            return False
        return any(
            _is_below(file, top) and INSTALLED.isdisjoint(os.path.relpath(file, top).split(os.sep))
            for file, top in pairs
        )

    def _sibling(self, name: str, importer: FrameType | None) -> ModuleSpec | None:
        """Return a spec that stands for the file `name` beside the importing file."""
        importing = importer.f_globals.get("__file__") if importer else None
        file = Path(importing).parent / f"{name}.py" if importing else None
        if file is None or not file.is_file():
            return None
        self.siblings.add(name)
        return ModuleSpec(name, AliasLoader(file, self))

    def _beside_private(self, fullname: str) -> ModuleSpec | None:
        """Return what ``from .name import`` means in a module with a private name."""
        root, _, name = fullname.rpartition(".")
        folder, finder = PRIVATE_FOLDERS.get(root, (None, None))
        if folder is None or finder is not self:
            return None
        file = folder / f"{name}.py"
        if file.is_file():
            return ModuleSpec(fullname, AliasLoader(file, self))
        return _as_plain_package(PathFinder.find_spec(fullname, [str(folder)]))


# the folder that the modules of a private package are in, and who finds them
PRIVATE_FOLDERS: dict[str, tuple[Path, LocalFinder]] = {}


class AliasLoader(Loader):
    """Loads, under a second name, the one module that a file is."""

    def __init__(self, file: Path, finder: LocalFinder) -> None:
        self.file = file
        self.finder = finder
        self.own_spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module under its own name."""
        module = _import_once(self.file, self.finder)
        self.own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module back the spec that the import system has replaced."""
        module.__spec__ = self.own_spec


def import_file(file: Path, directory: Path) -> ModuleType:
    """Import a Python file as the one module it is, and return that.

    Parameters
    ----------
    file : Path
        A file that exists.
    directory : Path
        The working directory.

    Raises
    ------
    BaseException
        Whatever the file raises.
    """
    importlib.invalidate_caches()  # the file may be younger than the last look into its folder
    return _import_once(file, _finder_of(directory))


def import_name(name: str, directory: Path) -> ModuleType:
    """Import a dotted name, as code in the working directory would."""
    importlib.invalidate_caches()
    _finder_of(directory)
    return importlib.import_module(name)


def _finder_of(directory: Path) -> LocalFinder:
    """Return the finder of a working directory, put last in line at the first call."""
    for finder in sys.meta_path:
        if isinstance(finder, LocalFinder) and finder.directory == directory:
            return finder
    new = LocalFinder(directory)
    sys.meta_path.append(new)
    return new


def _import_once(file: Path, finder: LocalFinder) -> ModuleType:
    module = _loaded_from(file)
    if module is not None:
        return module
    with _own_siblings(finder):
        name = _public_name(file, finder.directory)
        return importlib.import_module(name) if name else _import_privately(file, finder)


def _loaded_from(file: Path) -> ModuleType | None:
    """Return the module that was made from a file, also where that is the main program."""
    wanted = os.path.realpath(file)
    for module in list(sys.modules.values()):
        # vars, because getattr would wake modules that load themselves lazily
        known = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        if not isinstance(known, str) or os.path.basename(known) != file.name:
            continue
        if os.path.realpath(known) == wanted:
            return module
    return None


@contextmanager
def _own_siblings(finder: LocalFinder) -> Iterator[None]:
    """Let bare names of siblings hold while one file is imported, and no longer.

    So two folders may each have a ``geometry.py``. A bare import that runs later, in a function,
    binds its name for the process, as it would in any program.
    """
    outer, finder.siblings = finder.siblings, set()
    hidden = {name: sys.modules.pop(name) for name in outer if name in sys.modules}
    try:
        yield
    finally:
        for name in finder.siblings:
            sys.modules.pop(name, None)
        finder.siblings = outer
        sys.modules.update(hidden)


def _public_name(file: Path, directory: Path) -> str | None:
    """Return the dotted name that leads to `file` and to nothing else, None if there is none."""
    tops = [top for top in (directory, H5FLOW_PARENT) if _is_below(str(file), str(top))]
    if not tops:
        return None
    parts = file.relative_to(tops[0]).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    if not parts or any("." in part for part in parts) or parts[0] in sys.stdlib_module_names:
        return None
    name = ".".join(parts)
    try:
        # the first part is looked up by itself, for looking up more imports it
        top = importlib.util.find_spec(parts[0])
        if len(parts) > 1 and not _may_lead_to(top, tops[0] / parts[0]):
            return None
        spec = importlib.util.find_spec(name)
    except ValueError:  # the main program has no spec
        return None
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            return None
        raise
    return name if spec and spec.origin and _is_same_file(spec.origin, file) else None


def _may_lead_to(top: ModuleSpec | None, folder: Path) -> bool:
    """Tell whether a package is `folder`, or is spread over several folders."""
    if top is None or top.submodule_search_locations is None:
        return False
    is_shared = top.origin is None
    return is_shared or any(_is_same_file(at, folder) for at in top.submodule_search_locations)


def _import_privately(file: Path, finder: LocalFinder) -> ModuleType:
    folder = os.path.realpath(file.parent)
    root_name = PRIVATE_ROOT + hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    root = sys.modules.setdefault(root_name, ModuleType(root_name))
    root.__path__ = []  # a package whose modules LocalFinder finds
    PRIVATE_FOLDERS.setdefault(root_name, (file.parent, finder))
    name = f"{root_name}.{file.stem.replace('.', '%2E')}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file", name=name, path=str(file))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _importer(frame: FrameType | None) -> FrameType | None:
    """Return the frame whose import statement is being carried out."""
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in ("importlib", "_frozen_importlib", "_frozen_importlib_external"):
            return frame
        frame = frame.f_back
    return None


def _as_plain_package(spec: ModuleSpec | None) -> ModuleSpec | None:
    """Fix the folder of a package without __init__.py, which is not on Python's own path."""
    if spec is not None and spec.origin is None and spec.submodule_search_locations is not None:
        spec.submodule_search_locations = list(spec.submodule_search_locations)
    return spec


def _is_below(file: str, folder: str) -> bool:
    return file.startswith(os.path.join(folder, ""))


def _is_same_file(one: str | Path, other: str | Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
