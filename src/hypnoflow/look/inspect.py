"""What the workflow would make of a recording, and why it would skip it: the same steps, and nothing is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from hypnoflow.channels.derive import Pick
from hypnoflow.channels.names import parse_name
from hypnoflow.cohorts.layouts.base import Cohort
from hypnoflow.cohorts.layouts.configured import UNLABELLED
from hypnoflow.cohorts.layouts.index import manifest_of
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.direct.harmonize import Given, find_given
from hypnoflow.errors import RecordingError, harmless, shown
from hypnoflow.facts.files import records
from hypnoflow.harmonize.labels import consensus_rule, from_first_mark, labels_of, without_staging
from hypnoflow.harmonize.recording import picks_of, refuse_excluded
from hypnoflow.harmonize.signals import harmonize_signals
from hypnoflow.native.annotations.hypnogram import read_hypnogram
from hypnoflow.types import EPOCH_S, STAGES, UNSCORED, Annotations, SignalFile


def print_reports(
    paths: Sequence[Path],
    name: str | None,
    sections: Mapping[str, CohortConfig],
    options: Harmonize,
    *,
    as_json: bool,
) -> bool:
    """Print a report for each recording among `paths`, as a table or as one JSON list; return whether all are usable.

    `name` and `sections` are the cohort whose rules are used, and the config's cohorts, as for `find_given`.
    """
    reports = []
    console = Console(highlight=False)
    for report in inspect_given(find_given(paths, name, sections), options):
        reports.append(report)
        if not as_json:
            console.print(render(report))
    if as_json:
        sys.stdout.write(json.dumps(reports, indent=1) + "\n")
    return all(report["ok"] for report in reports)


def inspect_given(given: Given, options: Harmonize) -> Iterator[dict[str, Any]]:
    """Yield a report for each recording, and for each path that gave none."""
    for path, problem in given.problems.items():
        yield {"path": str(path), "recording": path.name, "ok": False, "error": _error(problem, "", path)}
    if given.found:
        manifest, _ = manifest_of(given.cohort.name, given.found, given.root, len(given.found))
        notes = {found.recording: list(found.problems) for found in given.found}
        for row in records(manifest):
            yield inspect_recording(row, given.root, given.cohort, options) | {"problems": notes[row["recording"]]}


def inspect_recording(row: dict[str, Any], root: Path, cohort: Cohort, options: Harmonize) -> dict[str, Any]:
    """Return what the workflow would make of one recording.

    Parameters
    ----------
    row : dict
        Row of a manifest.
    root : Path
        What its paths are relative to.

    Returns
    -------
    dict
        path, recording, person, ok, error (what, hint, path: those of the workflow's message; None if ok), format,
        start, duration_s, n_epochs, gaps_s, signals (one entry per signal of the file), channels (one per standard
        channel), remarks (suspicions about what is kept), hypnogram, warnings.
        What lies behind the point of failure is still reported where it can be.
    """
    path = root / row["signal_path"]
    report: dict[str, Any] = {"path": str(path), "recording": row["recording"], "person": row["person"], "ok": False}
    errors: list[RecordingError] = []
    try:
        refuse_excluded(row)
    except RecordingError as error:
        errors.append(error)
    try:
        file = cohort.open_signals(path)
    except RecordingError as error:
        errors.append(error)
        return report | {"error": _located(errors[0], path)}
    report["format"] = type(getattr(file, "file", file)).__name__.removesuffix("File")
    file, report["hypnogram"] = _hypnogram(row, root, cohort, file, errors)
    report["gaps_s"] = [list(gap) for gap in file.gaps_s]
    report["start"] = file.start.isoformat() if file.start else None
    report["duration_s"] = file.duration_s
    report["n_epochs"] = int((file.duration_s + 0.5) // EPOCH_S)
    report |= _channels(row, cohort, file, options, errors)
    report["warnings"] = [*file.warnings, *report["hypnogram"].pop("warnings")]
    return report | {"ok": not errors, "error": _located(errors[0], path) if errors else None}


def _located(error: RecordingError, path: Path) -> dict[str, str]:
    return _error(error.what, error.hint, error.path or path)


def _error(what: str, hint: str, path: Path) -> dict[str, str]:
    return {"what": what, "hint": hint, "path": str(path)}


def _hypnogram(
    row: dict[str, Any], root: Path, cohort: Cohort, file: SignalFile, errors: list[RecordingError]
) -> tuple[SignalFile, dict[str, Any]]:
    """Return the signals, cut where the cohort's epochs begin at the first mark, and what the hypnogram says."""
    paths = [root / path for path in row["annotation_paths"]]
    report: dict[str, Any] = {
        "paths": [str(path) for path in paths],
        "dialect": _dialect(paths, cohort, file),
        "warnings": [],
    }
    try:
        annotations = cohort.read_annotations(paths, file)
        report |= _contents(annotations)
        file, annotations, report["lead_in_cut_s"] = from_first_mark(file, annotations, cohort.alignment)
        labels, excess_s = labels_of(annotations, cohort, file, paths)
    except RecordingError as error:
        errors.append(error)
        return file, report
    if not row["staged"]:
        labels, annotations = without_staging(labels, annotations)
        report["warnings"].append("its stages are no truth, and are left out")
    report["consensus"] = consensus_rule(labels, cohort)
    names = dict(zip((*STAGES, "unscored"), (*range(len(STAGES)), UNSCORED), strict=True))
    report["epochs"] = {name: int(np.sum(labels.stage == code)) for name, code in names.items()}
    report["excess_s"] = excess_s
    return file, report


def _dialect(paths: Sequence[Path], cohort: Cohort, file: SignalFile) -> str:
    own = "the cohort's own" if cohort.pick is None else "not recognised"
    try:
        if paths:
            return read_hypnogram(paths[0], tuple(cohort.stages), file.start).dialect
        marks: list[Any] = getattr(file, "annotations", list)()
    except RecordingError:
        return own
    if marks:
        return "marks in the signal file"
    return own if cohort.pick is None else "none"


def _contents(annotations: Annotations) -> dict[str, Any]:
    scorers = {name: runs for name, runs in annotations.scorers.items() if runs and runs[0].label != UNLABELLED}
    runs = [run for each in scorers.values() for run in each]
    kinds = [event.kind for event in annotations.events]
    return {
        "scorers": list(scorers),
        "begins_s": min((run.onset_s for run in runs), default=None),
        "ends_s": max((run.onset_s + run.duration_s for run in runs), default=None),
        "events": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "warnings": list(annotations.warnings),
    }


def _channels(
    row: dict[str, Any], cohort: Cohort, file: SignalFile, options: Harmonize, errors: list[RecordingError]
) -> dict[str, Any]:
    picks: list[Pick] = []
    dropped: dict[str, str] = {}
    remarks: list[str] = []
    try:
        picks = picks_of(row, cohort, file)
        harmonized = harmonize_signals(file, picks, options)
        dropped, remarks = harmonized.dropped, [str(remark) for remark in harmonized.remarks]
    except RecordingError as error:
        errors.append(error)
    signals = [
        {"label": label, "rate_hz": file.rate_hz(label), "unit": file.unit(label), "use": _use(label, picks, cohort)}
        for label in file.labels
    ]
    channels = [
        {
            "label": pick.label,
            "kind": pick.kind,
            "source": pick.source,
            "rate_hz": file.rate_hz(pick.plus),
            "unit": file.unit(pick.plus),
            "left_out": dropped.get(pick.label),
        }
        for pick in picks
    ]
    return {"signals": signals, "channels": channels, "remarks": remarks}


def _use(label: str, picks: Sequence[Pick], cohort: Cohort) -> str:
    """Return what becomes of a signal of the file, and why nothing does."""
    made = [pick.label for pick in picks if label in (pick.plus, pick.minus)]
    if made:
        return f"in {', '.join(made)}"
    name = parse_name(label)
    if cohort.channels:
        return "not used: the cohort's channels do not name it"
    if name is None:
        return "not used: its name is not known"
    if name.kind == "reference":
        return "not used: a reference that no channel needs"
    return f"not used: {name.label} comes from another signal, or is not wished for"


def render(report: dict[str, Any]) -> Group:
    """Return a report for a terminal."""
    state = Text(" usable ", "black on green") if report["ok"] else Text(" skipped ", "white on red")
    lines: list[Text | Table] = [Text.assemble(state, " ", (shown(report["path"]), "bold"))]
    if "duration_s" in report:
        lines += [
            _text(
                f"{report['format']}, starts {report['start'] or 'at an unknown time'}, "
                f"{report['duration_s'] / 3600:.2f} h, {report['n_epochs']} epochs; person {report['person']}"
            ),
            _table(report),
            *map(_text, _hypnogram_lines(report["hypnogram"])),
        ]
    lines += [_text(f"gap from {begin:g} to {end:g} s", "yellow") for begin, end in report.get("gaps_s", ())]
    lines += [_text(f"note: {text}", "yellow") for text in _notes(report)]
    if report["error"]:
        error = report["error"]
        lines.append(_text(f"error: {error['what']}\n  file: {error['path']}", "red"))
        if error["hint"]:
            lines.append(_text(f"  hint: {error['hint']}", "red"))
    return Group(*lines, Text(""))


def _text(words: str, style: str = "") -> Text:
    """Return words, some of them from a file, that do nothing to a terminal."""
    return Text(harmless(words), style)


def _notes(report: dict[str, Any]) -> list[str]:
    return [text for name in ("warnings", "remarks", "problems") for text in report.get(name, ())]


def _table(report: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("channel", "kind", "from", "Hz", "unit", "remark"):
        table.add_column(title, overflow="fold", justify="right" if title == "Hz" else "left")
    for c in report["channels"]:
        remark = f"left out: {c['left_out']}" if c["left_out"] else ""
        table.add_row(*map(_text, (c["label"], c["kind"], c["source"], f"{c['rate_hz']:g}", c["unit"], remark)))
    for s in report["signals"]:
        if s["use"].startswith("not used"):
            table.add_row(*map(_text, ("-", "", s["label"], f"{s['rate_hz']:g}", s["unit"], s["use"])), style="dim")
    return table


def _hypnogram_lines(hypnogram: dict[str, Any]) -> Iterator[str]:
    names = ", ".join(Path(path).name for path in hypnogram["paths"])
    yield f"hypnogram: {hypnogram['dialect']}" + (f" ({names})" if names else "")
    if hypnogram.get("ends_s") is not None:
        excess = f", {hypnogram['excess_s']:+g} s against the signals" if "excess_s" in hypnogram else ""
        yield f"  from {hypnogram['begins_s']:g} to {hypnogram['ends_s']:g} s{excess}"
    if "epochs" in hypnogram:
        yield "  epochs: " + ", ".join(f"{name} {n}" for name, n in hypnogram["epochs"].items())
    if hypnogram.get("events"):
        yield "  events: " + ", ".join(f"{kind} {n}" for kind, n in hypnogram["events"].items())
