"""Bytes of HDF5 files: selective reads, copies, filters, and the sizes of chunks."""
