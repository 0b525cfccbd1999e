"""Loading: files, dicts and workflows; several at once; any mutation of a file."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from h5flow.config import Workflow, load_workflow, load_workflows
from h5flow.errors import ConfigError, Place, UsageError

SETTINGS = {"source": "events", "stages": ["s"]}
CONTENT = {"flow": SETTINGS, "s": {"classname": "S", "requires": ["a"], "params": {1: [2, 3]}}}

# Dicts ------------------------------------------------------------------------------------------


def without_places(flow: Workflow) -> str:
    return repr(flow.stages[0].params) + flow.stages[0].classname + flow.generator.dset_name


def test_dict_reads_as_the_file_of_the_same_content(write):
    write(yaml.safe_dump(CONTENT))
    assert without_places(load_workflow(CONTENT)) == without_places(load_workflow("flow.yaml"))


def test_dict_has_keys_but_no_lines():
    flow = load_workflow(CONTENT)
    assert flow.name == "<dict>"
    assert flow.stages[0].place == Place("<dict>", 0, 0, "s")
    assert flow.stages[0].requires[0].place == Place("<dict>", 0, 0, "s.requires[0]")


def test_text_of_a_dict_is_its_yaml():
    assert yaml.safe_load(load_workflow(CONTENT).text) == CONTENT


def test_problem_of_a_dict_is_told_without_a_line():
    with pytest.raises(ConfigError) as caught:
        load_workflow({"flow": {"source": "events", "stages": ["t"]}})
    assert str(caught.value) == (
        "<dict>: flow.stages[0]: the stage 't' is not defined in this file"
    )


def test_dict_may_hold_paths_tuples_and_any_mapping():
    flow = load_workflow(
        OrderedDict(
            flow={"source": "events", "stages": ("s",), "input": Path("in.h5")},
            s={"classname": "S", "requires": ("a", {"name": "b", "path": ("a", "b")})},
        )
    )
    assert flow.input == "in.h5"
    assert [r.path for r in flow.stages[0].requires] == [("a",), ("a", "b")]


def test_dict_keeps_values_that_yaml_does_not_know():
    array = np.arange(3)
    params = {"array": array, "n": np.int64(3), "x": np.float32(0.5), "path": Path("a")}
    flow = load_workflow({"flow": SETTINGS, "s": {"classname": "S", "params": params}})
    assert flow.stages[0].params["array"] is array
    assert flow.stages[0].params == params
    written = yaml.safe_load(flow.text)["s"]["params"]
    assert written == {"array": "[0 1 2]", "n": 3, "x": 0.5, "path": "a"}


def test_dict_of_the_caller_is_not_shared():
    content = {"flow": SETTINGS, "s": {"classname": "S", "params": {"a": {"b": [1]}}}}
    load_workflow(content).stages[0].params["a"]["b"].append(2)
    assert content["s"]["params"] == {"a": {"b": [1]}}


@pytest.mark.parametrize("kind", [dict, list])
def test_dict_that_contains_itself_is_a_config_error(kind):
    endless = {} if kind is dict else []
    endless.update(a=endless) if kind is dict else endless.append(endless)
    with pytest.raises(ConfigError, match="nested too deeply"):
        load_workflow({"flow": SETTINGS, "s": {"classname": "S", "params": {"a": endless}}})


# Sources ----------------------------------------------------------------------------------------


def test_path_object(write):
    path = write("flow: {source: events}")
    assert load_workflow(path).name == str(path)


def test_workflow_is_returned_as_it_is():
    flow = load_workflow(CONTENT)
    assert load_workflow(flow) is flow


@pytest.mark.parametrize("source", [None, 3, ["flow.yaml"], b"flow.yaml"])
def test_other_objects(source):
    with pytest.raises(UsageError, match="a file, a dict or a Workflow object, not an object of"):
        load_workflow(source)


def test_several_are_loaded_in_order(write):
    write("flow: {source: a}", "a.yaml")
    write("flow: {source: b}", "b.yaml")
    flows = load_workflows(["b.yaml", CONTENT, "a.yaml", "b.yaml"])
    assert [flow.name for flow in flows] == ["b.yaml", "<dict>", "a.yaml", "b.yaml"]


def test_problems_of_several_files_are_reported_at_once_and_once_each(write):
    write("flow: {source: 1}", "a.yaml")
    write("flow: {source: b}", "b.yaml")
    with pytest.raises(ConfigError) as caught:
        load_workflows(["a.yaml", "no.yaml", "b.yaml", "a.yaml"])
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["a.yaml", "no.yaml"]


def test_import_needs_no_numpy_h5py_or_rich():
    code = "import sys, h5flow.config; print(*({'numpy', 'h5py', 'rich'} & sys.modules.keys()))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        cwd=root,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


# Mutations --------------------------------------------------------------------------------------

VALID = """\
base: &base {a: 1, b: [1, 2, {c: d}]}
flow:
  source: gen
  stages: [pairs, plots]
  drop: [scratch]
  compression: gzip:4
resources:
  - classname: Geometry
    params: {<<: *base, day: 2012-06-01}
gen: {classname: G, dset_name: raw, params: {chunk_size: 65536}}
pairs:
  classname: MuonPairs
  path: h5flow_modules.dimuon
  requires:
    - muons
    - {name: tracks, path: [muons, tracks], index_only: false}
    - {name: hits, path: hits, layout: jagged, optional: true}
  params: {min_pt: 3.0, 0x3800000: [1, 2], base: *base}
plots: !include plots.yaml
"""
PLOTS = "classname: Plots\nparams: {bins: 10, text: 'a\\u00e9'}\n"
PIECES = [
    *":{}[]&*!|>'\"#%@`,-?\n\t ~=<\0\x85\ufeff\ud7ff",
    "<<: ", "&base ", "*base", "!include ", "!include flow.yaml", "!include ..", "!!set ", "!!int ",
    "!!binary ", "!x ", "null", "[[[[", "? ", "- ", "---\n", "%YAML 1.1\n", "0x",
    "2001-99-99", "1e999",
    "9" * 5000, "\\ud800", '"\\0"', "..", "/", "flow", "source: ", "*base : ", "true",
]  # fmt: skip
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "delete", "move"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 40),
        st.sampled_from(PIECES) | st.text(max_size=3),
    ),
    min_size=1,
    max_size=6,
)


def mutate(text: str, edits: list[tuple[str, float, int, str]]) -> str:
    for kind, where, length, piece in edits:
        start = int(where * (len(text) + 1))
        cut = text[start : start + length]
        if kind == "insert":
            text = text[:start] + piece + text[start:]
        elif kind == "replace":
            text = text[:start] + piece + text[start + length :]
        elif kind == "delete":
            text = text[:start] + text[start + length :]
        else:
            rest = text[:start] + text[start + length :]
            at = hash((start, length)) % (len(rest) + 1)
            text = rest[:at] + cut + rest[at:]
    return text


def loads_or_tells_the_place(path: str) -> None:
    problems = ()
    try:
        flow = load_workflow(path)
    except ConfigError as error:
        problems = error.problems
    if problems:
        assert all(problem.place is not None and problem.message for problem in problems)
    else:
        assert flow.generator.classname
        assert flow.generator.dset_name
        assert all(stage.classname for stage in flow.stages)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS, in_included=st.booleans())
def test_a_mutated_file_loads_or_is_a_config_error(folder, edits, in_included):
    flow, plots = (VALID, mutate(PLOTS, edits)) if in_included else (mutate(VALID, edits), PLOTS)
    (folder / "flow.yaml").write_bytes(flow.encode("utf-8", "surrogatepass"))
    (folder / "plots.yaml").write_bytes(plots.encode("utf-8", "surrogatepass"))
    loads_or_tells_the_place("flow.yaml")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
KEYS = ("classname", "path", "dset_name", "requires", "params")


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    flow=st.fixed_dictionaries(
        {"source": st.sampled_from(["g", "s", "d"]) | PLAIN},
        optional=dict.fromkeys(("stages", "drop", "input", "compression", "backend"), PLAIN),
    ),
    block=st.dictionaries(st.sampled_from(KEYS), PLAIN),
)
def test_values_of_any_type_load_or_are_a_config_error(folder, flow, block):
    content = {"flow": {"stages": ["s"], **flow}, "s": block, "g": block}
    (folder / "flow.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    loads_or_tells_the_place("flow.yaml")


def test_the_file_that_is_mutated_is_right(folder):
    (folder / "flow.yaml").write_text(VALID)
    (folder / "plots.yaml").write_text(PLOTS)
    assert [stage.classname for stage in load_workflow("flow.yaml").stages] == [
        "MuonPairs",
        "Plots",
    ]
