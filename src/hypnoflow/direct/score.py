"""One file → stages and probabilities; what is written of them is `hypnoflow.direct`'s affair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hypnoflow.channels.choose import pick_by_label
from hypnoflow.channels.derive import Pick, pick_by_name
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.data.reader import night_of
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.signals import Harmonized, harmonize_signals
from hypnoflow.native.signals import files_of, open_recording_file, snapshot
from hypnoflow.native.source import reading
from hypnoflow.score.infer import Scorer, Scores
from hypnoflow.types import SignalFile

AS_SHIPPED = Harmonize()


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """What was made of one file; `channels` are those that were scored from, `dropped` says why others were not."""

    path: Path
    start: datetime | None
    channels: list[Pick]
    dropped: dict[str, str]
    warnings: list[str]
    gaps_s: list[tuple[float, float]]
    scores: Scores


def score_file(
    path: Path,
    scorer: Scorer,
    *,
    channels: Sequence[str] = (),
    stages: Sequence[int] = (1,),
    densities: Sequence[int] = (30,),
    options: Harmonize = AS_SHIPPED,
) -> ScoredFile:
    """Score one recording of any known format.

    Parameters
    ----------
    channels : sequence of str
        Channels to score from, see `pick_by_label`; empty for all EEG and EOG that are found by name.
    stages, densities : sequence of int
        Predictions per 30 s at which stages and probabilities are wanted; at least one of each.
    options : Harmonize
        What drops a channel. Signals are clipped as those that the network was trained on.

    Returns
    -------
    ScoredFile
        Steps that lie by half or more in a gap of the file, or in an epoch that does, are unscored.

    Raises
    ------
    RecordingError
        If the file cannot be read, lacks a wanted channel, or holds no usable EEG or EOG.
    """
    with reading(path):
        before = snapshot(files_of(path))
        file = open_recording_file(path)
        picks, signals, clip_iqr = _harmonized(file, scorer, channels, options)
        before.check()
    scores = scorer.score(night_of(signals, clip_iqr, file.gaps_s), densities[0], stages, densities)
    used = [pick for pick in picks if pick.label not in signals.dropped]
    remarks = [*file.warnings, *map(str, signals.remarks)]
    return ScoredFile(path, file.start, used, signals.dropped, remarks, list(file.gaps_s), scores)


def _harmonized(
    file: SignalFile, scorer: Scorer, channels: Sequence[str], options: Harmonize
) -> tuple[list[Pick], Harmonized, float]:
    """Return the channels that are scored from, and their signals as the network was trained on them."""
    picks = pick_by_label(channels, file.labels) if channels else pick_by_name(file.labels)
    picks = [pick for pick in picks if pick.kind in scorer.input.wanted_kinds]
    if not picks:
        kinds = " and no ".join(kind.upper() for kind in scorer.input.wanted_kinds)
        raise RecordingError(
            f"no {kinds} among the signals: {', '.join(file.labels)}",
            path=file.path,
            hint="say which signals are EEG or EOG with --channels",
        )
    clip_iqr = float(scorer.preprocessing.get("clip_iqr", options.clip_iqr))
    return picks, harmonize_signals(file, picks, options.model_copy(update={"clip_iqr": clip_iqr})), clip_iqr
