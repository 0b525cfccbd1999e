"""From a class name to a class: what is searched, what is imported, what is said when it fails.

Whatever imports a user's file runs in a process of its own, for modules are remembered for ever.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import h5flow
from h5flow.core.class_search import class_names, search
from h5flow.core.discovery import ClassKind, find_class, source_of, string_constants
from h5flow.errors import DiscoveryError, H5FlowWarning, Place

Run = Callable[..., str]
Write = Callable[..., Path]

PREAMBLE = """
import sys
sys.path = [p for p in sys.path if p not in ('', {project!r})]
import importlib
from h5flow.core.discovery import ClassKind, find_class
from h5flow.errors import DiscoveryError
class Base: pass
import types
sys.modules['stage_base'] = base = types.ModuleType('stage_base')
base.Base = Base
KIND = ClassKind('stage', Base, 'h5flow.stages')
def find(name, path=None): return find_class(name, KIND, module=path)
"""
A_STAGE = "from stage_base import Base\nclass {name}(Base): pass\n"


class Base:
    """Stands for H5FlowStage."""


KIND = ClassKind("stage", Base, "h5flow.stages")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def write(project: Path) -> Write:
    def write_file(name: str, text: str = "") -> Path:
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    return write_file


@pytest.fixture
def run(project: Path) -> Run:
    """Return a function that runs Python code in the project; its output, stripped."""

    def run_code(code: str, *, on_path: bool = False) -> str:
        package = str(Path(h5flow.__path__[0]).parent)
        first = "sys.path.insert(0, '')\n" if on_path else ""
        start = f"import sys; sys.path.append({package!r})\n"
        done = subprocess.run(
            [sys.executable, "-c", start + PREAMBLE.format(project=str(project)) + first + code],
            cwd=project,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run_code


def stage(name: str) -> str:
    return A_STAGE.format(name=name)


def found_in(project: Path, name: str) -> list[str]:
    return [str(item.file.relative_to(project)) for item in search(name, project).definitions]


# where a class is looked for


@pytest.mark.parametrize("rank", range(3))
def test_ranks_are_searched_in_order(rank: int, project: Path, write: Write) -> None:
    files = ["own.py", "h5flow_modules/deep/er/own.py", "another/folder/own.py"]
    for file in files[rank:]:
        write(file, "class Own: pass")
    assert found_in(project, "Own") == [files[rank]]


def test_the_modules_of_h5flow_come_last(
    project: Path, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "built_in.py").write_text("class BuiltIn: pass\nclass Both: pass")
    write("sub/own.py", "class Both: pass")
    monkeypatch.setattr("h5flow.modules.__path__", [str(tmp_path / "nothing"), str(tmp_path)])
    assert found_in(project, "Both") == ["sub/own.py"]
    assert search("BuiltIn", project).definitions[0].file == tmp_path / "built_in.py"


@pytest.mark.parametrize(
    "folder",
    [".hidden", "__pycache__", "node_modules", "lib/site-packages", "h5flow_modules/.hidden"],
)
def test_some_folders_are_never_entered(folder: str, project: Path, write: Write) -> None:
    write(f"{folder}/own.py", "class Own: pass")
    assert found_in(project, "Own") == []


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_an_environment_is_never_entered(mark: str, project: Path, write: Write) -> None:
    write(f"env/{mark}")
    write("env/lib/own.py", "class Own: pass")
    assert found_in(project, "Own") == []


def test_links_are_followed_and_loops_are_not(project: Path, tmp_path: Path, write: Write) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "own.py").write_text("class Own: pass")
    write("below/file.py")
    (project / "linked").symlink_to(elsewhere)
    (project / "below" / "up").symlink_to(project)
    (elsewhere / "self").symlink_to(elsewhere)
    assert found_in(project, "Own") == ["linked/own.py"]


def test_a_file_reached_by_two_paths_is_one_candidate(project: Path, write: Write) -> None:
    write("real/own.py", "class Own: pass")
    (project / "also").symlink_to(project / "real")
    (project / "real" / "other.py").symlink_to(project / "real" / "own.py")
    assert len(search("Own", project).definitions) == 1
    assert found_in(project, "Own")[0].startswith("real")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("class Own: pass", 1),
        ("\n\n@decorated\nclass Own(Base, meta=1):\n    x = 1", 4),
        ("if True:\n    pass\nelse:\n    class Own: pass", 4),
        ("try:\n    import x\nexcept ImportError:\n    class Own: pass", 4),
        ("# -*- coding: latin-1 -*-\nclass Own: name = '\\d'", 2),
    ],
)
def test_top_level_definitions_count(text: str, line: int, project: Path, write: Write) -> None:
    write("own.py", text)
    assert [item.line for item in search("Own", project).definitions] == [line]


@pytest.mark.parametrize(
    "text",
    [
        "class Owner: pass",
        "# class Own",
        "text = '''\nclass Own: pass\n'''",
        "class Outer:\n    class Own: pass",
        "def make():\n    class Own: pass",
        "Own = 1",
    ],
)
def test_other_mentions_do_not_count(text: str, project: Path, write: Write) -> None:
    write("own.py", text)
    assert found_in(project, "Own") == []


def test_names_of_all_classes_are_known_without_parsing(project: Path, write: Write) -> None:
    write("a.py", "class One(Base):\n    class Inner: pass")
    write("sub/b.py", "x = (\nclass Two:\n")
    assert {"One", "Two"} <= class_names(project)
    assert "Inner" not in class_names(project)


# what is imported


def test_only_the_module_that_defines_the_class_is_imported(write: Write, run: Run) -> None:
    write("script.py", "import sys\nsys.exit(0)\n# class Wanted")
    write("other.py", "class Other: pass\nraise RuntimeError")
    write("h5flow_modules/own.py", stage("Wanted"))
    assert run("print(find('Wanted').__module__, 'other' in sys.modules)") == (
        "h5flow_modules.own False"
    )


@pytest.mark.parametrize("on_path", [False, True])
@pytest.mark.parametrize("initialised", [False, True])
@pytest.mark.parametrize(
    "order",
    [
        "a = find('Own'); b = find('Own', 'h5flow_modules.own'); import h5flow_modules.own as m",
        "b = find('Own', 'h5flow_modules.own'); import h5flow_modules.own as m; a = find('Own')",
        "find('First'); from h5flow_modules.user import m; a = find('Own'); "
        "b = find('Own', 'h5flow_modules.own')",
    ],
)
def test_a_file_is_one_module_however_it_is_reached(
    order: str, initialised: bool, on_path: bool, write: Write, run: Run
) -> None:
    write("h5flow_modules/own.py", stage("Own"))
    write("h5flow_modules/user.py", "import h5flow_modules.own as m")
    write("h5flow_modules/first.py", stage("First"))
    if initialised:
        write("h5flow_modules/__init__.py")
    assert run(order + "\nprint(a is b is m.Own)", on_path=on_path) == "True"


def test_all_kinds_of_import_give_one_module(write: Write, run: Run) -> None:
    write("h5flow_modules/geometry.py", "class Box: pass")
    write(
        "h5flow_modules/own.py",
        """
        import geometry
        from geometry import Box as B1
        from .geometry import Box as B2
        from h5flow_modules.geometry import Box as B3
        import h5flow_modules.geometry as g
        from stage_base import Base
        class Own(Base):
            same = geometry is g and B1 is B2 is B3
            def late(self):
                import geometry
                return geometry
        """,
    )
    code = """
own = find('Own')
import h5flow_modules.geometry as g
print(own.same, own().late() is g, g.__spec__.name)
"""
    assert run(code) == "True True h5flow_modules.geometry"


def test_siblings_of_one_name_in_two_folders_are_told_apart(write: Write, run: Run) -> None:
    for folder in "ab":
        write(f"{folder}/geometry.py", f"where = {folder!r}")
        write(f"{folder}/own_{folder}.py", "import geometry\n" + stage(f"Own{folder}"))
    code = "print(*(sys.modules[find(n).__module__].geometry.where for n in ('Ownb', 'Owna')))"
    assert run(code) == "b a"


def test_siblings_may_import_each_other(write: Write, run: Run) -> None:
    write("sub/one.py", "import two\n" + stage("One"))
    write("sub/two.py", "import one\n" + stage("Two"))
    assert run("print(find('Two').__module__, find('One').__module__)") == "sub.two sub.one"


def test_a_file_in_the_working_directory_is_before_a_sibling(write: Write, run: Run) -> None:
    write("geometry.py", "where = 'top'")
    write("sub/geometry.py", "where = 'sub'")
    write("sub/own.py", "import geometry\n" + stage("Own"))
    assert run("print(sys.modules[find('Own').__module__].geometry.where)") == "top"


def test_a_data_folder_does_not_hide_a_sibling(write: Write, run: Run) -> None:
    write("geometry/data.txt")
    write("sub/geometry.py", "where = 'sub'")
    write("sub/own.py", "import geometry\n" + stage("Own"))
    assert run("print(sys.modules[find('Own').__module__].geometry.where)") == "sub"


@pytest.mark.parametrize("name", ["json", "select", "numpy", "yaml", "h5flow"])
@pytest.mark.parametrize("path", [None, "itself"])
def test_a_local_file_never_replaces_a_package(
    name: str, path: str | None, write: Write, run: Run
) -> None:
    write(f"{name}.py", "from .neighbour import x\n" + stage("Own"))
    write("neighbour.py", f"x = 1\nimport {name}")
    code = f"""
own = find('Own', {name if path and name != "h5flow" else None!r})
import {name}, neighbour
print(own.__module__.startswith('h5flow_local_'), 'project' in str({name}.__spec__.origin))
print(neighbour.{name} is {name}, sys.modules[own.__module__].__package__ in sys.modules)
print(find('Own') is own)
"""
    assert run(code).split() == ["True", "False", "True", "True", "True"]


def test_a_local_package_never_replaces_an_installed_one(write: Write, run: Run) -> None:
    write("numpy/__init__.py", "raise RuntimeError")
    write("numpy/own.py", "from .beside import x\nimport numpy\n" + stage("Own"))
    write("numpy/beside.py", "x = 1\nimport beside, numpy")
    assert run("own = find('Own'); m = sys.modules[own.__module__]; print(m.numpy.pi, m.x)") == (
        "3.141592653589793 1"
    )


def test_installed_packages_never_see_local_modules(tmp_path: Path, write: Write, run: Run) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "optional_user.py").write_text("import cupy_like")
    write("cupy_like.py")
    write("own.py", "import cupy_like\n" + stage("Own"))
    write("other.py", stage("Other"))
    code = f"""
find('Other')
sys.path.append({str(tmp_path / "installed")!r})
try: import optional_user
except ModuleNotFoundError as error: print(error.name)
print(find('Own').__name__)
"""
    assert run(code).split() == ["cupy_like", "Own"]


def test_names_that_no_import_statement_can_spell_work(write: Write, run: Run) -> None:
    write("v1.2/my.stage.py", "from .beside import x\n" + stage("Dotted"))
    write("v1.2/beside.py", "x = 1")
    write("my-stages/a-b.py", stage("Dashed"))
    assert run("print(find('Dashed').__module__, find('Dotted') is find('Dotted'))") == (
        "my-stages.a-b True"
    )


def test_a_namespace_package_elsewhere_is_shared(tmp_path: Path, write: Write, run: Run) -> None:
    elsewhere = tmp_path / "elsewhere" / "h5flow_modules"
    elsewhere.mkdir(parents=True)
    (elsewhere / "examples.py").write_text("x = 1")
    (elsewhere / "taken.py").write_text("x = 1")
    write("h5flow_modules/geometry.py", "class Box: pass")
    text = "from .geometry import Box\nfrom h5flow_modules.geometry import Box as Same\n"
    write("h5flow_modules/own.py", text + stage("Own"))
    write("h5flow_modules/taken.py", text + stage("Taken"))
    code = f"""
sys.path.append({str(elsewhere.parent)!r})
import h5flow_modules.examples, h5flow_modules.taken
print(find('Own').__module__)
for name in ('Own', 'Taken'):
    module = sys.modules[find(name).__module__]
    print(module.Box is module.Same)
"""
    assert run(code).split() == ["h5flow_modules.own", "True", "True"]


def test_the_main_program_is_not_imported_again(project: Path, write: Write) -> None:
    package = str(Path(h5flow.__path__[0]).parent)
    text = f"""
    import sys
    sys.path.append({package!r})
    from h5flow.core.discovery import ClassKind, find_class
    class Base: pass
    class Own(Base): pass
    print(find_class('Own', ClassKind('stage', Base, 'h5flow.stages')) is Own)
    """
    script = write("script.py", text)
    done = subprocess.run(
        [sys.executable, script],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_objects_can_be_pickled(write: Write, run: Run) -> None:
    write("json.py", stage("Own"))
    code = "import pickle; o = find('Own'); print(type(pickle.loads(pickle.dumps(o()))) is o)"
    assert run(code) == "True"


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


def test_a_class_in_init_is_found_as_the_package(write: Write, run: Run) -> None:
    write("h5flow_modules/pack/__init__.py", stage("Own"))
    assert run("print(find('Own').__module__)") == "h5flow_modules.pack"


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


# strings in a class


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
