"""In which files a class is looked for, and what counts as its definition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from h5flow.core.class_search import class_names, search

Write = Callable[..., Path]


def found_in(project: Path, name: str) -> list[str]:
    return [str(item.file.relative_to(project)) for item in search(name, project).definitions]


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
