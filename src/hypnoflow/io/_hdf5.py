"""One row of numbers of an HDF5 file, checked before its size is believed."""

from __future__ import annotations

import h5py

from hypnoflow.io._damaged import SAMPLES_PER_BYTE


def row_of_numbers(group: h5py.Group, name: str, file_bytes: int) -> h5py.Dataset:
    """Return a data set of numbers with one axis; ValueError where it is none, or claims more than the file can hold.

    Parameters
    ----------
    group : Group
        Where `name` is looked up.
    name : str
        The data set's path in it.
    file_bytes : int
        Size of the whole file.
    """
    data = group[name]
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or data.dtype.kind not in "fiu":
        raise ValueError(f"{name!r} is no row of numbers")
    claimed = max(data.size, *(data.chunks or (0,)))
    if claimed > file_bytes * SAMPLES_PER_BYTE:
        raise ValueError(f"{name!r} claims {claimed} samples")
    return data
