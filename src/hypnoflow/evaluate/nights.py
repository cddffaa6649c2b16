"""Agreement tables of one model over all cohorts."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
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
from hypnoflow.evaluate.opened import OpenNight
from hypnoflow.night.truth import TRUTH_HZ, read_truth
from hypnoflow.store.scores import StoredScores
from hypnoflow.types import EPOCH_S, EPOCH_SAMPLES, STAGES

TRUTH_STEPS = EPOCH_S * TRUTH_HZ  # of the truth, in 30 s

log = logging.getLogger(__name__)


class Agreement:
    """Compares scored recordings with their labels, and simulated ones with their truth.

    Parameters
    ----------
    options : Evaluate
    truth_roots : mapping of str to Path
        Root folder of each simulated cohort.
    """

    def __init__(self, options: Evaluate, truth_roots: Mapping[str, Path]):
        self._options, self._roots = options, truth_roots
        self._rows: list[dict[str, Any]] = []
        self._fine: list[dict[str, Any]] = []

    def add(self, night: OpenNight) -> None:
        """Compare one recording."""
        record = night.record
        self._rows.append({**record, **_at_30_s(night.labels, night.scores, self._options)})
        root = self._roots.get(record["cohort"])
        if root is not None:
            truth = read_truth(root / "truth" / f"{night.name}.npz").stage
            self._fine += [{**record, **row} for row in _against_truth(truth, night.labels, night.scores)]

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
        """Return what was found.

        Returns
        -------
        at_30_s : DataFrame
            One row per recording: macro_f1, kappa, accuracy, f1 per stage, n_stages (how many occur in labels or
            prediction) and the confusion counts. One without a single scored epoch has n_epochs 0 and no agreement
            (NaN).
        fine : DataFrame
            One row per simulated recording and resolution: agreement with the truth of the prediction, of its own
            30-s hypnogram repeated, and of the experts' 30-s labels repeated.
        summary : dict
            Pooled and recording-wise figures by split and by cohort; None where nothing defines them. `unscored`
            counts the recordings that had no agreement to give, `stages` the stages that occur in the pooled counts,
            and `with_all_stages` the recordings in which all five do.
        """
        table = pd.DataFrame(self._rows)
        unlabelled = table.loc[table["n_epochs"] == 0, "recording"].tolist()
        if unlabelled:
            log.info("%d recordings without a scored epoch, in no mean: %s", len(unlabelled), ", ".join(unlabelled))
        return table, pd.DataFrame(self._fine), summarise(table, self._options)


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
    """Yield one row per resolution; all are compared over the same time, in samples of 1/128 s."""
    truth = truth[: len(labels) * TRUTH_STEPS]
    candidates = {"expert_30_s": labels, "repeated_30_s": found.stage[1]}
    fixed = {name: _agreement(truth, stage, 1) for name, stage in candidates.items()}
    for f, stage in found.stage.items():
        yield {
            "steps_per_epoch": f,
            "step_s": EPOCH_S / f,
            **_agreement(truth, stage, f),
            **{f"{name}_{key}": value for name, values in fixed.items() for key, value in values.items()},
        }


def _agreement(truth: np.ndarray, stage: np.ndarray, steps_per_epoch: int) -> dict[str, float]:
    """Return the agreement of stages with the truth, counted on the coarsest grid that has the edges of both."""
    steps = math.lcm(TRUTH_STEPS, steps_per_epoch)
    dense, repeated = np.repeat(truth, steps // TRUTH_STEPS), np.repeat(stage, steps // steps_per_epoch)
    known = repeated < len(STAGES)  # experts leave epochs unscored
    counts = confusion(dense[known], repeated[known]) * (EPOCH_SAMPLES // steps)
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
