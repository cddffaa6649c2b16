"""How several dialects store a signal in HDF5: rounded and packed, so that a night is small and its bytes repeat."""

from __future__ import annotations

import h5py
import numpy as np


def pack(file: h5py.File, path: str, x: np.ndarray) -> h5py.Dataset:
    """Write signal `x`, shape (sample,), as float32 to `path` and return its data set."""
    rounded = np.round(x * 8) / 8  # an eighth of a microvolt, so that the file packs well
    # Not LZF: its output depends on memory it never set, and the same seed must give the same bytes.
    packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    return file.create_dataset(path, data=rounded.astype(np.float32), **packing)
