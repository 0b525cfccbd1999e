"""Projects that are run where they cannot write into the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import h5flow

ROOT = Path(__file__).resolve().parents[2]

CopyProject = Callable[[str], Path]
Command = Callable[..., subprocess.CompletedProcess[str]]


def forget_modules() -> None:
    """Forget the modules of the project that was the working directory before."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "h5flow_modules" or name.startswith("h5flow_local_"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def copy_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CopyProject]:
    """Return a function that copies a folder of the repository and goes there."""
    finders = list(sys.meta_path)
    with pytest.MonkeyPatch.context() as patch:

        def copy(folder: str) -> Path:
            forget_modules()
            target = tmp_path_factory.mktemp("project")
            ignored = shutil.ignore_patterns("__pycache__", "*.h5", "*.png", "*.pdf")
            for part in (ROOT / folder).iterdir():
                if part.is_dir() and part.name == "h5flow_modules":
                    shutil.copytree(part, target / part.name, ignore=ignored)
                elif part.suffix == ".yaml":
                    shutil.copy(part, target)
            patch.chdir(target)
            return target

        yield copy
    forget_modules()
    sys.meta_path[:] = finders


@pytest.fixture
def command() -> Command:
    """Return a function that runs the command ``h5flow`` as a process of its own."""

    def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
        package = str(Path(h5flow.__path__[0]).parent)
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, "-m", "h5flow", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run
