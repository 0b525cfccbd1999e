"""HDF5 filters by the names that users write, such as ``gzip``, ``gzip:6``, ``lzf``, ``zstd:3``."""

from __future__ import annotations

from typing import Any

from h5flow.errors import UsageError, did_you_mean

__all__ = ["filter_arguments"]

# What hdf5plugin calls each filter, and the name of its argument for a level.
PLUGINS: dict[str, tuple[str, str | None]] = {
    "blosc": ("Blosc", "clevel"),
    "blosc2": ("Blosc2", "clevel"),
    "bzip2": ("BZip2", "blocksize"),
    "bitshuffle": ("Bitshuffle", None),
    "lz4": ("LZ4", None),
    "zstd": ("Zstd", "clevel"),
}
BUILT_IN = ("gzip", "lzf")
# Goes with any of them; what h5py calls its argument, too.
CHECKSUM = "fletcher32"


def filter_arguments(compression: str | None) -> dict[str, Any]:
    """Return the arguments of ``h5py.Group.create_dataset`` for a filter.

    Parameters
    ----------
    compression : str or None
        ``NAME`` or ``NAME:LEVEL``; None and ``"none"`` are no filter. ``fletcher32``, alone or as
        in ``gzip:4+fletcher32``, gives every chunk a checksum: wrong bytes are an error.

    Raises
    ------
    UsageError
        The filter is unknown or not installed, or takes no such level.
    """
    if compression is None or compression == "none":
        return {}
    if not isinstance(compression, str):
        raise UsageError(
            f"compression is NAME or NAME:LEVEL, not {compression!r}",
            advice="Write for example gzip:4.",
        )
    filters, plus, checksum = compression.rpartition("+")
    if checksum == CHECKSUM:
        return {**(filter_arguments(filters) if plus else {}), CHECKSUM: True}
    name, colon, level_text = compression.partition(":")
    level = _level(compression, level_text) if colon else None
    if name == "gzip":
        if level is not None and not 0 <= level <= 9:
            raise UsageError(f"gzip has levels 0 to 9, not {level} (compression '{compression}')")
        # Bytes of one column side by side: half the size for typical rows of numbers.
        return {
            "compression": "gzip",
            "compression_opts": 4 if level is None else level,
            "shuffle": True,
        }
    if name == "lzf":
        if level is not None:
            raise UsageError(f"lzf has no levels (compression '{compression}')")
        return {"compression": "lzf", "shuffle": True}
    if name in PLUGINS:
        return _plugin_arguments(compression, name, level)
    known = [*BUILT_IN, *PLUGINS, CHECKSUM, "none"]
    raise UsageError(
        f"there is no compression '{name}'{did_you_mean(name, known)}",
        advice=f"Known are {', '.join(known)}.",
    )


def _level(compression: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(
            f"the level of compression '{compression}' is not a whole number",
            advice="Write for example gzip:4.",
        ) from None


def _plugin_arguments(compression: str, name: str, level: int | None) -> dict[str, Any]:
    try:
        import hdf5plugin
    except ImportError as error:
        raise UsageError(
            f"compression '{name}' needs the package hdf5plugin, which is not installed",
            advice="Install it with: pip install 'h5flow[filters]', or take gzip or lzf.",
        ) from error
    class_name, level_argument = PLUGINS[name]
    if level is not None and level_argument is None:
        raise UsageError(f"{name} has no levels (compression '{compression}')")
    arguments = {} if level is None or level_argument is None else {level_argument: level}
    try:
        return dict(getattr(hdf5plugin, class_name)(**arguments))
    except ValueError as error:
        raise UsageError(f"compression '{compression}' cannot be used: {error}") from error
