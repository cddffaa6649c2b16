"""Score recordings one after the other and write them in every wanted format."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypnoflow.config import Features, Score
from hypnoflow.direct.inputs import Input, find_inputs
from hypnoflow.direct.night import INTRUSION_STEPS, make_night, statistics
from hypnoflow.errors import CohortError, ConfigError, RecordingError
from hypnoflow.io.export.bids import write_events
from hypnoflow.io.export.edf import write_annotations, write_posteriors
from hypnoflow.io.export.luna import write_annot
from hypnoflow.io.export.night import ScoredNight
from hypnoflow.io.export.tables import write_csv, write_parquet
from hypnoflow.io.export.yasa import write_yasa
from hypnoflow.io.files import write_json
from hypnoflow.io.progress import track
from hypnoflow.io.provenance import provenance
from hypnoflow.report.night import write_png
from hypnoflow.score.files import ScoredFile, score_file
from hypnoflow.score.infer import Scorer

log = logging.getLogger(__name__)

Write = Callable[[ScoredNight, Path], list[Path]]
FORMATS: dict[str, Write] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "edf+": write_annotations,
    "pops": write_posteriors,
    "annot": write_annot,
    "yasa": write_yasa,
    "bids": write_events,
    "png": write_png,
}
# What may go wrong with one file beyond what is foreseen; the next file has its own chance.
UNFORESEEN = (OSError, MemoryError, RuntimeError, ValueError, ArithmeticError, LookupError)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted of every recording; without `channels`, all EEG and EOG that are found by name."""

    channels: tuple[str, ...] = ()
    resolutions: tuple[int, ...] = (1, 30)
    formats: tuple[str, ...] = tuple(FORMATS)
    score: Score = field(default_factory=Score)
    features: Features = field(default_factory=Features)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recording, or of a path that gave none: `facts`, or why there are none."""

    source: str
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def score_inputs(patterns: Sequence[str], scorer: Scorer, out: Path, wishes: Wishes) -> list[Outcome]:
    """Score all recordings among files, folders and patterns; one that fails does not stop the others.

    Raises
    ------
    ConfigError
        If the folder of outputs is a file.
    CohortError
        If there is no recording at all.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out names a folder, and {out} is a file")
    inputs, problems = find_inputs(patterns)
    outcomes = [Outcome(source, error=problem) for source, problem in problems.items()]
    for outcome in outcomes:
        log.error("%s: %s", outcome.source, outcome.error)
    if not inputs:
        raise CohortError("no recording to score")
    return outcomes + [_score_one(given, scorer, out, wishes) for given in track(inputs, len(inputs), "score")]


def _score_one(given: Input, scorer: Scorer, out: Path, wishes: Wishes) -> Outcome:
    try:
        return Outcome(str(given.path), facts=score_input(given, scorer, out, wishes))
    except RecordingError as error:
        located = error.located("", given.path.name)
        log.error("%s", located)
        return Outcome(str(given.path), error=located.what)
    except UNFORESEEN as error:
        log.exception("%s", given.path)
        return Outcome(str(given.path), error=f"unforeseen {type(error).__name__}: {error}")


def score_input(given: Input, scorer: Scorer, out: Path, wishes: Wishes) -> dict[str, Any]:
    """Score one recording, write its files, and return its facts: those of ``{name}.statistics.json``.

    Raises
    ------
    RecordingError
        If it cannot be scored, or if another recording's outputs have its name.
    """
    base = out / given.name
    about = base.with_name(f"{base.name}.statistics.json")
    _refuse_another(about, given.path)
    done = score_file(
        given.path,
        scorer,
        channels=wishes.channels,
        stages=sorted({1, INTRUSION_STEPS, *wishes.resolutions}),
        densities=sorted({1, *wishes.resolutions, wishes.score.hypnodensity_steps}, key=_first(wishes)),
    )
    night = make_night(done, given, wishes.resolutions, wishes.features)
    written = [path for name in wishes.formats for path in FORMATS[name](night, base)]
    facts = _facts(night, done, scorer) | {"files": [path.name for path in written]}
    write_json(about, facts)
    log.info("%s: %d epochs from %s; wrote %s.*", given.path.name, facts["epochs"], ", ".join(night.channels), base)
    for remark in facts["remarks"]:
        log.warning("%s: %s", given.path.name, remark)
    return facts


def _first(wishes: Wishes) -> Callable[[int], bool]:
    """Return a key that sorts the displayed hypnodensity before the others."""
    return lambda steps: steps != wishes.score.hypnodensity_steps


def _refuse_another(about: Path, path: Path) -> None:
    """Raise RecordingError if the outputs that stand there were made from another recording."""
    try:
        other = json.loads(about.read_text())["source"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    if other != str(path.absolute()):
        raise RecordingError(
            f"{about} is of another recording of that name, {other}",
            path=path,
            hint="name another folder with --out, or remove what stands there",
        )


def _facts(night: ScoredNight, done: ScoredFile, scorer: Scorer) -> dict[str, Any]:
    return {
        "source": str(done.path.absolute()),
        "recording": night.name,
        "start": night.start.isoformat() if night.start else None,
        "simulated": night.simulated,
        **statistics(night),
        "channels": {pick.label: pick.source for pick in done.channels},
        "gaps_s": [list(gap) for gap in done.gaps_s],
        "remarks": [*done.warnings, *(f"dropped {label}: {why}" for label, why in done.dropped.items())],
        "networks": [str(facts.get("model")) for facts in scorer.facts],
        "provenance": provenance(),
    }
