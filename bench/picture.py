"""How time grows with rows, and with stages, as a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

__all__ = ["draw"]


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw what the benchmarks `growth` and `stages` found."""
    figure, (rows, stages) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    _draw_growth(rows, [each["extra_info"] for each in results if each["group"] == "growth"])
    counted = [each["extra_info"] for each in results if "stages" in each["extra_info"]]
    _draw_stages(stages, counted)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_growth(axes: Any, found: Sequence[dict[str, Any]]) -> None:
    lines: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for each in found:
        if each["ranks"] == 1:
            lines["floor: h5py, one process"].append((each["rows"], each["floor_seconds"]))
        ranks = "1 rank" if each["ranks"] == 1 else f"{each['ranks']} ranks"
        lines[f"h5flow, {ranks}"].append((each["rows"], each["seconds"]))
    for number, (label, points) in enumerate(lines.items()):
        style = "k--" if label.startswith("floor") else f"C{number}o-"
        axes.plot(*zip(*sorted(points), strict=True), style, label=label, markersize=4)
    axes.set(xscale="log", yscale="log", xlabel="rows of 8 bytes", ylabel="seconds of a run")
    axes.set_title("copy the input, read all, write as much", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _draw_stages(axes: Any, found: Sequence[dict[str, Any]]) -> None:
    points = sorted(
        (
            each["stages"],
            (each["seconds"] - each["floor_seconds"]) / each["chunks"] * 1e6,
        )
        for each in found
    )
    if points:
        axes.plot(*zip(*points, strict=True), "C0o-", markersize=4)
    axes.set(xscale="log", yscale="log", xlabel="empty stages", ylabel="µs a chunk, beside reading")
    axes.set_xticks([each for each, _ in points], [str(each) for each, _ in points])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title("what stages cost that do nothing", fontsize=10)
    axes.grid(alpha=0.3)
