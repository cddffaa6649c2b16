"""The HTML page: one self-contained file."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from matplotlib.figure import Figure

from hypnoflow.cohorts.layouts.base import facts
from hypnoflow.config.files import to_yaml
from hypnoflow.evaluate.said import of_split
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import fingerprint, records, replacing
from hypnoflow.facts.provenance import provenance, write_facts
from hypnoflow.predict.said import TargetSummary
from hypnoflow.predict.sentence import beside
from hypnoflow.report import (  # noqa: F401  registers their figures
    figures_channels,
    figures_events,
    figures_predict,
    figures_uncertainty,
)
from hypnoflow.report.collect import ReportData
from hypnoflow.report.figures import ReportFigure, figure_text, figures
from hypnoflow.report.figures_predict import condition_name, of_primary
from hypnoflow.types import EPOCH_S, UNSEEN

DPI = 150
SECTIONS = ("One night", "Agreement", "Below 30 s", "Prediction", "Training")


def write_page(out: Path, data: ReportData) -> None:
    """Write the page and, beside it, its figures for machines as JSON."""
    summary, facts = out.with_suffix(".json"), data.provenance.as_json(data.config)
    with claim(out.with_name("provenance.json"), [out, summary]) as mine:
        with replacing(summary) as path:
            path.write_text(summary_json(data), encoding="utf-8")
        with replacing(out) as path:
            path.write_text(render(data), encoding="utf-8")
        write_facts(mine.record, "report", facts, [out, summary])


def render(data: ReportData) -> str:
    """Return the whole page as HTML, images and styles included."""
    environment = Environment(
        loader=PackageLoader("hypnoflow.report", "."),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure_text
    return environment.get_template("page.html").render(
        data=data,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        headline=headline(data),
        sections=_sections(data),
        cohorts=_cohorts(data),
        skipped=data.qc[data.qc["status"] == "skipped"].to_dict("records"),
        remarks=_remarks(data),
        agreement=_agreement(data),
        by_cohort=_by_cohort(data.cohorts),
        channel_tests=_channel_tests(data),
        unlabelled=unlabelled(data),
        sentences={target: sentence(summary) for target, summary in data.predictions.items()},
        comparisons=_comparisons(data),
        beside={target: beside(summary) for target, summary in data.predictions.items()},
        config_text=to_yaml(data.config),
        config_hash=fingerprint(data.config.science.model_dump(mode="json")),
        versions=provenance(),
        stores=data.stores,
        training=data.training,
    )


def headline(data: ReportData) -> list[tuple[str, str]]:
    """Return the figures at the top of the page as (value, what it is)."""
    persons = int(data.split.groupby("cohort")["person"].nunique().sum())
    cards = [
        (str(persons), "persons"),
        (str(len(data.split)), "recordings"),
        (str(int((data.qc["status"] == "skipped").sum())), "skipped"),
    ]
    if unlabelled(data):
        cards.append((str(unlabelled(data)), "without labels, in no measure of agreement"))
    unseen = data.summary.get("unseen")
    if unseen and unseen["macro_f1"] is not None:
        cards.append((figure_text(unseen["macro_f1"]), "macro-F1 at 30 s, unseen persons"))
        cards.append((figure_text(unseen["kappa"]), "Cohen's kappa"))
    if not data.fine.empty:
        rows = data.fine[data.fine["split"].isin(UNSEEN) & (data.fine["steps_per_epoch"] == 16)]
        value = f"{100 * rows['accuracy'].mean():.1f} vs {100 * rows['repeated_30_s_accuracy'].mean():.1f} %"
        cards.append((value, "time in the true stage, 1.9-s hypnogram vs the 30-s one repeated"))
    return cards


def unlabelled(data: ReportData) -> int:
    """Return how many recordings have not one scored epoch."""
    return int((data.at_30_s["n_epochs"] == 0).sum())


def sentence(summary: TargetSummary) -> str:
    """Return what the primary test says, or why a target was not predicted."""
    if "sentence" in summary:
        return str(summary["sentence"])
    return f"Not predicted: {summary.get('problem', 'the summary is of another version; make it again')}."


def _sections(data: ReportData) -> list[dict[str, Any]]:
    """Return the figures by section, in order of registration."""
    sections: dict[str, list[dict[str, str]]] = {name: [] for name in SECTIONS}
    for name, each in figures:
        drawn = each.draw(data)
        if drawn is not None:
            sections.setdefault(each.section, []).append(_image(name, each, drawn, data.simulated))
    return [{"name": name, "figures": images} for name, images in sections.items() if images]


def _image(name: str, each: ReportFigure, drawn: Figure, simulated: bool) -> dict[str, str]:
    if simulated:
        drawn.text(0.995, 0.003, "simulated data", ha="right", va="bottom", fontsize=8, color="#c2452d", alpha=0.9)
        drawn.get_layout_engine().set(rect=(0, 0.03, 1, 0.97))  # type: ignore[union-attr, call-arg]
    stream = io.BytesIO()
    drawn.savefig(stream, format="png", dpi=DPI, facecolor="w", metadata={"Software": None})
    source = base64.b64encode(stream.getvalue()).decode()
    caption = ("Simulated data. " if simulated else "") + each.caption
    return {"name": name, "title": each.title, "caption": caption, "source": source}


def _cohorts(data: ReportData) -> list[dict[str, Any]]:
    rows = []
    for name, index in data.index.items():
        qc = data.qc[data.qc["cohort"] == name]
        split = data.split[data.split["cohort"] == name]
        rows.append(
            {
                "name": name,
                "title": facts(name)["title"],
                "licence": facts(name)["licence"],
                "simulated": index["simulated"],
                "found": len(index["recordings"]),
                "used": int((qc["status"] == "ok").sum()),
                "skipped": int((qc["status"] == "skipped").sum()),
                "quality": float(qc["qc_score"].median()) if qc["status"].eq("ok").any() else None,
                "hours": qc["n_epochs"].sum() * EPOCH_S / 3600 if "n_epochs" in qc else 0.0,
                "persons": split["person"].nunique(),
                "splits": {s: int(p["person"].nunique()) for s, p in split.groupby("split")},
                "problem": index.get("problem", ""),
            }
        )
    return rows


def _remarks(data: ReportData) -> list[dict[str, str]]:
    """Return what was odd but did not stop a recording: dropped or doubtful channels, repaired files, missing ages."""
    rows = [
        {"cohort": r["cohort"], "recording": r["recording"], "what": what}
        for r in records(data.qc[data.qc["status"] == "ok"])
        for what in (*(f"dropped {d}" for d in str(r["dropped"]).split("; ") if d), r["warnings"], r["remarks"])
        if what
    ]
    for name, index in data.index.items():
        for text in index["problems"]:
            recording, _, what = text.partition(": ")
            rows.append({"cohort": name, "recording": recording, "what": what})
    return rows


def _agreement(data: ReportData) -> list[dict[str, Any]]:
    order = ("test", "held_out", "valid", "train")
    rows: list[dict[str, Any]] = []
    for split in order:
        found = of_split(data.summary, split)
        if found is not None:
            for cohort, pooled in found["cohorts"].items():
                rows.append({"split": split.replace("_", "-"), "cohort": cohort, **pooled})
            rows.append({"split": split.replace("_", "-"), "cohort": "all", **found})
    return rows


def _by_cohort(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the table by cohort, None where nothing defines a measure."""
    return [{name: None if pd.isna(value) else value for name, value in row.items()} for row in records(table)]


def _channel_tests(data: ReportData) -> list[dict[str, Any]]:
    """Return the comparisons of each number of channels with the whole montage, if any was scored."""
    found = data.summary.get("subsets")
    return [row for row in found["count"] if row["p"] is not None] if found else []


def _comparisons(data: ReportData) -> dict[str, list[dict[str, Any]]]:
    """Return the comparisons of the primary learner and scheme by target, with conditions in words."""
    return {
        target: [
            {**row, "name": condition_name(row["condition"]), "against": condition_name(row["reference"])}
            for row in of_primary(summary)
            if row["condition"] != row["reference"] and row["error"] is not None
        ]
        for target, summary in data.predictions.items()
        if summary.get("comparison")
    }


def summary_json(data: ReportData) -> str:
    """Return the page's figures for machines."""
    content = {
        "simulated": data.simulated,
        "networks": data.networks,
        "agreement": data.summary,
        "predictions": data.predictions,
        "skipped": data.qc.loc[data.qc["status"] == "skipped", ["cohort", "recording", "reason"]].to_dict("records"),
        "truth": _truth_means(data.fine),
    }
    return json.dumps(content, indent=1)


def _truth_means(fine: pd.DataFrame) -> list[dict[str, float | None]]:
    if fine.empty:
        return []
    unseen = fine[fine["split"].isin(UNSEEN)]
    columns = ["accuracy", "kappa", "repeated_30_s_accuracy", "expert_30_s_accuracy", "step_s"]
    rows = records(unseen.groupby("steps_per_epoch")[columns].mean().reset_index())
    return [{name: None if pd.isna(value) else value for name, value in row.items()} for row in rows]
