"""What is said of one target: the types that `hypnoflow.predict` writes as JSON, and the sentences and the report read.

None stands for a figure that nothing defines; keys of what was not computed are absent.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Tested(TypedDict):
    """The comparison of the best resolution with 30 s, on some persons or others.

    error and reference_error are RMSE or Brier score; difference, low, high and p are of error minus reference_error;
    cases are the groups of the rarer class, of a class.
    """

    persons: int
    groups: int
    cohorts: int
    cases: int | None
    error: float | None
    reference_error: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    verdict: str


class Primary(Tested):
    """The one primary test of a target; chosen: share of outer folds in which each resolution was the best."""

    target: str
    unit: str
    measure: str
    learner: str
    scheme: str
    confidence: float
    min_groups: int
    min_cases: int
    chosen: dict[str, float]


class Equalised(Tested):
    """The same, so that the length of recordings cannot explain it."""

    way: str
    from_h: NotRequired[float]
    to_h: NotRequired[float]
    strata: NotRequired[int]


class Compared(TypedDict):
    """A row of `hypnoflow.predict.compare.compare_all`."""

    scheme: str
    learner: str
    family: str
    condition: str
    reference: str
    error: float | None
    low: float | None
    high: float | None
    reference_error: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p: float | None
    p_holm: float | None
    persons: int
    groups: int


class OfCohort(TypedDict):
    """A row of `hypnoflow.predict.cohorts.by_cohort`."""

    kind: str
    cohort: str
    persons: int
    groups: int
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    i2: float | None
    tau2: float | None


class Estimate(TypedDict):
    """An effect within cohorts, see `hypnoflow.stats.mixed`; why: what kept the wanted method from it."""

    estimate: float | None
    low: float | None
    high: float | None
    p: float | None
    method: str
    converged: bool
    why: str
    groups: int
    cohorts: int


class Mixed(TypedDict, total=False):
    """The effect with cohort as a random effect; empty where a condition is lacking."""

    left_out: list[str]
    pooled: float | None
    difference: Estimate
    difference_within: Estimate
    association: dict[str, Estimate]


class OfSize(TypedDict):
    """A row of the learning curve."""

    groups: int
    draws: int
    condition: str
    error: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None


class Control(TypedDict):
    """What every negative control says, beside its own figures."""

    flag: bool
    text: str


class Reliability(TypedDict, total=False):
    """Whether intervals (coverage) or probabilities (slope, intercept) mean what they say."""

    coverage: float | None
    slope: float | None
    intercept: float | None


class Discovered(TypedDict):
    """A feature at a resolution, against the target."""

    feature: str
    steps_per_epoch: int
    effect: float | None
    p: float | None
    fdr: float | None


class Forest(TypedDict):
    """What AnySleep's forests reached at a resolution."""

    condition: str
    protocol: str
    persons: int
    measure: str
    error: float
    sd_over_forests: float | None


class NotPredicted(TypedDict):
    """A scheme, or a fold of it, without predictions."""

    scheme: str
    persons: int
    problem: str
    cohorts: NotRequired[list[str]]


class TargetSummary(TypedDict):
    """All that is said of one target; of one that was not predicted, who there was and the problem."""

    target: str
    unit: str
    persons: int
    groups: int
    cohorts_n: int
    classes: list[str]
    learner: str
    persons_without_target: int
    recordings: int
    persons_by_cohort: dict[str, int]
    persons_by_split: dict[str, int]
    class_counts: list[int]
    mean: float | None
    not_predicted: list[NotPredicted]
    forests: NotRequired[list[Forest]]
    problem: NotRequired[str]
    measure: NotRequired[str]
    simulated: NotRequired[bool]
    primary: NotRequired[Primary]
    sentence: NotRequired[str]
    cautions: NotRequired[list[str]]
    comparison: NotRequired[list[Compared]]
    cohorts: NotRequired[list[OfCohort]]
    mixed: NotRequired[Mixed]
    equalised: NotRequired[list[Equalised]]
    curve: NotRequired[list[OfSize]]
    controls: NotRequired[dict[str, Control]]
    discovery: NotRequired[list[Discovered]]
    reliability: NotRequired[Reliability]
