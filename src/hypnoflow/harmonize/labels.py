"""The marks of a recording as stages on the grid of its epochs: each scorer's, and what they agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hypnoflow.cohorts.layouts.base import Alignment, Cohort
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.stages import to_epochs
from hypnoflow.native.cut import CutFile
from hypnoflow.night.consensus import consensus
from hypnoflow.night.gaps import in_gaps
from hypnoflow.store.store import Labels
from hypnoflow.types import EPOCH_S, UNSCORED, Annotations, SignalFile


def from_first_mark(
    file: SignalFile, annotations: Annotations, alignment: Alignment
) -> tuple[SignalFile, Annotations, float]:
    """Cut what lies before the first mark, in whole seconds, where the cohort's epochs begin there."""
    onsets = [run.onset_s for runs in annotations.scorers.values() for run in runs]
    lead_in_s = float(int(min(onsets, default=0)))
    if alignment.starts == "signals" or lead_in_s <= 0:
        return file, annotations, 0.0
    return CutFile(file, lead_in_s), annotations.shifted(-lead_in_s), lead_in_s


def labels_of(
    annotations: Annotations, cohort: Cohort, file: SignalFile, paths: Sequence[Path], label_s: float = EPOCH_S
) -> tuple[Labels, float]:
    """Return the stages of all scorers and what they agree on, at 30 s and, if shorter, on the grid of `label_s`.

    With them comes the longest hypnogram's excess over the signals, s.
    """
    scorers, excess_s = score_epochs(annotations, cohort, file, paths)
    names = list(annotations.scorers) if len(scorers) > 1 else []
    fine = None
    if label_s < EPOCH_S:
        each, _ = score_epochs(annotations, cohort, file, paths, label_s)
        n = scorers.shape[1] * round(EPOCH_S / label_s)
        # An epoch that the signals fall short of by less than half a second is kept; so are its labels.
        each = np.pad(each, ((0, 0), (0, max(n - each.shape[1], 0))), constant_values=UNSCORED)[:, :n]
        fine = agreed(each, cohort)
    return Labels(agreed(scorers, cohort), names, scorers, fine, label_s), excess_s


def without_staging(labels: Labels, annotations: Annotations) -> tuple[Labels, Annotations]:
    """Leave out stages, and the arousals that go with them, which are no truth."""
    events = tuple(event for event in annotations.events if event.kind != "arousal")
    arrays = {
        name: np.full_like(getattr(labels, name), UNSCORED)
        for name in ("stage", "scorers", "fine")
        if getattr(labels, name) is not None
    }
    return replace(labels, **arrays), replace(annotations, events=events)


def agreed(scorers: np.ndarray, cohort: Cohort) -> np.ndarray:
    """Return the hypnogram of all scorers, shape (epoch,)."""
    return scorers[0] if len(scorers) == 1 or cohort.consensus == "first" else consensus(scorers)


def consensus_rule(labels: Labels, cohort: Cohort) -> str:
    """Return in words how one hypnogram was made of all scorers'."""
    if len(labels.scorers) == 1:
        return "single"
    if cohort.consensus == "first":
        return "first scorer"
    return "4 most agreeing scorers, majority, ties to the highest-ranked"


def score_epochs(
    annotations: Annotations, cohort: Cohort, file: SignalFile, paths: Sequence[Path], epoch_s: float = EPOCH_S
) -> tuple[np.ndarray, float]:
    """Return each scorer's stages, shape (scorer, epoch), and the longest hypnogram's excess over the signals, s.

    `paths` are the annotation files, one per scorer where there are several; they are named in errors.
    """
    stages, excess = [], []
    for i, runs in enumerate(annotations.scorers.values()):
        try:
            stage, longer_s = to_epochs(runs, cohort.stages, cohort.alignment, file.duration_s, epoch_s)
        except RecordingError as error:
            # What the signal file already complained about is often the cause (a torn file, say).
            remarks = "".join(f"; {warning}" for warning in file.warnings)
            where = f" ({paths[i].parent.name}/{paths[i].name})" if i < len(paths) else ""
            raise RecordingError(error.what + where + remarks, path=file.path, hint=error.hint) from error
        stage[in_gaps(file.gaps_s, len(stage), epoch_s=epoch_s)] = UNSCORED
        stages.append(stage)
        excess.append(longer_s)
    return np.stack(stages), max(excess, key=abs)
