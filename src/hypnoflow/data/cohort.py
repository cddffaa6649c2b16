"""All harmonized recordings of a cohort by name; a table of them without opening any."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dask.bag
import pandas as pd
import xarray as xr
from dask.base import compute
from dask.delayed import delayed
from dask.system import CPU_COUNT

from hypnoflow.data.accessor import open_recording
from hypnoflow.errors import CohortError, did_you_mean
from hypnoflow.facts.files import read_json
from hypnoflow.store.manifest import read_manifest
from hypnoflow.store.store import read_stage
from hypnoflow.types import StageArray

log = logging.getLogger(__name__)

STORED_FACTS = ("person", "group", "visit", "simulated")
MANIFEST_FACTS = (*STORED_FACTS, "age_y", "sex", "ahi_per_h", "bmi")


def open_cohort(*paths: Path | str, manifest: Path | str | None = None) -> StoredCohort:
    """Open harmonized recordings by the thousand; only the shards' QC tables are read.

    Parameters
    ----------
    *paths : Path
        Folders of a cohort, ``results/harmonized/COHORT``, or stores, ``.../000.zarr``. Stores that are not finished
        are left out, with a warning.
    manifest : Path, optional
        Table of the persons; by default ``results/index/COHORT.parquet`` where it is.

    Raises
    ------
    CohortError
        If there is no finished store or no recording in it, or if two recordings have one name.
    """
    stores = [store for path in paths for store in _stores(Path(path))]
    manifests = {_manifest_of(store) for store in stores} if manifest is None else {Path(manifest)}
    # In order of name, which that of the stores is not.
    rows = pd.concat([_qc(store) for store in stores], ignore_index=True)
    rows = rows.sort_values(["cohort", "recording"], ignore_index=True)
    twice = rows.loc[rows["recording"].duplicated(), "recording"]
    if len(twice):
        where = " and ".join(rows.loc[rows["recording"] == twice.iloc[0], "store"])
        raise CohortError(
            f"recording {twice.iloc[0]!r} is in two stores, {where}; open cohorts one by one, and delete a "
            "store of a shard that the manifest no longer has"
        )
    if not (rows["status"] == "ok").any():
        raise CohortError(f"all {len(rows)} recordings were skipped: {rows['reason'].iloc[0]}, for one")
    known = all(path.is_file() for path in manifests)
    return StoredCohort(rows.set_index("recording"), sorted(manifests) if known or manifest is not None else [])


class StoredCohort:
    """Recordings by name, as `open_cohort` returns them.

    ``len(cohort)``, ``name in cohort`` and iteration over the names read nothing; ``cohort[name]`` opens one recording
    as `hypnoflow.open_recording` does, but with dask arrays in the store's chunks.

    Attributes
    ----------
    skipped : DataFrame
        Recordings that `harmonize` left out, and why.

    Parameters
    ----------
    rows : DataFrame
        The QC tables, and the column `store`; index recording.
    manifests : sequence of Path
        Manifests of these recordings; without any, persons are read from the stores' own metadata.
    """

    def __init__(self, rows: pd.DataFrame, manifests: Sequence[Path]):
        done = rows["status"] == "ok"
        self._rows, self._manifests = rows[done], tuple(manifests)
        self._stores = {str(name): Path(store) for name, store in rows.loc[done, "store"].items()}
        self.skipped = rows.loc[~done].reindex(columns=["cohort", "shard", "reason", "hint"])

    def __len__(self) -> int:
        return len(self._stores)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stores)

    def __contains__(self, recording: object) -> bool:
        return recording in self._stores

    def __repr__(self) -> str:
        return f"<StoredCohort: {len(self)} recordings in {len(set(self._stores.values()))} stores>"

    def __getitem__(self, recording: str) -> xr.Dataset:
        return open_recording(self._store(recording), recording, chunks={})

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per recording: shard, QC, person, and age, sex, AHI and BMI where there is a manifest."""
        rows = self._rows.drop(columns=["status", "reason", "hint", "store"]).astype({"n_epochs": int})
        facts = self._stored_facts() if not self._manifests else self._manifest_facts()
        return rows.join(facts)

    def channels(self) -> pd.Series[int]:
        """Return in how many recordings each channel is, the most frequent first."""
        return self._rows["channels"].str.split().explode().value_counts().rename_axis("channel")

    def stage(self) -> Mapping[str, StageArray]:
        """Return the hypnograms by recording, shape (epoch,), uint8; each is read when it is asked for."""
        return Hypnograms(self._stores)

    def bag(self, channels: Sequence[str] | None = None) -> dask.bag.Bag:
        """Return a dask bag of the recordings' Datasets (without dask arrays), each opened when it is computed.

        Parameters
        ----------
        channels : sequence of str, optional
            Take only the recordings that have all of these, and of them only these.

        Raises
        ------
        CohortError
            If no recording has all of them.
        """
        names = self._having(channels)
        return dask.bag.from_sequence([(self._store(name), name, channels) for name in names]).starmap(_open)

    def map(
        self,
        function: Callable[[xr.Dataset], Any],
        channels: Sequence[str] | None = None,
        scheduler: str | None = None,
    ) -> Iterator[tuple[str, Any]]:
        """Return recordings and what a function makes of each, computed store by store as they are asked for.

        Parameters
        ----------
        function : callable
            Takes a recording's Dataset; must be picklable (with cloudpickle) for all schedulers but threads.
        channels : sequence of str, optional
            As for `bag`.
        scheduler : {"threads", "processes", "synchronous"} or another of dask's, optional
            By default what dask is set to, within `hypnoflow.dask.dask_scheduler` say, else threads.

        Raises
        ------
        CohortError
            If no recording has all the channels.
        """
        return _computed(function, self._by_store(self._having(channels)), channels, scheduler)

    def _store(self, recording: str) -> Path:
        if recording in self.skipped.index:
            raise CohortError(f"recording {recording!r} was skipped: {self.skipped['reason'][recording]}")
        if recording not in self:
            raise CohortError(f"no recording {recording!r} among these {len(self)}{did_you_mean(recording, self)}")
        return self._stores[recording]

    def _by_store(self, recordings: Sequence[str]) -> dict[Path, list[str]]:
        by_store: dict[Path, list[str]] = {}
        for name in recordings:
            by_store.setdefault(self._stores[name], []).append(name)
        return by_store

    def _having(self, channels: Sequence[str] | None) -> list[str]:
        """Return the recordings that have all of the channels."""
        if channels is None:
            return list(self)
        having = self._rows["channels"].str.split().map(set(channels).issubset)
        if not having.any():
            counts = self.channels()
            unknown = "".join(f"; no {c!r} in any{did_you_mean(c, counts.index)}" for c in channels if c not in counts)
            raise CohortError(f"no recording has all of the channels {', '.join(channels)}{unknown}")
        return self._rows.index[having].tolist()

    def _manifest_facts(self) -> pd.DataFrame:
        table = pd.concat([read_manifest(path) for path in self._manifests], ignore_index=True)
        return table.set_index("recording")[list(MANIFEST_FACTS)]

    def _stored_facts(self) -> pd.DataFrame:
        """Read the persons from the metadata gathered at each store's root: one file per store."""
        found = []
        for store, names in self._by_store(list(self)).items():
            groups = read_json(store / "zarr.json")["consolidated_metadata"]["metadata"]
            found += [{"recording": name, **groups[name]["attributes"]} for name in names]
        return pd.DataFrame(found, columns=["recording", *STORED_FACTS]).set_index("recording")


class Hypnograms(Mapping[str, StageArray]):
    """30-s labels by recording, read one by one."""

    def __init__(self, stores: dict[str, Path]):
        self._stores = stores

    def __getitem__(self, recording: str) -> StageArray:
        return read_stage(self._stores[recording], recording)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stores)

    def __len__(self) -> int:
        return len(self._stores)


def _stores(path: Path) -> list[Path]:
    """Return the finished stores that a path names: their description is written last."""
    stores = [path] if path.suffix == ".zarr" else sorted(path.glob("*.zarr"))
    growing = {path / one.name[1:].rsplit(".", 2)[0] for one in path.glob(".*.zarr.*.partial")} - {*stores}
    begun = sorted(growing) + [store for store in stores if not _described(store)]
    for store in begun:
        log.warning("%s is not finished and is left out", store)
    done = [store for store in stores if _described(store)]
    if not done:
        raise CohortError(f"no finished store at {path}{_why_not(path)}; stores are made by `hypnoflow harmonize`")
    return done


def _why_not(path: Path) -> str:
    """Return what is found where no finished store is."""
    if not path.exists():
        return did_you_mean(path.name, [other.name for other in path.parent.glob("*")])
    within = sorted({store.parent.name for store in path.glob("*/*.zarr")})
    return f"; it holds the cohorts {', '.join(within)}" if within else ""


def _described(store: Path) -> bool:
    return store.is_dir() and store.with_suffix(".json").is_file() and store.with_suffix(".qc.parquet").is_file()


def _qc(store: Path) -> pd.DataFrame:
    """Return the QC table of a store's shard."""
    table = pd.read_parquet(store.with_suffix(".qc.parquet"))
    table.insert(1, "shard", store.stem)
    return table.assign(store=str(store))


def _manifest_of(store: Path) -> Path:
    cohort = store.absolute().parent
    return cohort.parent.parent / "index" / f"{cohort.name}.parquet"


def _open(store: Path, recording: str, channels: Sequence[str] | None) -> xr.Dataset:
    data = open_recording(store, recording)
    return data if channels is None else data.hypnoflow.pick(channels)


def _apply(function: Callable[[xr.Dataset], Any], *recording: Any) -> Any:
    return function(_open(*recording))


def _computed(
    function: Callable[[xr.Dataset], Any],
    by_store: Mapping[Path, Sequence[str]],
    channels: Sequence[str] | None,
    scheduler: str | None,
) -> Iterator[tuple[str, Any]]:
    """Compute one store's results at once, and the next ones when these are taken."""
    with ExitStack() as stack:
        # Without a word, delayed work goes where dask is set to go, by default into threads.
        options: dict[str, Any] = {} if scheduler is None else {"scheduler": scheduler}
        if scheduler == "processes":
            # The same processes for all stores: each takes seconds to import what it needs.
            pool = ProcessPoolExecutor(CPU_COUNT, mp_context=get_context("spawn"))
            options["pool"] = stack.enter_context(pool)
        # traverse=False: what a function is bound to is its own business, not dask's.
        job = delayed(_apply, pure=False, traverse=False)
        for store, names in by_store.items():
            results = compute(*(job(function, store, name, channels) for name in names), **options)
            yield from zip(names, results, strict=True)
