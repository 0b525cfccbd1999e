"""Which parts of an input that lie in other files a run follows, and what is said of the rest."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import h5py

from h5flow.data.layout import NOT_FOLLOWED, RECORDS
from h5flow.errors import FileFormatError, H5FlowWarning
from h5flow.io.external import ExternalPart, external_parts, other_files, set_aside
from h5flow.io.links import leaving_link, linked_target
from h5flow.io.open_file import open_file
from h5flow.journal.provenance import digest_of_input, read_records

__all__ = [
    "blocking_part",
    "parts_not_followed",
    "take_out_of_reach",
    "warn_of_parts",
]

SHOWN = 3


def parts_not_followed(file: h5py.File) -> tuple[ExternalPart, ...]:
    """Return the parts of an input that lie in other files, but for h5flow's own links.

    A file may lead to any other that its reader can read, and its rows would come into the output.
    h5flow's own links, of ``--input-data link``, are told by the file's records, which anyone can
    write; so what they lead to must have the digest that was recorded, which nobody can write who
    does not know the contents.

    Raises
    ------
    FileFormatError
        The file is damaged.
    """
    digests = frozenset(record.input_digest for record in read_records(file)) - {""}
    digest = cache(lambda path: digest_of_input(str(path)))

    def is_own(part: ExternalPart) -> bool:
        target = linked_target(file, part.path) if part.inner and digests else None
        if target is None:
            return False
        # One that leads nowhere lets nothing in; that its file is gone is told where it is needed.
        return not target[0].exists() or (digest(target[0]) in digests and _stays_in(*target))

    return tuple(part for part in external_parts(file) if not is_own(part))


def _stays_in(path: Path, inner: str) -> bool:
    """Return whether a dataset of a file lies in this file itself."""
    try:
        with open_file(path, "r") as file:
            if linked_target(file, inner) is not None:
                return False
            item = file.get(inner)
            return isinstance(item, h5py.Dataset) and not other_files(item)
    except (FileFormatError, KeyError, OSError, RuntimeError):
        return False


def warn_of_parts(filename: str, parts: Sequence[ExternalPart]) -> None:
    """Say what is not followed, where there is anything."""
    if not parts:
        return
    shown = ", ".join(str(part) for part in parts[:SHOWN])
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    one = len(parts) == 1
    warnings.warn(
        f"{filename} has {len(parts)} {'part that lies' if one else 'parts that lie'} in other "
        f"files, {'which is' if one else 'which are'} not read: {shown}{more}. If you trust this "
        "file, add --allow-external-links (allow_external_links=True)",
        H5FlowWarning,
        stacklevel=3,
    )


def take_out_of_reach(file: h5py.File, parts: Sequence[ExternalPart]) -> None:
    """Move parts of a working file to where nobody follows them; `put_back` ends that.

    What lies among h5flow's own records is removed: they are in the file itself, and h5flow would
    write to where a link leads.
    """
    for part in parts:
        if _is_record(part.path):
            del file[part.path]
    if NOT_FOLLOWED in file:
        del file[NOT_FOLLOWED]
    set_aside(file, (part for part in parts if not _is_record(part.path)), NOT_FOLLOWED)


def _is_record(path: str) -> bool:
    return f"{path}/".startswith(f"/{RECORDS}/")


def blocking_part(file: h5py.File, path: str, parts: Sequence[ExternalPart]) -> ExternalPart | None:
    """Return the part by which a path leaves a file, None where none of them is on it."""
    step = leaving_link(file, path)
    place = path if step is None else step[0]
    return next((part for part in parts if part.path == place), None)
