"""One workflow on any array library: the same stages, the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from libraries import DEVICES, make_backend

from h5flow import H5FlowGenerator, H5FlowResource, H5FlowStage, run
from h5flow.arrays import is_device_array
from h5flow.core.chunk_cache import ChunkCache
from h5flow.data import dereference, to_host
from h5flow.data.columns import Columns, MaskedColumns
from h5flow.data.masked import MaskedArray
from h5flow.errors import ConfigError, HookError, UsageError
from h5flow.modules import H5FlowDatasetLoopGenerator, H5FlowTestStage
from h5flow.references.jagged import Jagged
from h5flow.testing.ranks import run_on_ranks

MakeWorkflow = Callable[..., dict[str, Any]]
LOOP = (H5FlowDatasetLoopGenerator, {"params": {"chunk_size": 3}})
REQUIRES = [
    "hits",
    {"name": "rows_of_hits", "path": "hits", "index_only": True},
    {"name": "tracks", "path": ["hits", "tracks"]},
    {"name": "clusters", "path": ["hits", "tracks", "clusters"], "index_only": True},
    {"name": "jagged", "path": "hits", "layout": "jagged"},
    {"name": "calib", "path": "calib", "layout": "aligned"},
]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    make_backend(request.param)
    return str(request.param)


def contents(path: Path | str) -> dict[str, bytes]:
    """Return every dataset of the user's in a file, as bytes."""
    found = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("h5flow"):
            found[name] = item.dtype.str.encode() + item[:].tobytes()

    with h5py.File(path, "r") as file:
        file.visititems(take)
    return found


class Energies(H5FlowStage):
    """What a stage does with rows in every layout, by what each library has."""

    gain = 2.0

    def init(self, source_name: str) -> None:
        dtype = [("sum_q", "f8"), ("least", "i4"), ("hits", "i2"), ("tracks", "i8"), ("x", "f4")]
        self.data_manager.create_dset("energy", dtype)
        self.data_manager.create_ref(source_name, "energy")
        self.data_manager.create_dset("big", "f8")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        xp, hits, rows = self.xp, cache["hits"], cache[source_name]
        energy = (hits["q"] * self.gain).sum(axis=-1) + cache["calib"]
        ids = cache["tracks"]["id"]
        out = self.data_manager.reserve_data("energy", len(energy))
        values = {
            "sum_q": energy,
            "least": hits["n"].min(axis=-1),
            "hits": hits["q"].count(axis=-1),
            "tracks": ids.reshape(ids.shape[0], -1).max(axis=1),
            "x": rows["x"],
        }
        self.data_manager.write_data("energy", out, values)
        events = xp.arange(source_slice.start, source_slice.stop)
        refs = xp.stack([events, xp.arange(out.start, out.stop)], axis=1)
        self.data_manager.write_ref(source_name, "energy", refs)
        jagged = cache["jagged"]
        big = jagged["q"][jagged["q"] > 3.0]
        kept = self.data_manager.reserve_data("big", big.shape[0])
        self.data_manager.write_data("big", kept, big)


def test_a_stage_makes_the_same_file_on_every_library(
    events: Path, workflow: MakeWorkflow, device: str
) -> None:
    content = workflow((Energies, {"requires": REQUIRES}), generator=LOOP)
    run(content, "numpy.h5", str(events), backend="numpy", strict=True)
    run(content, "device.h5", str(events), backend=device, strict=True)
    assert contents("device.h5") == contents("numpy.h5")
    with h5py.File("device.h5") as file:
        energy = file["energy/data"][:]
    assert energy["sum_q"].tolist()[:3] == [0, 0 + 10, 2 * (1 + 2) + 20]
    assert energy["hits"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


class Looks(H5FlowStage):
    """Keeps what it finds in its cache."""

    seen: list[Any] = []  # noqa: RUF012

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        self.seen.append({name: cache[name] for name in cache})


def test_rows_are_columns_of_the_librarys_own_arrays(
    events: Path, workflow: MakeWorkflow, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Looks, "seen", seen := [])
    run(workflow((Looks, {"requires": REQUIRES})), "out.h5", str(events), backend=device)
    (cache,) = seen
    owns = make_backend(device).owns
    assert type(cache["events"]) is Columns
    assert owns(cache["events"]["x"])
    assert type(cache["hits"]) is MaskedColumns
    assert cache["hits"].shape == (10, 4)
    assert type(cache["hits"]["q"]) is MaskedArray
    assert owns(cache["hits"]["q"].data)
    assert type(cache["rows_of_hits"]) is MaskedArray
    assert cache["tracks"].shape == (10, 4, 1)
    assert cache["clusters"].shape == (10, 4, 1, 1)
    assert type(cache["jagged"]) is Jagged
    assert owns(cache["jagged"]["q"])
    assert owns(cache["jagged"].offsets)
    assert owns(cache["calib"])


class OnHost(H5FlowStage):
    """Calls NumPy by name, and changes what it is given."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("on_host", "f8")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        assert self.xp is np
        assert isinstance(cache["hits"], np.ma.MaskedArray)
        assert isinstance(cache["mine"], np.ndarray)
        total = np.ma.filled(np.ma.sum(cache["hits"]["q"], axis=1), 0.0) + cache["mine"]
        cache[source_name]["x"] = 7.0
        rows = self.data_manager.reserve_data("on_host", len(total))
        self.data_manager.write_data("on_host", rows, total)


class Before(H5FlowStage):
    """Leaves a result for later stages."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        cache["mine"] = cache[source_name]["x"] * 2


class After(H5FlowStage):
    """Writes what the stage before it has changed."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("after", "f4")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        x = cache[source_name]["x"]
        assert is_device_array(x)
        rows = self.data_manager.reserve_data("after", x.shape[0])
        self.data_manager.write_data("after", rows, x)


def test_a_stage_may_stay_on_the_host(events: Path, workflow: MakeWorkflow, device: str) -> None:
    content = workflow(
        Before, (OnHost, {"requires": ["hits"], "backend": "numpy"}), After, generator=LOOP
    )
    run(content, "out.h5", str(events), backend=device, strict=True)
    with h5py.File("out.h5") as file:
        assert file["on_host/data"][:3].tolist() == [0 + 0, 0 + 1, 1 + 2 + 2]
        assert set(file["after/data"][:].tolist()) == {7.0}


def test_what_goes_to_another_backend_goes_once(device: str) -> None:
    one, other = make_backend("numpy"), make_backend(device)
    cache = ChunkCache(one)
    cache["x"] = np.arange(5.0)
    cache.hand_to(other)
    moved = cache["x"]
    assert other.owns(moved)
    assert cache["x"] is moved
    assert cache.get("x") is moved
    assert next(iter(cache.values())) is moved
    transfers = other.traffic.transfers_up
    assert dict(cache.items())["x"] is moved
    assert other.traffic.transfers_up == transfers == 1
    cache.hand_to(one)
    assert cache.pop("x").tolist() == [0, 1, 2, 3, 4]
    assert "x" not in cache
    assert cache.get("x", 3) == cache.pop("x", 3) == cache.setdefault("x", 3) == 3


@pytest.mark.parametrize(
    "take",
    [
        dict,
        lambda cache: {**cache},
        lambda cache: cache | {},
        lambda cache: {} | cache,
        lambda cache: cache.copy(),
        lambda cache: dict([cache.popitem()]),
    ],
)
def test_entries_go_to_another_backend_however_they_are_taken(device: str, take: Any) -> None:
    one, other = make_backend("numpy"), make_backend(device)
    cache = ChunkCache(one)
    cache |= {"x": np.arange(5.0)}
    cache.hand_to(other)
    assert other.owns(take(cache)["x"])
    cache.clear()
    with pytest.raises(KeyError):
        cache.popitem()


def test_a_block_and_the_command_choose_the_backend(
    events: Path, workflow: MakeWorkflow, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Looks, "seen", seen := [])
    run(workflow(Looks, backend=device), "flow.h5", str(events))
    run(workflow(Looks, backend=device), "command.h5", str(events), backend="numpy")
    assert [type(cache["events"]) for cache in seen] == [Columns, np.ndarray]


@pytest.mark.parametrize("backend", ["nosuch", "torch:nosuch", "numpy:gpu"])
def test_a_backend_that_does_not_exist_is_an_error_before_anything_is_made(
    events: Path, workflow: MakeWorkflow, backend: str
) -> None:
    if backend.startswith("torch"):
        make_backend("torch:cpu")
    for content, chosen in (
        (workflow(Looks), backend),
        (workflow(Looks, backend=backend), "auto"),
        (workflow((Looks, {"backend": backend})), "auto"),
    ):
        with pytest.raises(UsageError, match=backend.rpartition(":")[2]):
            run(content, "out.h5", str(events), backend=chosen)
    assert not Path("out.h5").exists()


class Writes(H5FlowStage):
    """Writes device arrays of every form."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("whole", [("id", "i8"), ("x", "f4")])
        self.data_manager.create_dset("masked", "f8")
        self.data_manager.create_dset("padded", [("q", "f8"), ("n", "i4")], shape=(4,))
        self.data_manager.create_dset("picked", "i8")
        self.data_manager.set_attrs("picked", edges=self.xp.asarray([1.0, 2.0]))

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        xp, manager, rows = self.xp, self.data_manager, cache[source_name]
        for name, values in (
            ("whole", rows[rows["id"] > 4]),
            ("masked", cache["hits"]["q"].max(axis=1)),
            ("padded", cache["hits"]),
        ):
            manager.write_data(name, manager.reserve_data(name, len(values)), values)
        where = xp.asarray([3, 0, 1])
        manager.reserve_data("picked", slice(0, 4))
        manager.write_data("picked", where, where * 10)
        assert manager["picked", where].tolist() == [30, 0, 10]
        assert manager["events", rows["id"] > 7]["id"].tolist() == [8, 9]


def test_the_data_manager_takes_device_arrays(
    events: Path, workflow: MakeWorkflow, device: str
) -> None:
    run(workflow((Writes, {"requires": ["hits"]})), "out.h5", str(events), backend=device)
    with h5py.File("out.h5") as file:
        assert file["whole/data"]["id"].tolist() == [5, 6, 7, 8, 9]
        assert file["masked/data"][:6].tolist() == [0, 0, 2, 5, 9, 0]  # masked: written as 0
        assert file["padded/data"]["n"][2].tolist() == [1, 2, 0, 0]
        assert file["picked/data"][:].tolist() == [0, 10, 0, 30]
        assert file["picked"].attrs["edges"].tolist() == [1, 2]


class Selects(H5FlowStage):
    """Says which rows in all forms that NumPy has."""

    found: Any = None

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("made", "f8")
        self.data_manager.create_ref(source_name, "made")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        manager, hits, ids = self.data_manager, cache["hits"], cache[source_name]["id"]
        for count in (hits["n"].max(), (hits["q"] > 2).sum(), ids[3], hits["q"].count()):
            self.found.append(manager.reserve_data("made", count))
        manager.write_data("made", ids[2], 5.0)
        manager.write_data("made", cache["rows_of_hits"][1:2, 0], [7.0])
        manager.write_data("made", slice(ids[4], ids[6]), [ids[1], ids[2]])
        self.found.append(manager["made", :8].tolist())
        for chosen in (
            hits["q"].max(axis=1) > 4,  # rows without hits, too: numpy.ma has 1e20 under the mask
            hits["n"][3, ...],
            [ids[4], ids[2]],
            slice(ids[0], ids[2]),
        ):
            self.found.append(manager[source_name, chosen]["id"].tolist())
        manager.write_ref(source_name, "made", [(ids[0], ids[1]), (ids[2], 5)])
        manager.set_attrs("made", ends=[ids[0], ids[9]], most=hits["q"].max())
        self.found.append(manager.get_attrs("made")["ends"].tolist())


def test_the_data_manager_takes_single_values_of_a_device_as_it_takes_numbers(
    events: Path, workflow: MakeWorkflow, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    content = workflow((Selects, {"requires": REQUIRES}))
    for name in ("numpy", device):
        monkeypatch.setattr(Selects, "found", [])
        run(content, f"{name[:3]}.h5", str(events), backend=name, strict=True)
        found[name] = Selects.found
    assert found[device] == found["numpy"]
    assert contents(f"{device[:3]}.h5") == contents("num.h5")


def test_masked_cells_are_zero_in_the_file_whatever_lies_under_them(
    events: Path, workflow: MakeWorkflow, device: str
) -> None:
    class Hides(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("hidden", "f8")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            x = cache[source_name]["x"]
            values = MaskedArray(x + 5, x > 1)
            rows = self.data_manager.reserve_data("hidden", len(values))
            self.data_manager.write_data("hidden", rows, values)

    run(workflow(Hides), "out.h5", str(events), backend=device)
    with h5py.File("out.h5") as file:
        assert file["hidden/data"][:].tolist() == [5, 5.5, 6, 0, 0, 0, 0, 0, 0, 0]


class Text(H5FlowStage):
    """Reads rows of which a field is text."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        rows = cache[source_name]
        assert to_host(rows)["name"].tolist() == [b"a", b"bc"]
        assert float(self.xp.sum(rows["x"])) == 3
        rows["name"]


def test_text_stays_on_the_host_and_says_so_when_touched(
    working_directory: Path, workflow: MakeWorkflow, device: str
) -> None:
    rows = np.array([(b"a", 1.0), (b"bc", 2.0)], [("name", "S3"), ("x", "f4")])
    with h5py.File("in.h5", "w") as file:
        file.create_dataset("events/data", data=rows, maxshape=(None,))
    with pytest.raises(HookError, match=r"'name' .* stays on the host") as raised:
        run(workflow(Text), "out.h5", "in.h5", backend=device)
    assert "to_host(rows)['name']" in str(raised.value.__cause__)


class Numbers(H5FlowGenerator):
    """Makes rows on the device."""

    def init(self) -> None:
        self.data_manager.create_dset(self.dset_name, [("id", "i8")])
        self.left = 2

    def next(self) -> slice:
        self.left -= 1
        if self.left < 0:
            return self.EMPTY
        rows = self.data_manager.reserve_data(self.dset_name, 4)
        self.data_manager.write_data(
            self.dset_name, rows, {"id": self.xp.arange(rows.start, rows.stop)}
        )
        return rows


class Table(H5FlowResource):
    """Holds a table on the device."""

    def init(self, source_name: str) -> None:
        self.table = self.xp.asarray([10.0, 20.0])


def test_generators_and_resources_have_the_library_too(
    working_directory: Path, workflow: MakeWorkflow, device: str
) -> None:
    from h5flow import resources

    class Adds(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("sums", "f8")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            numbers = self.xp.astype(cache[source_name]["id"], self.xp.float64)
            sums = numbers + resources["Table"].table[1]
            rows = self.data_manager.reserve_data("sums", sums.shape[0])
            self.data_manager.write_data("sums", rows, sums)

    content = workflow(Adds, H5FlowTestStage, generator=Numbers, resources=[Table])
    run(content, "out.h5", backend=device)
    with h5py.File("out.h5") as file:
        assert file["sums/data"][:].tolist() == [20.0 + number for number in range(8)]


def test_what_a_generator_makes_is_there_for_the_stages(
    working_directory: Path,
    workflow: MakeWorkflow,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Sees(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            seen.append(to_host(cache[source_name])["id"].tolist())

    seen: list[Any] = []
    uploaded: list[np.dtype[Any]] = []
    kind = type(make_backend(device))
    real = kind.upload

    def upload(self: Any, parts: Any) -> Any:
        uploaded.extend(part.dtype for part in parts if len(part))
        return real(self, parts)

    monkeypatch.setattr(kind, "upload", upload)
    run(workflow(Sees, generator=Numbers), "out.h5", backend=device)
    assert seen == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert {dtype.str for dtype in uploaded} == {"<i8"}  # numbers of rows, and no rows
    assert len(uploaded) == 2


def test_dereferencing_inside_of_a_stage_stays_on_the_device(
    events: Path, workflow: MakeWorkflow, device: str
) -> None:
    class Follows(H5FlowStage):
        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            ref = self.data_manager.get_ref(source_name, "hits")[0]
            found = dereference(source_slice, ref, self.data_manager.get_dset("hits"), xp=self.xp)
            assert type(found) is MaskedColumns
            assert to_host(found["q"]).tolist() == to_host(cache["hits"]["q"]).tolist()

    run(workflow((Follows, {"requires": ["hits"]})), "out.h5", str(events), backend=device)


def test_an_unknown_key_beside_backend_is_still_an_error(
    events: Path, workflow: MakeWorkflow
) -> None:
    with pytest.raises(ConfigError, match="backend"):
        run(workflow((Looks, {"backends": "numpy"})), "out.h5", str(events))


def test_nothing_takes_the_doors_that_array_api_strict_leaves_open(
    events: Path, workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_backend("array-api-strict")
    from array_api_strict._array_object import Array

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a silent copy to the host")

    for door in ("__dlpack__", "__float__", "__complex__", "__array__", "__buffer__"):
        monkeypatch.setattr(Array, door, refuse, raising=False)
    content = workflow((Energies, {"requires": REQUIRES}), generator=LOOP)
    backend = "array-api-strict"
    real = np.array

    def of_the_cpu(value: Any, *args: Any, **options: Any) -> Any:
        # the one way back, by which the backend itself goes
        return real(value._array if isinstance(value, Array) else value, *args, **options)

    monkeypatch.setattr("h5flow.backends.array_api.np.array", of_the_cpu)
    run(content, "out.h5", str(events), backend=backend, strict=True)


class Makes(H5FlowStage):
    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("made", [("x2", "f8"), ("n", "i4")])
        self.data_manager.create_ref(source_name, "made")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        xp, events = self.xp, cache[source_name]
        x = xp.astype(events["x"], xp.float64)
        rows = self.data_manager.reserve_data("made", x.shape[0])
        self.data_manager.write_data("made", rows, {"x2": 2 * x, "n": events["id"]})
        parents = xp.arange(source_slice.start, source_slice.stop)
        refs = xp.stack([parents, xp.arange(rows.start, rows.stop)], axis=1)
        self.data_manager.write_ref(source_name, "made", refs)
        x[...] = -1.0  # what was written was written


class Uses(H5FlowStage):
    seen: Any = None

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        found = (to_host(cache[name]) for name in self.requires_names)
        self.seen.append([np.array(getattr(each, "values", each)) for each in found])
        cache["row"]["x2"][...] = 0.0

    requires_names = ("padded", "jagged", "single", "row")


OF_MADE = [
    *({"name": name, "path": "made", "layout": name} for name in ("padded", "jagged", "single")),
    {"name": "row", "path": "made", "layout": "aligned"},
]


def test_the_next_stage_finds_the_rows_in_every_layout_as_from_the_file(
    events: Path,
    workflow: MakeWorkflow,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = workflow(Makes, (Uses, {"requires": OF_MADE}))
    found = {}
    for name in ("numpy", device):
        monkeypatch.setattr(Uses, "seen", [])
        run(content, f"{name[:3]}.h5", str(events), backend=name, strict=True)
        (found[name],) = Uses.seen
    for ours, expected in zip(found[device], found["numpy"], strict=True):
        assert ours.tobytes() == expected.tobytes()
    with h5py.File(f"{device[:3]}.h5") as file:
        assert file["made/data"]["x2"].tolist() == [float(i) for i in range(10)]


class Overwrites(H5FlowStage):
    """Writes the rows that the next rank has made."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        rows = self.comm.allgather(cache["rows"])[(self.rank + 1) % self.size]
        twos = self.xp.full((rows.stop - rows.start,), 2.0, dtype=self.xp.float64)
        self.data_manager.write_data("ones", rows, twos)


class Ones(H5FlowStage):
    """Makes rows, and says which."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("ones", "f8")
        self.data_manager.create_dset("found", "f8")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        ones = self.xp.ones(cache[source_name].shape, dtype=self.xp.float64)
        cache["rows"] = self.data_manager.reserve_data("ones", ones.shape[0])
        self.data_manager.write_data("ones", cache["rows"], ones)


class Finds(H5FlowStage):
    """Reads them again."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        rows = self.data_manager.reserve_data("found", cache["ones"].shape[0])
        self.data_manager.write_data("found", rows, cache["ones"])


@pytest.mark.parametrize("backend", ["numpy", "array-api-strict", "torch:cpu"])
def test_what_another_rank_has_written_is_found_and_not_what_lies_on_the_device(
    events: Path, workflow: MakeWorkflow, backend: str
) -> None:
    make_backend(backend)
    requires = [{"name": "ones", "path": "ones", "layout": "aligned"}]
    content = workflow(Ones, Overwrites, (Finds, {"requires": requires}), generator=LOOP)
    run_on_ranks(
        3, lambda comm: run(content, "out.h5", str(events), comm=comm, backend=backend, strict=True)
    )
    with h5py.File("out.h5") as file:
        assert file["ones/data"][:].tolist() == file["found/data"][:].tolist() == [2.0] * 10


def test_only_row_numbers_travel_for_what_a_stage_has_made(
    events: Path,
    workflow: MakeWorkflow,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uploaded: list[np.dtype[Any]] = []
    real = type(make_backend(device)).upload

    def upload(self: Any, parts: Any) -> Any:
        uploaded.extend(part.dtype for part in parts if len(part))
        return real(self, parts)

    monkeypatch.setattr(type(make_backend(device)), "upload", upload)
    monkeypatch.setattr(Uses, "seen", [])
    content = workflow(Makes, (Uses, {"requires": OF_MADE}))
    run(content, "out.h5", str(events), backend=device, strict=True)
    structured = [dtype.names for dtype in uploaded if dtype.names]
    assert structured == [("id", "x")]
