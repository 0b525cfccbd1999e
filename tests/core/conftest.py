"""A project folder with files in it, and Python run there in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import h5flow
from h5flow.data import H5FlowDataManager

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


Register = Callable[..., str]
MakeWorkflow = Callable[..., dict[str, Any]]

_numbers = count()


@pytest.fixture
def register() -> Iterator[Register]:
    """Return a function that puts classes into a new module, and returns its name."""
    names = []

    def put(*classes: type) -> str:
        module = types.ModuleType(f"classes_of_a_test_{next(_numbers)}")
        for cls in classes:
            setattr(module, cls.__name__, cls)
        sys.modules[module.__name__] = module
        names.append(module.__name__)
        return module.__name__

    yield put
    for name in names:
        del sys.modules[name]


@pytest.fixture
def workflow(register: Register) -> MakeWorkflow:
    """Return a function that makes a workflow of classes.

    A stage or resource is a class, or a pair of a class and what its block says beside that; a
    stage is called as its class, in small letters.
    """

    def entry(part: Any) -> dict[str, Any]:
        cls, more = part if isinstance(part, tuple) else (part, {})
        return {"classname": cls.__name__, "path": register(cls), **more}

    def make(
        *stages: Any,
        source: str = "events",
        generator: Any = None,
        resources: Sequence[Any] = (),
        **flow: Any,
    ) -> dict[str, Any]:
        blocks = [entry(stage) for stage in stages]
        names = [block.pop("name", block["classname"].lower()) for block in blocks]
        content = {"flow": {"source": source, "stages": names, **flow}}
        content.update(zip(names, blocks, strict=True))
        if generator is not None:
            content["flow"]["source"] = "generator"
            content["generator"] = {"dset_name": source, **entry(generator)}
        if resources:
            content["resources"] = [entry(resource) for resource in resources]
        return content

    return make


HITS_OF_EVENTS = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


@pytest.fixture(scope="session")
def events_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of which every test has a copy: 10 events.

    20 hits are linked to the events: row i has `HITS_OF_EVENTS[i]` of them, and ``hits['q']`` is
    the number of the row. Hit i is linked to track i // 2, track i to cluster i // 2, that to
    label i // 2. ``calib`` has as many rows as the events and no references; ``empty`` has no rows.
    """
    # compressed, for a chunk that is not takes 1 MiB
    path = tmp_path_factory.mktemp("input") / "in.h5"
    with H5FlowDataManager(path, compression="lzf") as dm:
        dm.create_dset("events", np.dtype([("id", "i8"), ("x", "f4")]))
        dm.reserve_data("events", 10)
        dm.write_data("events", slice(0, 10), {"id": np.arange(10), "x": np.arange(10) / 2})
        dm.create_dset("hits", np.dtype([("q", "f8"), ("n", "i4")]))
        dm.reserve_data("hits", 20)
        dm.write_data("hits", slice(0, 20), {"q": np.arange(20.0), "n": np.arange(20)})
        dm.create_dset("calib", "f8")
        dm.reserve_data("calib", 10)
        dm.write_data("calib", slice(0, 10), np.arange(10) * 10.0)
        dm.create_dset("empty", "i4")
        dm.create_ref("events", "hits")
        of_hits = np.repeat(np.arange(10), HITS_OF_EVENTS)
        dm.write_ref("events", "hits", np.stack([of_hits, np.arange(20)], axis=1))
        length, parent = 20, "hits"
        for child in ("tracks", "clusters", "labels"):
            dm.create_dset(child, np.dtype([("id", "i8")]))
            dm.create_ref(parent, child)
            of_parent = np.arange(length)
            length = (length + 1) // 2
            dm.reserve_data(child, length)
            dm.write_data(child, slice(0, length), {"id": np.arange(length) + 100})
            dm.write_ref(parent, child, np.stack([of_parent, of_parent // 2], axis=1))
            parent = child
    return path


@pytest.fixture
def events(events_once: Path, working_directory: Path) -> Path:
    """An input of 10 events, in.h5, in the working directory: see `events_once`."""
    return Path(shutil.copy(events_once, working_directory / "in.h5"))
