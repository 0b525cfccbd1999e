"""What docs/arrays.md promises of the cache: the same expressions, the same results as on NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from libraries import DEVICES, make_backend

from h5flow import H5FlowDataManager, H5FlowStage, run
from h5flow.data import to_host
from h5flow.references.jagged import Jagged

EVENT = np.dtype([("id", "i8"), ("x", "f4"), ("u", "u4"), ("name", "S3")])
HIT = np.dtype(
    [
        ("q", "f4"),
        ("adc", "u2"),
        ("n", "i4"),
        ("at", "f8", (3,)),
        ("flag", "?"),
        ("pos", [("x", "i2"), ("y", "i8")]),
        ("label", "S4"),
    ]
)
HITS_OF_EVENTS = [0, 1, 2, 3, 0, 1]
REQUIRES: list[Any] = [
    "hits",
    {"name": "tracks", "path": ["hits", "tracks"]},
    {"name": "jagged", "path": "hits", "layout": "jagged"},
    {"name": "vertex", "path": "vertex", "layout": "single"},
    {"name": "wave", "path": "wave", "layout": "aligned"},
    {"name": "calib", "path": "calib", "layout": "aligned"},
    {"name": "rows", "path": "hits", "index_only": True},
    {"name": "jagged_rows", "path": "hits", "index_only": True, "layout": "jagged"},
    {"name": "numbers", "path": "events", "index_only": True},
]
# The source and what is required, by their names; q is hits["q"]. All of them stand in the page.
EXPRESSIONS = """
events["x"]
events["u"]
events[["id", "x"]]["x"]
len(events), events.shape, events.ndim, events.size, str(events.dtype)
events[1:3]["x"]
events[::2]["x"]
events[-1]["x"]
events[:, None]["x"]
events[...]["x"]
events[events["x"] > 1]["id"]
events[xp.asarray([3, 1])]["x"]
events[[0, -1]]["x"]
events[np.array([2, 0])]["x"]
events.copy()["x"]
[float(row["x"]) for row in events]
float(events["x"][1])
events["x"][events["id"] > 2]
xp.take(events["x"], xp.asarray([1, 2]), axis=0)
events["x"][xp.asarray([1, 2])]
xp.sum(events["x"], axis=0)
xp.astype(events["id"], xp.float64) * 0.5
wave["q"], wave["at"], wave["pos"]["x"], wave["flag"]
wave[events["x"] > 1]["q"]
calib, calib[1:3], calib[calib > 20]
hits.shape, len(hits), str(hits.dtype)
q, hits["adc"], hits["at"], hits["flag"], hits["pos"]["y"]
hits[1:3]["q"]
hits[2]["q"]
hits[:, 0]["q"]
hits[..., 0]["q"]
hits[:, None]["q"]
hits[[0, -1]]["q"]
hits[xp.asarray([0, 2])]["q"]
hits[events["x"] > 1]["at"]
hits[q > 1]["n"]
hits[["q", "n"]]["n"]
hits.mask["q"], hits.mask["at"], hits.mask["pos"]["x"]
hits.data["q"], hits.filled(0)["q"], hits.filled()["q"]
[int(row["n"].count()) for row in hits]
q.filled(-1), q.filled(), hits["n"].filled(), hits["flag"].filled()
q.data, q.mask, q.compressed()
q[0], q[:, 0], q[:, :1], q[..., 0], q[3, 1] * 1
q[q > 1], q[hits["flag"]], q[events["x"] > 1], q[q.count(axis=-1) > 1]
q[[0, 1]], q[xp.asarray([0, -1])]
q * 2, q * 2.5, 1 - q, 1.0 / hits["n"], 2 > q
q * hits["n"], hits["adc"] * 2, hits["adc"] * 0.5, hits["adc"] + hits["n"]
q / hits["n"], hits["n"] / 0, hits["n"] // 2, hits["n"] % 3, q**2, q**0.5
-q, abs(hits["n"]), ~hits["flag"]
(q > 2) & (hits["n"] < -1), hits["flag"] | (q > 1), hits["flag"] ^ (q > 1)
q == q, q != 1.5, q <= 2
q * events["x"][:, None], q - q.mean(axis=-1)[:, None], q * np.float64(2)
q.sum(axis=-1) * events["id"]
q.astype("f8"), q.astype(xp.float64), q.reshape(-1), q.copy()
float(q[3, 1]), float(q.sum()), int(hits["n"].min()), bool(hits["flag"].any())
[float(row.sum()) for row in q if int(row.count())]
q.sum(axis=-1).mask, q.sum(axis=-1).filled(0), (q > 1).sum(axis=-1)
tracks.shape, tracks["id"], tracks.mask["id"], tracks["id"].sum(axis=-1).sum(axis=-1)
tracks["id"].sum(axis=(1, 2)), tracks[events["x"] > 1]["id"]
vertex.shape, vertex["z"], vertex["z"].filled(-1), vertex["z"] * events["x"], vertex[1:3]["z"]
rows, rows.filled(-1), rows.mask, rows.max(axis=-1), rows.compressed(), rows[[1, 0]]
numbers
jagged.offsets, jagged["q"], jagged.index, jagged.parent, jagged.counts
len(jagged), str(jagged.dtype), jagged["pos"]["x"], jagged["at"], jagged.values[1:3]["q"]
[row["q"] for row in jagged]
jagged["q"] * xp.take(events["x"], jagged.parent)
jagged.values[jagged["q"] > 1]["q"], jagged["q"][jagged["q"] > 1]
jagged_rows.values, jagged_rows.offsets
xp.where(q.mask, 0.0, xp.sqrt(q.filled(0)))
xp.argmax(q.filled(float("-inf")), axis=-1)
(q * q).mean(axis=-1) - q.mean(axis=-1) ** 2
xp.all(q.mask), xp.count_nonzero(q.mask), xp.matrix_transpose(q.data), xp.flip(events["x"])
to_host(hits)["label"], to_host(events)["name"], to_host(jagged).values["label"]
""".strip().splitlines()
EXPRESSIONS += [
    f'hits["{field}"].{name}({axis})'
    for field in ("q", "n", "adc", "flag", "at")
    for name in ("sum", "mean", "min", "max", "any", "all", "count")
    for axis in ("axis=-1", "axis=0", "axis=1, keepdims=True")
]
# One after the other, on the same cache.
STATEMENTS = """
events["x"] = -1
events["x"] = events["x"] * 2
events["x"] = events["id"]
events["x"] = np.arange(6.0)
events["x"][0:2] = 9
events["x"][events["x"] > 1] = 0
events["x"] += 1
hits["q"] = -1
hits["q"] = q * 2
hits["q"] = events["x"][:, None]
hits["q"] -= 1000
hits["n"] *= 2
q[0:2] = 9
q[:, 0] = 9
q[q > 1] = 0
q[events["x"] > 1] = 5
q[2:3] = np.ma.masked
hits["pos"]["x"] = 3
hits["at"] = 3
tracks["id"] = 4
vertex["z"] = 4
wave["q"] = events["x"]
jagged.values["q"] = jagged["q"] * 2
calib[0:2] = 9
""".strip().splitlines()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("input") / "in.h5"
    events, hits = np.zeros(6, EVENT), np.zeros(sum(HITS_OF_EVENTS), HIT)
    at = np.arange(len(hits))
    events["id"], events["x"], events["u"] = np.arange(6), np.arange(6) / 2, np.arange(6) * 5
    events["name"], hits["label"] = b"ab", b"hit"
    hits["q"], hits["adc"], hits["n"], hits["flag"] = at + 0.5, at * 10, -at, at % 2
    hits["at"], hits["pos"]["x"], hits["pos"]["y"] = np.stack([at, at + 1, at + 2], 1), at, -at
    with H5FlowDataManager(path) as dm:
        for name, rows in {
            "events": events,
            "hits": hits,
            "calib": np.arange(6) * 10.0,
            "wave": hits[:6],
            "tracks": np.array([(100,), (101,), (102,), (103,)], [("id", "i8")]),
            "vertex": np.array([(0.0,), (1.0,), (2.0,)], [("z", "f4")]),
        }.items():
            dm.create_dset(name, rows.dtype)
            dm.write_data(name, dm.reserve_data(name, len(rows)), rows)
        for parent, child, pairs in (
            ("events", "hits", np.stack([np.repeat(np.arange(6), HITS_OF_EVENTS), at], 1)),
            ("hits", "tracks", np.stack([at, at // 2], 1)),
            ("events", "vertex", [(0, 0), (2, 1), (4, 2)]),
        ):
            dm.create_ref(parent, child)
            dm.write_ref(parent, child, pairs)
    return path


Load = Callable[[str], dict[str, Any]]


@pytest.fixture
def load(tables: Path, workflow: Any, working_directory: Path) -> Load:
    """Return a function that gives what a stage has at hand on a backend."""

    def names(backend: str) -> dict[str, Any]:
        seen: dict[str, Any] = {"np": np, "to_host": to_host}

        class Looker(H5FlowStage):
            def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
                seen.update(cache, xp=self.xp, q=cache["hits"]["q"])

        content = workflow((Looker, {"requires": REQUIRES}))
        run(content, "out.h5", str(tables), backend=backend, overwrite=True, strict=True)
        return seen

    return names


def plain(value: Any) -> Any:
    """Return a result as lists, None where it is masked."""
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    value = to_host(value)
    if isinstance(value, Jagged):
        return [plain(part) for part in (value.offsets, value.values, value.index)]
    if isinstance(value, np.ndarray | np.generic):
        return [value.shape, value.tolist()]
    return value


def close(one: Any, two: Any) -> bool:
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(close, one, two))
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=1e-6) or (math.isnan(one) and math.isnan(two))
    return bool(one == two)


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy.ma's own, of what it masks
def test_expressions_on_the_cache(load: Load, name: str) -> None:
    make_backend(name)
    host, device = load("numpy"), load(name)
    wrong = []
    for expression in EXPRESSIONS:
        expected, found = (plain(eval(expression, names)) for names in (host, device))
        if not close(expected, found):
            wrong.append((expression, expected, found))
    assert not wrong


@pytest.mark.parametrize("name", DEVICES)
def test_statements_on_the_cache(load: Load, name: str) -> None:
    make_backend(name)
    host, device, wrong = load("numpy"), load(name), []
    for statement in STATEMENTS:
        for names in (host, device):
            exec(statement, names)
        for requirement in ("events", "hits", "tracks", "vertex", "wave", "calib", "jagged"):
            found, expected = (to_host(names[requirement]) for names in (device, host))
            if isinstance(expected, Jagged):
                found, expected = found.values, expected.values
            same_masks = (
                np.ma.getmaskarray(found).tobytes() == np.ma.getmaskarray(expected).tobytes()
            )
            if (
                not same_masks
                or np.ma.filled(found, 0).tobytes() != np.ma.filled(expected, 0).tobytes()
            ):
                wrong.append((statement, requirement, found, expected))
    assert not wrong
