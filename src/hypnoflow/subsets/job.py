"""Unseen recordings of one shard scored from subsets of their channels; one job of the workflow."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.config.evaluate import Subsets
from hypnoflow.config.run_options import Run
from hypnoflow.data.recordings import SignalReader, open_stored
from hypnoflow.facts.claim import claim
from hypnoflow.facts.code import code_of
from hypnoflow.facts.files import records, replacing
from hypnoflow.facts.progress import track
from hypnoflow.facts.provenance import write_facts
from hypnoflow.models import lineage
from hypnoflow.score.subsets import SubsetScorer
from hypnoflow.seeds import generator
from hypnoflow.split.usable import usable
from hypnoflow.stats.confusion import COUNTS, confusion
from hypnoflow.store.store import preprocessing
from hypnoflow.store.store_files import zarr_attrs
from hypnoflow.subsets.choose import PAIRED, Montage, Subset, choose_subsets, pair_channel, read_montage
from hypnoflow.types import UNSCORED, UNSEEN, FloatArray, StageArray

log = logging.getLogger(__name__)

WHO = ["cohort", "shard", "recording", "person", "group", "split"]
SUBSET_COLUMNS = [
    *WHO, "seed", "analysis", "cell", "n_eeg", "n_eog", "first", "second", "channels", "n_epochs", *COUNTS,
]  # fmt: skip
ATTENTION_COLUMNS = [*WHO, "seed", "level", "electrode", "weight"]


def subsets_files(
    store: Path,
    checkpoints: Sequence[Path],
    split: Path,
    out: Path,
    options: Subsets,
    run: Run,
    *,
    seed: int,
) -> None:
    """Write ``{out}`` (a row per recording, checkpoint and subset of channels) and its ``.attention.parquet``.

    Parameters
    ----------
    store : Path
        One harmonized shard, ``{cohort}/{shard}.zarr``.
    """
    attention_file = out.with_suffix(".attention.parquet")
    with claim(out.with_suffix(".json"), [attention_file, out], [split, *checkpoints]) as mine:
        table = pd.read_parquet(split)
        table = table[(table["cohort"] == store.parent.name) & (table["shard"] == store.stem)]
        scorers = {path.stem: SubsetScorer(path, run.device, run.threads) for path in checkpoints}
        rows, attention = score_subsets(
            usable(table, store.parents[1]),
            store,
            scorers,
            options,
            seed=seed,
            threads=run.threads,
        )
        written = [attention_file, out]
        for each, path in zip((attention, rows), written, strict=True):
            with replacing(path) as partial:
                each.to_parquet(partial, index=False)
        [network] = {scorer.facts[0]["network"] for scorer in scorers.values()}
        code = code_of("subsets", model=lineage(network))
        write_facts(mine.record, "subsets", {"rows": len(rows)}, written, code=code)
    log.info("%s: %d rows of %d recordings", out, len(rows), rows["recording"].nunique())


def score_subsets(
    split: pd.DataFrame,
    harmonized: Path,
    scorers: Mapping[str, SubsetScorer],
    options: Subsets,
    *,
    seed: int,
    threads: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every unseen recording from each of its subsets, by each checkpoint alone.

    Parameters
    ----------
    split : DataFrame
        Columns cohort, shard, recording, person, group, split: the rows of this shard.
    harmonized : Path
        The shard's store.
    scorers : mapping
        One per training seed, by what its rows have as `seed`.
    seed : int
        The config's seed; each recording has a draw of subsets of its own.

    Returns
    -------
    subsets : DataFrame
        One row per recording, checkpoint and subset, with its confusion counts at 30 s. Recordings without labels,
        or with too few channels for an analysis, are not in it.
    attention : DataFrame
        One row per recording, checkpoint, level and electrode of the pair matrix: the weight that the channel gets
        among those seven.
    """
    reader = SignalReader(threads=threads)
    rows: list[dict[str, Any]] = []
    weights: list[dict[str, Any]] = []
    unseen = records(split[split["split"].isin(UNSEEN)].reindex(columns=[*WHO, "fold"]).fillna({"fold": 0}))
    for who in track(unseen, len(unseen), "subsets"):
        name = who["recording"]
        recording = open_stored(harmonized, who["cohort"], name, who["person"])
        montage = read_montage(harmonized, name, recording.kinds)
        # The stream keeps the name that it had first, or the same seed would draw other subsets.
        subsets = choose_subsets(montage, options, generator(seed, "ablate", who["cohort"], name))
        if not subsets or not (recording.stage != UNSCORED).any():
            log.info("%s/%s: too few channels, or no labels", who["cohort"], name)
            continue
        x = reader.window(recording, 0, recording.n_epochs)
        for run, scorer in _unaware(scorers, int(who["fold"])):
            scorer.check_preprocessing(preprocessing(zarr_attrs(harmonized / name)), f"{harmonized}/{name}")
            about = {**{name: who[name] for name in WHO}, "seed": run}
            rows += [{**about, **row} for row in _agreement(scorer, x, recording.stage, montage, subsets)]
            weights += [{**about, **row} for row in _attention(scorer, x, montage, subsets)]
        log.info("%s/%s: %d subsets", who["cohort"], name, len(subsets))
    return pd.DataFrame(rows, columns=SUBSET_COLUMNS), pd.DataFrame(weights, columns=ATTENTION_COLUMNS)


def _unaware(scorers: Mapping[str, SubsetScorer], fold: int) -> Iterator[tuple[str, SubsetScorer]]:
    """Yield the networks that a recording may be scored by, with their seeds: of folds those that did not see its own.

    A recording of no fold takes those of the first.
    """
    for run, scorer in scorers.items():
        if scorer.folds in (set(), {fold or 1}):
            yield re.sub(r"-fold\d+$", "", run) if scorer.folds else run, scorer


def _agreement(
    scorer: SubsetScorer, x: FloatArray, labels: StageArray, montage: Montage, subsets: Sequence[Subset]
) -> list[dict[str, Any]]:
    """Return one row per subset; channels that are in several cells are scored once."""
    distinct = sorted({subset.channels for subset in subsets})
    counts = [confusion(labels, stage) for stage in scorer.stages(x, distinct)]
    by_channels = dict(zip(distinct, counts, strict=True))
    return [
        {
            **{name: getattr(subset, name) for name in ("analysis", "cell", "n_eeg", "n_eog", "first", "second")},
            "channels": ", ".join(montage.labels[i] for i in subset.channels),
            "n_epochs": int(by_channels[subset.channels].sum()),
            **dict(zip(COUNTS, by_channels[subset.channels].ravel().tolist(), strict=True)),
        }
        for subset in subsets
    ]


def _attention(
    scorer: SubsetScorer, x: FloatArray, montage: Montage, subsets: Sequence[Subset]
) -> list[dict[str, Any]]:
    """Return the weights among the channels of the pair matrix, where the recording is in it."""
    if not any(subset.analysis == "pairs" for subset in subsets):
        return []
    channels = [pair_channel(montage, name) for name in PAIRED]
    weights = scorer.attention(x[np.array(channels, int)])
    if weights is None:
        return []
    return [
        {"level": level, "electrode": electrode, "weight": float(weight)}
        for level, of_level in enumerate(weights, 1)
        for electrode, weight in zip(PAIRED, of_level, strict=True)
    ]
