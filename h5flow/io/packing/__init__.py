"""The filters of HDF5 that are done and undone outside of it, one module each."""
