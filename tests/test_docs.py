"""README and pages say what is so: their Python runs, their YAML loads, their links lead on."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from h5flow.cli.options import make_parser, option_names
from h5flow.config import load_workflow

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples" / "dimuon" / "README.md",
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(page.read_text("utf-8")) if found == language]


@pages
def test_examples_print_what_the_page_says(page: Path, working_directory: Path) -> None:
    text = page.read_text("utf-8").replace("```", "")
    if ">>>" not in text:
        return
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert test.examples
    output: list[str] = []
    doctest.DocTestRunner().run(test, out=output.append)
    assert not output, "".join(output)


WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "h5flow").rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_in_docstrings_print_what_they_say(module: str, working_directory: Path) -> None:
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted
    assert not results.failed


@pages
def test_python_without_prompts_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        if ">>>" not in block:
            ast.parse(block)


@pages
def test_workflows_can_be_loaded(page: Path, working_directory: Path) -> None:
    for position, block in enumerate(blocks(page, "yaml")):
        if not block.startswith("flow:"):
            continue
        path = working_directory / f"{position}.yaml"
        path.write_text(block, "utf-8")
        assert load_workflow(path).generator.dset_name


@pages
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def headings(page: Path) -> set[str]:
    """Return the names by which links lead to the headings of a page."""
    prose = BLOCK.sub("", page.read_text("utf-8"))
    titles = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pages
def test_links_into_pages_lead_to_headings(page: Path) -> None:
    for target, heading in re.findall(r"\]\(([^)#:]*)#([\w-]+)\)", page.read_text("utf-8")):
        assert heading in headings(page.parent / target if target else page), heading


@pages
def test_quotations_of_code_are_exact(page: Path) -> None:
    text = page.read_text("utf-8")
    quoted = re.findall(r"<!-- from (\S+): (\w+) -->\n+```python\n(.*?)^```$", text, re.M | re.S)
    assert len(quoted) == text.count("<!-- from ")
    for file, name, block in quoted:
        source = (ROOT / file).read_text("utf-8")
        defined = {
            node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)
        }
        assert block.strip() == ast.get_source_segment(source, defined[name])


def test_every_page_is_in_the_navigation_and_on_the_first_page() -> None:
    found = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    first = (ROOT / "docs" / "index.md").read_text("utf-8")
    assert sorted(name for entry in navigation for name in entry.values()) == found
    assert sorted(["index.md", *re.findall(r"^\| \[.*\]\((.*)\)", first, re.M)]) == found


def test_the_page_of_commands_has_the_options_of_the_command() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    table = text[text.index("| option |") : text.index("## Where the time went")]
    on_page = set(re.findall(r"`(--?[a-z][\w-]*)", table))
    assert on_page - {"-vv"} == set(option_names(make_parser(in_run=True)))


def test_the_classes_of_the_readme_run(
    working_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import h5flow
    from h5flow.data import H5FlowDataManager

    text = (ROOT / "README.md").read_text("utf-8")
    classes = [block for block in blocks(ROOT / "README.md", "python") if "(H5Flow" in block]
    assert len(classes) == 2
    (working_directory / "readme_classes.py").write_text("\n".join(classes), "utf-8")
    workflow = next(
        block for block in blocks(ROOT / "README.md", "yaml") if "classname: Counter" in block
    )
    (working_directory / "counter.yaml").write_text(workflow, "utf-8")
    h5flow.run("counter.yaml", "numbers.h5", end_position=250)
    with H5FlowDataManager("numbers.h5", mode="r") as dm:
        assert dm["numbers", :].tolist() == list(range(250))
        assert "Counter" in text


def test_the_charge_of_the_readme_is_summed(working_directory: Path) -> None:
    import h5flow
    from h5flow.data import H5FlowDataManager

    stage = next(block for block in blocks(ROOT / "README.md", "python") if "(H5FlowStage" in block)
    (working_directory / "charge_stage.py").write_text(stage, "utf-8")
    with H5FlowDataManager("in.h5") as dm:
        dm.create_dset("events", "i8")
        dm.create_dset("hits", [("q", "f8")])
        dm.create_ref("events", "hits")
        dm.reserve_data("events", 2)
        dm.write_data("hits", dm.reserve_data("hits", 3), {"q": [1.0, 2.0, 3.0]})
        dm.write_ref("events", "hits", [(0, 0), (0, 2)])
    workflow = {
        "flow": {"source": "events", "stages": ["charge"]},
        "charge": {"classname": "TotalCharge", "requires": ["hits"], "params": {"gain": 2.0}},
    }
    h5flow.run(workflow, "out.h5", "in.h5")
    with H5FlowDataManager("out.h5", mode="r") as dm:
        assert dm["events", "charge", :]["q"].tolist() == [[8.0], [0.0]]
        assert dm.get_attrs("charge")["unit"] == "fC"


def test_the_stage_that_runs_anywhere_passes_its_own_test(working_directory: Path) -> None:
    pytest.importorskip("array_api_strict", reason="NOT TESTED WITHOUT array-api-strict")
    python = blocks(ROOT / "docs" / "arrays.md", "python")
    stage = next(block for block in python if "class Energy(H5FlowStage)" in block)
    (working_directory / "energy_stage.py").write_text(stage, "utf-8")
    test = next(block for block in python if "def test_" in block)
    (working_directory / "test_energy.py").write_text(test, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_energy.py"]
    done = subprocess.run(
        command, cwd=working_directory, capture_output=True, text=True, timeout=60, check=False
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_conda_users_get_the_same_dependencies() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    *from_conda, from_pip = environment["dependencies"]
    wanted = {*project["dependencies"], f"python{project['requires-python']}", "pip"}
    assert {*from_conda, *from_pip["pip"]} == wanted


def test_all_extras_are_there() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {"mpi", "cuda12", "cuda13", "test", "docs", "dev"} <= set(
        project["optional-dependencies"]
    )
