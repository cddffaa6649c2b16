"""The hypnodensity: how sure the stages are, how much they move, and between which of them.

Measures and their letters are those of Luna's HDSTATS: entropy H, confidence C, margin MG, total variation TV,
transition density TD and width TW, mixing of neighbours. They exist at resolutions no finer than the stored
hypnodensity (`score.hypnodensity_steps`); at finer ones they are NaN rather than those of another resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypnoflow.features._dictionary import Column, feature
from hypnoflow.night.hypnogram import NAN, Floats, Hypnogram, ratio
from hypnoflow.types import N1, N2, N3, STAGES, R, W

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features

HOURS = range(1, 7)  # beyond, too few nights have one
MIXED = ((N1, W), (N2, N3), (R, N1))
RULE = "; NaN without sleep, or where the hypnodensity is stored more coarsely"
ENTROPY, MARGIN, VARIATION = (
    "entropy of the stage, mean over steps",
    "lead of the likeliest stage, mean",
    "total variation",
)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Density:
    """Hypnodensity of the sleep period, step by step; NaN where nothing was recorded.

    entropy : shape (step,), bit
    confidence, margin : shape (step,)
        Largest probability, and its lead over the second largest.
    change : shape (step,)
        Half the sum of absolute differences to the step before, 0 to 1; NaN in the first.
    likeliest : ndarray of int, shape (step,)
        The stage with the largest probability, the first of equals; -1 where unknown.
    """

    entropy: Floats
    confidence: Floats
    margin: Floats
    change: Floats
    likeliest: Ints


def describe(p: Floats) -> Density:
    """Return the measures of each step of a hypnodensity, shape (step, stage)."""
    top = np.sort(p, axis=1)
    entropy = -(p * np.log2(np.maximum(p, np.finfo(np.float32).tiny))).sum(1)
    change = np.abs(np.diff(p, axis=0)).sum(1) / 2
    known = ~np.isnan(p).any(1)
    likeliest = np.where(known, np.nan_to_num(p).argmax(1), -1)
    first = np.full(min(1, len(p)), NAN)
    return Density(entropy, top[:, -1], top[:, -1] - top[:, -2], np.concatenate([first, change]), likeliest)


def transition_widths(found: Density, limit: float) -> Ints:
    """Return for each change of the likeliest stage how many steps around it have a margin below `limit`.

    The stretch is the one that holds the step before the change or the one after it, both where they are joined; a
    change between two sure steps has the width 0, and one next to the unknown is none.
    """
    before, after = found.likeliest[:-1], found.likeliest[1:]
    at = np.flatnonzero((before != after) & (before >= 0) & (after >= 0))
    low = np.concatenate([[False], found.margin < limit, [False]])
    edges = np.flatnonzero(low[1:] != low[:-1])
    number = np.cumsum(low[1:] & ~low[:-1])[: len(found.margin)] - 1  # of the stretch a step lies in, or the last one
    width = edges[1::2] - edges[::2]
    sure = ~low[1:-1]
    widths = np.zeros(len(at), np.int64)
    for step in (at + 1, at):
        inside = ~sure[step]
        widths[inside] = width[number[step[inside]]]
    return widths


def _columns() -> list[Column]:
    whole = [
        Column("hd_H", "bit", ENTROPY),
        Column("hd_C", "1", "confidence: probability of the likeliest stage, mean"),
        Column("hd_MG", "1", f"margin: {MARGIN}"),
        Column("hd_TV", "1/min", f"{VARIATION}: probability that moves between stages per minute"),
        Column("hd_TD", "1/h", "transition density: changes of the likeliest stage per hour"),
        Column("hd_TW", "s", "transition width: mean time around a change in which the margin is low"),
        *(
            Column(
                f"hd_MIX_{STAGES[a]}_{STAGES[b]}",
                "1",
                f"mixing of {STAGES[a]} and {STAGES[b]}: twice the smaller probability, mean; 1 if both are a half",
            )
            for a, b in MIXED
        ),
    ]
    parts = [
        *((stage, f"steps where {stage} is likeliest") for stage in STAGES),
        *((f"hour{hour}", f"hour {hour} of the sleep period") for hour in HOURS),
    ]
    each = [
        column
        for part, where in parts
        for column in (
            Column(f"hd_H_{part}", "bit", f"{ENTROPY}, in {where}; NaN without such"),
            Column(f"hd_MG_{part}", "1", f"margin: {MARGIN}, in {where}; NaN without such"),
            Column(f"hd_TV_{part}", "1/min", f"{VARIATION} into steps, per minute, in {where}; NaN without such"),
        )
    ]
    return [Column(c.name, c.unit, c.meaning + RULE) for c in (*whole, *each)]


COLUMNS = _columns()


@feature(
    "hypnodensity",
    COLUMNS,
    "hypnodensity: Stephansen et al. 2018, Nat Commun 9, doi 10.1038/s41467-018-07229-3; measures: Luna HDSTATS",
)
def hypnodensity(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return the measures of the hypnodensity over the sleep period, by stage and by hour."""
    if hypnogram.probability is None or hypnogram.period == slice(0, 0):
        return dict.fromkeys((column.name for column in COLUMNS), NAN)
    p = hypnogram.probability[hypnogram.steps]
    found = describe(p)
    per_min = 60 / hypnogram.step_s
    pairs = (found.likeliest[1:] >= 0) & (found.likeliest[:-1] >= 0)
    changes = np.count_nonzero((found.likeliest[1:] != found.likeliest[:-1]) & pairs)
    widths = transition_widths(found, options.transition_margin)
    values = [
        *(_mean(found.entropy), _mean(found.confidence), _mean(found.margin), _mean(found.change) * per_min),
        ratio(changes, np.count_nonzero(pairs) * hypnogram.step_s / 3600),
        float(widths.mean() * hypnogram.step_s) if len(widths) else NAN,
        *(_mean(2 * np.minimum(p[:, a], p[:, b])) for a, b in MIXED),
    ]
    hour = (np.arange(len(p)) * hypnogram.step_s // 3600).astype(int) + 1
    masks = [*(found.likeliest == code for code in range(len(STAGES))), *(hour == h for h in HOURS)]
    for part in masks:
        values += [_mean(found.entropy[part]), _mean(found.margin[part]), _mean(found.change[part]) * per_min]
    return dict(zip((column.name for column in COLUMNS), values, strict=True))


def _mean(values: Floats) -> float:
    """Return the mean of what is known, NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else NAN
