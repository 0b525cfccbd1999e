"""Array libraries are asked in processes of their own, and may break."""

from __future__ import annotations

import pytest

from h5flow.backends.devices import LIBRARIES, find_devices


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_that_is_not_installed_has_no_devices(library: str) -> None:
    def run_program(program: str) -> str:
        raise OSError(f"ModuleNotFoundError: No module named '{library}'")

    assert find_devices(library, run_program) is None


def test_a_library_without_what_it_needs_is_installed_and_broken() -> None:
    def run_program(program: str) -> str:
        raise OSError("ImportError: libcuda.so.1: cannot open shared object file")

    found = find_devices("cupy", run_program)
    assert found == (
        "installed, and does not load: ImportError: libcuda.so.1: cannot open shared object file"
    )


def test_devices_stand_behind_the_version() -> None:
    found = find_devices("cupy", lambda program: "14.0.1\nNVIDIA A100\nNVIDIA A100\n")
    assert found == "14.0.1: NVIDIA A100, NVIDIA A100"


def test_a_library_may_find_no_device() -> None:
    assert find_devices("cupy", lambda program: "14.0.1\n") == "14.0.1: no device"


def test_a_library_may_end_its_process_without_a_word() -> None:
    assert find_devices("torch", lambda program: "") == "installed, and says nothing"
