"""Workflow files on disk, and what is wrong with them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from h5flow.config import Workflow, load_workflow
from h5flow.errors import ConfigError

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path / "cwd"


@pytest.fixture
def write(folder: Path) -> Write:
    """Write text, without its indentation, to a file in the working directory."""

    def write_file(text: str, name: str = "flow.yaml") -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def load(write: Write) -> Callable[..., Workflow]:
    """Load a workflow from its text."""

    def load_text(text: str, name: str = "flow.yaml") -> Workflow:
        write(text, name)
        return load_workflow(name)

    return load_text


@pytest.fixture
def problems(load: Callable[..., Workflow]) -> Callable[..., list[str]]:
    """Return the problems that a text has, as the lines that a user reads."""

    def load_wrong(text: str, name: str = "flow.yaml") -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, name)
        return str(caught.value).splitlines()

    return load_wrong
