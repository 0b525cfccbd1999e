"""The house has one way: rooms import downwards only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "h5flow"

# What each room may import, beside itself; `errors`, `registry`, `lazy`, `events` and
# `arrays` are the floor.
FLOOR = {"errors", "registry", "lazy", "events", "arrays"}
ALLOWED = {
    "errors": set(),
    "registry": set(),
    "lazy": set(),
    "events": set(),
    "arrays": set(),
    "references": set(),
    "comm": set(),
    "backends": set(),
    "config": set(),
    "io": {"references"},
    "storage": {"io", "references", "comm"},
    "transaction": {"storage", "io", "references"},
    "data": {"transaction", "storage", "io", "references", "comm", "backends"},
    "journal": {"data.layout", "data.inventory", "io", "references"},
    "core": {
        "data",
        "transaction",
        "storage",
        "io",
        "journal",
        "config",
        "comm",
        "backends",
        "modules",
    },
    "modules": {"core", "io"},
    "observe": set(),
    "testing": {"references", "storage", "comm", "backends"},
    "cli": {"core", "journal", "observe", "comm"},
}
HEAVY = {
    "rich",
    "mpi4py",
    "cupy",
    "torch",
    "array_api_compat",
    "array_api_strict",
    "matplotlib",
    "hdf5plugin",
    "hypothesis",
    "importlib.metadata",
}


def test_the_page_of_the_architecture_has_the_same_table() -> None:
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| ?([\w., ]*) \|$", text, re.MULTILINE)
    on_page = {
        room: set(filter(None, names.split(", "))) for room, names in rows if room in ALLOWED
    }
    assert on_page == {room: names for room, names in ALLOWED.items() if room not in FLOOR}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, *, at_start: bool = False) -> set[str]:
    """Return the dotted names a module imports; with `at_start` only when it is imported."""
    tree = ast.parse(path.read_text("utf-8"))
    lazy: set[ast.AST] = set()
    for node in ast.walk(tree):
        deferred = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if typing_only or (deferred and at_start):
            lazy.update(ast.walk(node))
    found = set()
    for node in ast.walk(tree):
        if node in lazy:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_downwards_only(path: Path) -> None:
    room = room_of(path)
    allowed = ALLOWED[room] | FLOOR | {room}
    for name in imports(path):
        if name.startswith("h5flow.") and name != "h5flow.__version__":
            inner = name.removeprefix("h5flow.")
            assert any(inner == known or inner.startswith(f"{known}.") for known in allowed), (
                f"{path.name} imports {name}: {room} may import {sorted(allowed)}"
            )


# The strategies are for hypothesis, and nothing of the package imports them.
@pytest.mark.parametrize(
    "path",
    [path for path in modules() if path.name != "strategies.py"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_heavy_packages_are_imported_when_they_are_needed(path: Path) -> None:
    started = imports(path, at_start=True)
    assert not {name for name in started for heavy in HEAVY if f"{name}.".startswith(f"{heavy}.")}


ARRAY_LIBRARIES = {"cupy", "cupyx", "torch", "array_api_strict", "jax", "dask"}


@pytest.mark.parametrize(
    "path",
    [*modules(), *sorted(PACKAGE.glob("*.py"))],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_only_backends_name_an_array_library(path: Path) -> None:
    if path.parent.name == "backends":
        return
    tree = ast.parse(path.read_text("utf-8"))
    named = {name.partition(".")[0] for name in imports(path)}
    named |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    named |= {value for value in constants if isinstance(value, str)}
    assert not named & ARRAY_LIBRARIES


def test_the_floor_imports_nothing_of_the_house() -> None:
    for name in FLOOR:
        used = {other for other in imports(PACKAGE / f"{name}.py") if other.startswith("h5flow.")}
        assert used <= {
            f"h5flow.errors.{item}" for item in vars(__import__("h5flow.errors").errors)
        }
