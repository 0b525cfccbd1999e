"""A project folder with files in it, and Python run there in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import h5flow

Run = Callable[..., str]
Write = Callable[..., Path]

# what every piece of code that `run` runs begins with
PREAMBLE = """
import sys
sys.path.append({package!r})
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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the working directory."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def write(project: Path) -> Write:
    """Return a function that writes a file of the project."""

    def write_file(name: str, text: str = "") -> Path:
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    return write_file


@pytest.fixture
def run(project: Path) -> Run:
    """Return a function that runs Python code in the project, and gives what it prints.

    `find(name, path=None)` is there; modules are remembered for ever, hence a process a call.
    """

    def run_code(code: str, *, on_path: bool = False) -> str:
        package = str(Path(h5flow.__path__[0]).parent)
        start = PREAMBLE.format(package=package, project=str(project))
        start += "sys.path.insert(0, '')\n" if on_path else ""
        done = subprocess.run(
            [sys.executable, "-c", start + code],
            cwd=project,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run_code
