"""What h5flow uses of CuPy is there, in the installed CuPy, under these names and arguments.

The double offers the same list, `cupy_double.surface`. CuPy is imported without a driver; CI's long
form installs it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import warnings
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import cupy_double
import numpy as np
import pytest
from cupy_double import surface

import h5flow

PACKAGE = Path(h5flow.__path__[0])
CALLED = {
    **surface.FUNCTIONS,
    **surface.UFUNCS,
    **{f"ndarray.{name}": signature for name, signature in surface.METHODS.items()},
    **{name: signature for name, signature in surface.CUDA.items() if signature},
}
PRESENT = [
    *surface.DTYPES,
    *surface.NAMES,
    *surface.LOOKED_UP,
    *(f"ndarray.{name}" for name in surface.PROPERTIES),
    *(name for name, signature in surface.CUDA.items() if not signature),
]


@pytest.fixture(scope="module")
def cupy() -> Any:
    """The installed CuPy."""
    cupy_double.remove()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its affair
        try:
            return importlib.import_module("cupy")
        except ImportError as error:
            pytest.skip(f"NOT COMPARED WITH CUPY: {error} (pip install cupy-cuda12x)")


def look_up(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


def signature_of(function: Any) -> Signature:
    """Return a signature; compiled functions say theirs in the first line of their text."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        text = (function.__doc__ or "").split("\n")[0].replace("\\*", "*")
    found = re.search(r"\((.*)\)", text)
    assert found is not None, f"{function} does not say what it takes"
    # `int device` is how Cython writes an argument and its type
    arguments = re.sub(r"\b\w+ (?=\w+\s*(,|=|$))", "", found[1])
    return surface.signature_of(f"({arguments})")


def differences(ours: Signature, theirs: Signature) -> list[str]:
    """Return what of a signature would be refused, or be taken for something else."""
    wrong = []
    place = 0
    kinds = {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL}
    positional = [each for each in theirs.parameters.values() if each.kind in kinds]
    takes_any = any(each.kind is Parameter.VAR_KEYWORD for each in theirs.parameters.values())
    for name, parameter in ours.parameters.items():
        if parameter.kind is Parameter.KEYWORD_ONLY:
            other = theirs.parameters.get(name)
            if other is None and not takes_any:
                wrong.append(f"there is no {name}")
            continue
        other = positional[place] if place < len(positional) else None
        if other is None:
            wrong.append(f"there is no {name}")
        elif other.kind is not Parameter.VAR_POSITIONAL:
            place += 1
            if parameter.kind is not Parameter.POSITIONAL_ONLY and other.name != name:
                wrong.append(f"{name} is called {other.name}")
            if parameter.default != other.default:
                wrong.append(f"{name} is {other.default!r} by default, not {parameter.default!r}")
        elif parameter.kind is not Parameter.VAR_POSITIONAL:
            wrong.append(f"{name} is one of *{other.name}")
    required = [
        each.name
        for each in theirs.parameters.values()
        if each.default is Parameter.empty
        and each.kind in {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}
        and each.name not in ours.parameters
    ]
    return wrong + [f"{name} is not given" for name in required]


def test_every_function_takes_what_it_is_given(cupy: Any) -> None:
    wrong = {
        name: differences(surface.signature_of(ours), signature_of(look_up(cupy, name)))
        for name, ours in CALLED.items()
    }
    assert {name: found for name, found in wrong.items() if found} == {}


def test_every_name_is_there(cupy: Any) -> None:
    for name in PRESENT:
        look_up(cupy, name)


def test_pinned_memory(cupy: Any) -> None:
    cupyx = importlib.import_module("cupyx")
    assert differences(surface.signature_of("(shape, dtype=float)"),
                       inspect.signature(cupyx.empty_pinned)) == []  # fmt: skip


def test_what_is_raised_is_what_h5flow_expects(cupy: Any) -> None:
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)
    assert issubclass(cupy.cuda.runtime.CUDARuntimeError, RuntimeError)


def test_dtypes_are_those_of_numpy(cupy: Any) -> None:
    assert all(getattr(cupy, name) is getattr(np, name) for name in surface.DTYPES)


def test_array_api_compat_has_a_namespace_of_it(cupy: Any) -> None:
    compat = importlib.import_module("array_api_compat.cupy")
    assert compat.ndarray is cupy.ndarray


# -- the list itself ------------------------------------------------------------------------------


def test_a_change_of_a_signature_is_found() -> None:
    def changes(theirs: str) -> list[str]:
        return differences(
            surface.signature_of("(a, axis=None, *, dtype=None)"), surface.signature_of(theirs)
        )

    assert changes("(a, axis=None, out=None, *, dtype=None)") == []
    assert changes("(x, axis=None, *, dtype=None)") == ["a is called x", "x is not given"]
    assert changes("(a, axis=0, *, dtype=None)") == ["axis is 0 by default, not None"]
    assert changes("(a, axis=None)") == ["there is no dtype"]
    assert changes("(a, axis=None, *, dtype=None, stream)") == ["stream is not given"]


@pytest.mark.parametrize("name", [*surface.FUNCTIONS, *surface.UFUNCS, *PRESENT])
def test_the_double_offers_the_list(gpus: cupy_double.Machine, name: str) -> None:
    look_up(sys.modules["cupy"], name)


def test_the_backend_uses_nothing_beside_the_list() -> None:
    listed = {*CALLED, *PRESENT, "ndarray", "uint8"}
    modules = {part for name in listed for part in (name, name.rpartition(".")[0])}
    tree = ast.parse((PACKAGE / "backends" / "cupy.py").read_text())
    used = {name for node in ast.walk(tree) if (name := _path_of(node)) is not None}
    longest = {name for name in used if not any(other.startswith(f"{name}.") for other in used)}
    assert longest - modules == set()
    assert "cuda.runtime.getDeviceCount" in longest


def _path_of(node: ast.AST) -> str | None:
    """Return ``cuda.runtime`` of ``self._cupy.cuda.runtime`` and of ``cupy.cuda.runtime``."""
    if not isinstance(node, ast.Attribute):
        return None
    parts, value = [node.attr], node.value
    while isinstance(value, ast.Attribute) and value.attr != "_cupy":
        parts.append(value.attr)
        value = value.value
    is_library = isinstance(value, ast.Attribute) or (
        isinstance(value, ast.Name) and value.id == "cupy"
    )
    return ".".join(reversed(parts)) if is_library else None
