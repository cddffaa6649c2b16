"""What is said of how one training agrees: the types that `hypnoflow.evaluate` writes as JSON and the report reads.

None stands for a figure that nothing defines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict, cast


class Pooled(TypedDict):
    """Agreement of some recordings together.

    `unscored` counts the recordings that had no agreement to give, `stages` the classes that occur in the pooled
    counts, and `with_all_stages` the recordings in which all do.
    """

    recordings: int
    unscored: int
    persons: int
    epochs: int
    stages: int
    with_all_stages: int
    macro_f1: float | None
    kappa: float | None
    accuracy: float | None
    f1: dict[str, float | None]
    macro_f1_by_recording: float | None
    kappa_by_recording: float | None
    confusion: list[list[int]]


class OfSplit(Pooled):
    """Agreement of a split, and of its cohorts."""

    cohorts: dict[str, Pooled]


class Interval(TypedDict):
    """A figure with its interval, and how it differs from the first of its kind."""

    value: float | None
    low: float | None
    high: float | None
    difference: NotRequired[float | None]


class Kept(TypedDict):
    """What is left, and how much of it is wrong, where epochs below a threshold are left out; wanted: the share that
    was to be kept of the validation persons', None of the config's own threshold."""

    wanted: float | None
    threshold: float
    coverage: Interval
    risk: Interval


class Curve(TypedDict):
    """The risk at each coverage."""

    coverage: list[float]
    risk: list[float]


class Bin(TypedDict):
    """Epochs of like confidence."""

    low: float
    high: float
    n_epochs: int
    confidence: float
    accuracy: float


class Trusted(TypedDict):
    """How far the probabilities of some persons can be trusted, before and after calibration."""

    persons: int
    n_epochs: int
    ece: dict[str, Interval]
    nll: dict[str, float | None]
    aurc: dict[str, float | None]
    reliability: dict[str, list[Bin]]
    curve: Curve
    kept: list[Kept]


class Agreed(TypedDict):
    """Mean agreement with the share of several scorers."""

    recordings: int
    cosine_similarity: float | None
    cross_entropy_bit: float | None
    consensus_entropy_bit: float | None
    accuracy: float | None


class Consensus(TypedDict):
    """The same by recording, and the means over those of each split."""

    recordings: list[dict[str, float | str | None]]
    mean: dict[str, Agreed]


class Trust(TypedDict):
    """Calibration by split, and agreement with several scorers."""

    n_bins: int
    splits: dict[str, Trusted]
    consensus: Consensus | None


class ArousalsFound(TypedDict):
    """Wake intrusions against experts' arousals at one resolution."""

    steps_per_epoch: int
    step_s: float
    iou: float
    persons: int
    n_matched: int
    n_pred: int
    n_true: int
    precision: float | None
    recall: float | None
    f1: float | None
    wake_share: float | None


class OfSubsets(TypedDict):
    """Agreement from subsets of channels: rows of `by_count`, `by_pair` and `mean_attention`."""

    absent_class: str
    most_eeg: int
    count: list[dict[str, float | str | None]]
    pairs: list[dict[str, float | str | None]]
    attention: list[dict[str, float | str | None]]


class BySplit(TypedDict):
    """Agreement by split; one without a recording is absent, and unseen is test and held-out."""

    absent_class: str
    unseen: Pooled | None
    train: NotRequired[OfSplit]
    valid: NotRequired[OfSplit]
    test: NotRequired[OfSplit]
    held_out: NotRequired[OfSplit]
    unlisted: NotRequired[OfSplit]


class Evaluation(BySplit):
    """All that is said of one training."""

    task: str
    classes: list[str]
    uncertainty: Trust | None
    arousals: list[ArousalsFound]
    subsets: NotRequired[OfSubsets]


def of_split(said: BySplit, split: str) -> OfSplit | None:
    """Return what is said of one split, None where it has no recording."""
    return cast(Mapping[str, Any], said).get(split)
