"""Agreement of each recording, and of all of them by split and cohort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.config.evaluate import Evaluate
from hypnoflow.evaluate.said import BySplit, Pooled
from hypnoflow.stats.confusion import (
    accuracy,
    cohen_kappa,
    count_columns,
    counts_of,
    f1_per_class,
    macro_f1,
    n_occurring,
)
from hypnoflow.types import UNSEEN


def measured(table: pd.DataFrame, classes: Sequence[str], options: Evaluate) -> pd.DataFrame:
    """Return a table of recordings with their measures.

    Parameters
    ----------
    table : DataFrame
        As `hypnoflow.agreement.job.agreement_tables` makes it.

    Returns
    -------
    DataFrame
        Its columns about the recording, n_epochs, n_stages (how many classes occur in labels or prediction), macro_f1,
        kappa, accuracy, f1 per class, and the confusion counts. One without a single scored epoch has n_epochs 0 and
        no agreement (NaN): without labels no class is merely absent, whatever absent ones count.
    """
    if table.empty:
        return pd.DataFrame(columns=["cohort", "shard", "recording", "person", "group", "split", "n_epochs"])
    counts, columns = counts_of(table, classes), count_columns(classes)
    unscored = (table["n_epochs"] == 0).to_numpy()
    f1 = np.where(unscored[:, None], np.nan, f1_per_class(counts, options.absent_class))
    measures: dict[str, Any] = {
        "n_epochs": table["n_epochs"],
        "n_stages": n_occurring(counts),
        "macro_f1": np.where(unscored, np.nan, macro_f1(counts, options.absent_class)),
        "kappa": cohen_kappa(counts),
        "accuracy": accuracy(counts),
        **{f"f1_{name}": f1[:, i] for i, name in enumerate(classes)},
    }
    about = table.drop(columns=["n_epochs", "abstain_below", *columns], errors="ignore")
    return about.assign(**measures).join(table[columns])


def summarise(table: pd.DataFrame, classes: Sequence[str], options: Evaluate) -> BySplit:
    """Return pooled and recording-wise figures for each split, and each split's cohorts, see `Pooled`."""
    summary: Any = {"absent_class": options.absent_class, "unseen": None}
    if table.empty:
        return cast(BySplit, summary)
    for split, rows in table.groupby("split"):
        cohorts = {str(cohort): _pooled(part, classes, options) for cohort, part in rows.groupby("cohort")}
        summary[str(split)] = {**_pooled(rows, classes, options), "cohorts": cohorts}
    unseen = table[table["split"].isin(UNSEEN)]
    summary["unseen"] = _pooled(unseen, classes, options) if len(unseen) else None
    return cast(BySplit, summary)


def _pooled(rows: pd.DataFrame, classes: Sequence[str], options: Evaluate) -> Pooled:
    each = counts_of(rows, classes)
    counts = each.sum(0)
    absent = options.absent_class if counts.any() else "skip"
    f1 = f1_per_class(counts, absent)
    return {
        "recordings": len(rows),
        "unscored": int((rows["n_epochs"] == 0).sum()),
        "persons": int(rows["person"].nunique()),
        "epochs": int(counts.sum()),
        "stages": int(n_occurring(counts)),
        "with_all_stages": int((n_occurring(each) == len(classes)).sum()),
        "macro_f1": _known(macro_f1(counts, absent)),
        "kappa": _known(cohen_kappa(counts)),
        "accuracy": _known(accuracy(counts)),
        "f1": {name: _known(value) for name, value in zip(classes, f1, strict=True)},
        "macro_f1_by_recording": _known(rows["macro_f1"].mean()),
        "kappa_by_recording": _known(rows["kappa"].mean()),
        "confusion": counts.tolist(),
    }


def _known(value: float | NDArray[np.float64]) -> float | None:
    """Return a measure, None where it is undefined: JSON has no NaN."""
    return None if np.isnan(value) else float(value)
