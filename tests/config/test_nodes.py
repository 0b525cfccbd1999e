"""Reading a file: one clear error for each thing that is not a workflow file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from h5flow.config import load_workflow
from h5flow.config.nodes import HDF5_SIGNATURE, MAX_BYTES, compose, place_of
from h5flow.errors import ConfigError, Place


def refuses(path: Path | str, message: str) -> ConfigError:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load_workflow(path)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].place is not None
    assert caught.value.exit_status == 2
    return caught.value


def test_places_count_lines_and_columns_from_one():
    root = compose("flow:\n  source: events\n", "a.yaml").root
    value = root.value[0][1].value[0][1]
    assert place_of(root) == Place("a.yaml", 1, 1)
    assert place_of(value, "flow.source") == Place("a.yaml", 2, 11, "flow.source")


def test_missing_file(folder):
    refuses("nope.yaml", "nope.yaml: there is no such file")


def test_missing_file_names_the_nearest(write):
    write("flow: {source: a}", "dimuon.yaml")
    refuses("dimoun.yaml", "there is no such file (did you mean 'dimuon.yaml'?)")


def test_directory(folder):
    refuses(folder, "this is a directory, not a workflow file")


def test_name_that_no_file_can_have(folder):
    refuses("a\0b", "this cannot be the name of a file")


@pytest.mark.parametrize("user_block", [0, 512, 2048])
def test_hdf5_file_by_mistake(folder, user_block):
    (folder / "in.h5").write_bytes(b" " * user_block + HDF5_SIGNATURE + b"\0" * 100)
    refuses("in.h5", "in.h5: this is an HDF5 file, not a workflow file")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null", "\ufeff"])
def test_empty_file(problems, text):
    assert problems(text) == ["flow.yaml:1: the file is empty"]


@pytest.mark.parametrize(("text", "kind"), [("- a\n- b\n", "a list"), ("hello\n", "'hello'")])
def test_not_a_mapping(problems, text, kind):
    assert problems(text) == [f"flow.yaml:1: a workflow must be a mapping, not {kind}"]


def test_not_utf8_names_the_byte_and_its_line(folder):
    (folder / "latin.yaml").write_bytes("flow:\n  source: é\n".encode("latin-1"))
    error = refuses("latin.yaml", "latin.yaml:2: the file is not UTF-8 text: byte 0xe9")
    assert error.problems[0].place == Place("latin.yaml", 2, 11)


def test_byte_order_mark_is_no_part_of_the_text(load):
    assert load("\ufeffflow: {source: events}\n").generator.dset_name == "events"


def test_character_that_yaml_forbids(problems):
    assert problems("flow:\n  source: a\x07\n") == [
        "flow.yaml:2: this is not valid YAML: the character '\\x07' is not allowed"
    ]


def test_too_large(folder):
    (folder / "big.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    refuses("big.yaml", "at most 4 MiB")


def test_too_many_values(problems, monkeypatch):
    monkeypatch.setattr("h5flow.config.nodes.MAX_NODES", 50)
    (problem,) = problems("a: [" + "1, " * 60 + "]\n")
    assert problem.endswith("there are more than 50 values")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("flow:\n  source: a: b\n", 2, "mapping values are not allowed here"),
        ("flow:\n\tsource: a\n", 2, "indent with spaces, not with tabs"),
        ("flow: {source: [a\n", 2, "while parsing a flow sequence begun in line 1"),
        ("flow:\n  source: *a\n", 2, "found undefined alias 'a'"),
        ("flow: {source: a}\n---\nflow: {source: b}\n", 2, "but found another document"),
    ],
)
def test_syntax_error_has_place_and_explanation(problems, text, line, reason):
    (problem,) = problems(text)
    assert problem.startswith(f"flow.yaml:{line}: this is not valid YAML: ")
    assert reason in problem
