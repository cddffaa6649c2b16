"""Changes from stage to stage: how often, from where to where, and how much of a stage lies in fragments."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypnoflow.features._dictionary import Column, feature
from hypnoflow.night.hypnogram import Hypnogram, ratio, ratios
from hypnoflow.night.stage_runs import Runs
from hypnoflow.types import N1, STAGES, W

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features

PAIRS = tuple(permutations(range(len(STAGES)), 2))
NAMED = [(STAGES[a], STAGES[b]) for a, b in PAIRS]


def transition_counts(runs: Runs) -> NDArray[np.int64]:
    """Return how often each stage follows each other one directly, shape (from, to); unscored steps break the chain."""
    n = len(STAGES)
    known = runs.scored[:-1] & runs.scored[1:]
    codes = runs.stage[:-1][known].astype(int) * n + runs.stage[1:][known]
    return np.bincount(codes, minlength=n * n).reshape(n, n)


@feature(
    "transitions",
    [
        Column("stage_changes_per_h", "1/h", "changes of stage per scored hour of the sleep period"),
        *(
            Column(f"rate_{a}_{b}", "1/h", f"changes from {a} to {b} per hour of {a}; NaN without {a}")
            for a, b in NAMED
        ),
        *(
            Column(f"probability_{a}_{b}", "1", f"share of {b} in the changes out of {a}; NaN if {a} is never left")
            for a, b in NAMED
        ),
    ],
    "Markov chain of stages: Bianchi et al. 2012, J Sleep Res 21, doi 10.1111/j.1365-2869.2011.00937.x",
)
def transitions(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return rates and probabilities of the changes of stage within the sleep period."""
    counts = transition_counts(hypnogram.sleep_runs)
    rate = ratios(counts, hypnogram.stage_h[:, None])
    probability = ratios(counts, counts.sum(1, keepdims=True))
    found = {"stage_changes_per_h": ratio(counts.sum(), hypnogram.scored_h)}
    for name, values in (("rate", rate), ("probability", probability)):
        found |= {f"{name}_{STAGES[a]}_{STAGES[b]}": float(values[a, b]) for a, b in PAIRS}
    return found


@feature(
    "fragmentation",
    [
        Column(
            "shallowing_per_h",
            "1/h",
            "changes from sleep to W, or to N1 from deeper, per hour of sleep; NaN without sleep",
        ),
        *(
            Column(
                f"fragment_share_{s}", "1", f"share of {s} that lies in bouts of up to `short_bout_s`; NaN without {s}"
            )
            for s in STAGES
        ),
    ],
    "sleep fragmentation index with N1: Haba-Rubio et al. 2004, Sleep Med 5; length of a fragment chosen",
)
def fragmentation(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return how broken sleep and each stage of it are."""
    runs = hypnogram.sleep_runs
    counts = transition_counts(runs)
    shallowing = counts[W + 1 :, W].sum() + counts[N1 + 1 :, N1].sum()
    short = runs.scored & (runs.length * hypnogram.step_s <= options.short_bout_s + 1e-9)
    fragments = np.bincount(runs.stage[short], runs.length[short], len(STAGES)) * hypnogram.step_s / 3600
    shares = ratios(fragments, hypnogram.stage_h).tolist()
    named = {f"fragment_share_{s}": share for s, share in zip(STAGES, shares, strict=True)}
    return {"shallowing_per_h": ratio(shallowing, hypnogram.asleep_h), **named}
