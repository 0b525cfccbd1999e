"""The loop: which chunks stages get, in which order, and what generators may return."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from h5flow import H5FlowDataManager, H5FlowGenerator, H5FlowStage, run
from h5flow.core.request import RunRequest
from h5flow.core.runner import execute
from h5flow.errors import DataError, H5FlowWarning, HookError
from h5flow.events import ChunkDone, ConfigStarted

MakeWorkflow = Callable[..., dict[str, Any]]


def in_chunks(content: dict[str, Any], chunk_size: int | str) -> dict[str, Any]:
    """Say how many rows a chunk has."""
    block = {
        "classname": "H5FlowDatasetLoopGenerator",
        "dset_name": content["flow"]["source"],
        "params": {"chunk_size": chunk_size},
    }
    return {**content, "flow": {**content["flow"], "source": "loop"}, "loop": block}


def generator(*chunks: Any, rows: int = 10) -> type[H5FlowGenerator]:
    """Return a generator that makes `rows` rows in init and gives these from next."""

    class Given(H5FlowGenerator):
        def init(self) -> None:
            self.data_manager.create_dset(self.dset_name, "i8")
            self.data_manager.reserve_data(self.dset_name, rows)
            self.chunks = list(chunks)

        def next(self) -> Any:
            return self.chunks.pop(0) if self.chunks else self.EMPTY

    return Given


def test_every_stage_runs_on_every_chunk_in_order(events: Path, workflow: MakeWorkflow) -> None:
    seen = []

    class First(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append((self.name, source_name, source_slice, len(cache[source_name])))

    class Second(First):
        pass

    run(in_chunks(workflow(First, Second), 4), "out.h5", str(events))
    assert seen == [
        (name, "events", chunk, chunk.stop - chunk.start)
        for chunk in (slice(0, 4), slice(4, 8), slice(8, 10))
        for name in ("first", "second")
    ]


def test_a_workflow_may_have_no_stages(events: Path, workflow: MakeWorkflow) -> None:
    summary = run(workflow(), "out.h5", str(events))
    assert (summary.rows, summary.chunks) == ((10,), (1,))
    with h5py.File("out.h5") as file:
        assert len(file["hits/data"]) == 20


def test_a_source_of_zero_rows_has_no_chunks(events: Path, workflow: MakeWorkflow) -> None:
    seen = []

    class Looker(H5FlowStage):
        def init(self, source_name: str) -> None:
            seen.append("init")
            self.data_manager.create_dset("made", "f8")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append("run")

        def finish(self, source_name: str) -> None:
            seen.append("finish")

    summary = run(workflow(Looker, source="empty"), "out.h5", str(events))
    assert seen == ["init", "finish"]
    assert (summary.rows, summary.chunks) == ((0,), (0,))
    with h5py.File("out.h5") as file:
        assert file["made/data"].shape == (0,)


def test_a_source_may_be_contiguous_and_of_rows_with_a_shape(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    values = np.arange(24.0).reshape(6, 4)
    with h5py.File("in.h5", "w") as file:
        file["waves/data"] = values
        assert file["waves/data"].chunks is None
    seen = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append(cache["waves"])

    run(in_chunks(workflow(Looker, source="waves"), 4), "out.h5", "in.h5")
    assert [part.shape for part in seen] == [(4, 4), (2, 4)]
    assert np.array_equal(np.concatenate(seen), values)


def test_a_source_may_have_narrow_references(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    """Most files in the world have u4 references and i4 regions."""
    region = np.array([(0, 2), (2, 3)], [("start", "i4"), ("stop", "i4")])
    with h5py.File("in.h5", "w", libver="earliest") as file:
        file["a/data"] = np.arange(2)
        file["b/data"] = np.arange(3.0)
        ref = file.create_dataset("a/ref/b/ref", data=np.array([[0, 2], [0, 0], [1, 1]], "u4"))
        ref.attrs.update(
            dset0="/a/data",
            dset1="/b/data",
            ref_region0="/a/ref/b/ref_region",
            ref_region1="/b/ref/a/ref_region",
        )
        file["a/ref/b/ref_region"] = region
        file["b/ref/a/ref_region"] = np.array([(1, 2), (2, 3), (0, 1)], region.dtype)
    seen = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append((cache["b"].tolist(), cache["idx"].dtype))

    requires = ["b", {"name": "idx", "path": "b", "index_only": True}]
    stage = (Looker, {"requires": requires})
    run(in_chunks(workflow(stage, source="a"), 2), "out.h5", "in.h5", strict=True)
    assert seen == [([[0.0, 2.0], [1.0, None]], np.int64)]


# -- custom generators ------------------------------------------------------------------------


def test_a_generator_may_write_in_next_and_its_rows_are_in_the_cache(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    class Writing(H5FlowGenerator):
        def init(self) -> None:
            self.data_manager.create_dset(self.dset_name, "i8")
            self.data_manager.create_dset("hits", "f8")
            self.data_manager.create_ref(self.dset_name, "hits")
            self.left = 3

        def next(self) -> slice:
            if not self.left:
                return self.EMPTY
            self.left -= 1
            rows = self.data_manager.reserve_data(self.dset_name, 2)
            self.data_manager.write_data(self.dset_name, rows, [rows.start, rows.start + 1])
            hits = self.data_manager.reserve_data("hits", 1)
            self.data_manager.write_data("hits", hits, [rows.start / 2])
            self.data_manager.write_ref(self.dset_name, "hits", [[rows.start, hits.start]])
            return rows

    seen = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append((cache["raw"].tolist(), cache["hits"].tolist()))

    content = workflow((Looker, {"requires": ["hits"]}), source="raw", generator=Writing)
    summary = run(content, "out.h5", strict=True)
    assert seen == [([k, k + 1], [[k / 2], [None]]) for k in (0, 2, 4)]
    assert summary.rows == (6,)


def test_a_generator_ends_the_loop_with_empty(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    empty = H5FlowGenerator.EMPTY
    assert empty == slice(-1, -1)
    content = workflow(H5FlowStage, source="raw", generator=generator(slice(0, 3), slice(3, 4)))
    assert run(content, "out.h5").chunks == (2,)


def test_a_generator_may_return_numpy_integers_and_no_rows(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class Looker(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append((source_slice, type(source_slice.stop), cache["raw"].shape))

    chunks = slice(np.int64(0), np.uint8(3)), slice(3, 3), slice(3, 5, 1)
    run(workflow(Looker, source="raw", generator=generator(*chunks)), "out.h5")
    assert seen == [
        (slice(0, 3), int, (3,)),
        (slice(3, 3), int, (0,)),
        (slice(3, 5), int, (2,)),
    ]


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        5,
        (0, 5),
        slice(None),
        slice(None, 5),
        slice(0, None),
        slice(5, 2),
        slice(-5, 5),
        slice(-5, -1),
        slice(0, 4, 2),
        slice(0.0, 5.0),
        slice("a", "b"),
        slice(np.array([0, 1]), 5),
    ],
    ids=str,
)
def test_a_generator_that_returns_nonsense_is_named(
    working_directory: Path, workflow: MakeWorkflow, nonsense: Any
) -> None:
    content = workflow(H5FlowStage, source="raw", generator=generator(nonsense))
    with pytest.raises(DataError, match=r"(?s)'generator' \(Given\) returned .* from next\(\)"):
        run(content, "out.h5")
    assert os.listdir() == []


def test_rows_that_a_generator_has_not_reserved_are_an_error(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    content = workflow(H5FlowStage, source="raw", generator=generator(slice(0, 11)))
    with pytest.raises(DataError, match=r"slice\(0, 11.*but 'raw' has 10 rows"):
        run(content, "out.h5")


def test_a_generator_that_has_not_created_its_dataset_is_told_so(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    class Lazy(H5FlowGenerator):
        def next(self) -> slice:
            return slice(0, 1)

    with pytest.raises(DataError, match=r"there is no dataset 'raw'.*create_dset"):
        run(workflow(H5FlowStage, source="raw", generator=Lazy), "out.h5")


def test_a_generator_without_next_is_told_so(
    working_directory: Path, workflow: MakeWorkflow
) -> None:
    class Empty(H5FlowGenerator):
        pass

    with pytest.raises(HookError, match=r"Empty is a generator without next\(\)"):
        run(workflow(H5FlowStage, source="raw", generator=Empty), "out.h5")


@pytest.mark.parametrize(("length", "told"), [(7, 7), (0, 0), (np.int64(3), 3), (2.5, None)])
def test_the_length_of_a_generator_is_told_to_who_watches(
    working_directory: Path, workflow: MakeWorkflow, length: Any, told: int | None
) -> None:
    class Long(generator(slice(0, 4))):  # type: ignore[misc]
        def __len__(self) -> Any:
            return length

    seen = []
    content = workflow(H5FlowStage, source="raw", generator=Long)
    execute(RunRequest((content,), "out.h5"), seen.append)
    (started,) = [event for event in seen if isinstance(event, ConfigStarted)]
    assert started.total_chunks == told
    assert started.total_rows is None
    (done,) = [event for event in seen if isinstance(event, ChunkDone)]
    assert done == ChunkDone(0, 4, 0, 4)


def test_a_loop_tells_its_rows_and_chunks(events: Path, workflow: MakeWorkflow) -> None:
    seen = []
    request = RunRequest((in_chunks(workflow(), 4),), "out.h5", str(events), start=1)
    execute(request, seen.append)
    (started,) = [event for event in seen if isinstance(event, ConfigStarted)]
    assert (started.total_rows, started.total_chunks) == (9, 3)
    chunks = [event for event in seen if isinstance(event, ChunkDone)]
    assert [(done.start, done.stop, done.rows) for done in chunks] == [
        (1, 5, 4),
        (5, 9, 4),
        (9, 10, 1),
    ]


# -- what stages in the field do --------------------------------------------------------------


def test_handles_kept_from_init_are_up_to_date_at_the_next_stage(
    events: Path, workflow: MakeWorkflow
) -> None:
    seen = []

    class Maker(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("made", "i8")
            self.data_manager.create_ref(source_name, "made")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            rows = self.data_manager.reserve_data("made", 2)
            self.data_manager.write_data("made", rows, [rows.start + 1, rows.start + 2])
            self.data_manager.write_ref(source_name, "made", [[source_slice.start, rows.start]])

    class Keeper(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.made = self.data_manager.get_dset("made")
            self.ref, self.direction = self.data_manager.get_ref(source_name, "made")
            self.region = self.data_manager.get_ref_region(source_name, "made")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            assert isinstance(self.made, h5py.Dataset)
            seen.append((self.made[:].tolist(), self.ref[:].tolist()))
            row = self.region[source_slice.start]
            assert row["stop"] - row["start"] == 1

    run(in_chunks(workflow(Maker, Keeper), 5), "out.h5", str(events))
    assert seen == [([1, 2], [[0, 0]]), ([1, 2, 3, 4], [[0, 0], [5, 2]])]


def test_create_in_every_run_is_harmless(events: Path, workflow: MakeWorkflow) -> None:
    class Creating(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            self.data_manager.create_dset("made", np.dtype([("a", "f4")]))
            self.data_manager.create_ref(source_name, "made")
            self.data_manager.set_attrs("made", classname=self.classname)
            rows = self.data_manager.reserve_data("made", np.int32(1))
            self.data_manager.write_data("made", rows, np.zeros(1, [("a", "f4"), ("b", "f4")]))
            self.data_manager.write_ref(source_name, "made", np.empty((0, 2)))

    run(in_chunks(workflow(Creating), 2), "out.h5", str(events))
    with h5py.File("out.h5") as file:
        assert len(file["made/data"]) == 5


def test_a_dataset_deleted_in_a_run_is_gone(events: Path, workflow: MakeWorkflow) -> None:
    class Deleting(H5FlowStage):
        def finish(self, source_name: str) -> None:
            self.data_manager.delete("hits")

    run(workflow(Deleting), "out.h5", str(events))
    with h5py.File("out.h5") as file:
        assert "hits" not in file
        assert "hits" not in file.get("events/ref", {})


# -- one result -------------------------------------------------------------------------------


class Pairs(H5FlowStage):
    """Makes rows, references both ways, and rows of linked rows; nothing of some chunks."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("pairs", [("event", "i8"), ("sum", "f8")])
        self.data_manager.create_ref(source_name, "pairs")
        self.data_manager.create_ref("pairs", "hits")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        hits, index = cache["hits"], cache["idx"]
        counts = hits["q"].count(axis=-1)
        (chosen,) = np.nonzero(counts >= 2)
        if not len(chosen):
            return
        rows = self.data_manager.reserve_data("pairs", len(chosen))
        sums = hits["q"][chosen].sum(axis=-1).filled(0)
        event = source_slice.start + chosen
        self.data_manager.write_data("pairs", rows, {"event": event, "sum": sums})
        made = np.arange(rows.start, rows.stop)
        self.data_manager.write_ref(source_name, "pairs", np.stack([event, made], axis=1))
        of_pair = np.repeat(made, counts[chosen])
        refs = np.stack([of_pair, index[chosen].compressed()], axis=1)
        self.data_manager.write_ref("pairs", "hits", refs)


class Count(H5FlowStage):
    """Follows what the stage before has made."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("counts", "i8")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        counts = cache["of_pairs"]["q"].count(axis=-1).sum(axis=-1)
        rows = self.data_manager.reserve_data("counts", source_slice)
        self.data_manager.write_data("counts", rows, counts)


def contents(path: Path) -> dict[str, Any]:
    """Return all rows of a file, and for references which rows they link."""
    found: dict[str, Any] = {}
    with H5FlowDataManager(path, "r") as dm:
        for name in ("pairs", "counts"):
            found[name] = dm[name, :].tolist()
        for parent, child in (("events", "pairs"), ("pairs", "hits"), ("hits", "pairs")):
            found[parent, child] = dm[parent, child].tolist()
    with h5py.File(path) as file:
        found["raw"] = file["pairs/ref/hits/ref"][:].tolist()
        found["region"] = file["events/ref/pairs/ref_region"][:].tolist()
    return found


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_chunk_bounds_do_not_change_the_result(
    working_directory: Path, workflow: MakeWorkflow, data: st.DataObject
) -> None:
    n_events = data.draw(st.integers(0, 12), label="events")
    n_hits = data.draw(st.integers(0, 15), label="hits")
    pair = st.tuples(st.integers(0, max(n_events - 1, 0)), st.integers(0, max(n_hits - 1, 0)))
    pairs = data.draw(st.lists(pair, max_size=30) if n_events and n_hits else st.just([]))
    chunk_sizes = [n_events + 1, *data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=2))]
    with H5FlowDataManager("in.h5", compression="lzf") as dm:
        dm.create_dset("events", "i4")
        dm.reserve_data("events", n_events)
        dm.create_dset("hits", [("q", "f8")])
        dm.reserve_data("hits", n_hits)
        dm.write_data("hits", slice(0, n_hits), {"q": np.arange(n_hits) + 0.25})
        dm.create_ref("events", "hits")
        dm.write_ref("events", "hits", np.array(pairs, "i8").reshape(-1, 2))
    index = {"name": "idx", "path": "hits", "index_only": True}
    chain = {"name": "of_pairs", "path": ["pairs", "hits"]}
    content = workflow((Pairs, {"requires": ["hits", index]}), (Count, {"requires": [chain]}))
    results = []
    for chunk_size in chunk_sizes:
        chunked = in_chunks(content, chunk_size)
        run(chunked, "out.h5", "in.h5", overwrite=True, compression="lzf", strict=True)
        results.append(contents(Path("out.h5")))
    os.remove("in.h5")
    assert all(result == results[0] for result in results[1:])


def test_an_end_beyond_the_source_is_clipped_with_a_warning(
    events: Path, workflow: MakeWorkflow
) -> None:
    with pytest.warns(H5FlowWarning, match=r"events has 10 rows; the end is clipped") as caught:
        summary = run(workflow(), "out.h5", str(events), end_position=50)
    assert len(caught) == 1
    assert summary.rows == (10,)
