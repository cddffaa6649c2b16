"""Learning curves: how the errors and their difference change with the number of persons."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hypnoflow.config.compare import Comparison
from hypnoflow.predict.losses import BEST, REFERENCE, Asked, out_of_fold_of
from hypnoflow.predict.refit import Refit, draw_groups
from hypnoflow.seeds import generator

CURVE = ("baseline", "classic", REFERENCE, BEST)
COLUMNS = ["groups", "draws", "condition", "error", "low", "high", "difference", "difference_low", "difference_high"]


def curve_sizes(n: int, options: Comparison) -> list[int]:
    """Return the numbers of groups of the curve, evenly spaced in their logarithm from `min_groups` to all `n`."""
    if n < options.min_groups or options.curve_sizes < 1:
        return []
    spaced = np.geomspace(options.min_groups, n, options.curve_sizes) if options.curve_sizes > 1 else np.array([n])
    return sorted({int(round(size)) for size in spaced})


def learning_curve(refit: Refit, people: pd.DataFrame, asked: Asked, options: Comparison, *, seed: int) -> pd.DataFrame:
    """Repeat the whole cross-validation on random subsets of groups, each cohort with its share.

    The same subsets serve every condition. All groups are drawn once; smaller sizes `curve_draws` times.

    Parameters
    ----------
    people : DataFrame
        One row per person: cohort, group, person, y.

    Returns
    -------
    DataFrame
        One row per size and condition: groups, draws, error (of the mean loss over draws), low and high (range over
        draws, no confidence interval: draws overlap), difference to 30 s with its range. Draws whose refit returned
        nothing are left out; a size of which none is left has no row.
    """
    n = len(people[["cohort", "group"]].drop_duplicates())
    parts = []
    for size in curve_sizes(n, options):
        losses = []
        for draw in range(options.curve_draws if size < n else 1):
            subset = draw_groups(people, size, generator(seed, "predict", asked.target, "curve", size, draw))
            table = refit(subset)
            if len(table):
                losses.append(_mean_losses(table, asked))
        if losses:
            parts.append(_summary(pd.DataFrame(losses), asked).assign(groups=size, draws=len(losses)))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _mean_losses(table: pd.DataFrame, asked: Asked) -> pd.Series:
    """Return the mean loss of each condition over persons."""
    found = out_of_fold_of(table, asked)
    names = [name for name in CURVE if name in found.conditions]
    return pd.Series(np.nanmean(found.losses(names), axis=0), index=names)


def _summary(losses: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """Return one row per condition of losses, shape (draw, condition)."""
    each = losses.apply(lambda column: asked.scale(column.to_numpy(float)))
    mean = pd.Series(asked.scale(losses.mean().to_numpy(float)), index=losses.columns)
    apart = each.sub(each[REFERENCE], axis=0)
    table = pd.DataFrame(
        {
            "error": mean,
            "low": each.min(),
            "high": each.max(),
            "difference": mean - mean[REFERENCE],
            "difference_low": apart.min(),
            "difference_high": apart.max(),
        }
    )
    return table.rename_axis("condition").reset_index()
