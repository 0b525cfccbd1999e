"""A file is one module however it is reached, and never another package's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import h5flow

Run = Callable[..., str]
Write = Callable[..., Path]


def stage(name: str) -> str:
    """Return the source of a stage; its base is made by the code that `run` starts with."""
    return f"from stage_base import Base\nclass {name}(Base): pass\n"


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


def test_a_class_in_init_is_found_as_the_package(write: Write, run: Run) -> None:
    write("h5flow_modules/pack/__init__.py", stage("Own"))
    assert run("print(find('Own').__module__)") == "h5flow_modules.pack"
