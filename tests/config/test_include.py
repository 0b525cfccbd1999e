"""`!include`: where a file is looked for, what is refused, and whose places are told."""

from __future__ import annotations

import os

import pytest

from h5flow.config import load_workflow
from h5flow.config.include import MAX_INCLUDES
from h5flow.errors import ConfigError

FLOW = "flow: {source: events, stages: [s]}\n"


def params(flow):
    return flow.stages[0].params


def included_is_refused(load, name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(FLOW + f"s: {{classname: S}}\nt: !include {name}\n", "run/flow.yaml")
    (problem,) = caught.value.problems
    assert problem.place is not None
    assert (problem.place.line, problem.place.key) == (3, "t")
    return problem.message


# What can be included ------------------------------------------------------------------------


def test_a_block(write, load):
    write("classname: S\nparams: {a: 1}\n", "s.yaml")
    assert params(load(FLOW + "s: !include s.yaml\n")) == {"a": 1}


def test_a_list_item(write, load):
    write("{name: hits, path: hits, layout: jagged}\n", "hits.yaml")
    flow = load(FLOW + "s:\n  classname: S\n  requires:\n    - muons\n    - !include hits.yaml\n")
    assert [r.layout for r in flow.stages[0].requires] == ["padded", "jagged"]


def test_a_value_deep_in_params(write, load):
    write("[1, 2]\n", "list.yaml")
    text = FLOW + "s: {classname: S, params: {a: {b: [!include list.yaml]}}}\n"
    assert params(load(text)) == {"a": {"b": [[1, 2]]}}


def test_a_merged_mapping(write, load):
    write("{a: 1, b: 2}\n", "base.yaml")
    text = FLOW + "s:\n  classname: S\n  params:\n    <<: !include base.yaml\n    b: 3\n"
    assert params(load(text)) == {"a": 1, "b": 3}


def test_the_whole_file(write, load):
    write(FLOW + "s: {classname: S}\n", "other.yaml")
    assert load("!include other.yaml\n").stages[0].classname == "S"


def test_one_file_twice_gives_two_values(write, load):
    write("{a: [1]}\n", "p.yaml")
    text = FLOW.replace("[s]", "[s, t]")
    text += "s: {classname: S, params: !include p.yaml}\nt: {classname: T, params: !include p.yaml}"
    flow = load(text)
    assert flow.stages[0].params == flow.stages[1].params == {"a": [1]}
    assert flow.stages[0].params["a"] is not flow.stages[1].params["a"]


def test_an_anchored_include_can_be_aliased(write, load):
    write("{a: 1}\n", "p.yaml")
    text = "p: &p !include p.yaml\n" + FLOW + "s: {classname: S, params: *p}\n"
    flow = load(text)
    assert params(flow) == {"a": 1}
    assert flow.unused == ()


def test_includes_in_included_files(write, load):
    write("classname: S\nparams: !include deeper/p.yaml\n", "sub/s.yaml")
    write("{a: 1}\n", "sub/deeper/p.yaml")
    assert params(load(FLOW + "s: !include sub/s.yaml\n")) == {"a": 1}


def test_text_holds_the_included_files(write, load):
    write("classname: S  # of s\n", "s.yaml")
    text = FLOW + "s: !include s.yaml\n"
    assert load(text).text == text + "\n# included: s.yaml\nclassname: S  # of s\n"


# Where it is looked for ----------------------------------------------------------------------


def test_beside_the_including_file(write, folder, monkeypatch):
    path = write(FLOW + "s: !include s.yaml\n", "configs/flow.yaml")
    write("classname: Beside\n", "configs/s.yaml")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert load_workflow(path).stages[0].classname == "Beside"


def test_beside_comes_before_the_working_directory(write, load):
    write("classname: Beside\n", "configs/s.yaml")
    write("classname: Working\n", "s.yaml")
    assert load(FLOW + "s: !include s.yaml\n", "configs/flow.yaml").stages[0].classname == "Beside"


def test_then_in_the_working_directory(write, load):
    write("classname: Working\n", "s.yaml")
    assert load(FLOW + "s: !include s.yaml\n", "configs/flow.yaml").stages[0].classname == "Working"


def test_absolute_path_inside(write, load, folder):
    write("classname: S\n", "s.yaml")
    assert load(FLOW + f"s: !include {folder}/s.yaml\n").stages[0].classname == "S"


def test_parent_folder_that_is_inside_the_working_directory(write, load):
    write("classname: S\n", "s.yaml")
    assert load(FLOW + "s: !include ../s.yaml\n", "configs/flow.yaml").stages[0].classname == "S"


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize(
    "name",
    ["../../secret.yaml", "{outside}/secret.yaml", "x/../../../secret.yaml", "link.yaml",
     "up/secret.yaml", "up/cwd/../secret.yaml"],
)  # fmt: skip
def test_nothing_outside_is_included_whether_it_exists_or_not(load, folder, name, is_there):
    outside = folder.parent
    if is_there:
        (outside / "secret.yaml").write_text("classname: S\n")
    (folder / "run").mkdir()
    (folder / "run" / "link.yaml").symlink_to(outside / "secret.yaml")
    (folder / "run" / "up").symlink_to(outside, target_is_directory=True)
    included_is_refused(load, name.format(outside=outside))


def test_an_outside_file_is_told_to_be_outside(load, folder):
    (folder.parent / "s.yaml").write_text("classname: S\n")
    assert included_is_refused(load, "../../s.yaml") == (
        f"'../../s.yaml' cannot be included: it is outside of {folder}/run and {folder}"
    )


def test_a_folder_whose_name_begins_alike_is_outside(load, folder):
    other = folder.parent / "cwd2"
    other.mkdir()
    (other / "s.yaml").write_text("classname: S\n")
    assert "outside of" in included_is_refused(load, "../../cwd2/s.yaml")


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://a.org/s.yaml", "https://a.org/s", "FTP://a/b", "file:///etc/passwd", "s3://a/b"]
)
def test_urls(load, url):
    assert "is a URL" in included_is_refused(load, url)


def test_missing_file_names_the_nearest(write, load):
    write("{a: 1}\n", "run/common.yaml")
    message = included_is_refused(load, "comon.yaml")
    assert message.startswith("there is no file 'comon.yaml' in ")
    assert message.endswith("(did you mean 'common.yaml'?)")


@pytest.mark.parametrize("name", ["", "''", "[a.yaml]", "{a: b}", r'"a\0b"', r'"\ud800"'])
def test_what_is_no_file_name(load, name):
    assert "followed by the name of one file" in included_is_refused(load, name)


def test_directory(load):
    assert "there is no file '.'" in included_is_refused(load, ".")


def test_hdf5_file(folder, load):
    (folder / "in.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert "cannot include in.h5: this is an HDF5 file" in included_is_refused(load, "in.h5")


def test_key(problems):
    (problem,) = problems(FLOW + "s: {classname: S}\n? !include a.yaml\n: 1\n")
    assert "!include cannot be a key" in problem


def test_file_that_includes_itself(problems):
    (problem,) = problems(FLOW + "s: !include flow.yaml\n")
    assert problem == ("flow.yaml:2: s: the files include each other: flow.yaml -> flow.yaml")


def test_cycle_shows_its_files(write, problems):
    write("x: !include c.yaml\n", "b.yaml")
    write("y: !include b.yaml\n", "c.yaml")
    (problem,) = problems(FLOW + "s: {classname: S, params: {p: !include b.yaml}}\n")
    assert problem == (
        "c.yaml:1: s.params.p.x.y: the files include each other: b.yaml -> c.yaml -> b.yaml"
    )


def test_cycle_through_a_link(write, folder, problems):
    os.symlink(folder / "flow.yaml", folder / "link.yaml")
    (problem,) = problems(FLOW + "s: !include link.yaml\n")
    assert "flow.yaml -> flow.yaml" in problem


def test_depth_is_bounded(write, problems):
    for level in range(MAX_INCLUDES + 2):
        write(f"a: !include f{level + 1}.yaml\n", f"f{level}.yaml")
    (problem,) = problems("flow: {source: events}\nx: !include f0.yaml\n")
    assert f"includes are more than {MAX_INCLUDES} deep" in problem


def test_bomb_of_files_is_refused(write, problems):
    for level in range(10):
        write(f"[{', '.join([f'!include f{level + 1}.yaml'] * 9)}]\n", f"f{level}.yaml")
    write("x\n", "f10.yaml")
    (problem,) = problems("a: !include f0.yaml\n")
    assert "has more than" in problem


# Places ----------------------------------------------------------------------------------------


def test_problems_have_the_place_in_the_included_file(write, problems):
    write("# a comment\nclassname: S\nparms: {}\n", "sub/s.yaml")
    assert problems(FLOW + "s: !include sub/s.yaml\n") == [
        "sub/s.yaml:3: s.parms: this is not a key of a stage (did you mean 'params'?)"
    ]


def test_syntax_error_in_the_included_file(write, problems):
    write("a: 1\nb: c: d\n", "s.yaml")
    assert problems(FLOW + "s: !include s.yaml\n") == [
        "s.yaml:2: this is not valid YAML: mapping values are not allowed here"
    ]


def test_broken_file_included_twice_is_told_once(write, problems):
    write("a: [", "p.yaml")
    text = FLOW + "s: {classname: S, params: [!include p.yaml, !include p.yaml]}\n"
    assert sum("not valid YAML" in line for line in problems(text)) == 1


def test_missing_include_hides_no_other_problem(problems):
    lines = problems("flow: {source: events, stages: [s, t]}\ns: !include no.yaml\nt: {a: 1}\n")
    assert len(lines) == 3
    assert "there is no file 'no.yaml'" in lines[0]
    assert "t.a" in lines[2] or "t.a" in lines[1]
