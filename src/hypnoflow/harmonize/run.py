"""One shard of a cohort's manifest → one Zarr store, its QC table and the sibling JSON that says it is whole."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.channels.derive import Pick
from hypnoflow.cohorts._base import Alignment, Cohort, facts
from hypnoflow.cohorts._configured import resolve
from hypnoflow.config import CohortConfig, Harmonize
from hypnoflow.errors import CohortError, OutputError, RecordingError, shown
from hypnoflow.harmonize.processes import in_processes
from hypnoflow.harmonize.qc import qc_row
from hypnoflow.harmonize.signals import Harmonized, harmonize_signals, in_gaps
from hypnoflow.harmonize.stages import consensus, to_epochs
from hypnoflow.io._source import reading, vanished
from hypnoflow.io.claim import claim
from hypnoflow.io.cut import CutFile
from hypnoflow.io.files import fingerprint, records, replacing, sha256
from hypnoflow.io.ours import check_apart, check_store, put_in_place, remove_folder
from hypnoflow.io.progress import track
from hypnoflow.io.provenance import write_facts
from hypnoflow.io.shard import Map
from hypnoflow.io.signals import files_of, snapshot
from hypnoflow.io.store import Labels, recordings, write_recording
from hypnoflow.io.store_files import (
    HARMONIZED,
    begin_store,
    carry_over,
    consolidate,
    content_hash,
    drop_others,
    finished_group,
    store_sizes,
    zarr_attrs,
)
from hypnoflow.types import EPOCH_S, UNSCORED, Annotations, SignalFile

log = logging.getLogger(__name__)

WORTH_PROCESSES = 4  # recordings per process, below which starting processes takes longer than they save
VERSION = 2  # of the preprocessing; checkpoints carry it, and other versions refuse to mix


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


def harmonize_shard(
    manifest: pd.DataFrame,
    root: Path | CohortConfig,
    store: Path,
    options: Harmonize,
    *,
    threads: int = 1,
    on_error: str = "skip",
    max_skipped: float = 1.0,
) -> pd.DataFrame:
    """Harmonize the recordings of one shard and return its QC table, one row per recording.

    The store appears under its name only when it is whole; ``{store}.json`` is written last. Recordings that a
    killed run had finished are taken over.

    Parameters
    ----------
    manifest : DataFrame
        Rows of one shard of one cohort, or recordings of one cohort that were given by hand, whose shard is empty:
        a store of the shard is replaced; to one of recordings given by hand they are added.
    root : Path or CohortConfig
        The cohort's folder, or its section of the config, which names the folder.
    store : Path
        The ``.zarr`` folder to make; beside it go ``.qc.parquet`` and ``.json``.
    on_error : {"skip", "abort"}
        What a bad recording does; one that is excluded is always skipped.
    max_skipped : float
        Largest share of the shard that may be skipped, not counting what ``fixes.csv`` excludes.

    Raises
    ------
    RecordingError
        With ``on_error="abort"``, the first bad recording's.
    CohortError
        If more than `max_skipped` of the recordings were skipped.
    OutputError
        If something else stands under the store's name.
    """
    cohort = str(manifest["cohort"].iloc[0])
    config = root if isinstance(root, CohortConfig) else CohortConfig(root=str(root))
    rules = resolve(cohort, config)
    recipe = recipe_of(rules, config, options)
    qc = store.with_suffix(".qc.parquet")
    shard = str(manifest["shard"].iloc[0])
    of = f"{cohort}/{shard}" if shard else cohort
    with claim(store.with_suffix(".json"), [qc]) as mine:
        kept = _kept(store, of, manifest, Path(str(config.root)), add=not shard)
        partial = begin_store(mine, store, HARMONIZED, recipe, of)
        inside = threads if len(manifest) < WORTH_PROCESSES * threads else 1
        tasks = [
            Task(row, Path(str(config.root)), partial, options, row_recipe(recipe, row), config, inside)
            for row in records(manifest)
        ]
        rows = _run_all(tasks, threads, on_error)
        table = pd.DataFrame(rows)
        _check_skipped(table, set(manifest.loc[manifest["excluded"] != "", "recording"]), max_skipped)
        # What could not be read this time does not take away what was read before.
        kept = kept[~kept["recording"].isin(table.loc[table["status"] == "ok", "recording"])]
        carry_over(store, partial, kept.loc[kept["status"] == "ok", "recording"])
        table = pd.concat([table[~table["recording"].isin(kept["recording"])], kept])
        table = table.sort_values("recording", ignore_index=True)
        drop_others(partial, table["recording"])
        consolidate(partial)
        put_in_place(partial, store)
        with replacing(qc) as path:
            table.to_parquet(path, index=False)
        write_facts(mine.record, "harmonize", _description(cohort, store, table, recipe, options), [qc])
    return table


def _kept(store: Path, of: str, manifest: pd.DataFrame, root: Path, *, add: bool) -> pd.DataFrame:
    """Return the rows of the QC table of the store that is there which stay in it.

    Raises
    ------
    OutputError
        If it is no store of ours, holds what is read, is of another shard, or has a name for another recording.
    """
    none = pd.DataFrame(columns=["recording", "status"])
    if not os.path.lexists(store):
        return none
    check_store(store, HARMONIZED)
    check_apart(store, [root / path for path in manifest["signal_path"]])
    there, names = zarr_attrs(store).get("of"), recordings(store)
    if there != of:
        raise OutputError(store, f"holds recordings of {shown(there)}, not of {of}")
    if not add:
        return none
    for name in sorted({*names} & {*manifest["recording"]}):
        path = root / manifest.loc[manifest["recording"] == name, "signal_path"].iloc[0]
        if path.is_file() and sha256(path) not in zarr_attrs(store / name)["source_sha256"].values():
            raise OutputError(store, f"holds another recording called {shown(name)} than {shown(path)}")
    try:
        before = pd.read_parquet(store.with_suffix(".qc.parquet"))
    except (OSError, ValueError):
        before = none
    held = [zarr_attrs(store / name)["qc"] | {"content_sha256": content_hash(store / name)} for name in names]
    skipped = before[(before["status"] == "skipped") & ~before["recording"].isin(names)]
    return pd.concat([pd.DataFrame(held, columns=None if held else none.columns), skipped], ignore_index=True)


def _check_skipped(table: pd.DataFrame, excluded: set[str], max_skipped: float) -> None:
    """Raise CohortError if too large a share was skipped, not counting what is `excluded` on purpose."""
    skipped = table[(table["status"] == "skipped") & ~table["recording"].isin(excluded)]
    if len(skipped) > max_skipped * len(table):
        reasons = "\n  ".join(skipped["recording"] + ": " + skipped["reason"])
        raise CohortError(
            f"{table['cohort'].iloc[0]}: {len(skipped)} of {len(table)} recordings skipped, more than run.max_skipped "
            f"({max_skipped:g}) allows\n  {reasons}"
        )


def recipe_of(rules: Cohort, config: CohortConfig, options: Harmonize) -> str:
    """Return the fingerprint of all that decides how a cohort's recordings are harmonized."""
    declared = [repr(rules.channels), rules.stages, repr(rules.alignment), rules.consensus]
    return fingerprint([VERSION, options.model_dump(), *declared, config.channels])


def row_recipe(recipe: str, row: dict[str, Any]) -> str:
    """Return the fingerprint of one recording: the cohort's, and what the manifest says about using it."""
    return fingerprint([recipe, *(row[name] for name in ("person", "group", "visit", "staged", "excluded")),
                        *(list(row[name]) for name in ("annotation_paths", "left_out"))])  # fmt: skip


def _run_all(tasks: list[Task], threads: int, on_error: str) -> list[dict[str, Any]]:
    """Run every task, in processes of their own, and return the QC rows."""
    if threads == 1 or len(tasks) < WORTH_PROCESSES * threads:
        done = (harmonize_recording(task, on_error) for task in tasks)
        return [_report(row, i, len(tasks)) for i, row in enumerate(track(done, len(tasks), "harmonize"), 1)]
    work, skip = partial(harmonize_recording, on_error=on_error), partial(_skip, on_error=on_error)
    rows = in_processes(work, tasks, threads, skip)
    return [_report(row, i, len(tasks)) for i, row in enumerate(track(rows, len(tasks), "harmonize"), 1)]


def _report(row: dict[str, Any], done: int, total: int) -> dict[str, Any]:
    message = f"{done}/{total} {row['cohort']}/{row['recording']} {row['status']}"
    if row["status"] == "skipped":
        log.warning("%s: %s", message, row["reason"])
    else:
        log.info("%s: %d epochs, %s", message, row["n_epochs"], row["channels"])
    return row


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
        return _skip(task, error, on_error)


def _skip(task: Task, error: RecordingError, on_error: str) -> dict[str, Any]:
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
        "preprocessing_version": VERSION,
        "recipe": task.recipe,
        "clip_iqr": task.options.clip_iqr,
    }
    qc = qc_row(row, signals, labels.stage, night.excess_s, warnings)
    attributes["qc"] = qc
    write_recording(task.partial, signals, labels, night.annotations.events, attributes, run)
    return qc


def from_first_mark(
    file: SignalFile, annotations: Annotations, alignment: Alignment
) -> tuple[SignalFile, Annotations, float]:
    """Cut what lies before the first mark, in whole seconds, where the cohort's epochs begin there."""
    onsets = [run.onset_s for runs in annotations.scorers.values() for run in runs]
    lead_in_s = float(int(min(onsets, default=0)))
    if alignment.starts == "signals" or lead_in_s <= 0:
        return file, annotations, 0.0
    return CutFile(file, lead_in_s), annotations.shifted(-lead_in_s), lead_in_s


def picks_of(row: dict[str, Any], cohort: Cohort, file: SignalFile) -> list[Pick]:
    """Return the channels to make, without those that ``fixes.csv`` leaves out."""
    return [pick for pick in cohort.picks(file) if pick.label not in row["left_out"]]


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


def _description(cohort: str, store: Path, table: pd.DataFrame, recipe: str, options: Harmonize) -> dict[str, Any]:
    done = table[table["status"] == "ok"]
    return {
        "cohort": cohort,
        "shard": store.stem,
        "recordings": dict(zip(done["recording"], done["content_sha256"], strict=True)),
        "bytes": store_sizes(store, done["recording"]),
        "sources": {name: zarr_attrs(store / name)["source_sha256"] for name in done["recording"]},
        "skipped": table.loc[table["status"] == "skipped", ["recording", "reason"]].to_dict("records"),
        "recipe": recipe,
        "options": options.model_dump(),
    }
