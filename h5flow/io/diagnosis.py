"""Why a file cannot be opened: from HDF5's error and a look at the file."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from h5flow.errors import FileFormatError, did_you_mean
from h5flow.io.space import is_out_of_space
from h5flow.io.superblock import read_superblock

__all__ = ["explain_failure"]

KINDS = (
    (b"\x1f\x8b", "a gzip file", "Unpack it with gunzip."),
    (b"PK\x03\x04", "a zip archive", "Unpack it with unzip."),
    (b"BZh", "a bzip2 file", "Unpack it with bunzip2."),
    (b"\xfd7zXZ", "an xz file", "Unpack it with unxz."),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "Unpack it with unzstd."),
    (b"version https://git-lfs", "a Git LFS pointer", "Fetch the file itself with `git lfs pull`."),
    (b"<!DOCTYPE", "a web page", "The download went wrong: look at the page for the reason."),
    (b"<html", "a web page", "The download went wrong: look at the page for the reason."),
    (b"root", "a ROOT file", "Convert it, for example with uproot and h5py."),
    (b"\x0e\x03\x13\x01", "an HDF4 file", "Convert it with h4toh5."),
    (b"CDF", "a netCDF-3 file", "Convert it with `nccopy -k nc4`."),
    (b"SIMPLE  =", "a FITS file", "Convert it, for example with astropy."),
    (b"\x93NUMPY", "a NumPy file", "Convert it with numpy.load and h5py."),
    (b"PAR1", "a Parquet file", "Convert it, for example with pyarrow and h5py."),
)
# At least what the smallest superblock takes: a shorter file cannot be whole.
SUPERBLOCK_BYTES = 48


def explain_failure(path: Path, mode: str, error: Exception) -> FileFormatError:
    """Return the error to raise where HDF5 could not open `path` with `mode`."""
    try:
        message, advice = (
            _explain_path(path, mode)
            or _explain_refusal(path, mode, error)
            or _explain_content(path, mode, str(error))
        )
    except PermissionError as refusal:
        message = f"{path} may not be reached: {refusal.strerror}"
        advice = "Check the permissions of its folders (ls -ld)."
    return FileFormatError(message, advice=advice)


def _explain_path(path: Path, mode: str) -> tuple[str, str] | None:
    """Look at what is there under that name."""
    if path.is_dir():
        return f"{path} is a folder, not a file", "Name a file in it."
    if path.parent != path and not path.parent.is_dir():
        return f"there is no folder {path.parent}", "Check its name, or make it with `mkdir -p`."
    if path.is_symlink() and not path.exists():
        return f"{path} is a link to {path.readlink()}, which does not exist", "Mend the link."
    if mode == "w" and path.exists() and not path.is_file():
        return f"{path} is not a file: HDF5 cannot be written to it", "Name an ordinary file."
    if mode != "w" and not path.exists():
        return f"there is no file {path}{_nearest_file(path)}", "Check the name and its folder."
    return None


def _nearest_file(path: Path) -> str:
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except OSError:
        return ""


def _explain_refusal(path: Path, mode: str, error: Exception) -> tuple[str, str] | None:
    """Look at what the operating system says, and other programs that use the file."""
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    if is_out_of_space(error):
        return f"there is no space left to write {path}", "Make room on the disk, or use another."
    if "unable to lock file" in text:
        return _explain_lock(path, text)
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        verb = "read" if mode == "r" else "written"
        return f"{path} may not be {verb}: {os.strerror(number)}", "Check its permissions (ls -l)."
    if "already open for write" in text:
        return (
            f"{path} is open for writing in a program, or was when that program was killed",
            "Let the program end. If it is what a run of h5flow has left, `h5flow check --file "
            f"{path}` says how to go on. Any other file is released by `h5clear -s {path}`; rows "
            "that were not yet on disk are lost.",
        )
    if "already open" in text:
        return f"{path} is already open in this process: {text}", "Close it first."
    return None


def _explain_lock(path: Path, text: str) -> tuple[str, str]:
    if f"errno = {errno.EAGAIN}" in text:
        holders = _lock_holders(path)
        by = f" by {', '.join(holders)}" if holders else ""
        return (
            f"{path} is in use{by}",
            "Close it there (another run, a notebook, a viewer), or wait until that has ended.",
        )
    return (
        f"{path} cannot be locked: its file system has no locks",
        "Set the environment variable HDF5_USE_FILE_LOCKING=FALSE, and see to it that no other "
        "program writes the file.",
    )


def _lock_holders(path: Path) -> list[str]:
    """Return the processes of this machine that hold a lock on a file, where Linux tells."""
    try:
        status = path.stat()
        table = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return []
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    pattern = rf"FLOCK\s+\S+\s+\S+\s+(\d+)\s+{device}:{status.st_ino}\s"
    return [_process_name(pid) for pid in sorted(set(re.findall(pattern, table)), key=int)]


def _process_name(pid: str) -> str:
    try:
        name = Path("/proc", pid, "comm").read_text(errors="replace").strip()
    except OSError:
        return f"process {pid}"
    return f"process {pid} ({name})"


def _explain_content(path: Path, mode: str, text: str) -> tuple[str, str]:
    """Look at the bytes of the file."""
    if mode == "w":
        return f"{path} cannot be made: {text}", "Check its folder."
    try:
        return _explain_bytes(path, text)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}", "Check its permissions and its disk."


def _explain_bytes(path: Path, text: str) -> tuple[str, str]:
    size = path.stat().st_size
    again = "Copy, download or make it again."
    if size == 0:
        return f"{path} is empty", again
    superblock = read_superblock(path)
    if superblock is None:
        kind, advice = _looks_like(path)
        return f"{path} is not an HDF5 file: it looks like {kind}", advice
    whole = re.search(r"stored_eof = (\d+)", text)
    if "truncated" in text and whole:
        return f"{path} is cut off: it has {size} of its {whole[1]} bytes", again
    if size < superblock.offset + SUPERBLOCK_BYTES:
        return f"{path} is cut off: it has only {size} bytes", again
    return f"{path} is damaged: {text}", again


def _looks_like(path: Path) -> tuple[str, str]:
    with open(path, "rb") as file:
        head = file.read(1024)
    for beginning, kind, advice in KINDS:
        if head.startswith(beginning):
            return kind, advice
    check = "Check that it is the file you meant."
    if not head.strip(b"\0"):
        return "nothing but zeros: it was never written", "Copy, download or make it again."
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return f"text, beginning with {head.decode(errors='replace')[:40]!r}", check
    return f"something else, beginning with the bytes {head[:8].hex(' ')}", check
