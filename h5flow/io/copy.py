"""An input into the output: all of its bytes, or all of its objects."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import h5py

from h5flow.errors import FileFormatError
from h5flow.events import CopyProgress, Observer, ignore_event
from h5flow.io.clone import PIECE_BYTES, copy_bytes, share_blocks
from h5flow.io.links import depends_on_folder, rebase_link, virtual_sources
from h5flow.io.open_file import open_file
from h5flow.io.space import check_free_space, whole_or_nothing
from h5flow.io.superblock import read_superblock

__all__ = ["Progress", "copy_all_objects", "copy_input"]

# The superblock that h5flow writes, and that single-writer-many-readers mode takes.
OUR_SUPERBLOCK = 3


@dataclass
class Progress:
    """Reports the bytes of a copy, not more often than every few MiB."""

    observe: Observer
    path: str
    total: int
    done: int = 0
    reported: int = 0

    def add(self, size: int) -> None:
        """Count further bytes."""
        self.reach(self.done + size)

    def reach(self, done: int) -> None:
        """Count up to `done` bytes, never beyond the total."""
        self.done = min(done, self.total)
        if self.done - self.reported >= PIECE_BYTES:
            self._report()

    def finish(self) -> None:
        """Report that all is there."""
        self.done = self.total
        self._report()

    def _report(self) -> None:
        self.reported = self.done
        self.observe(CopyProgress(self.path, self.done, self.total))


def copy_input(
    source: Path,
    destination: Path,
    *,
    observe: Observer = ignore_event,
    exclude: Collection[str] = (),
) -> None:
    """Put all of an HDF5 file into a new file.

    A file in today's format is copied byte by byte, sharing blocks where the file system can; an
    older one object by object, which upgrades it. Chunks are never unpacked.

    Parameters
    ----------
    source : pathlib.Path
    destination : pathlib.Path
        Another file; one that exists is replaced.
    observe : callable
        Gets `CopyProgress` events.
    exclude : collection of str
        Absolute paths in the source that are left out.

    Raises
    ------
    FileFormatError
        The source cannot be opened, or has virtual datasets that lose their sources in the
        destination's folder.
    H5FlowError
        The disk is full: nothing is left at `destination`.
    """
    size = source.stat().st_size if source.is_file() else 0
    progress = Progress(observe, str(source), size)
    # Open as long as the copy takes: HDF5's lock keeps others from writing the source.
    with open_file(source, "r") as file, whole_or_nothing(destination, size):
        if _is_cloneable(source, destination, file):
            _clone(source, destination, progress, exclude)
        else:
            check_free_space(destination, size)
            copy_all_objects(file, destination, progress, exclude)
    progress.finish()


def _is_cloneable(source: Path, destination: Path, file: h5py.File) -> bool:
    superblock = read_superblock(source)
    if superblock is None or superblock.version != OUR_SUPERBLOCK or not superblock.is_closed:
        return False
    same_folder = source.resolve().parent == destination.resolve().parent
    return same_folder or not depends_on_folder(file)


def _clone(source: Path, destination: Path, progress: Progress, exclude: Collection[str]) -> None:
    if not share_blocks(source, destination):
        check_free_space(destination, progress.total)
        copy_bytes(source, destination, progress.reach)
    if exclude:
        with open_file(destination, "r+") as copy:
            for path in exclude:
                if path in copy:
                    del copy[path]


def copy_all_objects(
    file: h5py.File, destination: Path, progress: Progress, exclude: Collection[str] = ()
) -> None:
    """Copy an open file object by object into a new one, which has no unused space.

    Raises
    ------
    FileFormatError
        A virtual dataset would lose its sources in the destination's folder.
    """
    # a file that is cloned needs none of it
    from h5flow.io.objects import Mirror, copy_object, has_track_order, mirror_tree

    source, folder = Path(file.filename), destination.resolve().parent
    moves = source.resolve().parent != folder

    def place(item: h5py.Dataset | h5py.Datatype, group: h5py.Group, name: str) -> bool:
        if isinstance(item, h5py.Dataset):
            if moves and (others := virtual_sources(item)):
                raise FileFormatError(
                    f"{item.name} in {source} takes its rows from {', '.join(others)} in the same "
                    f"folder, and would lose them in {folder}",
                    advice="Choose an output in the input's folder, or use --input-data link.",
                )
            progress.add(item.id.get_storage_size())
        copy_object(item, group, name)
        return True

    def rebase(filename: str) -> str:
        return rebase_link(filename, source, folder)

    with open_file(destination, "w", track_order=has_track_order(file["/"])) as copy:
        mirror_tree(Mirror(file, copy, place, rebase, exclude))
        # Leaving `with` would not report a full disk.
        copy.flush()
