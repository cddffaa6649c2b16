"""How well arousals were found, over all unseen persons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.agreement.arousals import PUBLISHED
from hypnoflow.evaluate.said import ArousalsFound
from hypnoflow.facts.files import records

SHOWN_IOU = 0.2  # the threshold of AnySleep's figures
MEANS = ["wake_share", "onset_abs_error_s", "duration_abs_error_s", *PUBLISHED.values()]


def summarise_arousals(table: pd.DataFrame) -> list[ArousalsFound]:
    """Return the agreement at `SHOWN_IOU`, a row per resolution.

    Precision, recall and F1 are those of all events together: of a person in whom nothing was found no precision is
    defined, and a mean over the others would flatter. What is left are means over persons, each the mean of their
    nights; the published figures are such means, too, with 0 where undefined.
    """
    if table.empty:
        return []
    rows = table[np.isclose(table["iou"].astype(float), SHOWN_IOU)]
    keys = ["steps_per_epoch", "step_s"]
    counts = rows.groupby(keys)[["n_matched", "n_pred", "n_true"]].sum()
    by_person = rows.groupby([*keys, "cohort", "person"])[MEANS].mean().groupby(keys)
    found = counts.join(by_person.mean()).assign(
        iou=SHOWN_IOU,
        persons=by_person.size(),
        precision=counts["n_matched"] / counts["n_pred"],
        recall=counts["n_matched"] / counts["n_true"],
        f1=2 * counts["n_matched"] / (counts["n_pred"] + counts["n_true"]),
    )
    every = records(found.reset_index())
    plain: list[Any] = [
        {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()} for row in every
    ]
    return plain
