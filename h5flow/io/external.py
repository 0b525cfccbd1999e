"""What of a file lies in other files: found, taken out of reach, and put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import h5py
from h5py import h5d, h5l

from h5flow.io.damage import damage_named

__all__ = [
    "ExternalPart",
    "belongings",
    "external_parts",
    "other_files",
    "put_back",
    "set_aside",
]

# Of something set aside: where it belongs, and what its link is called meanwhile.
BELONGS, LINK = "belongs", "link"


class ExternalPart(NamedTuple):
    """A place of a file whose contents lie in other files.

    Attributes
    ----------
    path : str
        The link, or the dataset.
    files : tuple of str
        The other files, as they are named there.
    inner : str
        What a link leads to in the other file; empty where a dataset has its rows in other files.
    """

    path: str
    files: tuple[str, ...]
    inner: str = ""

    def __str__(self) -> str:
        return f"{self.path} ({', '.join(self.files)})"


def external_parts(file: h5py.File) -> tuple[ExternalPart, ...]:
    """Return everything in a file that lies in others, which are not opened.

    Found are external links, datasets stored in raw files, and virtual datasets; each under every
    name that it has.

    Raises
    ------
    FileFormatError
        The file is damaged.
    """
    links: list[tuple[str, bool]] = []

    def note(name: bytes, info: h5l.LinkInfo) -> None:
        if info.type in {h5l.TYPE_EXTERNAL, h5l.TYPE_HARD}:
            path = name.decode("utf-8", "surrogateescape")
            links.append((path, info.type == h5l.TYPE_EXTERNAL))

    # A name: the proxy of the links does not keep the group open.
    root = file["/"].id
    with damage_named(file.filename, "the list of its objects"):
        root.links.visit(note, info=True)
    return tuple(_parts(file, links))


def _parts(file: h5py.File, links: Iterable[tuple[str, bool]]) -> Iterator[ExternalPart]:
    for path, is_link in links:
        with damage_named(file.filename, f"/{path}"):
            part = _link_part(file, path) if is_link else _dataset_part(file, path)
        if part is not None:
            yield part


def _link_part(file: h5py.File, path: str) -> ExternalPart:
    link = file.get(path, getlink=True)
    return ExternalPart(f"/{path}", (link.filename,), link.path)


def _dataset_part(file: h5py.File, path: str) -> ExternalPart | None:
    item = file[path]
    files = other_files(item) if isinstance(item, h5py.Dataset) else ()
    return ExternalPart(f"/{path}", tuple(dict.fromkeys(files))) if files else None


def other_files(dataset: h5py.Dataset) -> list[str]:
    """Return the other files that a dataset takes its rows from, as it names them."""
    properties = dataset.id.get_create_plist()
    if properties.get_layout() == h5d.VIRTUAL:
        names = [
            properties.get_virtual_filename(index)
            for index in range(properties.get_virtual_count())
        ]
    else:
        names = [
            properties.get_external(index)[0].decode("utf-8", "surrogateescape")
            for index in range(properties.get_external_count())
        ]
    return [name for name in names if name != "."]


def set_aside(file: h5py.File, parts: Iterable[ExternalPart], place: str) -> None:
    """Move parts of a file, open for writing, to where nobody looks for them.

    Parameters
    ----------
    file : h5py.File
    parts : iterable of ExternalPart
        Of this file, or of the one that it is a copy of.
    place : str
        The path of a group, which is made.
    """
    for number, part in enumerate(parts):
        entry = file.create_group(f"{place}/{number:04d}")
        entry.attrs[BELONGS] = part.path
        # the link moves, and what it leads to is not looked at
        file.move(part.path, f"{entry.name}/{LINK}")


def belongings(file: h5py.Group, place: str) -> dict[str, str]:
    """Return where everything that was set aside belongs, and where it is meanwhile."""
    if place not in file:
        return {}
    return {
        str(entry.attrs[BELONGS]): f"{entry.name}/{LINK}"
        for entry in file[place].values()
        if entry.get(LINK, getlink=True) is not None
    }


def put_back(file: h5py.File, place: str) -> tuple[str, ...]:
    """Move what was set aside to where it belongs; harmless where nothing was.

    Returns
    -------
    tuple of str
        Paths that something else has taken by now; what belonged there is gone.
    """
    taken = [path for path, link in belongings(file, place).items() if not _moved(file, link, path)]
    if place in file:
        del file[place]
    return tuple(taken)


def _moved(file: h5py.File, link: str, path: str) -> bool:
    try:
        file.move(link, path)
    except (KeyError, ValueError, RuntimeError):
        return False
    return True
