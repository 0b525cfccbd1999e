"""From a class name to a class: which source wins, and what is said when it fails."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from h5flow import H5FlowStage
from h5flow.core.discovery import ClassKind, find_class
from h5flow.errors import DiscoveryError, H5FlowWarning, Place

Run = Callable[..., str]
Write = Callable[..., Path]


class Base:
    """Stands for H5FlowStage."""


KIND = ClassKind("stage", Base, "h5flow.stages")


def stage(name: str) -> str:
    """Return the source of a stage; its base is made by the code that `run` starts with."""
    return f"from stage_base import Base\nclass {name}(Base): pass\n"


def test_path_names_a_package_or_an_installed_module(
    tmp_path: Path, write: Write, run: Run
) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "geometry.py").write_text(stage("Geometry"))
    write("local/__init__.py", "from .inner import Own")
    write("local/inner.py", stage("Own"))
    code = f"""
sys.path.append({str(tmp_path)!r})
print(find('Geometry', 'pkg.geometry').__module__, find('Own', 'local').__module__)
"""
    assert run(code) == "pkg.geometry local.inner"


# entry points


class OfferedStage(Base):
    """A stage that an installed package offers."""


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    def offer_class(name: str, value: str) -> None:
        points = [EntryPoint(name, value, KIND.group)]
        monkeypatch.setattr("h5flow.core.discovery._entry_points", lambda _kind: points)

    return offer_class


def test_an_entry_point_is_before_the_search(
    offer: Callable[[str, str], None], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "offering", sys.modules[__name__])
    offer("OfferedStage", "offering:OfferedStage")
    write("own.py", "class OfferedStage: raise RuntimeError")
    assert find_class("OfferedStage", KIND) is OfferedStage


def test_no_package_takes_the_place_of_what_h5flow_ships(offer: Callable[[str, str], None]) -> None:
    offer("H5FlowTestStage", "json:JSONDecoder")
    found = find_class("H5FlowTestStage", ClassKind("stage", H5FlowStage, KIND.group))
    assert found.__module__ == "h5flow.modules.test_stage"


@pytest.mark.parametrize("target", ["no_such_package:Own", "json:Own"])
def test_a_broken_entry_point_is_a_warning(
    target: str, offer: Callable[[str, str], None], write: Write
) -> None:
    offer("Own", target)
    with (
        pytest.warns(H5FlowWarning, match=f"'Own'.*{target}.*left out"),
        pytest.raises(DiscoveryError, match="there is no stage 'Own'"),
    ):
        find_class("Own", KIND)


# what is said


def error_of(name: object, module: str | None = None) -> DiscoveryError:
    place = Place("flow.yaml", 7, 3, "pairs.classname")
    with pytest.raises(DiscoveryError) as caught:
        find_class(name, KIND, module=module, place=place)  # type: ignore[arg-type]
    assert caught.value.place == place
    assert caught.value.advice
    return caught.value


def test_an_unknown_class_names_the_nearest_and_what_was_searched(
    project: Path, write: Write
) -> None:
    write("sub/own.py", "class MuonPairs: pass")
    text = str(error_of("MuonPair"))
    assert text.startswith("flow.yaml:7: pairs.classname: there is no stage 'MuonPair'")
    for words in ("did you mean 'MuonPairs'?", str(project), "h5flow_modules", KIND.group):
        assert words in text


def test_a_class_that_is_only_mentioned_is_not_the_nearest(write: Write) -> None:
    write("notes.py", '"""\nclass MuonPairs\n"""')
    with pytest.raises(DiscoveryError) as raised:
        find_class("MuonPairs", KIND)
    assert "did you mean" not in str(raised.value)


def test_two_candidates_are_both_named(write: Write) -> None:
    write("a.py", "class Own: pass")
    write("b.py", "\nclass Own: pass")
    assert "a.py:1, b.py:2" in str(error_of("Own"))


def test_a_syntax_error_in_the_only_file_is_reported(write: Write) -> None:
    write("sub/own.py", "x = 1\nclass Own(:\n    pass")
    text = str(error_of("Own"))
    assert "sub/own.py:2: SyntaxError: " in text
    assert "class Own(:" in text


@pytest.mark.parametrize("source", [b"class Own: pass\0", b"\xff\nclass Own: pass", b"class Own"])
def test_what_is_not_python_at_all_is_reported(source: bytes, project: Path) -> None:
    (project / "own.py").write_bytes(source)
    assert "own.py:" in str(error_of("Own"))
    assert "SyntaxError" in str(error_of("Own"))


def test_a_broken_file_that_only_mentions_the_class_is_ignored(write: Write, run: Run) -> None:
    write("broken.py", "# class Own\n(")
    write("sub/own.py", stage("Own"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run("print(find('Own').__module__)") == "sub.own"


def test_a_broken_file_that_seems_to_define_the_class_is_a_warning(write: Write, run: Run) -> None:
    write("broken.py", "class Own(\n")
    write("sub/own.py", stage("Own"))
    code = """
import warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter('always')
    find('Own')
print(seen[0].message)
"""
    assert "taken from sub/own.py:2" in run(code)
    assert "broken.py:1" in run(code)


FAILURES = [
    ("import no_such_package", "own.py:1: ModuleNotFoundError: No module named", "Install"),
    ("\n\n1 / 0", "own.py:3: ZeroDivisionError: division by zero", "importable"),
    ("import sys\nsys.exit(0)", "own.py:2: it ends the program (SystemExit: 0)", "__main__"),
    ("import sibling", "sibling.py:2: KeyError: 'x'", "importable"),
    ("import unfinished", "unfinished.py:1: SyntaxError: ", "Correct the syntax"),
]


@pytest.mark.parametrize(("text", "message", "advice"), FAILURES)
@pytest.mark.parametrize("path", [None, "sub.own"])
def test_a_failing_import_is_reported_with_its_place(
    text: str, message: str, advice: str, path: str | None, write: Write, run: Run
) -> None:
    write("sub/sibling.py", "\n{}['x']")
    write("sub/unfinished.py", "def f(:")
    write("sub/own.py", text + "\n" + stage("Own"))
    code = f"""
try: find('Own', {path!r})
except DiscoveryError as error:
    print(error)
    print(isinstance(error.__cause__, BaseException), 'sub.own' in sys.modules)
"""
    output = run(code)
    assert f"the stage 'Own' cannot be imported: sub/{message}" in output
    assert advice in output
    assert output.endswith("True False")


def test_a_failing_import_with_a_private_name_is_forgotten(write: Write, run: Run) -> None:
    write("json.py", "1 / 0\n" + stage("Own"))
    code = """
for text in ('json.py:1: ZeroDivisionError', ''):
    try: print(find('Own').__name__)
    except DiscoveryError as error: print(text in str(error))
    open('json.py', 'w').write('from stage_base import Base\\nclass Own(Base): pass')
"""
    assert run(code).split() == ["True", "Own"]


def test_a_missing_module_names_the_nearest(write: Write) -> None:
    write("h5flow_modules/dimuon.py", "class Own: pass")
    error = error_of("Own", "h5flow_modules.dimuons")
    assert "there is no module 'h5flow_modules.dimuons'" in error.message
    assert "did you mean 'h5flow_modules.dimuon'?" in error.message


@pytest.mark.parametrize("path", ["h5flow_modules/dimuon.py", "./h5flow_modules/dimuon"])
def test_a_file_name_as_path_is_explained(path: str) -> None:
    assert "'h5flow_modules.dimuon'" in str(error_of("Own", path))


def test_a_module_without_the_class_names_the_nearest(write: Write, run: Run) -> None:
    write("h5flow_modules/own.py", stage("MuonPairs"))
    code = """
try: find('MuonPair', 'h5flow_modules.own')
except DiscoveryError as error: print(error)
"""
    output = run(code)
    assert "h5flow_modules/own.py has no stage 'MuonPair'" in output
    assert "did you mean 'MuonPairs'?" in output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class Own(dict): pass", "a class derived from dict"),
        ("def Own(): pass", "of type function"),
    ],
)
def test_what_is_not_a_stage_is_described(text: str, words: str, write: Write, run: Run) -> None:
    write("own.py", text)
    code = "try: find('Own', 'own')\nexcept DiscoveryError as error: print(error)"
    output = run(code)
    assert f"'Own' of own is not a stage: it is {words}" in output
    assert "A stage is a class derived from Base" in output


@pytest.mark.parametrize("name", ["", "my.package.Own", "Own Stage", "Own-2", 3])
def test_what_cannot_be_a_class_name_is_refused(name: object) -> None:
    assert "cannot be the name of a class" in str(error_of(name))
