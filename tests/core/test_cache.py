"""What a stage finds in its cache, and for how long."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.lib.recfunctions import structured_to_unstructured

from h5flow import H5FlowDataManager, H5FlowStage, run
from h5flow.errors import (
    ConfigError,
    DataError,
    FileFormatError,
    H5FlowError,
    H5FlowWarning,
    NoSuchDatasetError,
)
from h5flow.references.jagged import Jagged

HITS_OF_EVENTS = np.array([0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
LAST_HIT = np.cumsum(HITS_OF_EVENTS)

MakeWorkflow = Callable[..., dict[str, Any]]
Look = Callable[..., list[Any]]


@pytest.fixture
def look(events: Path, workflow: MakeWorkflow) -> Look:
    """Return a function that gives what one requirement puts into the cache of each chunk."""

    def values(requirement: Any, *, chunk_size: int = 10, **options: Any) -> list[Any]:
        seen = []
        name = requirement["name"] if isinstance(requirement, dict) else requirement

        class Looker(H5FlowStage):
            def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
                seen.append(cache[name])

        stage = (Looker, {"requires": [requirement]})
        run(loop(workflow(stage), chunk_size), "out.h5", str(events), **options)
        return seen

    return values


def loop(content: dict[str, Any], chunk_size: int) -> dict[str, Any]:
    """Say how many rows a chunk has."""
    block = {
        "classname": "H5FlowDatasetLoopGenerator",
        "dset_name": content["flow"]["source"],
        "params": {"chunk_size": chunk_size},
    }
    flow = {**content["flow"], "source": "loop"}
    return {**content, "flow": flow, "loop": block}


def hits_of(event: int) -> list[int]:
    return list(range(LAST_HIT[event] - HITS_OF_EVENTS[event], LAST_HIT[event]))


# -- what is in it ----------------------------------------------------------------------------


def test_the_source_has_one_axis(look: Look) -> None:
    (rows,) = look("events")
    assert rows.shape == (10,)
    assert rows["id"].tolist() == list(range(10))
    assert not isinstance(rows, np.ma.MaskedArray)


def test_a_linked_requirement_is_padded_and_masked(look: Look) -> None:
    (hits,) = look("hits")
    assert hits.shape == (10, 4)
    for event in range(10):
        assert hits["q"][event].compressed().tolist() == hits_of(event)


def test_masked_cells_are_zero(look: Look) -> None:
    (hits,) = look("hits")
    assert set(hits.data["q"][hits.mask["q"]]) == {0.0}
    sums = hits["q"].data.sum(axis=-1)
    assert sums.tolist() == [float(sum(hits_of(event))) for event in range(10)]


def test_a_requirement_of_rows_without_references_is_masked_whole(look: Look) -> None:
    hits = look("hits", chunk_size=1)[5]
    assert hits.shape == (1, 1)
    assert hits.mask["q"].all()
    assert structured_to_unstructured(hits.mask).all()


def test_the_mask_has_the_fields_of_the_rows(look: Look) -> None:
    (hits,) = look("hits")
    assert hits.mask["n"].shape == (10, 4)
    assert structured_to_unstructured(hits.mask).shape == (10, 4, 2)


def test_index_only_gives_row_numbers(look: Look) -> None:
    (index,) = look({"name": "hit_idx", "path": "hits", "index_only": True})
    assert index.dtype == np.int64
    for event in range(10):
        assert index[event].compressed().tolist() == hits_of(event)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_a_chain_has_an_axis_for_each_link(look: Look, length: int) -> None:
    chain = ["hits", "tracks", "clusters", "labels"][:length]
    (found,) = look({"name": "end", "path": chain})
    assert found.shape == (10, 4, *[1] * (length - 1))
    field = "n" if length == 1 else "id"
    for event in range(10):
        expected = [hit // 2 ** (length - 1) for hit in hits_of(event)]
        wanted = expected if length == 1 else [number + 100 for number in expected]
        assert found[field][event].compressed().tolist() == wanted


def test_a_chain_may_begin_with_the_source(look: Look) -> None:
    (found,) = look({"name": "end", "path": ["events", "hits"]})
    assert found.shape == (10, 4)


def test_a_chain_may_follow_references_backwards(look: Look) -> None:
    (found,) = look({"name": "back", "path": ["hits", "events"]})
    assert found.shape == (10, 4, 1)
    assert found["id"][4].compressed().tolist() == [4, 4, 4, 4]


def test_a_jagged_requirement_has_no_padding(look: Look) -> None:
    (hits,) = look({"name": "hits", "layout": "jagged"})
    assert isinstance(hits, Jagged)
    assert hits.counts.tolist() == HITS_OF_EVENTS.tolist()
    assert hits["q"].tolist() == list(range(20))


def test_a_single_requirement_has_one_axis(
    look: Look, events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append(cache["tracks"])

    stage = (Looker, {"requires": [{"name": "tracks", "layout": "single"}]})
    run(workflow(stage, source="hits"), "out.h5", str(events))
    assert seen[0].shape == (20,)
    assert seen[0]["id"].tolist() == [100 + hit // 2 for hit in range(20)]


def test_a_single_requirement_with_two_rows_is_an_error(look: Look) -> None:
    with pytest.raises(DataError, match=r"requirement 'hits'.*chunk 0.*rows 0:10.*layout: single"):
        look({"name": "hits", "layout": "single"})


def test_an_aligned_requirement_is_taken_row_by_row(look: Look) -> None:
    found = look({"name": "calib", "layout": "aligned"}, chunk_size=3, strict=True)
    assert [part.tolist() for part in found] == [[0, 10, 20], [30, 40, 50], [60, 70, 80], [90]]


def test_an_aligned_requirement_of_another_length_is_an_error(look: Look) -> None:
    with pytest.raises(DataError, match=r"requirement 'hits'.*20 rows.*'events' 10"):
        look({"name": "hits", "layout": "aligned"})


def test_an_aligned_requirement_can_be_row_numbers(look: Look) -> None:
    aligned = {"name": "calib", "layout": "aligned", "index_only": True}
    assert look(aligned, chunk_size=6)[1].tolist() == [6, 7, 8, 9]


def test_a_requirement_can_be_the_source(look: Look) -> None:
    (rows,) = look({"name": "again", "path": "events"}, strict=True)
    assert rows["id"].tolist() == list(range(10))


def test_row_numbers_of_the_source_can_be_required(look: Look) -> None:
    found = look({"name": "numbers", "path": "events", "index_only": True}, chunk_size=4)
    assert [part.tolist() for part in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize("more", [{"path": "hits"}, {"index_only": True}])
def test_nothing_else_can_have_the_name_of_the_source(look: Look, more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"the cache holds the rows of the source"):
        look({"name": "events", **more})
    assert not Path("out.h5").exists()


def test_a_source_linked_to_itself_is_still_the_source(
    events: Path, workflow: MakeWorkflow
) -> None:
    with H5FlowDataManager(events) as dm:
        dm.create_ref("events", "events")
        dm.write_ref("events", "events", [[0, 1], [0, 2]])
    seen = {}

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.update(cache)

    requires = ["events", {"name": "next", "path": "events"}]
    run(workflow((Looker, {"requires": requires})), "out.h5", str(events), strict=True)
    assert seen["events"].shape == (10,)
    assert seen["next"]["id"][0].compressed().tolist() == [1, 2]


def test_the_cache_is_a_dict_with_the_source_and_requirements_of_the_stages_so_far(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class First(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert type(cache) is dict
            seen.append(sorted(cache))

    class Second(First):
        pass

    content = workflow(
        (First, {"requires": ["hits"]}),
        (Second, {"requires": [{"name": "idx", "path": "hits", "index_only": True}]}),
    )
    run(content, "out.h5", str(events))
    assert seen == [["events", "hits"], ["events", "hits", "idx"]]


def test_the_source_is_called_as_the_workflow_writes_it(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append((source_name, cache[source_name]["id"].tolist()))

    run(workflow(Looker, source="/events/"), "out.h5", str(events))
    assert seen == [("/events/", list(range(10)))]


# -- what is not there ------------------------------------------------------------------------


def test_an_optional_requirement_without_references_is_none(look: Look) -> None:
    assert look({"name": "calib", "optional": True}, strict=True) == [None]


def test_an_optional_requirement_without_dataset_is_none(look: Look) -> None:
    assert look({"name": "nothing", "optional": True}, strict=True) == [None]


def test_an_optional_aligned_requirement_without_dataset_is_none(look: Look) -> None:
    assert look({"name": "nothing", "layout": "aligned", "optional": True}) == [None]


def test_lenient_a_missing_dataset_is_none_with_one_warning(look: Look) -> None:
    with pytest.warns(H5FlowWarning, match=r"'hitz'.*did you mean 'hits'.*None") as caught:
        assert look("hitz", chunk_size=2) == [None] * 5
    assert len(caught) == 1


def test_lenient_equally_long_rows_are_taken_row_by_row_with_one_warning(look: Look) -> None:
    with pytest.warns(H5FlowWarning, match=r"'calib'.*row by row.*layout: aligned") as caught:
        found = look("calib", chunk_size=6)
    assert [part.tolist() for part in found] == [[0, 10, 20, 30, 40, 50], [60, 70, 80, 90]]
    assert len(caught) == 1


@pytest.mark.parametrize("chunk_size", [1, 3, 10])
def test_lenient_rows_that_an_earlier_stage_makes_are_taken_row_by_row_in_every_chunk(
    events: Path, workflow: MakeWorkflow, chunk_size: int
) -> None:
    seen = []

    class Maker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            self.data_manager.create_dset("made", "f8")
            rows = self.data_manager.reserve_data("made", source_slice)
            self.data_manager.write_data("made", rows, cache[source_name]["id"] * 2.0)

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.extend(cache["made"].tolist())

    content = loop(workflow(Maker, (Looker, {"requires": ["made"]})), chunk_size)
    with pytest.warns(H5FlowWarning, match="row by row"):
        run(content, "out.h5", str(events))
    assert seen == [2.0 * row for row in range(10)]


def test_lenient_rows_of_another_length_without_references_are_none(look: Look) -> None:
    with pytest.warns(H5FlowWarning, match=r"no references events -> clusters.*None"):
        assert look("clusters") == [None]


def test_strict_what_is_missing_when_first_needed_is_an_error(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Maker(H5FlowStage):
        names = "later"

    content = workflow(Maker, (H5FlowStage, {"requires": ["later"], "name": "reader"}))
    with pytest.raises(NoSuchDatasetError, match=r"reader.*'later' cannot be loaded for chunk 0"):
        run(content, "out.h5", str(events), strict=True)
    assert not Path("out.h5").exists()


# -- how long it lasts ------------------------------------------------------------------------


def test_edits_in_place_stay_to_the_end_of_the_chunk(events: Path, workflow: MakeWorkflow) -> None:
    seen = []

    class Editor(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert (cache["hits"]["q"] >= 0).all()
            cache[source_name]["x"] = -1
            cache["hits"]["q"] -= 1000
            cache["note"] = "from the editor"

    class Reader(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append(cache["note"])
            assert (cache[source_name]["x"] == -1).all()
            assert (cache["hits"]["q"] < 0).all()

    content = workflow(
        (Editor, {"requires": ["hits"]}),
        # the same requirement in another place
        (Reader, {"requires": [{"name": "hits", "path": ["hits"]}]}),
        (Reader, {"name": "third"}),
    )
    run(loop(content, 4), "out.h5", str(events))
    assert seen == ["from the editor"] * 6


def test_edits_and_names_put_by_stages_do_not_outlast_the_chunk(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Editor(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert "note" not in cache
            assert (cache[source_name]["x"] >= 0).all()
            cache["note"] = 1
            cache[source_name]["x"] = -1

    run(loop(workflow(Editor), 4), "out.h5", str(events))
    with h5py.File("out.h5") as file:
        assert (file["events/data"]["x"] >= 0).all()


def test_a_name_put_by_a_stage_stays_also_where_it_is_required(
    events: Path, workflow: MakeWorkflow
) -> None:
    class Putter(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            cache["hits"] = "mine"

    class Reader(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert cache["hits"] == "mine"

    run(workflow(Putter, (Reader, {"requires": ["hits"]})), "out.h5", str(events))


def test_what_is_deleted_is_loaded_again(events: Path, workflow: MakeWorkflow) -> None:
    class Deleter(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            cache["hits"]["q"] = -1
            del cache["hits"], cache[source_name]

    class Reader(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert (cache["hits"]["q"] >= 0).all()
            assert len(cache[source_name]) == 10

    run(workflow((Deleter, {"requires": ["hits"]}), Reader), "out.h5", str(events))


def test_what_is_written_in_the_chunk_is_loaded_again(events: Path, workflow: MakeWorkflow) -> None:
    class Writer(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            index = cache["idx"].compressed()
            rows = np.zeros(len(index), [("q", "f8"), ("n", "i4")])
            rows["q"] = -5.0 - index
            self.data_manager.write_data("hits", index, rows)

    class Reader(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            expected = (-5.0 - cache["idx"]).compressed()
            assert cache["hits"]["q"].compressed().tolist() == expected.tolist()
            cache["hits"]["q"] = 7

    class Last(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            # written after it was loaded: once only
            assert (cache["hits"]["q"] == 7).all()

    index = {"name": "idx", "path": "hits", "index_only": True}
    content = workflow((Writer, {"requires": ["hits", index]}), Reader, Last)
    run(loop(content, 4), "out.h5", str(events))


def test_a_source_that_is_written_is_loaded_again(events: Path, workflow: MakeWorkflow) -> None:
    class Writer(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            rows = cache[source_name].copy()
            rows["x"] = -7
            self.data_manager.write_data(source_name, source_slice, rows)
            assert (cache[source_name]["x"] != -7).all()

    class Reader(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert (cache[source_name]["x"] == -7).all()

    run(loop(workflow(Writer, Reader), 4), "out.h5", str(events))


def test_new_references_on_the_path_make_it_loaded_again(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class Linker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append(cache["end"].shape)
            self.data_manager.write_ref("hits", "tracks", [[9, 0], [9, 1]])

    class Reader(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append(cache["end"].shape)

    chain = {"name": "end", "path": ["hits", "tracks"]}
    run(workflow((Linker, {"requires": [chain]}), Reader), "out.h5", str(events))
    assert seen == [(10, 4, 1), (10, 4, 3)]


def test_what_is_made_in_the_chunk_is_there_for_the_next_stage(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append(cache["made"])

    class Maker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            self.data_manager.create_dset("made", "i8")
            self.data_manager.create_ref(source_name, "made")
            rows = self.data_manager.reserve_data("made", 1)
            self.data_manager.write_data("made", rows, [source_slice.start])
            self.data_manager.write_ref("events", "made", [[source_slice.start, rows.start]])

    optional = {"requires": [{"name": "made", "optional": True}]}
    content = workflow((Looker, optional), Maker, (Looker, {**optional, "name": "again"}))
    run(loop(content, 5), "out.h5", str(events), strict=True)
    assert seen[0] is None
    assert seen[1][:, 0].tolist() == [0, None, None, None, None]
    assert seen[2].mask.all()  # in the next chunk it exists
    assert seen[3][:, 0].tolist() == [5, None, None, None, None]


def test_two_stages_may_require_one_name_by_different_paths(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class First(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append(cache["x"].dtype.names)

    class Second(First):
        pass

    content = workflow(
        (First, {"requires": [{"name": "x", "path": "hits"}]}),
        (Second, {"requires": [{"name": "x", "path": ["hits", "tracks"]}]}),
    )
    run(loop(content, 5), "out.h5", str(events))
    assert seen == [("q", "n"), ("id",)] * 2


# -- what cannot be read ----------------------------------------------------------------------


@pytest.fixture
def corrupt(events: Path) -> Callable[[str], None]:
    """Return a function that damages the bytes of a dataset in in.h5."""

    def damage(name: str) -> None:
        path = f"{name}/data"
        with h5py.File(events, "r+") as file:
            rows = file[path][:]
            attributes = dict(file[path].attrs)
            del file[path]
            made = file.create_dataset(
                path, data=rows, chunks=(len(rows),), maxshape=(None,), fletcher32=True
            )
            made.attrs.update(attributes)
            chunk = made.id.get_chunk_info(0)
        with open(events, "r+b") as raw:
            raw.seek(chunk.byte_offset + 3)
            byte = raw.read(1)[0]
            raw.seek(chunk.byte_offset + 3)
            raw.write(bytes([byte ^ 0xFF]))

    return damage


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("optional", [False, True])
def test_a_requirement_that_cannot_be_read_is_an_error_never_none(
    look: Look, corrupt: Callable[[str], None], strict: bool, optional: bool
) -> None:
    corrupt("hits")
    with pytest.raises(
        FileFormatError, match=r"the requirement 'hits' .*chunk 0, rows 0:5 of 'events'.*hits/data"
    ):
        look({"name": "hits", "optional": optional}, chunk_size=5, strict=strict)
    assert not Path("out.h5").exists()


def test_a_source_that_cannot_be_read_is_an_error(
    look: Look, corrupt: Callable[[str], None]
) -> None:
    corrupt("events")
    with pytest.raises(FileFormatError, match=r"the source 'events' .*chunk 0, rows 0:5"):
        look("hits", chunk_size=5)


def test_references_that_cannot_be_read_are_an_error(look: Look, events: Path) -> None:
    with h5py.File(events, "r+") as file:
        region = file["events/ref/hits/ref_region"]
        region[4] = (7, 3)
    with pytest.raises(DataError, match=r"the requirement 'hits' .*region of row 4"):
        look({"name": "hits", "optional": True})


def test_an_unexpected_error_of_a_library_names_the_requirement(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise OSError("the disk is on fire")

    monkeypatch.setattr("h5flow.data.access.read_linked", fail)
    with pytest.raises(H5FlowError, match=r"requirement 'hits'.*chunk 0.*OSError: the disk is on"):
        look({"name": "hits", "optional": True})


def test_dangling_references_are_masked_with_a_warning(look: Look, events: Path) -> None:
    with H5FlowDataManager(events) as dm:
        dm.write_ref("events", "hits", [[0, 12345]])
    with pytest.warns(H5FlowWarning, match="rows that do not exist"):
        (hits,) = look("hits")
    assert hits.mask["q"][0].all()


def test_warnings_turned_into_errors_name_the_requirement(look: Look) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(H5FlowError, match="requirement 'hitz'"):
            look("hitz")
