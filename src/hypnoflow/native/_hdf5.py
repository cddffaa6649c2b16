"""What an HDF5 file holds itself: no link or list of pieces that leads into another file, no size that cannot be."""

from __future__ import annotations

from pathlib import Path

import h5py

from hypnoflow.native.damaged import SAMPLES_PER_BYTE

OWN = "only what lies in the recording's own file is read"


def own_object(group: h5py.Group, name: str) -> h5py.HLObject:
    """Return what a path leads to, by hard links of this very file alone.

    Raises
    ------
    ValueError
        If a step of it is a link of another kind, which may lead into any file.
    KeyError
        If there is nothing of that name.
    """
    node: h5py.HLObject = group
    for part in filter(None, name.split("/")):
        if not isinstance(node, h5py.Group):
            raise KeyError(f"{name!r} leads through what is no group")
        link = node.get(part, getlink=True)
        if link is None:
            raise KeyError(f"nothing is called {name!r}")
        _check_link(name, link)
        node = node[part]
    if isinstance(node, h5py.Dataset):
        _check_storage(name, node)
    return node


def check_whole(path: Path) -> None:
    """Raise ValueError if anything in a file leads out of it."""
    with h5py.File(path, "r") as file:
        file.visititems_links(_check_link)
        file.visititems(lambda name, node: _check_storage(name, node) if isinstance(node, h5py.Dataset) else None)


def _check_link(name: str, link: object) -> None:
    words = "is a link of an unknown kind"
    if isinstance(link, h5py.ExternalLink):
        words = f"is a link into another file, to {link.path!r} in {link.filename!r}"
    elif isinstance(link, h5py.SoftLink):
        words = f"is a soft link, to {link.path!r}"
    elif isinstance(link, h5py.HardLink):
        return
    raise ValueError(f"{name!r} {words}; {OWN}")


def _check_storage(name: str, data: h5py.Dataset) -> None:
    if data.external:
        raise ValueError(f"the samples of {name!r} lie in another file, {data.external[0][0]!r}; {OWN}")
    if data.is_virtual:
        sources = sorted({source.file_name for source in data.virtual_sources()})
        raise ValueError(f"{name!r} is put together of other files, {', '.join(map(repr, sources))}; {OWN}")


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
    data = own_object(group, name)
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or data.dtype.kind not in "fiu":
        raise ValueError(f"{name!r} is no row of numbers")
    claimed = max(data.size, *(data.chunks or (0,)))
    if claimed > file_bytes * SAMPLES_PER_BYTE:
        raise ValueError(f"{name!r} claims {claimed} samples")
    return data
