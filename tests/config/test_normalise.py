"""Keys given twice, merge keys, anchors, types of values, and bounds on what aliases make."""

from __future__ import annotations

import datetime

import pytest

from h5flow.config.nodes import MAX_DEPTH

FLOW = "flow: {source: events, stages: [s]}\n"


def params(load, text: str):
    return load(FLOW + f"s:\n  classname: S\n  params: {text}\n").stages[0].params


def test_values_are_constructed_as_yaml_says(load):
    read = params(
        load, "{0x3800000: [1, 2], day: 2012-06-01, x: 1.5, y: null, no: true, t: '12', =: =, m: <<"
        ", s: !!set {a}, b: !!binary aGk=}"
    )  # fmt: skip
    assert read == {
        0x3800000: [1, 2],
        "day": datetime.date(2012, 6, 1),
        "x": 1.5,
        "y": None,
        False: True,
        "t": "12",
        "=": "=",
        "m": "<<",
        "s": {"a"},
        "b": b"hi",
    }


@pytest.mark.parametrize("keys", ["a: 1, a: 2", "1: x, 0x1: y", "a: 1, 'a': 1", "1: x, true: y"])
def test_duplicate_key(problems, keys):
    (problem,) = problems(FLOW + f"s: {{classname: S, params: {{{keys}}}}}\n")
    assert problem.startswith("flow.yaml:2: s.params.")
    assert "is given twice, first in flow.yaml:2" in problem


def test_duplicate_block(problems):
    (problem,) = problems(FLOW + "s: {classname: S}\ns: {classname: T}\n")
    assert problem == "flow.yaml:3: s: the key 's' is given twice, first in flow.yaml:2"


def test_anchor_and_alias(load):
    flow = load(FLOW.replace("[s]", "[s, t]") + "s: &s {classname: S, params: {a: [1]}}\nt: *s\n")
    assert flow.stages[0].params == flow.stages[1].params == {"a": [1]}


def test_aliased_params_are_not_one_object(load):
    flow = load(FLOW.replace("[s]", "[s, t]") + "s: &s {classname: S, params: {a: [1]}}\nt: *s\n")
    assert flow.stages[0].params["a"] is not flow.stages[1].params["a"]


def test_merge_key_gives_what_the_mapping_itself_does_not(load):
    text = "base: &base {a: 1, b: 2}\n" + FLOW + "s:\n  classname: S\n  params: {<<: *base, b: 3}\n"
    assert load(text).stages[0].params == {"a": 1, "b": 3}


def test_of_several_merged_mappings_the_first_wins(load):
    text = "one: &one {a: 1}\ntwo: &two {a: 2, b: 2}\n" + FLOW
    text += "s: {classname: S, params: {<<: [*one, *two]}}\n"
    assert load(text).stages[0].params == {"a": 1, "b": 2}


def test_merge_keys_chain(load):
    text = "one: &one {a: 1}\ntwo: &two {<<: *one, b: 2}\n" + FLOW
    assert load(text + "s: {classname: S, params: {<<: *two}}\n").stages[0].params == {
        "a": 1,
        "b": 2,
    }


def test_quoted_merge_key_is_a_name(load):
    assert params(load, "{'<<': 1}") == {"<<": 1}


def test_two_merge_keys(problems):
    text = "a: &a {x: 1}\n" + FLOW + "s: {classname: S, params: {<<: *a, <<: *a}}\n"
    (problem,) = problems(text)
    assert problem.startswith("flow.yaml:3: s.params.<<: the key '<<' is given twice")
    assert problem.endswith("write <<: [*first, *second]")


def test_merging_what_is_no_mapping(problems):
    (problem,) = problems(FLOW + "s: {classname: S, params: {<<: 3}}\n")
    assert problem.endswith("only a mapping, or a list of mappings, can be merged")


@pytest.mark.parametrize(
    "value",
    ["2001-99-99", "!!int ''", "!!bool maybe", "!!float abc", "!!timestamp x", "0b_", "9" * 5000,
     "!!set [a]", "!!str {}", "!!omap {a: 1}", "2001-01-01T00:00:00+99:00"],
)  # fmt: skip
def test_value_that_does_not_fit_its_type(problems, value):
    (problem,) = problems(FLOW + f"s:\n  classname: S\n  params: {{a: {value}}}\n")
    assert problem.startswith("flow.yaml:4: s.params.a: ")
    assert "is not a valid !!" in problem or "does not fit its type, !!" in problem


@pytest.mark.parametrize("tag", ["!ENV", "!!python/object:os.system", "!!python/name:os.system"])
def test_unknown_tags_construct_nothing(problems, tag):
    (problem,) = problems(FLOW + f"s:\n  classname: S\n  params: {{a: {tag} x}}\n")
    assert problem.startswith(f"flow.yaml:4: s.params.a: the tag {tag} is not known")


@pytest.mark.parametrize("key", ["[a]", "{a: b}"])
def test_key_that_is_no_single_value(problems, key):
    (problem,) = problems(FLOW + f"s: {{classname: S, params: {{? {key} : 1}}}}\n")
    assert problem.endswith("a key is a single value, not a list or a mapping")


def test_alias_bomb_is_refused(problems):
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 12):
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n"
    (problem,) = problems(text + FLOW + "s: {classname: S, params: {a: *a11}}\n")
    assert "with its aliases written out this has more than" in problem
    assert problem.startswith("flow.yaml:")


def test_merge_bomb_is_refused(problems):
    text = "a0: &a0 {x: 1, y: 2}\n"
    for level in range(1, 30):
        text += f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}\n"
    (problem,) = problems(text + FLOW)
    assert "with its aliases written out" in problem


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a {b: [{c: *a}]}\n"])
def test_value_that_contains_itself(problems, text):
    (problem,) = problems(text + FLOW)
    assert problem.endswith("this value contains itself")
    assert problem.startswith("flow.yaml:1: a")


@pytest.mark.parametrize("levels", [MAX_DEPTH, 5_000, 100_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_deep_nesting_is_refused(problems, levels, brackets):
    opening = brackets[0] if brackets == "[]" else "{a: "
    (problem,) = problems("a: " + opening * levels + brackets[1] * levels + "\n")
    assert problem == ("flow.yaml:1: this is not valid YAML: more than 100 levels are nested here")


def test_nesting_by_indentation_is_refused(problems):
    text = "".join(f"{' ' * level}a:\n" for level in range(300))
    assert problems(text)[0].endswith("more than 100 levels are nested here")


def test_deep_nesting_through_aliases_is_refused(problems):
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 2000))
    (problem,) = problems(text)
    assert problem.endswith("more than 100 levels are nested here")
