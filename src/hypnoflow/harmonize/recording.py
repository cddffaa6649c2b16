"""One recording of a manifest → its group in a store of the shard, and its row of the QC table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypnoflow.channels.derive import Pick
from hypnoflow.cohorts.layouts.base import Cohort, facts
from hypnoflow.cohorts.layouts.configured import resolve
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.errors import RecordingError
from hypnoflow.facts.files import fingerprint, sha256
from hypnoflow.facts.ours import remove_folder
from hypnoflow.harmonize.labels import consensus_rule, from_first_mark, labels_of, without_staging
from hypnoflow.harmonize.qc import qc_row
from hypnoflow.harmonize.signals import Harmonized, harmonize_signals
from hypnoflow.native.signals import files_of, snapshot
from hypnoflow.native.source import reading, vanished
from hypnoflow.store.shard import Map
from hypnoflow.store.store import Labels, write_recording
from hypnoflow.store.store_files import content_hash, finished_group
from hypnoflow.types import PREPROCESSING_VERSION, Annotations, SignalFile


@dataclass(frozen=True, slots=True)
class Task:
    """One recording to harmonize into the group `recording` of the store `partial`."""

    row: dict[str, Any]
    root: Path
    partial: Path
    options: Harmonize
    recipe: str
    config: CohortConfig = CohortConfig()
    threads: int = 1  # within the recording


def recipe_of(rules: Cohort, config: CohortConfig, options: Harmonize) -> str:
    """Return the fingerprint of all that decides how a cohort's recordings are harmonized."""
    declared = [repr(rules.channels), rules.stages, repr(rules.alignment), rules.consensus]
    return fingerprint([PREPROCESSING_VERSION, options.model_dump(), *declared, config.channels])


def row_recipe(recipe: str, row: dict[str, Any]) -> str:
    """Return the fingerprint of one recording: the cohort's, and what the manifest says about using it."""
    return fingerprint([recipe, *(row[name] for name in ("person", "group", "visit", "staged", "excluded")),
                        *(list(row[name]) for name in ("annotation_paths", "left_out"))])  # fmt: skip


def harmonize_recording(task: Task, on_error: str) -> dict[str, Any]:
    """Harmonize one recording into its group and return its QC row; a bad one gives a row that says why."""
    row = task.row
    cohort, name = str(row["cohort"]), str(row["recording"])
    qc = finished_group(task.partial, name, task.recipe)
    try:
        if qc is None:
            refuse_excluded(row)
            with ThreadPoolExecutor(task.threads) as pool:
                qc = _harmonize(task, resolve(cohort, task.config), pool.map if task.threads > 1 else map)
        return qc | {"content_sha256": content_hash(task.partial / name)}
    except RecordingError as error:
        return skipped(task, error, on_error)


def skipped(task: Task, error: RecordingError, on_error: str) -> dict[str, Any]:
    """Return the QC row of a recording that cannot be used; RecordingError where that is to stop the shard."""
    row = task.row
    cohort, name = str(row["cohort"]), str(row["recording"])
    located = error.located(cohort, name)
    if on_error == "abort" and not row["excluded"]:
        raise located from error
    remove_folder(task.partial / name)  # what an earlier run may have left of it
    path = located.path
    if path is not None and path.is_relative_to(task.root):
        path = path.relative_to(task.root)
    return {
        "cohort": cohort,
        "recording": name,
        "status": "skipped",
        "reason": located.what,
        "hint": located.hint,
        "content_sha256": "",
        "path": str(path or row["signal_path"]),
    }


def refuse_excluded(row: dict[str, Any]) -> None:
    """Raise RecordingError, with the reason, for a recording that ``fixes.csv`` takes out."""
    if row["excluded"]:
        raise RecordingError(f"excluded: {row['excluded']}", hint="see src/hypnoflow/cohorts/fixes.csv")


@dataclass(frozen=True, slots=True)
class _Night:
    """What was read of one recording; `sources` holds the hash of each file."""

    file: SignalFile
    annotations: Annotations
    labels: Labels
    signals: Harmonized
    lead_in_s: float
    excess_s: float
    sources: dict[str, str]


def _read(task: Task, cohort: Cohort, run: Map) -> _Night:
    """Read one recording; `run` maps functions over files and channels.

    Raises
    ------
    RecordingError
        If it cannot be used, or if one of its files fails, vanishes or changes meanwhile.
    """
    row, root = task.row, task.root
    signal_path = root / row["signal_path"]
    annotation_paths = [root / path for path in row["annotation_paths"]]
    with reading(signal_path):
        sources = [*files_of(signal_path), *annotation_paths]
        before = snapshot(sources)
        file = cohort.open_signals(signal_path)
        hashes = run(_hash, sources)
        annotations = cohort.read_annotations(annotation_paths, file)
        file, annotations, lead_in_s = from_first_mark(file, annotations, cohort.alignment)
        labels, excess_s = labels_of(annotations, cohort, file, annotation_paths, task.options.label_s)
        if not row["staged"]:
            labels, annotations = without_staging(labels, annotations)
        signals = harmonize_signals(file, picks_of(row, cohort, file), task.options, run)
        named = {str(path.relative_to(root)): h for path, h in zip(sources, hashes, strict=True)}
        before.check()
    return _Night(file, annotations, labels, signals, lead_in_s, excess_s, named)


def _hash(path: Path) -> str:
    """Return the hash of a file that was there when the recording was opened."""
    with reading(path):
        try:
            return sha256(path)
        except FileNotFoundError as error:
            raise vanished(path) from error


def _harmonize(task: Task, cohort: Cohort, run: Map) -> dict[str, Any]:
    """Harmonize one recording and return its QC row.

    What fails in reading is the recording's own affair; what fails in writing is the store's, and stops the shard.
    """
    row, night = task.row, _read(task, cohort, run)
    file, signals, labels = night.file, night.signals, night.labels
    warnings = [*file.warnings, *night.annotations.warnings]
    attributes = {
        "cohort": cohort.name,
        "recording": row["recording"],
        "person": row["person"],
        "group": row["group"],
        "visit": row["visit"],
        "simulated": bool(row["simulated"]),
        "start": file.start.isoformat() if file.start else None,
        "consensus": consensus_rule(labels, cohort),
        "lead_in_cut_s": night.lead_in_s,
        "gaps_s": file.gaps_s,
        "crop_s": file.duration_s - 30 * signals.n_epochs,
        "hypnogram_excess_s": night.excess_s,
        "licence": facts(cohort.name)["licence"],
        "source_sha256": night.sources,
        "preprocessing_version": PREPROCESSING_VERSION,
        "recipe": task.recipe,
        "clip_iqr": task.options.clip_iqr,
    }
    qc = qc_row(row, signals, labels.stage, night.excess_s, warnings)
    attributes["qc"] = qc
    write_recording(task.partial, signals, labels, night.annotations.events, attributes, signals.room.settling(run))
    return qc


def picks_of(row: dict[str, Any], cohort: Cohort, file: SignalFile) -> list[Pick]:
    """Return the channels to make, without those that ``fixes.csv`` leaves out."""
    return [pick for pick in cohort.picks(file) if pick.label not in row["left_out"]]
