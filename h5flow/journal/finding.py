"""One thing that was found in a file."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RESTORE", "Finding"]

RESTORE = "Take these rows from a copy of the file, or make it again."


@dataclass(frozen=True)
class Finding:
    """Something that was found in a file.

    Attributes
    ----------
    place : str
        A path in the file, perhaps with rows; empty where it is the file itself.
    text : str
        What there is.
    advice : str
        What to do about it.
    is_note : bool
        Whether it is allowed, and only worth knowing.
    in_regions : bool
        Whether rebuilding regions mends it.
    is_unfinished : bool
        Whether the file is what a run has left, and can be made an ordinary one.
    """

    place: str
    text: str
    advice: str = ""
    is_note: bool = False
    in_regions: bool = False
    is_unfinished: bool = False
