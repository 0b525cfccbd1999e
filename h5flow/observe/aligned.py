"""Cells in columns, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["aligned", "widths_of"]


def widths_of(cells: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column."""
    return [max(map(len, column)) for column in zip(*cells, strict=True)]


def aligned(cells: Sequence[Sequence[str]], is_text: Sequence[bool]) -> list[str]:
    """Return a line for each row; columns of text stand to the left, the others to the right.

    Examples
    --------
    >>> aligned([["part", "seconds"], ["read", "0.5"]], [True, False])
    ['  part  seconds', '  read      0.5']
    """
    widths = widths_of(cells)
    lines = []
    for row in cells:
        padded = [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, is_text, strict=True)
        ]
        lines.append(f"  {'  '.join(padded)}".rstrip())
    return lines
