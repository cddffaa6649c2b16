"""One table of all features: a row per recording and resolution; and one of triplet counts per block."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hypnoflow.dask import in_pieces
from hypnoflow.facts.files import records, replacing
from hypnoflow.features._dictionary import features
from hypnoflow.features.triplets import NAMES, block_hours, triplet_counts
from hypnoflow.night.hypnogram import Hypnogram, density_at, sleep_period
from hypnoflow.store.scores import StoredScores, read_scores

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features

log = logging.getLogger(__name__)

PART = 10  # recordings that a worker holds the rows of
Row = dict[str, object]


def tables(split: pd.DataFrame, scores: Path, options: Features) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of every scored recording at every resolution, and its blocks, see `recording_blocks`.

    Parameters
    ----------
    split : DataFrame
        Columns cohort, shard, recording, person, group, split.
    scores : Path
        Folder of the stores of scores, ``{cohort}/{shard}.zarr``.
    """
    rows: list[Row] = []
    blocks: list[Row] = []
    for record in records(split):
        found = read_scores(scores / f"{record['cohort']}" / f"{record['shard']}.zarr", str(record["recording"]))
        nights = list(hypnograms(found))
        rows += [{**record, **row} for row in _features_of(nights, options)]
        blocks += [{**record, **row} for row in recording_blocks(nights, options)]
    return pd.DataFrame(rows), pd.DataFrame(blocks)


def hypnograms(found: StoredScores) -> Iterator[Hypnogram]:
    """Yield a recording's hypnogram at each resolution, finest last; that at 30 s delimits the sleep period of all."""
    period = sleep_period(found.stage[1])
    for f in sorted(found.stage):
        yield Hypnogram(found.stage[f], f, period, density_at(found.probability, found.steps_per_epoch, f))


def recording_features(found: StoredScores, options: Features) -> list[dict[str, float]]:
    """Return one row of features per resolution of one recording, finest last."""
    return _features_of(hypnograms(found), options)


def _features_of(nights: Iterator[Hypnogram] | Sequence[Hypnogram], options: Features) -> list[dict[str, float]]:
    rows = []
    for night in nights:
        row: dict[str, float] = {"steps_per_epoch": night.steps_per_epoch, "step_s": night.step_s}
        for _, each in features:
            row |= each.compute(night, options)
        rows.append(row)
    return rows


def recording_blocks(nights: Sequence[Hypnogram], options: Features) -> list[Row]:
    """Return the raw triplet counts of each block at each resolution, as AnySleep's published forests take them.

    Returns
    -------
    list of dict
        steps_per_epoch, step_s, block (0, 1, …), scored_h, and a count under each triplet's name.
    """
    rows: list[Row] = []
    for night in nights:
        layout = night.asleep, night.steps_per_epoch, options.block_epochs
        about: Row = {"steps_per_epoch": night.steps_per_epoch, "step_s": night.step_s}
        for block, (counts, hours) in enumerate(zip(triplet_counts(*layout), block_hours(*layout), strict=True)):
            rows.append({**about, "block": block, "scored_h": hours, **dict(zip(NAMES, counts.tolist(), strict=True))})
    return rows


def write_features(split: pd.DataFrame, scores: Path, options: Features, out: Path, folder: Path) -> int:
    """Write the table of features, and beside it ``{out}.blocks.parquet``, with `dask` and in little memory.

    Parts of some recordings go where `hypnoflow.dask.dask_scheduler` says, and stand in `folder`, which is empty,
    until they are joined; on a cluster it is one that all workers see. Rows stand in the order of `split` wherever
    they are computed.

    Returns
    -------
    int
        Rows of the table of features.
    """
    both = _schemas(split)
    parts = [folder / f"{i:06d}" for i in range(-(-len(split) // PART))]
    rows = [split.iloc[i * PART : (i + 1) * PART] for i in range(len(parts))]
    in_pieces(_write_part, [(some, scores, options, path, both) for some, path in zip(rows, parts, strict=True)])
    blocks = out.with_suffix(".blocks.parquet")
    _join([path.with_suffix(".blocks") for path in parts], blocks, both[1])
    return _join([path.with_suffix(".features") for path in parts], out, both[0])


def _write_part(split: pd.DataFrame, scores: Path, options: Features, path: Path, both: tuple[pa.Schema, ...]) -> None:
    names = path.with_suffix(".features"), path.with_suffix(".blocks")
    for table, name, schema in zip(tables(split, scores, options), names, both, strict=True):
        table = table.reindex(columns=schema.names)
        # A worker that was given up for lost may still be writing the same part.
        mine = name.with_name(f"{name.name}.{uuid4().hex}")
        pq.write_table(pa.Table.from_pandas(table, schema, preserve_index=False), mine)
        mine.replace(name)


def _join(parts: Sequence[Path], out: Path, schema: pa.Schema) -> int:
    """Write the parts one after another into one file, a row group each; return the number of rows."""
    rows = 0
    with replacing(out) as partial, pq.ParquetWriter(partial, schema) as writer:
        for part in parts:
            table = pq.read_table(part, schema=schema)
            writer.write_table(table)
            rows += len(table)
    return rows


def _schemas(split: pd.DataFrame) -> tuple[pa.Schema, pa.Schema]:
    """Return the types of both tables' columns: text of the split table, numbers of ours."""
    about = [(str(name), pa.string()) for name in split.columns]
    steps = [("steps_per_epoch", pa.int64()), ("step_s", pa.float64())]
    numbers = [(column.name, pa.float64()) for _, each in features for column in each.columns]
    counts = [("block", pa.int64()), ("scored_h", pa.float64()), *((name, pa.int64()) for name in NAMES)]
    return pa.schema([*about, *steps, *numbers]), pa.schema([*about, *steps, *counts])
