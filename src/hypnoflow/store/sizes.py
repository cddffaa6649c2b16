"""Sizes are believed only after a look: what an array states is compared with what its files can hold."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypnoflow.errors import RecordingError, shown
from hypnoflow.facts.files import read_json
from hypnoflow.facts.ours import foreign_in

VALUES_PER_BYTE = 5000  # a chunk of zeros has no bytes but 16 in the index; ours of 38,400 samples are 2,400 to a byte
SMALL = 2**20  # values that no file need account for: an array of nothing but zeros has none


def check_array(folder: Path) -> None:
    """Raise RecordingError if an array of a Zarr store states more than its files can hold, or leads elsewhere.

    Parameters
    ----------
    folder : Path
        The array's own, with ``zarr.json`` and ``c``.
    """
    try:
        facts = read_json(folder / "zarr.json")
        shape, chunks = _product(facts["shape"]), max(map(_product, _chunk_shapes(facts)))
        item = _item_bytes(facts["data_type"])
        held = sum(_file_bytes(folder / "c"))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RecordingError(f"not an array of a store ({error})", path=folder, hint="make the store again") from error
    limit = SMALL + VALUES_PER_BYTE * held
    if shape > limit or chunks > 2 * limit:
        raise RecordingError(
            f"the array states {max(shape, chunks) * item / 1e9:.3g} GB, and its files have {held} bytes",
            path=folder,
            hint="the store is damaged, or was made to harm: make it again, or get it from whom you trust",
        )


def check_group(group: Path) -> None:
    """Raise RecordingError if a recording's group holds links or what is no part of it, or an array of another size."""
    odd = foreign_in(group)
    if odd is not None:
        raise RecordingError(
            f"the store holds {shown(odd.relative_to(group))}, which is a link or no part of it", path=group
        )
    for path in sorted(group.glob("*/zarr.json")):
        check_array(path.parent)


def _product(lengths: Any) -> int:
    if not isinstance(lengths, list) or not all(isinstance(n, int) and n >= 0 for n in lengths):
        raise ValueError(f"it states the lengths {lengths!r:.80}")
    return math.prod(lengths)


def _chunk_shapes(facts: dict[str, Any]) -> Iterator[Any]:
    yield facts["chunk_grid"]["configuration"]["chunk_shape"]
    for codec in facts["codecs"]:
        if codec["name"] == "sharding_indexed":
            yield codec["configuration"]["chunk_shape"]


def _item_bytes(data_type: Any) -> int:
    match = re.fullmatch(r"[a-z]+(\d+)", str(data_type))
    return int(match[1]) // 8 if match else 1


def _file_bytes(folder: Path) -> Iterator[int]:
    """Yield the size of each file below a folder; ValueError for what is none."""
    for top, folders, files in os.walk(folder):
        for name in (*folders, *files):
            found = os.lstat(os.path.join(top, name))  # noqa: PTH118
            if stat.S_ISREG(found.st_mode):
                yield found.st_size
            elif not stat.S_ISDIR(found.st_mode):
                raise ValueError(f"{shown(name)} is no plain file")
