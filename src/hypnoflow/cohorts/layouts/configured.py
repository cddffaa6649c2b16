"""From a name and its section of the config to a cohort: one of the files here, any folder, or EEG-BIDS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from hypnoflow.channels.derive import Pick, normal, pick_by_name, pick_by_wish, standard_label
from hypnoflow.channels.names import parse_name
from hypnoflow.cohorts import cohorts
from hypnoflow.cohorts.layouts import bids, folder
from hypnoflow.cohorts.layouts.base import Alignment, Cohort
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.errors import ConfigError, RecordingError
from hypnoflow.native.annotations.hypnogram import COMMON, UNTIMED, from_marks, read_hypnogram
from hypnoflow.native.bids import BidsFile
from hypnoflow.native.edf import EdfFile
from hypnoflow.native.mne import MneFile
from hypnoflow.native.signals import open_recording_file
from hypnoflow.types import UNSCORED, Annotations, SignalFile, StageRun

UNLABELLED = "no hypnogram"
# A hypnogram that is too long is never right; one that covers the night within a day-long recording is.
ALIGNMENT = Alignment(overrun_s=30, short_s=12 * 3600)
UNTIMED_SHORT_S = 300.0  # by this much may stages without times end before the signals


def resolve(name: str, config: CohortConfig) -> Cohort:
    """Return the cohort that a section of the config means.

    Raises
    ------
    ConfigError
        If a named cohort does not exist, a name cannot be a folder's, or `channels` names what is no channel.
    """
    if config.kind == "named":
        return cohorts.get(name)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ConfigError(f"cohort {name!r}: a name has letters, digits, - and _ only")
    if isinstance(config.channels, Mapping):
        for label in config.channels:
            standard_label(label)
    own = {label: COMMON[stage] for label, stage in (config.stages or {}).items()}
    is_bids = config.kind == "bids"
    return Cohort(
        name=name,
        channels=(),
        stages=COMMON | own | {UNLABELLED: UNSCORED},
        discover=partial(bids.discover if is_bids else folder.discover, participants=config.participants),
        open_signals=BidsFile if is_bids else open_recording_file,
        read_annotations=partial(_read_annotations, tuple(own)),
        alignment=ALIGNMENT,
        pick=partial(_pick, config),
    )


def _read_annotations(own: Sequence[str], paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read the hypnogram beside the signals or in them; a recording without one is kept, and unscored."""
    if paths:
        hypnogram = read_hypnogram(paths[0], own, signals.start)
        annotations = hypnogram.annotations
        if hypnogram.dialect in UNTIMED:
            _check_begin(annotations, signals.duration_s, paths[0])
        missing = f"{paths[0].name} holds no stages: the recording is unscored"
    else:
        marks = signals.annotations() if isinstance(signals, EdfFile | MneFile | BidsFile) else []
        annotations = from_marks(marks, own)
        missing = "no hypnogram beside the signals or in them: the recording is unscored"
    _check_labels(annotations, own, paths[0] if paths else signals.path)
    if any(annotations.scorers.values()):
        return annotations
    nothing = {"none": [StageRun(0.0, signals.duration_s, UNLABELLED)]}
    return replace(annotations, scorers=nothing, warnings=(*annotations.warnings, missing))


def _check_begin(annotations: Annotations, duration_s: float, path: Path) -> None:
    """Raise RecordingError for a list of stages so short that it may well not begin with the signals."""
    ends_s = max((run.onset_s + run.duration_s for runs in annotations.scorers.values() for run in runs), default=0.0)
    if duration_s - ends_s > UNTIMED_SHORT_S:
        raise RecordingError(
            f"the stages cover {ends_s:g} s of {duration_s:g} s, and do not say when they begin",
            path=path,
            hint="write them with their onsets: a table with the columns onset, duration (both s) and stage",
        )


def _forms(label: str) -> set[str]:
    """Return a label as it stands and as its standard name, for comparison."""
    name = parse_name(label)
    return {normal(label)} | ({normal(name.label)} if name else set())


def _check_labels(annotations: Annotations, own: Sequence[str], path: Path) -> None:
    for run in (run for runs in annotations.scorers.values() for run in runs):
        if run.label not in COMMON and run.label not in own:
            known = ", ".join((*COMMON, *own))
            raise RecordingError(
                f"unmapped stage label {run.label!r}, first at {run.onset_s:g} s; known: {known}, and their common "
                "spellings",
                path=path,
                hint="say what it means in `stages` of the cohort's section in the config",
            )


def _pick(config: CohortConfig, file: SignalFile) -> list[Pick]:
    """Return the channels that the config names, or those guessed from the labels.

    Raises
    ------
    RecordingError
        If the config lists a label of the file whose name does not tell what it is.
    """
    wish = config.channels
    if isinstance(wish, Mapping):
        return pick_by_wish(wish, file.labels)
    picks = pick_by_name(file.labels, file.types if isinstance(file, BidsFile) else {})
    if wish is None:
        return picks
    wanted = {form for label in wish for form in _forms(label)}
    chosen = [p for p in picks if ({normal(p.label)} | _forms(p.plus)) & wanted]
    used = {p.plus for p in chosen}
    unknown = [label for label in file.labels if normal(label) in map(normal, wish) and label not in used]
    if unknown:
        raise RecordingError(
            f"`channels` lists {', '.join(map(repr, unknown))}, and no channel comes of it: its name does not tell "
            "what it is, or another signal gave the same channel",
            path=file.path,
            hint="write `channels` as {standard label: label in the file}, e.g. {C3-M2: EEG 7}",
        )
    return chosen
