"""The schema, rule by rule: what a workflow may say, and what is said of what it may not."""

from __future__ import annotations

import pytest

from h5flow.config import GeneratorSpec, Requirement
from h5flow.errors import Place

FULL = """\
flow:
  source: events
  stages: [pairs, plots]
  drop: [scratch, /hits/calib/]
  input: in.h5
  output: out.h5
  backend: numpy
  compression: gzip:4
resources:
  - classname: Geometry
    path: my.package.geometry
    params: {file: geometry.yaml}
pairs:
  classname: MuonPairs
  path: h5flow_modules.dimuon
  requires:
    - muons
    - {name: muon_idx, path: muons, index_only: true}
    - {name: tracks, path: [muons, /tracks/], index_only: false}
    - {name: calib, path: calib, optional: true}
    - {name: hits, layout: jagged}
  params: {min_pt: 3.0, 0x3800000: [1, 2]}
plots:
  classname: Plots
"""
STAGE = "flow: {source: events, stages: [s]}\n"


def flow(text: str) -> str:
    return f"flow:\n  source: events\n  {text}\n"


def requires(text: str) -> str:
    return STAGE + f"s:\n  classname: S\n  requires:\n    - {text}\n"


# A workflow that is right ---------------------------------------------------------------------


def test_flow(load):
    read = load(FULL)
    assert read.name == "flow.yaml"
    assert (read.input, read.output) == ("in.h5", "out.h5")
    assert (read.backend, read.compression) == ("numpy", "gzip:4")
    assert read.drop == ("scratch", "hits/calib")
    assert read.text == FULL
    assert read.unused == ()


def test_stages(load):
    pairs, plots = load(FULL).stages
    assert (pairs.name, pairs.classname, pairs.module) == (
        "pairs",
        "MuonPairs",
        "h5flow_modules.dimuon",
    )
    assert pairs.params == {"min_pt": 3.0, 0x3800000: [1, 2]}
    assert pairs.place == Place("flow.yaml", 13, 1, "pairs")
    assert (plots.module, plots.requires, plots.params) == (None, (), {})


def test_requirements(load):
    def at(index: int, line: int) -> Place:
        return Place("flow.yaml", line, 7, f"pairs.requires[{index}]")

    assert load(FULL).stages[0].requires == (
        Requirement("muons", ("muons",), place=at(0, 17)),
        Requirement("muon_idx", ("muons",), index_only=True, place=at(1, 18)),
        Requirement("tracks", ("muons", "tracks"), place=at(2, 19)),
        Requirement("calib", ("calib",), optional=True, place=at(3, 20)),
        Requirement("hits", ("hits",), layout="jagged", place=at(4, 21)),
    )


def test_resources(load):
    (geometry,) = load(FULL).resources
    assert (geometry.classname, geometry.module) == ("Geometry", "my.package.geometry")
    assert geometry.params == {"file": "geometry.yaml"}
    assert geometry.place == Place("flow.yaml", 10, 5, "resources[0]")


def test_source_without_block_is_looped_over(load):
    assert load(FULL).generator == GeneratorSpec(
        name="events",
        classname="H5FlowDatasetLoopGenerator",
        dset_name="events",
        params={"chunk_size": "auto"},
        place=Place("flow.yaml", 2, 11, "flow.source"),
    )


def test_source_with_block_is_a_generator(load):
    text = "flow: {source: gen}\ngen:\n  classname: G\n  path: a.b\n  dset_name: raw/\n"
    text += "  requires: [x]\n  params: {chunk_size: 65536}\n"
    assert load(text).generator == GeneratorSpec(
        name="gen",
        classname="G",
        dset_name="raw/",
        module="a.b",
        requires=(Requirement("x", ("x",), place=Place("flow.yaml", 6, 14, "gen.requires[0]")),),
        params={"chunk_size": 65536},
        place=Place("flow.yaml", 2, 1, "gen"),
    )


@pytest.mark.parametrize("stages", ["", "stages:", "stages: []"])
def test_stages_may_be_empty_or_absent(load, stages):
    assert load(flow(stages)).stages == ()


@pytest.mark.parametrize("params", ["", "params:", "params: {}"])
def test_params_may_be_empty_or_absent(load, params):
    assert load(STAGE + f"s:\n  classname: S\n  {params}\n").stages[0].params == {}


@pytest.mark.parametrize(
    ("drop", "names"),
    [("", ()), ("drop:", ()), ("drop: a/b", ("a/b",)), ("drop: [a, /a, b]", ("a", "b"))],
)
def test_drop_is_a_list_or_one_name(load, drop, names):
    assert load(flow(drop)).drop == names


@pytest.mark.parametrize("text", ["gzip", "gzip:0", "gzip:9", "lzf", "zstd", "blosc-zstd:-3"])
def test_compression(load, text):
    assert load(flow(f"compression: {text}")).compression == text


@pytest.mark.parametrize("layout", ["padded", "jagged", "single", "aligned"])
def test_layouts(load, layout):
    assert load(requires(f"{{name: a, layout: {layout}}}")).stages[0].requires[0].layout == layout


def test_requirement_keeps_its_name_and_has_a_clean_path(load):
    (requirement,) = load(requires("/charge/hits/")).stages[0].requires
    assert (requirement.name, requirement.path) == ("/charge/hits/", ("charge/hits",))


def test_path_of_four(load):
    assert load(requires("{name: a, path: [a, b, c, d]}")).stages[0].requires[0].path == tuple(
        "abcd"
    )


def test_blocks_that_nothing_refers_to_are_told_and_not_checked(load):
    read = load(STAGE + "s: {classname: S}\nother: {whatever: 1}\n3: x\nempty:\n")
    assert [(place.line, place.key) for place in read.unused] == [
        (3, "other"),
        (4, "3"),
        (5, "empty"),
    ]


def test_blocks_that_an_alias_refers_to_are_not_unused(load):
    text = "one: &one {a: 1}\nmore: {two: &two {b: 1}}\n" + STAGE
    assert load(text + "s: {classname: S, params: {<<: [*one, *two]}}\n").unused == ()


def test_a_block_with_an_alias_in_it_may_be_unused(load):
    text = "one: &one {a: 1}\n" + STAGE + "s: {classname: S, params: *one}\nt: {params: *one}\n"
    assert [place.key for place in load(text).unused] == ["t"]


# What is wrong, and where ----------------------------------------------------------------------

BLOCK = STAGE + "s:\n  classname: S\n  "
GENERATOR = "flow: {source: g}\ng:\n  classname: G\n  dset_name: raw\n  "
WRONG = [
    # the file
    ("flw: {source: a}\n", "1", "the block 'flow' is missing (did you mean 'flw'?)"),
    ("flow:\n", "1", "the block 'flow' is missing"),
    ("flow: [a]\n", "1: flow", "flow must be a mapping, not a list"),
    # flow
    ("flow: {stages: []}\n", "1: flow", "'source' is missing"),
    (flow("stage: []"), "3: flow.stage", "this is not a key of flow (did you mean 'stages'?)"),
    (flow("zzz: 1"), "3: flow.zzz", "this is not a key of flow; its keys are source, stages"),
    ("flow: {source: [a]}\n", "1: flow.source", "not a list"),
    ("flow: {source: 5}\n", "1: flow.source", "not 5 (of type int); if it is meant as text"),
    ("flow: {source: /}\n", "1: flow.source", "'/' cannot be the name of a dataset"),
    ("flow: {source: a/../b}\n", "1: flow.source", "cannot be the name of a dataset"),
    ("flow: {source: ' '}\n", "1: flow.source", "not an empty string"),
    (flow("stages: s"), "3: flow.stages", "a list of names of stages, not 's'; write [s]"),
    (flow("stages: {s: 1}"), "3: flow.stages", "must be a list of names of stages, not a mapping"),
    (flow("stages: [on]"), "3: flow.stages[0]", "must be the name of a stage, not true; if it"),
    (flow("stages: [[s]]"), "3: flow.stages[0]", "must be the name of a stage, not a list"),
    (flow("stages: [flow]"), "3: flow.stages[0]", "the stage 'flow' is not defined"),
    (flow("stages: [pair]") + "pairs: {}\n", "3: flow.stages[0]", "(did you mean 'pairs'?)"),
    (STAGE.replace("[s]", "[s, s]") + "s: {classname: S}\n", "1: flow.stages[1]", "listed twice"),
    (STAGE.replace("events", "s") + "s: {classname: S}\n", "1: flow.source", "'s' is a stage"),
    (flow("drop: 3"), "3: flow.drop", "must be the name of a dataset, not 3"),
    (flow("drop: [a, {b: 1}]"), "3: flow.drop[1]", "not a mapping"),
    (flow("drop: {a: b}"), "3: flow.drop", "must be a list of datasets, not a mapping"),
    (flow("input: [a, b]"), "3: flow.input", "must be the path of a file, not a list"),
    (flow("output: true"), "3: flow.output", "must be the path of a file, not true"),
    (flow("backend: 1.5"), "3: flow.backend", "must be the name of a backend, not 1.5"),
    (flow("compression: 4"), "3: flow.compression", "must be NAME or NAME:LEVEL"),
    (flow("compression: gzip:10"), "3: flow.compression", "the level of gzip is 0 to 9, not 10"),
    (flow("compression: gzip:x"), "3: flow.compression", "'gzip:x' is not a whole number"),
    (flow("compression: 'gzip:'"), "3: flow.compression", "is not a whole number"),
    (flow("compression: lzf:3"), "3: flow.compression", "lzf has no levels"),
    (flow("compression: ':3'"), "3: flow.compression", "':3' is not NAME or NAME:LEVEL"),
    # stages
    (STAGE + "s:\n", "2: s", "a stage must be a mapping, not nothing"),
    (STAGE + "s: [a]\n", "2: s", "a stage must be a mapping, not a list"),
    (STAGE + "s:\n  requires: []\n", "2: s", "'classname' is missing"),
    (BLOCK + "require: [a]\n", "4: s.require", "not a key of a stage (did you mean 'requires'?)"),
    (BLOCK + "min_pt: 3\n", "4: s.min_pt", "its keys are classname, path, requires, params"),
    (BLOCK + "3: 3\n", "4: s.3", "this is not a key of a stage"),
    (BLOCK + "params: [a]\n", "4: s.params", "a mapping of names to values, not a list"),
    (BLOCK + "path: a/b.py\n", "4: s.path", "is not a dotted module (did you mean 'a.b'?)"),
    (BLOCK + "path: a-b\n", "4: s.path", "'a-b' is not a dotted module"),
    (BLOCK + "path: 3\n", "4: s.path", "must be a dotted module"),
    (STAGE + "s: {classname: 3}\n", "2: s.classname", "the name of a Python class, not 3"),
    (STAGE + "s: {classname: a.B}\n", "2: s.classname", "its module is given as path"),
    # generators
    ("flow: {source: g}\ng: {classname: G}\n", "2: g", "'dset_name' is missing"),
    ("flow: {source: g}\ng: {dset_name: a}\n", "2: g", "'classname' is missing"),
    ("flow: {source: g}\ng:\n", "2: g", "a generator must be a mapping, not nothing"),
    (GENERATOR + "dset: x\n", "5: g.dset", "not a key of a generator (did you mean 'dset_name'?)"),
    (GENERATOR + "params: 3\n", "5: g.params", "not 3"),
    # resources
    (flow("") + "resources: {classname: R}\n", "4: resources", "must be a list of resources"),
    (flow("") + "resources: [R]\n", "4: resources[0]", "a resource must be a mapping, not 'R'"),
    (flow("") + "resources: [{path: a}]\n", "4: resources[0]", "'classname' is missing"),
    (flow("") + "resources: [{classname: R, requires: []}]\n", "4: resources[0].requires", "a key"),
    (flow("") + "resources: [{classname: R}, {classname: R}]\n", "4: resources[1]", "already"),
    # requires
    (BLOCK + "requires: a\n", "4: s.requires", "not 'a'; write [a]"),
    (requires("3"), "5: s.requires[0]", "must be a dataset, or {name: …, path: …}, not 3"),
    (requires("[a]"), "5: s.requires[0]", "not a list"),
    (requires("{path: a}"), "5: s.requires[0]", "'name' is missing"),
    (requires("{name: [a]}"), "5: s.requires[0].name", "not a list"),
    (requires("{name: a, pth: b}"), "5: s.requires[0].pth", "(did you mean 'path'?)"),
    (requires("{name: a, path: []}"), "5: s.requires[0].path", "1 to 4 datasets long, not 0"),
    (requires("{name: a, path: [a, b, c, d, e]}"), "5: s.requires[0].path", "not 5"),
    (requires("{name: a, path: [b, 3]}"), "5: s.requires[0].path[1]", "not 3"),
    (requires("{name: a, path: {b: c}}"), "5: s.requires[0].path", "not a mapping"),
    (requires("{name: a, index_only: 'yes'}"), "5: s.requires[0].index_only", "true or false"),
    (requires("{name: a, optional: 1}"), "5: s.requires[0].optional", "true or false, not 1"),
    (requires("{name: a, layout: jaged}"), "5: s.requires[0].layout", "(did you mean 'jagged'?)"),
    (requires("{name: a, layout: 3}"), "5: s.requires[0].layout", "one of padded, jagged"),
    (requires("a\n    - {name: /a, path: b}"), "6: s.requires[1]", "'/a' is required twice"),
]


@pytest.mark.parametrize(("text", "where", "message"), WRONG)
def test_one_mistake_is_one_problem_at_its_place(problems, text, where, message):
    (problem,) = problems(text)
    assert problem.startswith(f"flow.yaml:{where}: ")
    assert message in problem


def test_every_problem_of_a_file_is_reported_at_once(problems):
    lines = problems(
        """\
        flow:
          source: events
          stages: [pairs, plot]
          drops: [a]
        resources:
          - clasname: Geometry
        pairs:
          classname: MuonPairs
          requires:
            - {name: hits, layout: jaged}
            - {path: a}
          params: {a: 1, a: 2}
        plots:
          requires: 3
        """
    )
    assert [line.split(": ")[0] for line in lines] == [
        f"flow.yaml:{number}" for number in (3, 4, 6, 10, 11, 12)
    ]


def test_problem_of_an_included_block_is_told_there(write, problems):
    write("requires: []\n", "s.yaml")
    (problem,) = problems(STAGE + "s: !include s.yaml\n")
    assert problem.startswith("s.yaml:1: s: 'classname' is missing")
