"""Sharded int16 arrays of a Zarr v3 store, read and written chunk by chunk where speed matters.

The files are those that zarr-python makes of an array with one shard (specification:
https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/), and any Zarr reader opens them. Decoding a
few chunks takes zarr-python some forty times longer than decoding them takes itself; here one file is opened, the
chunks of a channel are read at once and decoded where they belong.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from hypnoflow.errors import RecordingError
from hypnoflow.store.sizes import check_array

blosc.use_threads = False  # chunks are small; channels are what is worked on side by side
MISSING = 2**64 - 1  # offset and length of a chunk that holds nothing but the fill value
LEVEL = 5
SHUFFLE = blosc.BITSHUFFLE
COMPRESSOR = "lz4"

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class ShardedArray:
    """An open array, shape (channel, sample).

    index : ndarray of uint64, shape (channel, chunk, 2)
        Offset and length of each chunk, bytes.
    """

    path: Path
    shape: tuple[int, int]
    chunk: int
    index: NDArray[np.uint64]

    @classmethod
    def open(cls, array: Path) -> ShardedArray:
        """Open the array in folder `array`.

        Raises
        ------
        RecordingError
            If the folder holds no array of this layout, or its file is cut off.
        """
        path = array / "c" / "0" / "0"
        check_array(array)
        try:
            shape, chunk = _layout(json.loads((array / "zarr.json").read_text(encoding="utf-8")))
            n_chunks = -(-shape[1] // chunk)
            size = 16 * shape[0] * n_chunks
            with path.open("rb") as file:
                file.seek(-size - 4, 2)
                tail = file.read()
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise RecordingError(f"not a signal array of this package ({error})", path=array) from error
        if int.from_bytes(tail[size:], "little") != google_crc32c.value(tail[:size]):
            raise RecordingError("the index of chunks is damaged", path=path, hint="harmonize this shard again")
        return cls(path, shape, chunk, np.frombuffer(tail[:size], "<u8").reshape(shape[0], n_chunks, 2))

    def read(self, channel: int, start: int, stop: int) -> NDArray[np.int16]:
        """Return samples `start` to `stop` of a channel, shape (sample,), valid until this thread reads again.

        The memory is used again because fresh memory costs more than decoding into it.

        Raises
        ------
        RecordingError
            If a chunk cannot be read or decoded.
        """
        start, stop = max(start, 0), min(stop, self.shape[1])
        first, last = start // self.chunk, -(-stop // self.chunk)
        out = _scratch("chunks", 2 * max(last - first, 0) * self.chunk).view(np.int16)
        places = [(int(at), int(n)) for at, n in self.index[channel, first:last]]
        held = [(at, n) for at, n in places if at != MISSING]
        begin = min((at for at, _ in held), default=0)
        raw = _scratch("file", max((at + n for at, n in held), default=0) - begin).data
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(begin)
                file.readinto(raw)
            for i, (at, n) in enumerate(places):
                chunk = out[i * self.chunk : (i + 1) * self.chunk]
                if at == MISSING:
                    chunk[:] = 0
                else:
                    blosc.decompress(raw[at - begin : at - begin + n], chunk)
        except (OSError, ValueError, RuntimeError) as error:
            raise RecordingError(
                f"a chunk cannot be decoded ({error})", path=self.path, hint="harmonize this shard again"
            ) from error
        return out[start - first * self.chunk : stop - first * self.chunk]


_memory = threading.local()


def _scratch(name: str, n_bytes: int) -> NDArray[np.uint8]:
    """Return `n_bytes` of this thread's memory of that name, whatever they hold."""
    held: NDArray[np.uint8] | None = getattr(_memory, name, None)
    if held is None or len(held) < n_bytes:
        held = np.empty(n_bytes, np.uint8)
        setattr(_memory, name, held)
    return held[:n_bytes]


def _layout(metadata: dict[str, Any]) -> tuple[tuple[int, int], int]:
    """Return shape and chunk length, or raise ValueError for another layout than the one written here."""
    (sharding,) = metadata["codecs"]
    inner = [codec["name"] for codec in sharding["configuration"]["codecs"]]
    rows, chunk = sharding["configuration"]["chunk_shape"]
    if metadata["data_type"] != "int16" or inner != ["bytes", "blosc"] or rows != 1:
        raise ValueError(f"{metadata['data_type']} in chunks of {rows} channels, coded as {inner}")
    n_channels, n_samples = metadata["shape"]
    return (int(n_channels), int(n_samples)), int(chunk)


def write_shard(array: Path, x: NDArray[np.int16], chunk: int, run: Map = map) -> None:
    """Write the only shard of the array in folder `array`, whose metadata are there already.

    Parameters
    ----------
    x : ndarray of int16, shape (channel, sample)
    chunk : int
        Samples of a chunk; the last one of a channel is filled up with zeros.
    run : callable
        Maps a function over channels.
    """

    def encode(channel: NDArray[np.int16]) -> list[bytes]:
        missing = -len(channel) % chunk
        parts = (np.pad(channel, (0, missing)) if missing else channel).reshape(-1, chunk)
        return [blosc.compress(part, COMPRESSOR.encode(), LEVEL, SHUFFLE) for part in parts]

    path = array / "c" / "0" / "0"
    path.parent.mkdir(parents=True, exist_ok=True)
    places, at = [], 0
    with path.open("wb") as file:
        for chunks in run(encode, x):
            for data in chunks:
                places.append((at, len(data)))
                at += file.write(data)
        index = np.array(places, "<u8").tobytes()
        file.write(index + google_crc32c.value(index).to_bytes(4, "little"))
