"""The strings in a class, by which a stage tells what it makes."""

from __future__ import annotations

from h5flow.core.class_source import source_of, string_constants


class Parent:
    inherited = "parent"


class WithStrings(Parent):
    """A docstring."""

    attribute = "attribute"
    table: dict[str, list[str]] = {"key": ["value"]}  # noqa: RUF012

    def method(self, default: str = "default") -> str:
        return f"formatted {default!r} {'inside'}" + "plain"


def test_string_constants_are_those_of_the_class_and_its_parents() -> None:
    assert string_constants(WithStrings) == {
        "A docstring.",
        "attribute",
        "key",
        "value",
        "default",
        "plain",
        "parent",
    }


def test_a_class_in_a_function_has_its_source() -> None:
    class Local:
        name = """hits
at margin"""

    assert source_of(Local).lstrip().startswith("class Local:")
    assert string_constants(Local) == {"hits\nat margin"}


def test_a_class_without_source_has_no_strings() -> None:
    cls = type("Made", (), {"x": "hits"})
    cls.__module__ = "nowhere"
    assert source_of(cls) == ""
    assert string_constants(cls) == frozenset()
