"""The direct path: a person's EDF files → hypnogram and hypnodensity tables, without a workflow."""

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
from hypnoflow.harmonize.signals import harmonize_signals
from hypnoflow.io.edf import EdfFile
from hypnoflow.io.files import replacing
from hypnoflow.io.progress import track
from hypnoflow.score.infer import Scorer, Scores
from hypnoflow.types import EPOCH_S, SCORED_KINDS, STAGES

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """What was made of one file."""

    path: Path
    channels: list[Pick]
    dropped: dict[str, str]
    warnings: list[str]
    scores: Scores
    written: list[Path]


def score_edfs(
    paths: Sequence[Path],
    checkpoints: Sequence[Path],
    out: Path,
    options: Score,
    *,
    threads: int,
    device: str,
) -> list[RecordingError]:
    """Score EDF files one after the other; a file that fails is reported and does not stop the others.

    Returns
    -------
    list of RecordingError
        One per file that failed.
    """
    torch.set_num_threads(threads)
    scorer = Scorer(checkpoints, device)
    failed = []
    for path in track(paths, len(paths), "score"):
        try:
            done = score_edf(path, scorer, out, hypnodensity_steps=options.hypnodensity_steps)
        except RecordingError as error:
            failed.append(error.located("", path.name))
            log.error("%s", failed[-1])
            continue
        counts = np.bincount(done.scores.stage[1], minlength=len(STAGES))
        stages = ", ".join(f"{name} {n}" for name, n in zip(STAGES, counts, strict=True))
        log.info(
            "%s: %d epochs (%s) from %s",
            path.name,
            counts.sum(),
            stages,
            ", ".join(p.label for p in done.channels),
        )
        for remark in (*done.warnings, *(f"dropped {label}: {why}" for label, why in done.dropped.items())):
            log.warning("%s: %s", path.name, remark)
        for target in done.written:
            log.info("wrote %s", target)
    return failed


def score_edf(path: Path, scorer: Scorer, out: Path, *, hypnodensity_steps: int = 30) -> ScoredFile:
    """Score one EDF file from all EEG and EOG channels found by name, and write two CSV tables.

    ``{stem}.hypnogram.csv`` has onset_s, duration_s and stage per 30-s epoch; ``{stem}.hypnodensity.csv`` onset_s
    and the five probabilities per row, at `hypnodensity_steps` rows per epoch (30: one per second).

    Raises
    ------
    RecordingError
        If the file cannot be read, or holds no usable EEG or EOG.
    """
    file = EdfFile(path)
    picks = [pick for pick in pick_by_name(file.labels) if pick.kind in SCORED_KINDS]
    clip_iqr = float(scorer.preprocessing.get("clip_iqr", Harmonize().clip_iqr))
    signals = harmonize_signals(file, picks, Harmonize(clip_iqr=clip_iqr))
    x = np.concatenate([kind.x for kind in signals.kinds.values()]).astype(np.float32) * np.float32(clip_iqr / 32767)
    scores = scorer.score(x, hypnodensity_steps, resolutions=(1,))
    out.mkdir(parents=True, exist_ok=True)
    tables = {"hypnogram": hypnogram_table(scores), "hypnodensity": hypnodensity_table(scores)}
    written = []
    for name, table in tables.items():
        target = out / f"{path.stem}.{name}.csv"
        with replacing(target) as partial:
            table.to_csv(partial, index=False, float_format="%.6g")
        written.append(target)
    return ScoredFile(path, picks, signals.dropped, file.warnings, scores, written)


def hypnogram_table(scores: Scores) -> pd.DataFrame:
    """Return one row per 30-s epoch: onset_s, duration_s, stage."""
    stage = scores.stage[1]
    names = np.array(STAGES)[stage]
    return pd.DataFrame({"onset_s": np.arange(len(stage)) * EPOCH_S, "duration_s": EPOCH_S, "stage": names})


def hypnodensity_table(scores: Scores) -> pd.DataFrame:
    """Return one row per step: onset_s, and p_W to p_R."""
    table = pd.DataFrame(scores.probability, columns=[f"p_{stage}" for stage in STAGES])
    table.insert(0, "onset_s", np.arange(len(table)) * (EPOCH_S / scores.steps_per_epoch))
    return table
