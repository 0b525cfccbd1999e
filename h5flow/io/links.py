"""External links: an output that leaves its datasets in the input, and where links lead to."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection
from pathlib import Path

import h5py
from h5py import h5l

from h5flow.io.external import other_files
from h5flow.io.open_file import open_file

__all__ = [
    "depends_on_folder",
    "leaving_link",
    "link_input",
    "linked_target",
    "rebase_link",
    "virtual_sources",
]

# HDF5's own limit is 16: a chain this long is a loop.
LONGEST_CHAIN = 16


def link_input(
    source: Path,
    destination_file: h5py.File,
    destination_path: Path,
    *,
    exclude: Collection[str] = (),
) -> frozenset[str]:
    """Mirror the groups of an input in a new file, and link all datasets to the input.

    Parameters
    ----------
    source : pathlib.Path
        The input.
    destination_file : h5py.File
        A new file, open for writing, beside the output.
    destination_path : pathlib.Path
        The output. Links are relative to its folder where the input is in or below it.
    exclude : collection of str
        Absolute paths in the input that are left out.

    Returns
    -------
    frozenset of str
        Absolute paths of everything that is an external link. References to the datasets in
        attributes are null: HDF5 has none across files.

    Raises
    ------
    FileFormatError
        The input cannot be opened.
    """
    from h5flow.io.objects import Mirror, mirror_tree

    source = source.resolve()
    folder = destination_path.resolve().parent
    input_name = name_in_link(source, folder)
    linked: set[str] = set()

    def place(item: h5py.Dataset | h5py.Datatype, group: h5py.Group, name: str) -> bool:
        if isinstance(item, h5py.Datatype):
            item.file.copy(item, group, name=name)
            return True
        group[name] = h5py.ExternalLink(input_name, item.name)
        return False

    def rebase(filename: str) -> str:
        return rebase_link(filename, source, folder)

    with open_file(source, "r") as file:
        mirror_tree(Mirror(file, destination_file, place, rebase, exclude))

    def note(name: bytes, info: h5l.LinkInfo) -> None:
        if info.type == h5l.TYPE_EXTERNAL:
            linked.add("/" + name.decode("utf-8", "surrogateescape"))

    _visit_links(destination_file, note)
    return frozenset(linked)


def _visit_links(file: h5py.File, note: Callable[[bytes, h5l.LinkInfo], None]) -> None:
    # A name: the proxy of the links does not keep the group open.
    root = file["/"].id
    root.links.visit(note, info=True)


def name_in_link(target: Path, folder: Path) -> str:
    """Return the file name for a link in a file of `folder`: relative if `target` is below it."""
    target, folder = target.resolve(), folder.resolve()
    return str(target.relative_to(folder) if target.is_relative_to(folder) else target)


def rebase_link(filename: str, linking_file: Path, folder: Path) -> str:
    """Return the file name of a link in `linking_file` for a file in another `folder`."""
    if Path(filename).is_absolute() or linking_file.resolve().parent == folder.resolve():
        return filename
    return name_in_link(_file_of_link(filename, linking_file), folder)


def _file_of_link(filename: str, linking_file: Path) -> Path:
    """Look for a file where HDF5 does; the first place where it is nowhere."""
    folders = (linking_file.parent, Path.cwd(), linking_file.resolve().parent)
    # An absolute name stays as it is; one that moved along with its links is looked for by name.
    names = (filename, Path(filename).name) if Path(filename).is_absolute() else (filename,)
    places = [folder / name for name in names for folder in folders]
    return next((place for place in places if place.exists()), places[0])


def linked_target(file: h5py.File, path: str) -> tuple[Path, str] | None:
    """Return where a path leaves a file through an external link.

    Nothing but the links of `file` is read: HDF5 would open the other file for writing as well.

    Parameters
    ----------
    file : h5py.File
    path : str

    Returns
    -------
    tuple of pathlib.Path and str, or None
        The other file and the path in it; None where `path` stays in `file` or does not exist.
    """
    step = leaving_link(file, path)
    if step is None:
        return None
    _place, link, rest = step
    other = _file_of_link(link.filename, Path(file.filename))
    return other, posixpath.normpath(posixpath.join("/", link.path, rest))


def leaving_link(file: h5py.File, path: str) -> tuple[str, h5py.ExternalLink, str] | None:
    """Return the external link by which a path leaves a file, with its place and the path after it.

    None where the path stays in the file, or does not exist.
    """
    for _ in range(LONGEST_CHAIN):
        step = _first_link(file, path)
        if step is None:
            return None
        link, place, rest = step
        if isinstance(link, h5py.ExternalLink):
            return place, link, rest
        path = posixpath.join(posixpath.dirname(place), link.path, rest)
    return None


def _first_link(
    file: h5py.File, path: str
) -> tuple[h5py.SoftLink | h5py.ExternalLink, str, str] | None:
    """Return the first soft or external link on a path, its place, and the path after it."""
    group = file["/"]
    parts = [part for part in path.split("/") if part not in {"", "."}]
    for index, part in enumerate(parts):
        link = group.get(part, getlink=True)
        if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
            return link, posixpath.join(group.name, part), "/".join(parts[index + 1 :])
        if link is None:
            return None
        group = group[part]
        if not isinstance(group, h5py.Group):
            return None
    return None


def depends_on_folder(file: h5py.File) -> bool:
    """Return whether a file names others relative to its folder: in links or virtual datasets."""
    found = False

    def note_link(name: bytes, info: h5l.LinkInfo) -> None:
        nonlocal found
        if info.type == h5l.TYPE_EXTERNAL:
            link = file.get(name, getlink=True)
            found = found or not Path(link.filename).is_absolute()

    def note_item(_name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal found
        found = found or bool(isinstance(item, h5py.Dataset) and virtual_sources(item))

    _visit_links(file, note_link)
    file.visititems(note_item)
    return found


def virtual_sources(dataset: h5py.Dataset) -> list[str]:
    """Return the other files, named relative to its folder, that a dataset takes its rows from."""
    return [name for name in other_files(dataset) if not Path(name).is_absolute()]
