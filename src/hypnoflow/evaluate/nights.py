"""Agreement tables of one model over all cohorts."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.config.evaluate import Evaluate
from hypnoflow.evaluate.metrics import (
    COUNTS,
    UNSEEN,
    accuracy,
    cohen_kappa,
    confusion,
    f1_per_stage,
    macro_f1,
    n_stages,
)
from hypnoflow.facts.files import records
from hypnoflow.night.truth import TRUTH_HZ, read_truth
from hypnoflow.store.scores import StoredScores, read_scores
from hypnoflow.store.store import read_stage
from hypnoflow.types import EPOCH_S, EPOCH_SAMPLES, RATE_HZ, RESOLUTIONS, STAGES

log = logging.getLogger(__name__)


def evaluate_model(
    split: pd.DataFrame, harmonized: Path, scores: Path, truth_roots: dict[str, Path], options: Evaluate
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Compare every scored recording with its labels, and simulated ones with their truth.

    Parameters
    ----------
    split : DataFrame
        Columns cohort, shard, recording, person, split.
    harmonized, scores : Path
        Folders of the stores, ``{cohort}/{shard}.zarr``.
    truth_roots : dict
        Root folder of each simulated cohort.

    Returns
    -------
    at_30_s : DataFrame
        One row per recording: macro_f1, kappa, accuracy, f1 per stage, n_stages (how many occur in labels or
        prediction) and the confusion counts. One without a single scored epoch has n_epochs 0 and no agreement (NaN).
    fine : DataFrame
        One row per simulated recording and resolution: agreement with the truth of the prediction, of its own 30-s
        hypnogram repeated, and of the experts' 30-s labels repeated.
    summary : dict
        Pooled and recording-wise figures by split and by cohort; None where nothing defines them. `unscored` counts
        the recordings that had no agreement to give, `stages` the stages that occur in the pooled counts, and
        `with_all_stages` the recordings in which all five do.
    """
    rows: list[dict[str, Any]] = []
    fine: list[dict[str, Any]] = []
    for record in records(split):
        shard = f"{record['cohort']}/{record['shard']}.zarr"
        name = record["recording"]
        found = read_scores(scores / shard, name)
        labels = read_stage(harmonized / shard, name)
        rows.append({**record, **_at_30_s(labels, found, options)})
        root = truth_roots.get(record["cohort"])
        if root is not None:
            truth = read_truth(root / "truth" / f"{name}.npz").stage
            fine += [{**record, **row} for row in _against_truth(truth, labels, found)]
    table = pd.DataFrame(rows)
    unlabelled = table.loc[table["n_epochs"] == 0, "recording"].tolist()
    if unlabelled:
        log.info("%d recordings without a scored epoch, in no mean: %s", len(unlabelled), ", ".join(unlabelled))
    return table, pd.DataFrame(fine), summarise(table, options)


def _at_30_s(labels: np.ndarray, found: StoredScores, options: Evaluate) -> dict[str, Any]:
    counts = confusion(labels, found.stage[1])
    # Without labels no stage is merely absent: there is no agreement, whatever absent stages count.
    absent = options.absent_class if counts.any() else "skip"
    f1 = f1_per_stage(counts, absent)
    return {
        "n_epochs": int(counts.sum()),
        "n_stages": int(n_stages(counts)),
        "macro_f1": float(macro_f1(counts, absent)),
        "kappa": float(cohen_kappa(counts)),
        "accuracy": float(accuracy(counts)),
        **{f"f1_{stage}": float(value) for stage, value in zip(STAGES, f1, strict=True)},
        **dict(zip(COUNTS, counts.ravel().tolist(), strict=True)),
    }


def _against_truth(truth: np.ndarray, labels: np.ndarray, found: StoredScores) -> Iterable[dict[str, Any]]:
    """Yield one row per resolution; everything is compared sample by sample at 128 Hz."""
    dense_truth = np.repeat(truth, RATE_HZ // TRUTH_HZ)[: len(labels) * EPOCH_SAMPLES]
    candidates = {"expert_30_s": labels, "repeated_30_s": found.stage[1]}
    fixed = {name: _agreement(dense_truth, stage) for name, stage in candidates.items()}
    for f in RESOLUTIONS:
        row = _agreement(dense_truth, found.stage[f])
        yield {
            "steps_per_epoch": f,
            "step_s": EPOCH_S / f,
            **row,
            **{f"{name}_{key}": value for name, values in fixed.items() for key, value in values.items()},
        }


def _agreement(dense_truth: np.ndarray, stage: np.ndarray) -> dict[str, float]:
    repeated = np.repeat(stage, -(-len(dense_truth) // len(stage)))
    known = repeated < len(STAGES)  # experts leave epochs unscored
    counts = confusion(dense_truth[known], repeated[known])
    return {
        "accuracy": float(accuracy(counts)),
        "kappa": float(cohen_kappa(counts)),
        "macro_f1": float(macro_f1(counts)),
    }


def summarise(table: pd.DataFrame, options: Evaluate) -> dict[str, Any]:
    """Return pooled and recording-wise figures for each split, and each split's cohorts."""
    summary: dict[str, Any] = {"absent_class": options.absent_class}
    for split, rows in table.groupby("split"):
        cohorts = {str(cohort): _pooled(part, options) for cohort, part in rows.groupby("cohort")}
        summary[str(split)] = {**_pooled(rows, options), "cohorts": cohorts}
    unseen = table[table["split"].isin(UNSEEN)]
    summary["unseen"] = _pooled(unseen, options) if len(unseen) else None
    return summary


def _pooled(rows: pd.DataFrame, options: Evaluate) -> dict[str, Any]:
    n = len(STAGES)
    each = rows[COUNTS].to_numpy(dtype=np.int64).reshape(-1, n, n)
    counts = each.sum(0)
    absent = options.absent_class if counts.any() else "skip"
    f1 = f1_per_stage(counts, absent)
    return {
        "recordings": len(rows),
        "unscored": int((rows["n_epochs"] == 0).sum()),
        "persons": int(rows["person"].nunique()),
        "epochs": int(counts.sum()),
        "stages": int(n_stages(counts)),
        "with_all_stages": int((n_stages(each) == n).sum()),
        "macro_f1": _known(macro_f1(counts, absent)),
        "kappa": _known(cohen_kappa(counts)),
        "accuracy": _known(accuracy(counts)),
        "f1": {stage: _known(value) for stage, value in zip(STAGES, f1, strict=True)},
        "macro_f1_by_recording": _known(rows["macro_f1"].mean()),
        "kappa_by_recording": _known(rows["kappa"].mean()),
        "confusion": counts.tolist(),
    }


def _known(value: float | NDArray[np.float64]) -> float | None:
    """Return a measure, None where it is undefined: JSON has no NaN."""
    return None if np.isnan(value) else float(value)
