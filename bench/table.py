"""Results as a table in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

__all__ = ["put_table", "table"]

BEGIN, END = "<!-- table: python -m bench -->", "<!-- end of the table -->"


def table(results: Sequence[dict[str, Any]], scale: float) -> list[str]:
    """Return lines: what it was measured on, and a row for each benchmark."""
    versions = (
        f"Python {platform.python_version()}, NumPy {np.__version__}, h5py {h5py.__version__}, "
        f"HDF5 {h5py.version.hdf5_version}"
    )
    lines = [
        f"Scale {scale:g}, on {os.cpu_count()} cores ({platform.machine()}), {versions}.",
        "",
        "| | took | floor | ratio | goal | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        each = result["extra_info"]
        if "ratio" not in each:
            continue
        show = amount_of if each["unit"] == "B" else time_of
        goal = "" if each["goal"] is None else f"{each['goal']:g}"
        took, floor = show(each["seconds"]), show(each["floor_seconds"])
        name = f"`{result['group']}`: {each['title']}"
        lines.append(
            f"| {name} | {took} | {floor} ({each['floor']}) | {each['ratio']:.2f} x | {goal} | "
            f"{each.get('beside', '')} |"
        )
    return lines


def put_table(page: str, lines: Sequence[str]) -> str:
    """Return a page with these lines between its marks.

    Raises
    ------
    ValueError
        It has none.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no place for the table: {BEGIN} ... {END}")
    text = "\n".join(lines)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def time_of(seconds: float) -> str:
    """Return three digits and a unit."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def amount_of(size_bytes: float) -> str:
    """Return megabytes."""
    return f"{size_bytes / 1e6:,.3g} MB"
