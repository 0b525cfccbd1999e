"""The source text of a class, and the strings in it."""

from __future__ import annotations

import ast
import inspect
import sys

from h5flow.core.class_search import parse

__all__ = ["source_of", "string_constants"]


class StringCollector(ast.NodeVisitor):
    """Collects string literals, except what f-strings are made of."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_Constant(self, node: ast.Constant) -> None:
        """Keep the constant if it is a string."""
        if isinstance(node.value, str):
            self.found.add(node.value)

    def visit_JoinedStr(self, _node: ast.JoinedStr) -> None:
        """Pass over an f-string: its pieces name nothing by themselves."""


def source_of(cls: type) -> str:
    """Return the source text of a class, an empty string where there is none.

    A class typed into an interpreter has none.
    """
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError, IndentationError, SyntaxError):
        return ""


def string_constants(cls: type) -> frozenset[str]:
    """Return all string literals in a class's source, those of its users' base classes included.

    Default arguments, class attributes and docstrings count; f-strings do not.
    """
    collector = StringCollector()
    for base in cls.__mro__:
        package = base.__module__.partition(".")[0]
        if package in sys.stdlib_module_names or base.__module__.startswith("h5flow.core."):
            continue
        source = source_of(base)
        if source[:1].isspace():
            source = "if True:\n" + source  # a class in a function or in an if
        try:
            collector.visit(parse(source))
        except SyntaxError:  # the file was edited since it was imported
            continue
    return frozenset(collector.found)
