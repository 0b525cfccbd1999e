"""What an input has in other files: said, and not read without permission."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow import H5FlowDataManager, H5FlowStage, run
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.errors import ConfigError, H5FlowWarning
from h5flow.io.open_file import open_file
from h5flow.io.superblock import read_superblock

MakeWorkflow = Callable[..., dict[str, Any]]

SECRET = 4711.0
seen: dict[str, Any] = {}


class Look(H5FlowStage):
    """Keeps what it was given, and what it can reach by itself."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        seen.update(cache)
        seen["there"] = self.data_manager.dset_exists("private")
        seen["by h5py"] = self.data_manager.fh.get("private/data")


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


@pytest.fixture
def private(events: Path) -> Path:
    """A file of the user's with a dataset as long as the events, beside the input."""
    with H5FlowDataManager("private.h5") as dm:
        dm.create_dset("diary", "f8")
        rows = dm.reserve_data("diary", 10)
        dm.write_data("diary", rows, np.full(10, SECRET))
    Path("private.bin").write_bytes(np.full(10, SECRET).tobytes())
    return Path("private.h5")


def link(file: h5py.File) -> None:
    file["private/data"] = h5py.ExternalLink("private.h5", "/diary/data")


def link_by_group(file: h5py.File) -> None:
    file["private"] = h5py.ExternalLink("private.h5", "/diary")


def link_behind_soft_link(file: h5py.File) -> None:
    file["elsewhere"] = h5py.ExternalLink("private.h5", "/diary")
    file["private/data"] = h5py.SoftLink("/elsewhere/data")


def map_virtually(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((10,), "f8")
    layout[:] = h5py.VirtualSource("private.h5", "/diary/data", (10,))
    file.create_virtual_dataset("private/data", layout)


def store_outside(file: h5py.File) -> None:
    file.create_dataset("private/data", (10,), "f8", external=[("private.bin", 0, 80)])


WAYS = pytest.mark.parametrize(
    "lead_out", [link, link_by_group, link_behind_soft_link, map_virtually, store_outside]
)


def asking(workflow: MakeWorkflow, **flow: Any) -> dict[str, Any]:
    requires = [{"name": "private", "path": "private", "layout": "aligned"}]
    return workflow((Look, {"requires": requires}), **flow)


def lead_out_of(path: Path, lead_out: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "r+") as file:
        lead_out(file)
    return path


@WAYS
@pytest.mark.parametrize("input_data", ["copy", "link"])
def test_without_permission_nothing_of_another_file_is_read(
    events: Path, private: Path, workflow: MakeWorkflow, lead_out: Any, input_data: Any
) -> None:
    lead_out_of(events, lead_out)
    request = RunRequest((asking(workflow),), "out.h5", "in.h5", input_data=input_data)
    with pytest.warns(H5FlowWarning, match=r"'private'|in.h5 has 1 part .*private\.(h5|bin)"):
        execute(request)
    assert seen["private"] is None
    assert not seen["there"]
    assert seen["by h5py"] is None


@WAYS
def test_with_permission_it_is_read(
    events: Path, private: Path, workflow: MakeWorkflow, lead_out: Any
) -> None:
    lead_out_of(events, lead_out)
    run(asking(workflow), "out.h5", "in.h5", allow_external_links=True)
    assert seen["private"].tolist() == [SECRET] * 10


@WAYS
def test_if_strict_a_requirement_in_another_file_is_an_error_before_anything_is_created(
    events: Path, private: Path, workflow: MakeWorkflow, lead_out: Any
) -> None:
    lead_out_of(events, lead_out)
    with (
        pytest.warns(H5FlowWarning, match=r"--allow-external-links"),
        pytest.raises(ConfigError, match=r"'private' is not in the input"),
    ):
        run(asking(workflow), "out.h5", "in.h5", strict=True)
    assert not Path("out.h5").exists()


@WAYS
def test_a_source_in_another_file_is_an_error_that_says_so(
    events: Path, private: Path, workflow: MakeWorkflow, lead_out: Any
) -> None:
    lead_out_of(events, lead_out)
    with (
        pytest.warns(H5FlowWarning, match=r"--allow-external-links"),
        pytest.raises(ConfigError, match=r"'private' lies in another file.*--allow-external-links"),
    ):
        run(workflow(source="private"), "out.h5", "in.h5")


@WAYS
def test_the_output_has_what_was_not_followed_as_the_input_has_it(
    events: Path, private: Path, workflow: MakeWorkflow, lead_out: Any
) -> None:
    lead_out_of(events, lead_out)
    with pytest.warns(H5FlowWarning, match=r"in.h5 has 1 part"):
        run(workflow(), "out.h5", "in.h5")
    with h5py.File("out.h5") as file:
        assert file["private/data"][:].tolist() == [SECRET] * 10
        assert list(file["h5flow"]) == ["runs"]


def test_many_links_are_one_warning(events: Path, workflow: MakeWorkflow) -> None:
    with h5py.File(events, "r+") as file:
        for number in range(9):
            file[f"x{number}/data"] = h5py.ExternalLink("absent.h5", "/x")
    with pytest.warns(H5FlowWarning) as caught:
        run(workflow(), "out.h5", "in.h5")
    (warning,) = caught
    assert str(warning.message) == (
        "in.h5 has 9 parts that lie in other files, which are not read: /x0/data (absent.h5), "
        "/x1/data (absent.h5), /x2/data (absent.h5) and 6 more. If you trust this file, add "
        "--allow-external-links (allow_external_links=True)"
    )


def test_copying_object_by_object_takes_nothing_over_from_other_files(
    events: Path, private: Path, workflow: MakeWorkflow
) -> None:
    with h5py.File("old.h5", "w", libver=("earliest", "v108")) as file:
        file["events/data"] = np.arange(10)
        store_outside(file)
    superblock = read_superblock("old.h5")
    assert superblock is not None
    assert superblock.version < 3
    with pytest.warns(H5FlowWarning, match=r"1 part"):
        run(workflow(), "out.h5", "old.h5")
    assert np.array([SECRET]).tobytes() not in Path("out.h5").read_bytes()


# -- an output that is added to ----------------------------------------------------------------


def test_a_loop_over_the_output_itself_reads_nothing_of_other_files_either(
    events: Path, private: Path, workflow: MakeWorkflow
) -> None:
    lead_out_of(events, link)
    with pytest.warns(H5FlowWarning, match=r"in.h5 has 1 part|'private'"):
        run(asking(workflow), "in.h5")
    assert seen["private"] is None
    with h5py.File("in.h5") as file:
        assert isinstance(file.get("private/data", getlink=True), h5py.ExternalLink)


def test_what_is_dropped_goes_also_where_it_is_not_followed(
    events: Path, private: Path, workflow: MakeWorkflow
) -> None:
    with h5py.File(events, "r+") as file:
        link(file)
        file["private/calib/data"] = np.arange(3)
    with pytest.warns(H5FlowWarning, match=r"in.h5 has 1 part"):
        run(workflow(drop="private"), "out.h5", "in.h5")
    with h5py.File("out.h5") as file:
        assert list(file["private"]) == ["calib"]


def test_a_place_that_the_run_needs_is_not_given_back_and_that_is_said(
    events: Path, private: Path, workflow: MakeWorkflow
) -> None:
    class Make(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("private", "i4")

    lead_out_of(events, link)
    with pytest.warns(H5FlowWarning, match=r"/private/data .* is left out|in.h5 has 1 part"):
        run(workflow(Make), "out.h5", "in.h5")
    with h5py.File("out.h5") as file:
        assert file["private/data"].dtype == "i4"


# -- links that h5flow made itself -------------------------------------------------------------


def make_linked(workflow: MakeWorkflow, source: str = "in.h5", output: str = "linked.h5") -> None:
    execute(RunRequest((workflow(),), output, source, input_data="link"))


def hits_of_events(workflow: MakeWorkflow) -> dict[str, Any]:
    return workflow((Look, {"requires": ["hits"]}))


def test_links_of_a_run_before_are_followed_without_a_word(
    events: Path, workflow: MakeWorkflow
) -> None:
    make_linked(workflow)
    make_linked(workflow, "linked.h5", "again.h5")
    for source in ("linked.h5", "again.h5"):
        run(hits_of_events(workflow), f"of_{source}", source, strict=True)
        assert seen["hits"].shape == (10, 4)


def test_they_are_followed_where_both_files_have_moved(
    events: Path, workflow: MakeWorkflow
) -> None:
    os.mkdir("folder")
    make_linked(workflow)
    for name in ("in.h5", "linked.h5"):
        os.rename(name, f"folder/{name}")
    run(hits_of_events(workflow), "out.h5", "folder/linked.h5", strict=True)
    assert seen["hits"].shape == (10, 4)


def test_they_need_permission_when_the_file_that_they_lead_to_is_another_by_now(
    events: Path, private: Path, workflow: MakeWorkflow
) -> None:
    make_linked(workflow)
    os.replace("private.h5", "in.h5")
    with (
        pytest.warns(H5FlowWarning, match=r"linked.h5 has \d+ parts"),
        pytest.raises(ConfigError, match=r"'events' lies in another file"),
    ):
        run(workflow(), "out.h5", "linked.h5")


def test_records_that_are_a_link_themselves_prove_nothing(
    events: Path, private: Path, workflow: MakeWorkflow
) -> None:
    # the records of the user's own file tell the digest of another one of the user's
    execute(RunRequest((workflow(source="diary"),), "mine.h5", "private.h5", input_data="link"))
    with h5py.File(events, "r+") as file:
        file.pop("h5flow", None)
        file["h5flow/runs"] = h5py.ExternalLink("mine.h5", "/h5flow/runs")
        link(file)
    with pytest.warns(H5FlowWarning, match=r"in.h5 has 2 parts|'private'"):
        run(asking(workflow), "out.h5", "in.h5")
    assert seen["private"] is None


def test_records_of_a_run_are_never_written_to_another_file(
    events: Path, private: Path, workflow: MakeWorkflow
) -> None:
    with h5py.File(events, "r+") as file:
        file.pop("h5flow", None)
        file["h5flow"] = h5py.ExternalLink("private.h5", "/")
    before = private.read_bytes()
    with pytest.warns(H5FlowWarning, match=r"in.h5 has 1 part"):
        run(workflow(), "out.h5", "in.h5")
    assert private.read_bytes() == before
    with h5py.File("out.h5") as file:
        assert "run_id" in file["h5flow"].attrs


# -- what users open themselves ----------------------------------------------------------------


@WAYS
def test_a_script_may_read_what_its_file_has_elsewhere(
    events: Path, private: Path, lead_out: Any
) -> None:
    lead_out_of(events, lead_out)
    with warnings.catch_warnings(), H5FlowDataManager(events, mode="r") as dm:
        warnings.simplefilter("error")
        assert dm["private", :].tolist() == [SECRET] * 10


def test_taking_an_inventory_opens_no_other_file(events: Path, tmp_path: Path) -> None:
    with h5py.File(events, "r+") as file:
        file["a/data"] = h5py.ExternalLink("/dev/full", "/x")
        file["b/data"] = h5py.SoftLink("/a/data")
        file["c"] = file["/"]
    with open_file(events, "r") as file:
        from h5flow.data.inventory import take_inventory

        assert {"a", "b"} <= set(take_inventory(file).datasets)
