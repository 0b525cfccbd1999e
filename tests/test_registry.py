"""Implementations by name: built in, or offered by installed packages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from h5flow.errors import UsageError
from h5flow.registry import Registry, load_object

GROUP = "h5flow.codecs"
Offer = Callable[..., None]


@pytest.fixture
def registry() -> Registry[Any]:
    return Registry("codec", GROUP, {"plain": "json:dumps", "missing": "no_such_module:x"})


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Return a function that makes installed packages offer names."""

    def offer_names(*points: tuple[str, str]) -> None:
        found = [EntryPoint(name, value, GROUP) for name, value in points]
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found)

    return offer_names


def test_an_object_is_loaded_by_module_and_name() -> None:
    assert load_object("json:dumps") is json.dumps


def test_a_built_in_name_gives_its_object(registry: Registry[Any]) -> None:
    assert registry.get("plain") is json.dumps


def test_nothing_is_imported_before_it_is_asked_for(registry: Registry[Any]) -> None:
    assert registry.names() == ["plain", "missing"]
    assert "no_such_module" not in sys.modules


def test_packages_add_names(registry: Registry[Any], offer: Offer) -> None:
    offer(("zip", "json:loads"), ("art", "json:load"))
    assert registry.get("zip") is json.loads
    assert registry.get("art") is json.load
    assert registry.names() == ["plain", "missing", "art", "zip"]


def test_packages_cannot_replace_what_is_built_in(registry: Registry[Any], offer: Offer) -> None:
    offer(("plain", "json:loads"))
    assert registry.get("plain") is json.dumps
    assert registry.names().count("plain") == 1


def test_real_entry_points_are_read(
    registry: Registry[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "fancy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fancy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nfancy = json:loads\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert entry_points(group=GROUP)
    assert registry.get("fancy") is json.loads


def test_an_unknown_name_lists_what_is_installed(registry: Registry[Any], offer: Offer) -> None:
    offer(("zip", "json:loads"))
    with pytest.raises(UsageError) as caught:
        registry.get("plane")
    assert str(caught.value) == (
        "there is no codec 'plane' (did you mean 'plain'?). Installed: plain, missing, zip."
    )


def test_an_empty_registry_says_so() -> None:
    with pytest.raises(UsageError, match="Installed: none"):
        Registry[Any]("codec", GROUP, {}).get("x")


@pytest.mark.parametrize("target", ["no_such_module:x", "json:no_such_name", "json.no:x"])
def test_asking_for_a_broken_plug_in_is_an_error_that_says_why(
    registry: Registry[Any], offer: Offer, target: str
) -> None:
    offer(("broken", target))
    with pytest.raises(UsageError, match=r"'broken' cannot be loaded: .*no") as caught:
        registry.get("broken")
    assert isinstance(caught.value.__cause__, ImportError | AttributeError)
    assert "another codec: plain, missing" in str(caught.value)


def test_a_built_in_that_lacks_a_library_is_an_error_that_says_why(
    registry: Registry[Any],
) -> None:
    with pytest.raises(UsageError, match="No module named 'no_such_module'"):
        registry.get("missing")


def test_a_broken_plug_in_does_not_disturb_others(registry: Registry[Any], offer: Offer) -> None:
    offer(("broken", "no_such_module:x"), ("zip", "json:loads"))
    assert registry.get("zip") is json.loads
    assert "broken" in registry.names()


def test_one_name_of_two_packages_is_an_error_that_names_both(
    registry: Registry[Any], offer: Offer
) -> None:
    offer(("zip", "json:loads"), ("zip", "json:load"))
    with pytest.raises(UsageError, match="json:load, json:loads"):
        registry.get("zip")
    assert registry.names().count("zip") == 1


def test_one_package_seen_twice_is_one(registry: Registry[Any], offer: Offer) -> None:
    offer(("zip", "json:loads"), ("zip", "json:loads"))
    assert registry.get("zip") is json.loads
