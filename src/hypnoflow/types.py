"""Axes, codes and units, written once; the frozen records that the stages hand to each other.

Axis order is (recording, channel, sample). Times are seconds from the recording's first sample. Signals are
microvolts until `hypnoflow.harmonize` scales them. Stage codes index `STAGES`; `UNSCORED` is everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
StageArray = NDArray[np.uint8]

STAGES = ("W", "N1", "N2", "N3", "R")
W, N1, N2, N3, R = range(5)
UNSCORED = 9

UNSEEN = ("test", "held_out")  # splits whose persons a network was neither trained nor validated on

EPOCH_S = 30
RATE_HZ = 128  # rate of the networks' input
INT16_MAX = 32767  # stored signals: this is `harmonize.clip_iqr` interquartile ranges
PREPROCESSING_VERSION = 2  # of harmonized signals; checkpoints carry it, and other versions refuse to mix
EPOCH_SAMPLES = EPOCH_S * RATE_HZ
# Predictions per 30-s epoch, from 30 s to 1/128 s; all divide EPOCH_SAMPLES (AnySleep, arXiv 2512.14461).
RESOLUTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 384, 640, 960, 1920, 3840)

Kind = Literal["eeg", "eog", "emg", "ecg", "resp"]
KINDS: tuple[Kind, ...] = ("eeg", "eog", "emg", "ecg", "resp")
SCORED_KINDS: tuple[Kind, ...] = ("eeg", "eog")  # what the networks see; EMG gave no gain in AnySleep's pilot

EVENT_KINDS = (
    "arousal",
    "apnea_obstructive",
    "apnea_central",
    "apnea_mixed",
    "apnea",
    "hypopnea",
    "rera",
    "desaturation",
    "limb_movement",
    "other",
)


def is_asleep(stage: StageArray) -> NDArray[np.bool_]:
    """Return which steps are N1, N2, N3 or R; what is unscored is neither sleep nor wake."""
    return (stage > W) & (stage < len(STAGES))


@dataclass(frozen=True, slots=True)
class Channel:
    """One signal under its standard name."""

    label: str  # standard label, e.g. "C3-M2"
    kind: Kind
    source: str  # label(s) in the file, "A" or "A - B" where a derivation was formed
    source_rate_hz: float
    unit: str  # "uV" for potentials, the file's unit otherwise

    @property
    def electrode(self) -> str:
        return self.label.partition("-")[0]

    @property
    def reference(self) -> str:
        return self.label.partition("-")[2]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was marked on the recording."""

    onset_s: float
    duration_s: float
    kind: str  # one of EVENT_KINDS
    channel: str = ""
    source: str = ""  # the file's own word for it


@dataclass(frozen=True, slots=True)
class StageRun:
    """A stretch of one label as the file writes it, before any stage map."""

    onset_s: float
    duration_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Annotations:
    """What the experts wrote: for each scorer a list of runs, and the events.

    `consensus` says how one hypnogram is made of several scorers; "single" where there is one.
    """

    scorers: dict[str, list[StageRun]]
    events: tuple[Event, ...] = ()
    warnings: tuple[str, ...] = ()

    def shifted(self, by_s: float) -> Annotations:
        """Return the same with every time moved by `by_s`."""
        scorers = {
            name: [replace(run, onset_s=run.onset_s + by_s) for run in runs] for name, runs in self.scorers.items()
        }
        events = tuple(replace(event, onset_s=event.onset_s + by_s) for event in self.events)
        return replace(self, scorers=scorers, events=events)


@dataclass(frozen=True, slots=True)
class Samples:
    """A signal as its file holds it.

    values : ndarray, shape (sample,), of int16 or float32
        ``values * gain + offset`` is in the signal's unit.
    """

    values: NDArray[Any]
    gain: float = 1.0
    offset: float = 0.0


class SignalFile(Protocol):
    """An open recording whose signals are read one by one at their own rate."""

    path: Path
    warnings: list[str]

    @property
    def labels(self) -> Sequence[str]:
        """Labels in file order."""

    @property
    def start(self) -> datetime | None:
        """Absolute start of the first sample, if the file knows it."""

    @property
    def duration_s(self) -> float:
        """Length of the recording, s."""

    @property
    def gaps_s(self) -> Sequence[tuple[float, float]]:
        """Stretches (start_s, end_s) in which nothing was recorded; `read` has NaN there."""

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate of one signal, Hz."""

    def unit(self, label: str) -> str:
        """Return the unit of `read`: "uV" for potentials, else as in the file."""

    def read(self, label: str) -> FloatArray:
        """Return the whole signal, shape (sample,), in `unit`."""

    def samples(self, label: str) -> Samples:
        """Return the same signal, as integers where the file holds such and has no gaps."""


def step_s(steps_per_epoch: int) -> float:
    """Return the length of one prediction, s, at `steps_per_epoch` predictions per 30 s."""
    return EPOCH_S / steps_per_epoch


def labels_per_epoch(label_s: float) -> int:
    """Return how many labels of `label_s` seconds make 30 s.

    Raises
    ------
    ValueError
        If labels do not fill 30 s, are shorter than 1 s, or do not lie on whole samples at 128 Hz.
    """
    n = round(EPOCH_S / label_s)
    if label_s < 1 or n < 1 or abs(n * label_s - EPOCH_S) > 1e-9 or EPOCH_SAMPLES % n:
        raise ValueError(
            f"label_s must be 30 s or a part of it down to 1 s (15, 10, 5, 3, 2, 1 ...), found {label_s:g}"
        )
    return n
