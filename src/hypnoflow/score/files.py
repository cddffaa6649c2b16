"""The direct path: a person's recordings → hypnogram and hypnodensity tables, without a workflow."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from hypnoflow.channels.derive import Pick, pick_by_name
from hypnoflow.config import Harmonize, Score
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.signals import harmonize_signals, in_gaps
from hypnoflow.io.files import replacing
from hypnoflow.io.progress import track
from hypnoflow.io.signals import open_recording_file
from hypnoflow.score.infer import Scorer, Scores
from hypnoflow.types import EPOCH_S, SCORED_KINDS, STAGES, UNSCORED

log = logging.getLogger(__name__)

NAMES = {**dict(enumerate(STAGES)), UNSCORED: "?"}


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """What was made of one file; `channels` are those that were scored from, `dropped` says why others were not."""

    path: Path
    channels: list[Pick]
    dropped: dict[str, str]
    warnings: list[str]
    scores: Scores
    written: list[Path]


def score_files(
    paths: Sequence[Path],
    checkpoints: Sequence[Path | str],
    out: Path,
    options: Score,
    *,
    threads: int,
    device: str,
) -> list[RecordingError]:
    """Score recordings one after the other; a file that fails is reported and does not stop the others.

    Returns
    -------
    list of RecordingError
        One per file that failed.
    """
    torch.set_num_threads(threads)
    scorer = Scorer(checkpoints, device, calibrate=options.calibrate, abstain_below=options.abstain_below)
    failed = []
    for path in track(paths, len(paths), "score"):
        try:
            done = score_file(path, scorer, out, hypnodensity_steps=options.hypnodensity_steps)
        except RecordingError as error:
            failed.append(error.located("", path.name))
            log.error("%s", failed[-1])
            continue
        stage = done.scores.stage[1]
        stages = ", ".join(f"{name} {np.count_nonzero(stage == code)}" for code, name in NAMES.items())
        channels = ", ".join(pick.label for pick in done.channels)
        log.info("%s: %d epochs (%s) from %s", path.name, len(stage), stages, channels)
        for remark in (*done.warnings, *(f"dropped {label}: {why}" for label, why in done.dropped.items())):
            log.warning("%s: %s", path.name, remark)
        for target in done.written:
            log.info("wrote %s", target)
    return failed


def score_file(path: Path, scorer: Scorer, out: Path, *, hypnodensity_steps: int = 30) -> ScoredFile:
    """Score one recording of any known format from all EEG and EOG channels found by name, and write two CSV tables.

    ``{stem}.hypnogram.csv`` has onset_s, duration_s and stage per 30-s epoch; ``{stem}.hypnodensity.csv`` onset_s
    and the five probabilities per row, at `hypnodensity_steps` rows per epoch (30: one per second). Epochs that lie
    by half or more in gaps of the file have the stage "?" and no probabilities.

    Raises
    ------
    RecordingError
        If the file cannot be read, or holds no usable EEG or EOG.
    """
    file = open_recording_file(path)
    picks = [pick for pick in pick_by_name(file.labels) if pick.kind in SCORED_KINDS]
    clip_iqr = float(scorer.preprocessing.get("clip_iqr", Harmonize().clip_iqr))
    signals = harmonize_signals(file, picks, Harmonize(clip_iqr=clip_iqr))
    x = np.concatenate([kind.x for kind in signals.kinds.values()]).astype(np.float32) * np.float32(clip_iqr / 32767)
    kinds = [name for name, kind in signals.kinds.items() for _ in kind.channels]
    scores = scorer.score(x, hypnodensity_steps, (1,), kinds).without(in_gaps(file.gaps_s, signals.n_epochs))
    out.mkdir(parents=True, exist_ok=True)
    tables = {"hypnogram": hypnogram_table(scores), "hypnodensity": hypnodensity_table(scores)}
    written = []
    for name, table in tables.items():
        target = out / f"{path.stem}.{name}.csv"
        with replacing(target) as partial:
            table.to_csv(partial, index=False, float_format="%.6g")
        written.append(target)
    used = [pick for pick in picks if pick.label not in signals.dropped]
    return ScoredFile(path, used, signals.dropped, [*file.warnings, *map(str, signals.remarks)], scores, written)


def hypnogram_table(scores: Scores) -> pd.DataFrame:
    """Return one row per 30-s epoch: onset_s, duration_s, stage ("?" where nothing was recorded)."""
    stage = scores.stage[1]
    names = [NAMES[code] for code in stage.tolist()]
    return pd.DataFrame({"onset_s": np.arange(len(stage)) * EPOCH_S, "duration_s": EPOCH_S, "stage": names})


def hypnodensity_table(scores: Scores) -> pd.DataFrame:
    """Return one row per step: onset_s, and p_W to p_R, which are NaN where nothing was recorded."""
    table = pd.DataFrame(scores.probability, columns=[f"p_{stage}" for stage in STAGES])
    table.insert(0, "onset_s", np.arange(len(table)) * (EPOCH_S / scores.steps_per_epoch))
    return table
