"""What a file holds, printed: for a first look in a script or a notebook."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from h5flow.data.inventory import take_inventory
from h5flow.data.layout import RECORDS, data_path
from h5flow.errors import DataError
from h5flow.io.open_file import open_file

__all__ = ["print_attr", "print_data", "print_ref"]


def print_data(source: Any) -> None:
    """Print name, number of rows and dtype of all datasets.

    Parameters
    ----------
    source : h5py.File, h5py.Group, path or H5FlowDataManager
        A group stands for the dataset of its name and those below it.

    Raises
    ------
    FileFormatError
        The path is not that of an HDF5 file.
    """
    with _opened(source) as group:
        lines = []
        for name in take_inventory(group.file).datasets:
            if _is_below(name, group):
                dataset = _open(group.file, data_path(name))
                kind = "cannot be opened" if dataset is None else _row_type(dataset)
                lines.append((name, _rows(dataset), kind))
    _print_table(("dataset", "rows", "dtype"), lines)


def print_ref(source: Any) -> None:
    """Print parent, child and number of references of all reference tables.

    Parameters
    ----------
    source : h5py.File, h5py.Group, path or H5FlowDataManager
        A group stands for the dataset of its name and those below it.

    Raises
    ------
    FileFormatError
        The path is not that of an HDF5 file.
    """
    with _opened(source) as group:
        lines = [
            (paths.parent, paths.child, _rows(_open(group.file, paths.ref)))
            for paths in take_inventory(group.file).references
            if _is_below(paths.parent, group) or _is_below(paths.child, group)
        ]
    _print_table(("parent", "child", "references"), lines)


def print_attr(source: Any) -> None:
    """Print the metadata of all groups that have some.

    Parameters
    ----------
    source : h5py.File, h5py.Group, path or H5FlowDataManager
        A group stands for itself and those below it.

    Raises
    ------
    FileFormatError
        The path is not that of an HDF5 file.
    """
    with _opened(source) as top:
        groups: list[h5py.Group] = [top]

        def collect(_name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                groups.append(item)

        top.visititems(collect)
        for group in groups:
            if len(group.attrs) and group.name.split("/")[1] != RECORDS:
                print(group.name)
                for key, value in group.attrs.items():
                    print(f"    {key}: {_one_line(value)}")


@contextmanager
def _opened(source: Any) -> Iterator[h5py.Group]:
    if isinstance(source, str | os.PathLike):
        with open_file(source, "r") as file:
            yield file
        return
    group = getattr(source, "fh", source)
    if not isinstance(group, h5py.Group):
        raise DataError(f"a file, a group or a path can be printed, not {type(source).__name__}")
    yield group


def _is_below(name: str, group: h5py.Group) -> bool:
    top = group.name.strip("/")
    return not top or name == top or name.startswith(f"{top}/")


def _open(file: h5py.File, path: str) -> h5py.Dataset | None:
    """Return a dataset, None where it is linked and its file is not there."""
    try:
        return file[path]
    except (KeyError, OSError):
        return None


def _rows(dataset: h5py.Dataset | None) -> str:
    if dataset is None:
        return "?"
    return f"{dataset.shape[0]:,}" if dataset.shape else "1"


def _row_type(dataset: h5py.Dataset) -> str:
    dtype = dataset.dtype
    kind = _type_name(dtype)
    if dtype.names is not None:
        kind = ", ".join(f"{name} {_type_name(dtype[name])}" for name in dtype.names)
    return f"{kind} x {dataset.shape[1:]}" if len(dataset.shape or ()) > 1 else kind


def _type_name(dtype: np.dtype[Any]) -> str:
    if dtype.subdtype is not None:
        return f"{_type_name(dtype.subdtype[0])}{list(dtype.shape)}"
    if dtype.names is not None:
        return f"({', '.join(f'{name} {_type_name(dtype[name])}' for name in dtype.names)})"
    return "string" if h5py.check_string_dtype(dtype) and dtype.hasobject else str(dtype)


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


def _print_table(header: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    for line in (header, *lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
