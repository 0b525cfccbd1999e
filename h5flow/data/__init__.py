"""Files of linked tables: opening, reading, following references."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h5flow.lazy import lazy_names

if TYPE_CHECKING:
    from h5flow.data.data_manager import H5FlowDataManager
    from h5flow.data.dereferencing import dereference, dereference_chain, dereference_jagged
    from h5flow.data.host_copies import to_host
    from h5flow.data.layout import ref_region_dtype
    from h5flow.data.printing import print_attr, print_data, print_ref
    from h5flow.references.jagged import Jagged

__all__ = [
    "H5FlowDataManager",
    "Jagged",
    "dereference",
    "dereference_chain",
    "dereference_jagged",
    "print_attr",
    "print_data",
    "print_ref",
    "ref_region_dtype",
    "to_host",
]

__getattr__ = lazy_names(
    __name__,
    {
        "H5FlowDataManager": "h5flow.data.data_manager",
        "Jagged": "h5flow.references.jagged",
        "dereference": "h5flow.data.dereferencing",
        "dereference_chain": "h5flow.data.dereferencing",
        "dereference_jagged": "h5flow.data.dereferencing",
        "print_attr": "h5flow.data.printing",
        "print_data": "h5flow.data.printing",
        "print_ref": "h5flow.data.printing",
        "ref_region_dtype": "h5flow.data.layout",
        "to_host": "h5flow.data.host_copies",
    },
)


def __dir__() -> list[str]:
    return __all__
