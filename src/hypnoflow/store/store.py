"""The harmonized Zarr store: one group per recording, opened by ``xr.open_zarr(store, group=recording)``.

Each kind of signal is one int16 array under CF `scale_factor`, so that decoding gives robustly scaled units; the
facts about its channels are attributes of that array, the events are attributes of the group, and `open_recording`
makes coordinates and variables of them. A chunk is five minutes of one channel and an array is one shard, hence one
file: a recording costs at most fifteen.

Signals are written and read by `hypnoflow.store.shard` where speed matters; everything else is zarr-python and xarray.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr
import zarr
from xarray.indexes import RangeIndex
from zarr.codecs import BloscCodec, BloscShuffle

from hypnoflow.errors import RecordingError, did_you_mean, shown
from hypnoflow.facts.files import temporary_beside
from hypnoflow.facts.ours import put_in_place, store_mark
from hypnoflow.store.runs import decode_runs, encode_runs
from hypnoflow.store.shard import LEVEL, Map, write_shard
from hypnoflow.store.sizes import check_array, check_group
from hypnoflow.store.store_files import HARMONIZED
from hypnoflow.types import EPOCH_S, EVENT_KINDS, INT16_MAX, KINDS, STAGES, UNSCORED, Channel, Event, Kind

CHUNK_S = 300
COMPRESSOR = BloscCodec(typesize=2, cname="lz4", clevel=LEVEL, shuffle=BloscShuffle.bitshuffle)
STAGE_ATTRS = {
    "flag_values": [*range(len(STAGES)), UNSCORED],
    "flag_meanings": " ".join((*STAGES, "unscored")),
}


class KindLike(Protocol):
    """What `write_recording` needs of one kind of signal."""

    channels: tuple[Channel, ...]
    rate_hz: float
    x: np.ndarray
    median: np.ndarray
    iqr: np.ndarray
    flags: np.ndarray


class RecordingLike(Protocol):
    """What `write_recording` needs of a recording's signals."""

    kinds: dict[Kind, Any]


@dataclass(frozen=True, slots=True)
class Labels:
    """The stages of one recording.

    stage : ndarray of uint8, shape (epoch,)
    scorer_names : sequence of str
        Empty where there is only one scorer.
    scorers : ndarray of uint8, shape (scorer, epoch)
    fine : ndarray of uint8, shape (label,), optional
        Stages on a finer grid than 30 s, and with it `fine_s`, the length of its labels.
    """

    stage: np.ndarray
    scorer_names: Sequence[str] = ()
    scorers: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    fine: np.ndarray | None = None
    fine_s: float = EPOCH_S


def write_recording(
    store: Path,
    signals: RecordingLike,
    labels: Labels,
    events: Sequence[Event],
    attributes: dict[str, Any],
    run: Map = map,
) -> None:
    """Write one recording's group; it appears under its name only when it is whole.

    Parameters
    ----------
    attributes : dict
        Facts about the recording; needs "recording" and "clip_iqr", and "qc" with the row of the QC table.
    run : callable
        Maps a function over channels; a thread pool's packs them side by side.
    """
    name = attributes["recording"]
    partial = temporary_beside(store / name)
    columns = {"events": _event_columns(events)}
    group = zarr.open_group(partial, mode="w", zarr_format=3, attributes=attributes | columns)
    for kind, data in signals.kinds.items():
        _write_kind(group, kind, data, attributes["clip_iqr"])
        write_shard(partial / kind, data.x, _chunk(data), run)
    _write_labels(group, labels)
    put_in_place(partial, store / name)


def _chunk(data: KindLike) -> int:
    """Return the samples of a chunk."""
    return min(int(CHUNK_S * data.rate_hz), data.x.shape[1])


def _write_kind(group: zarr.Group, kind: Kind, data: KindLike, clip_iqr: float) -> None:
    n_channels, n = data.x.shape
    chunk = _chunk(data)
    unit = "_uv" if kind != "resp" else ""
    group.create_array(
        kind,
        shape=data.x.shape,
        dtype="int16",
        chunks=(1, chunk),
        shards=(n_channels, -(-n // chunk) * chunk),
        compressors=COMPRESSOR,
        fill_value=0,
        dimension_names=(f"{kind}_channel", f"{kind}_time"),
        attributes={
            "scale_factor": clip_iqr / INT16_MAX,
            "add_offset": 0.0,
            "rate_hz": data.rate_hz,
            "channel": [c.label for c in data.channels],
            "electrode": [c.electrode for c in data.channels],
            "reference": [c.reference for c in data.channels],
            "source": [c.source for c in data.channels],
            "source_rate_hz": [c.source_rate_hz for c in data.channels],
            "unit": [c.unit for c in data.channels],
            f"median{unit}": data.median.tolist(),
            f"iqr{unit}": data.iqr.tolist(),
            "quality": [encode_runs(flags) for flags in data.flags],
        },
    )


def _write_labels(group: zarr.Group, labels: Labels) -> None:
    _write_small(group, "stage", labels.stage, ("epoch",), {**STAGE_ATTRS, "epoch_s": 30})
    if labels.scorer_names:
        more = {**STAGE_ATTRS, "scorers": list(labels.scorer_names)}
        _write_small(group, "stage_scorer", labels.scorers, ("scorer", "epoch"), more)
    if labels.fine is not None:
        _write_small(group, "stage_fine", labels.fine, ("label",), {**STAGE_ATTRS, "label_s": labels.fine_s})


def _write_small(
    group: zarr.Group, name: str, data: np.ndarray, dims: tuple[str, ...], attributes: dict[str, Any]
) -> None:
    group.create_array(name, data=data, dimension_names=dims, attributes=attributes)


def _event_columns(events: Sequence[Event]) -> dict[str, list[Any]]:
    return {
        "onset_s": [e.onset_s for e in events],
        "duration_s": [e.duration_s for e in events],
        "kind": [e.kind for e in events],
        "channel": [e.channel for e in events],
        "source": [e.source for e in events],
    }


def preprocessing(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a recording was harmonized, as checkpoints carry it."""
    return {"version": attributes["preprocessing_version"], "clip_iqr": attributes["clip_iqr"]}


def open_array(store: Path, recording: str, name: str) -> zarr.Array[Any]:
    """Open one array of a recording's group for reading; RecordingError if it states a size that cannot be."""
    check_array(store / recording / name)
    return zarr.open_array(store, path=f"{recording}/{name}", mode="r")


def read_stage(store: Path, recording: str) -> np.ndarray:
    """Return a recording's 30-s labels, shape (epoch,), uint8."""
    return np.asarray(open_array(store, recording, "stage")[:])


def read_scorers(store: Path, recording: str) -> np.ndarray | None:
    """Return each scorer's 30-s labels, shape (scorer, epoch), uint8; None where there is only one scorer."""
    if not (store / recording / "stage_scorer").is_dir():
        return None
    return np.asarray(open_array(store, recording, "stage_scorer")[:])


def read_fine_stage(store: Path, recording: str, label_s: float) -> np.ndarray:
    """Return a recording's labels of `label_s` seconds, shape (label,), uint8.

    Raises
    ------
    RecordingError
        If there are none, or they are of another length.
    """
    there = (Path(store) / recording / "stage_fine").is_dir()
    array = open_array(store, recording, "stage_fine") if there else None
    found = float(str(array.attrs["label_s"])) if array is not None else EPOCH_S
    if array is None or found != label_s:
        hint = f"set harmonize.label_s to {label_s:g}, or train.label_s to {found:g}"
        raise RecordingError(f"labels are {found:g} s long, wanted {label_s:g}", path=store / recording, hint=hint)
    return np.asarray(array[:])


def recordings(store: Path) -> list[str]:
    """Return the names of the recordings in a store, sorted."""
    return sorted(path.parent.name for path in Path(store).glob("*/zarr.json") if not path.parent.name.startswith("."))


def open_recording(
    store: Path | str, recording: str | None = None, *, chunks: dict[str, int] | None = None
) -> xr.Dataset:
    """Open one recording lazily, decoded to scaled units; only what is indexed is read.

    Parameters
    ----------
    store : Path
        The ``.zarr`` folder; without `recording`, the recording's own path in it, ``.../000.zarr/RECORDING``.
    recording : str, optional
        Name of the recording's group.
    chunks : dict, optional
        As for `xarray.open_zarr`: ``{}`` gives dask arrays in the store's chunks; by default there is no dask.

    Returns
    -------
    Dataset
        A variable per kind of signal, `stage (epoch)`, `stage_scorer (scorer, epoch)` where there are several,
        `stage_fine (label)` where labels finer than 30 s were asked for, and
        events as `event_onset_s`, `event_duration_s`, `event_kind` (index into `EVENT_KINDS`), `event_channel` and
        `event_source` over the dimension event. Facts about channels are coordinates, `eeg_electrode` say, and the
        labels themselves are `eeg_channel`. `eeg_quality (eeg_channel, epoch)` holds sums of
        `hypnoflow.harmonize.quality.Flag`, zero where nothing is wrong. `eeg_time` is the time of each sample and
        `epoch_onset_s` that of each epoch, s; `eeg_time` is computed where it is asked for and takes no memory.

    Raises
    ------
    RecordingError
        If the store is missing or not finished, or if there is no such recording in it.
    """
    path, group = _located(Path(store), recording)
    check_group(path / group)
    data = xr.open_zarr(path, group=group, consolidated=False, chunks=chunks)
    events = _events(data.attrs.pop("events"))
    coordinates: dict[str, Any] = {"epoch_onset_s": ("epoch", EPOCH_S * np.arange(data.sizes["epoch"], dtype=float))}
    quality: dict[str, Any] = {}
    for kind in KINDS:
        if kind in data:
            facts, n = data[kind].attrs, data.sizes[f"{kind}_channel"]
            flags = [decode_runs(runs, data.sizes["epoch"]) for runs in facts.pop("quality")]
            quality[f"{kind}_quality"] = ((f"{kind}_channel", "epoch"), np.stack(flags))
            lists = [name for name, value in facts.items() if isinstance(value, list) and len(value) == n]
            coordinates |= {f"{kind}_{name}": (f"{kind}_channel", facts.pop(name)) for name in lists}
            data = data.assign_coords(_time(kind, data.sizes[f"{kind}_time"], facts["rate_hz"]))
    if "stage_scorer" in data:
        coordinates["scorer"] = ("scorer", data["stage_scorer"].attrs["scorers"])
    return data.assign_coords(coordinates).assign(quality).assign(events)


def _time(kind: Kind, n: int, rate_hz: float) -> xr.Coordinates:
    """Return the times of `n` samples, s, as an index that holds no values: they would outweigh the int16 signal."""
    index = RangeIndex.linspace(0.0, n / rate_hz, n, endpoint=False, dim=f"{kind}_time")
    return xr.Coordinates.from_xindex(index)


def _located(store: Path, recording: str | None) -> tuple[Path, str]:
    """Return the store and the name of a recording that is there, given as two things or as one path."""
    if recording is None and store.suffix != ".zarr":
        store, recording = store.parent, store.name
    _check_store(store)
    # Names that begin with a dot are half written; the empty name and a path would lead elsewhere in the store.
    plain = recording and not recording.startswith(".") and Path(recording).name == recording
    if recording and plain and (store / recording / "zarr.json").is_file():
        return store, recording
    names = recordings(store)
    what = "no recording is named"
    if recording is not None:
        what = f"there is no recording {recording!r}{did_you_mean(recording, names)}"
    raise RecordingError(what, path=store, hint=f"{store.name} holds {_few(names)}")


def _check_store(store: Path) -> None:
    """Raise RecordingError unless `store` is a whole store of recordings."""
    if (store / "zarr.json").is_file():
        return
    if not store.exists() and any(store.parent.glob(f".{glob.escape(store.name)}.*.partial")):
        hint = f"it is called {store.name} once it is whole; wait for `harmonize`, or run it again"
        raise RecordingError("this store is not finished", path=store, hint=hint)
    within = sorted(path.name for path in store.glob("*.zarr"))
    if within:
        hint = f"it holds the stores {_few(within)}; name one, or use hypnoflow.open_cohort"
        raise RecordingError("this folder is not a store", path=store, hint=hint)
    beside = sorted(path.name for path in store.parent.glob("*.zarr"))
    hint = f"{store.parent} holds {_few(beside)}" if beside else "stores are made by `hypnoflow harmonize`"
    raise RecordingError(f"there is no such store{did_you_mean(store.name, beside)}", path=store, hint=hint)


def check_readable(store: Path) -> None:
    """Raise RecordingError unless `store` is a whole store of harmonized recordings, of sizes that can be."""
    _check_store(store)
    found = store_mark(store)
    if found != HARMONIZED:
        what = f"a store of {found}" if found else "no store made by this version of hypnoflow"
        raise RecordingError(f"this is {shown(what)}", path=store, hint="stores are made by `hypnoflow harmonize`")
    for name in recordings(store):
        check_group(store / name)


def _few(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "nothing"


def _events(columns: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the events as variables over the dimension event."""
    kind = [EVENT_KINDS.index(name) for name in columns["kind"]]
    meanings = {"flag_values": list(range(len(EVENT_KINDS))), "flag_meanings": " ".join(EVENT_KINDS)}
    return {
        "event_onset_s": ("event", np.array(columns["onset_s"], float)),
        "event_duration_s": ("event", np.array(columns["duration_s"], float)),
        "event_kind": ("event", np.array(kind, np.uint8), meanings),
        "event_channel": ("event", np.array(columns["channel"], dtype=object)),
        "event_source": ("event", np.array(columns["source"], dtype=object)),
    }
