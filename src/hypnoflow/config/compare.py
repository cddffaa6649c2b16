"""The options of comparisons: intervals and tests, and what is compared with 30 s."""

from __future__ import annotations

from typing import Literal

from hypnoflow.config.section import Section, option

LearnerName = Literal["linear", "forest", "boosted"]
SchemeName = Literal["grouped", "leave_one_cohort_out"]


class Resampling(Section):
    bootstrap: int = option(2000, "Resamples of persons behind each interval.", "resamples", ge=100)
    confidence: float = option(0.95, "Coverage of the intervals.", "1", gt=0.5, lt=1)
    permutations: int = option(
        10000, "Sign patterns behind each p; all of them where there are no more.", "patterns", ge=100
    )


class Comparison(Section):
    learner: LearnerName = option("linear", "Learner of the primary test; the others are shown beside it.")
    scheme: SchemeName = option("grouped", "Cross-validation of the primary test; the other is shown beside it.")
    resampling: Resampling = option(
        Resampling(), "Intervals and tests; a difference is claimed at p below 1 - confidence."
    )
    min_groups: int = option(
        20, "Fewest persons (families count once) for a claim; with fewer it is said that they are too few.", ge=6
    )
    min_cases: int = option(10, "Fewest persons of the rarer class for a claim about a class.", "persons", ge=2)
    cohort_groups: int = option(
        10, "Fewest persons (families count once) of a cohort for an estimate of its own.", "persons", ge=5
    )
    curve_sizes: int = option(5, "Points of the learning curve, evenly spaced in log persons; 0 draws none.", ge=0)
    curve_draws: int = option(5, "Random subsets of persons behind each point of the learning curve.", ge=1)
    shuffles: int = option(10, "Repeats of the prediction with targets shuffled between persons; 0 makes none.", ge=0)
    length_window_h: float = option(
        1.0, "Persons whose recordings differ by no more than this are compared apart.", "h", gt=0
    )
    length_strata: int = option(5, "Strata of recording length within which predictions are recentred.", ge=2)
