"""Files to copy, and a naive comparison of what two of them hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest


def names_of_objects(file: h5py.File) -> dict[int, list[str]]:
    """Address of every object, and all its names."""
    names: dict[int, list[str]] = {}

    def walk(item: Any, path: str) -> None:
        address = h5py.h5o.get_info(item.id).addr
        names.setdefault(address, []).append(path or "/")
        if isinstance(item, h5py.Group) and len(names[address]) == 1:
            for name in item:
                if isinstance(item.get(name, getlink=True), h5py.HardLink):
                    walk(item[name], f"{path}/{name}")

    walk(file["/"], "")
    return names


def plain(value: Any, file: h5py.File, names: dict[int, list[str]]) -> Any:
    """A value as lists and builtins, references as the names of what they lead to."""
    if isinstance(value, h5py.Reference):
        if not value:
            return "null"
        try:
            address = h5py.h5o.get_info(h5py.h5r.dereference(value, file.id)).addr
        except KeyError:
            # to something deleted
            return "null"
        target = names[address]
        if isinstance(value, h5py.RegionReference):
            selection = h5py.h5r.get_region(value, file.id).get_select_bounds()
            return ("region", target, selection)
        return ("object", target)
    if isinstance(value, np.void) and value.dtype.names:
        return [plain(value[name], file, names) for name in value.dtype.names]
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return [plain(item, file, names) for item in value]
        return (str(value.dtype), value.shape, value.tobytes())
    return value.tobytes() if isinstance(value, np.generic) else value


def describe(path: Path) -> dict[str, Any]:
    """All that a file holds: by path."""
    held: dict[str, Any] = {}

    def note(item: Any, path: str) -> None:
        values = {name: plain(value, file, names) for name, value in item.attrs.items()}
        entry: dict[str, Any] = {"kind": type(item).__name__, "attributes": values}
        if isinstance(item, h5py.Dataset):
            entry |= {
                "type": item.dtype.descr if item.dtype.names else str(item.dtype),
                "shape": (item.shape, item.maxshape, item.chunks),
                "filter": (item.compression, item.compression_opts, item.shuffle),
                "values": None if item.shape is None else plain(item[()], file, names),
            }
        held[path] = entry
        for name in item if isinstance(item, h5py.Group) else ():
            link = item.get(name, getlink=True)
            below = f"{path.rstrip('/')}/{name}"
            if isinstance(link, h5py.SoftLink):
                held[below] = ("soft", link.path)
            elif isinstance(link, h5py.ExternalLink):
                held[below] = ("external", link.filename, link.path)
            elif below in names[h5py.h5o.get_info(item[name].id).addr][:1]:
                note(item[name], below)

    with h5py.File(path, "r") as file:
        names = names_of_objects(file)
        note(file["/"], "/")
        held["names"] = sorted(names.values())
    return held


@pytest.fixture
def assert_same_content() -> Callable[[Path, Path], None]:
    """Fails where two HDF5 files differ in more than the layout of their bytes."""

    def compare(one: Path, other: Path) -> None:
        first, second = describe(one), describe(other)
        assert first.keys() == second.keys()
        for path, held in first.items():
            assert held == second[path], path

    return compare


def fill(file: h5py.File) -> None:
    """Put one of everything that the field's files have into a file."""
    rng = np.random.default_rng(1)
    row = np.dtype([("x", "f8"), ("name", "S4"), ("hits", "i4", (3,))])
    hits = file.create_dataset("charge/hits/data", (1000,), row, chunks=(100,), maxshape=(None,))
    hits["x"] = rng.normal(size=1000)
    packed = {"compression": "gzip", "shuffle": True}
    file.create_dataset("packed/data", data=np.arange(5000), chunks=(512,), **packed)
    file.create_dataset("contiguous/data", data=np.arange(77))
    file.create_dataset("empty/data", (0, 3), "f4", maxshape=(None, 3), chunks=(10, 3))
    file["text/data"] = np.array(["a", "µm", ""], dtype=object)
    file["scalar"] = 3.5
    file["nothing"] = h5py.Empty("f4")
    file["type"] = np.dtype("i4")
    file.create_dataset("typed", (3,), dtype=file["type"])
    file["again"] = file["charge/hits/data"]
    file["charge/up"] = file["/"]
    file["soft"] = h5py.SoftLink("/charge/hits")
    file["dangling"] = h5py.SoftLink("nowhere")
    for index in range(20):
        file["charge"].attrs[f"number {index}"] = index
    file["charge"].attrs["words"] = ["one", "two"]
    file["charge"].attrs["flags"] = np.array([True, False])
    file["charge"].attrs["none"] = h5py.Empty("S3")
    file["charge"].attrs["row"] = hits[3]
    file["charge"].attrs.create("fixed", "süß".encode(), dtype=h5py.string_dtype("utf-8", 5))
    file["charge"].attrs.create("array", np.array([1, 2], "i4"), dtype=np.dtype(("i4", (2,))))
    file.attrs["title"] = "everything"


def fill_references(file: h5py.File) -> None:
    """Put references of every kind into a file, to its root, groups, datasets and regions."""
    data, group = file["charge/hits/data"], file["charge"]
    deleted = file.create_dataset("deleted", data=[1])
    file.attrs["object"], file.attrs["region"] = data.ref, data.regionref[2:5]
    group.attrs["root"], data.attrs["self"] = file.ref, data.ref
    group.attrs["null"], group.attrs["deleted"] = h5py.Reference(), deleted.ref
    file["objects"] = np.array([data.ref, group.ref, h5py.Reference()], dtype=h5py.ref_dtype)
    regions = file.create_dataset("regions", (2, 2), h5py.regionref_dtype)
    regions[0, 1] = data.regionref[[1, 5, 7]]
    row = np.dtype([("i", "i4"), ("to", h5py.ref_dtype), ("text", h5py.string_dtype())])
    rows = file.create_dataset("rows", (3,), row, chunks=(2,), compression="gzip")
    rows[1] = (7, data.ref, "seven")
    several = np.dtype([("to", h5py.ref_dtype, (2,))])
    file.create_dataset("several", (2,), several)
    file["several"][0] = ([data.ref, group.ref],)
    lists = file.create_dataset("lists", (2,), h5py.vlen_dtype(h5py.ref_dtype))
    lists[1] = np.array([data.ref, file.ref], dtype=h5py.ref_dtype)
    file.create_dataset("one", data=data.ref, dtype=h5py.ref_dtype)
    file["axis"], file["curve"] = np.arange(4.0), np.arange(4.0)
    file["axis"].make_scale("time")
    file["curve"].dims[0].attach_scale(file["axis"])
    del file["deleted"]


@pytest.fixture(params=["earliest", "v108", "v110", "latest"])
def any_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file with one of everything, in each of HDF5's formats."""
    path = tmp_path / "any.h5"
    with h5py.File(path, "w", libver=(request.param, "latest")) as file:
        fill(file)
        fill_references(file)
    return path


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A file with one of everything in the oldest format."""
    path = tmp_path / "old.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        fill(file)
        fill_references(file)
    return path


@pytest.fixture
def new_file(tmp_path: Path) -> Path:
    """A file with one of everything in the format that h5flow writes."""
    path = tmp_path / "new.h5"
    with h5py.File(path, "w", libver=("v110", "latest")) as file:
        fill(file)
        fill_references(file)
    return path


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs lines of Python in a process of their own, with the arguments given."""

    def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run
