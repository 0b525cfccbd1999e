"""The filters that pack, by HDF5's numbers; each is imported when a dataset has it."""

from __future__ import annotations

from typing import cast

from h5flow.io.packing.protocol import Filter, FilterMaker, Packing
from h5flow.registry import load_object

__all__ = ["PACKERS", "packer"]

# Number in HDF5's register of filters to what makes the filter of a dataset, a `FilterMaker`.
PACKERS: dict[int, str] = {
    1: "h5flow.io.packing.deflate:deflate_of",
    307: "h5flow.io.packing.bzip2:bzip2_of",
    32000: "h5flow.io.packing.lzf:lzf_of",
    32001: "h5flow.io.packing.blosc:blosc_of",
    32004: "h5flow.io.packing.lz4:lz4_of",
    32008: "h5flow.io.packing.bitshuffle:bitshuffle_of",
    32015: "h5flow.io.packing.zstd:zstd_of",
}


def packer(number: int, packing: Packing) -> Filter | None:
    """Return the filter that packs a dataset.

    Parameters
    ----------
    number : int
        Of HDF5's register of filters.
    packing : Packing

    Returns
    -------
    Filter or None
        None where it is not known, not installed, or used in a way that is not known.
    """
    target = PACKERS.get(number)
    if target is None:
        return None
    try:
        maker = cast(FilterMaker, load_object(target))
    except ImportError:
        return None
    return maker(packing)
