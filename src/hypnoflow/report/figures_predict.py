"""Figures of the prediction: error against resolution, differences to 30 s, cohorts, persons, and single features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from hypnoflow.predict.said import Compared, Discovered, OfCohort, TargetSummary
from hypnoflow.report.collect import ReportData
from hypnoflow.report.figures import ACCENT, COLOURS, GREY, axes_of, figure, resolution_axis
from hypnoflow.types import EPOCH_S

SECTION = "Prediction"
FDR = 0.05
BESIDE = 1.05  # right of the axis, as a share of its width: where the best resolution stands, which is none of them
YARDSTICKS = (("baseline", GREY, "--"), ("demographics", COLOURS["W"], "-."), ("classic", ACCENT, ":"))
CURVES = {"baseline": (GREY, "--"), "classic": (ACCENT, ":"), "1": (COLOURS["N2"], "-"), "best": (COLOURS["R"], "-")}
NAMES = {
    "1": "30 s",
    "best": "best resolution",
    "baseline": "mean of the training persons",
    "classic": "classic statistics, 30 s",
    "demographics": "age, sex, body-mass index",
}


def condition_name(condition: str) -> str:
    """Return a condition in words: "1.9 s" for a resolution, the parts of a sum one by one."""
    if condition in NAMES:
        return NAMES[condition]
    if condition.isdigit():
        return f"{EPOCH_S / int(condition):.3g} s"
    return " + ".join(NAMES.get(part, part) for part in condition.split("+"))


def of_primary(summary: TargetSummary) -> list[Compared]:
    """Return the comparisons by the learner and scheme of the primary test."""
    chosen = (summary["primary"]["scheme"], summary["primary"]["learner"])
    return [row for row in summary["comparison"] if (row["scheme"], row["learner"]) == chosen]


def error_name(summary: TargetSummary) -> str:
    """Return the error with its unit."""
    return summary["measure"] + (f" ({summary['unit']})" if summary["unit"] else "")


def _with(data: ReportData, part: str) -> dict[str, TargetSummary]:
    """Return the summaries by target that have a part."""
    return {target: summary for target, summary in data.predictions.items() if summary.get(part)}


def _numbers(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], float)


def _resolutions(summary: TargetSummary) -> list[Compared]:
    rows = [row for row in of_primary(summary) if row["family"] == "resolution" and row["error"] is not None]
    return sorted(rows, key=lambda row: int(row["condition"]))


def _errors(summary: TargetSummary) -> dict[str, float]:
    """Return the error of every condition that is compared with another or another with it."""
    rows = of_primary(summary)
    found = {row["reference"]: row["reference_error"] for row in rows} | {r["condition"]: r["error"] for r in rows}
    return {name: error for name, error in found.items() if error is not None}


@figure(
    "prediction",
    SECTION,
    "Error against resolution",
    "Out-of-fold error of the primary learner on the features of each resolution, with bootstrap intervals over "
    "persons (a family is drawn as one); lower is better. 30 s is marked. Diamond: the resolution chosen inside the "
    "training folds, as in the primary test. Lines: what is reached without a fine hypnogram. Hypnodensity features "
    "end at the resolution of the stored hypnodensity.",
)
def draw_prediction(data: ReportData) -> Figure | None:
    """Error of each target against resolution."""
    ready = {target: summary for target, summary in _with(data, "comparison").items() if _resolutions(summary)}
    if not ready:
        return None
    drawn, axes = axes_of(1, len(ready), max(5.0, 3.6 * len(ready)), 3.9)
    for ax, (target, summary) in zip(axes[0], ready.items(), strict=True):
        _error_panel(ax, summary)
        ax.set_title(f"{target}, {summary['persons']} persons")
        ax.set_ylabel(error_name(summary))
    _legend(drawn, axes[0], 3)
    return drawn


def _legend(drawn: Figure, panels: Iterable[Axes], columns: int) -> None:
    """Draw one legend of all panels below them."""
    handles = {label: line for ax in panels for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    drawn.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(columns, len(handles)))


def _error_panel(ax: Axes, summary: TargetSummary) -> None:
    rows, errors = _resolutions(summary), _errors(summary)
    x = np.array([EPOCH_S / int(row["condition"]) for row in rows])
    ax.fill_between(x, _numbers(rows, "low"), _numbers(rows, "high"), color=COLOURS["N1"], alpha=0.5, lw=0)
    ax.plot(x, _numbers(rows, "error"), "o-", color=COLOURS["N3"], ms=4, label="each resolution")
    for name, colour, style in YARDSTICKS:
        if name in errors:
            ax.axhline(errors[name], color=colour, ls=style, label=condition_name(name))
    best = [row for row in of_primary(summary) if row["family"] == "primary" and row["error"] is not None]
    if best:
        beside: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "color": COLOURS["R"], "clip_on": False}
        at = np.full(len(best), BESIDE)
        ax.vlines(at, _numbers(best, "low"), _numbers(best, "high"), lw=1.2, **beside)
        ax.plot(at, _numbers(best, "error"), "D", ms=6, label=condition_name("best"), **beside)
    resolution_axis(ax)


@figure(
    "difference",
    SECTION,
    "Difference to 30 s",
    "Error at each resolution minus error at 30 s on the same persons, with bootstrap intervals widened for the "
    "training persons that folds share. Below zero the finer "
    "hypnogram is better. Filled: the difference holds against Holm's correction over resolutions (sign flips of "
    "persons). The primary test is the diamond alone, filled where it is below its limit.",
)
def draw_difference(data: ReportData) -> Figure | None:
    """Paired differences to 30 s."""
    ready = {target: summary for target, summary in _with(data, "comparison").items() if _resolutions(summary)}
    if not ready:
        return None
    drawn, axes = axes_of(1, len(ready), max(5.0, 3.6 * len(ready)), 3.1)
    for ax, (target, summary) in zip(axes[0], ready.items(), strict=True):
        limit = 1 - summary["primary"]["confidence"]
        rows = [row for row in _resolutions(summary) if row["condition"] != "1"]
        x = np.array([EPOCH_S / int(row["condition"]) for row in rows])
        _differences(ax, x, rows, limit, ("o", COLOURS["N3"]))
        primary = [row for row in of_primary(summary) if row["family"] == "primary" and row["error"] is not None]
        _differences(ax, np.full(len(primary), BESIDE), primary, limit, ("D", COLOURS["R"]))
        ax.axhline(0, color=ACCENT, lw=1)
        resolution_axis(ax)
        ax.set_title(target)
        ax.set_ylabel(f"difference in {error_name(summary)}")
    return drawn


def _differences(ax: Axes, x: np.ndarray, rows: Sequence[Compared], limit: float, style: tuple[str, str]) -> None:
    marker, colour = style
    where: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "clip_on": False} if marker == "D" else {}
    y, clear = _numbers(rows, "difference"), _numbers(rows, "p_holm") < limit
    ax.vlines(x, _numbers(rows, "difference_low"), _numbers(rows, "difference_high"), color=GREY, lw=1, **where)
    for chosen, face in ((~clear, "w"), (clear, colour)):
        if chosen.any():  # an empty line beside the axes has no place, and leaves the layout none
            ax.plot(x[chosen], y[chosen], marker, mfc=face, mec=colour, ms=5, ls="", **where)


@figure(
    "forest",
    SECTION,
    "Best resolution against 30 s in each cohort",
    "Difference in squared error per person, with Student's intervals over families, widened alike; left of zero the "
    "finer hypnogram is better. Dark: within cohorts, predictions moved so that every cohort's mean is right: knowing "
    "the cohort is no gain. Light: as predicted. Diamonds: all cohorts combined (random effects); I² is the share of "
    "their spread that is more than chance. Cohorts with too few persons have no interval and no part in the diamond.",
)
def draw_forest(data: ReportData) -> Figure | None:
    """Forest plot over cohorts, one panel per target."""
    ready = _with(data, "cohorts")
    if not ready:
        return None
    most = max(len({row["cohort"] for row in summary["cohorts"]}) for summary in ready.values())
    drawn, axes = axes_of(1, len(ready), max(5.0, 3.9 * len(ready)), 1.4 + 0.3 * most)
    for ax, (target, summary) in zip(axes[0], ready.items(), strict=True):
        _forest_panel(ax, summary["cohorts"])
        unit = "" if summary["measure"] != "RMSE" else f" ({summary['unit']}²)" if summary["unit"] else ""
        ax.set_xlabel(f"difference in squared error{unit}")
        ax.set_title(target)
    return drawn


def _forest_panel(ax: Axes, rows: Sequence[OfCohort]) -> None:
    order = list(dict.fromkeys(row["cohort"] for row in rows))
    sizes = {row["cohort"]: row["groups"] for row in rows}
    for row in rows:
        within = row["kind"] == "within cohorts"
        colour, shift = (COLOURS["N3"], 0.12) if within else (COLOURS["N1"], -0.16)
        y = len(order) - 1 - order.index(row["cohort"]) + shift
        combined = row["cohort"] == order[-1]
        if row["low"] is not None and row["high"] is not None:
            ax.hlines(y, row["low"], row["high"], color=colour, lw=2.2 if combined else 1.2)
        if row["difference"] is not None:
            ax.plot(row["difference"], y, "D" if combined else "o", color=colour, ms=7 if combined else 4)
        if combined and within and row["i2"] is not None:
            ax.text(1, 0, f"I² {100 * row['i2']:.0f} %", transform=ax.transAxes, ha="right", va="bottom", color=GREY)
    ax.axvline(0, color=ACCENT, lw=1)
    ax.locator_params(axis="x", nbins=4)
    ax.axhline(0.5, color="#c9ced6", lw=0.8)
    ax.set_ylim(-0.6, len(order) - 0.4)
    ax.set_yticks(range(len(order)), [f"{name}, {sizes[name]}" for name in reversed(order)])


@figure(
    "curve",
    SECTION,
    "Error against the number of persons",
    "The whole cross-validation, the choice of the resolution included, on random subsets of persons (families count "
    "once) by the learner of the primary test. Bands are the range over subsets, no confidence interval. Where "
    "lines still fall at the right, more persons would lower the error.",
)
def draw_curve(data: ReportData) -> Figure | None:
    """Learning curves of each target."""
    ready = _with(data, "curve")
    if not ready:
        return None
    drawn, axes = axes_of(1, len(ready), max(5.0, 3.6 * len(ready)), 3.6)
    for ax, (target, summary) in zip(axes[0], ready.items(), strict=True):
        for name, (colour, style) in CURVES.items():
            rows = [row for row in summary["curve"] if row["condition"] == name]
            if not rows:
                continue
            x = _numbers(rows, "groups")
            ax.plot(x, _numbers(rows, "error"), style, marker="o", ms=3, color=colour, label=condition_name(name))
            ax.fill_between(x, _numbers(rows, "low"), _numbers(rows, "high"), color=colour, alpha=0.12, lw=0)
        ax.set_xscale("log")
        sizes = sorted({int(row["groups"]) for row in summary["curve"]})
        ax.set_xticks(sizes, [str(n) for n in sizes])
        ax.minorticks_off()
        ax.set_xlabel("persons")
        ax.set_ylabel(error_name(summary))
        ax.set_title(target)
    _legend(drawn, axes[0], 4)
    return drawn


@figure(
    "discovery",
    SECTION,
    "Which features go with the target, and at which resolution",
    "The features with the smallest p at any resolution. Colour and area: effect within cohorts, combined by random "
    "effects (Spearman's rho of a number; Cliff's delta of a class, 2 AUC - 1); red rises with the target, blue falls. "
    "Ringed: false discovery rate below 5 % over all features and resolutions. The whole table with intervals, "
    "heterogeneity and the direction in every cohort lies beside the predictions as Parquet and CSV.",
)
def draw_discovery(data: ReportData) -> Figure | None:
    """Dots of effects over features and resolutions, one panel per target."""
    ready = _with(data, "discovery")
    if not ready:
        return None
    most = max(len({row["feature"] for row in summary["discovery"]}) for summary in ready.values())
    columns = min(2, len(ready))
    lines = -(-len(ready) // columns)
    drawn, axes = axes_of(lines, columns, 6.2 * columns, lines * (1.5 + 0.26 * most))
    effects = [abs(row["effect"]) for s in ready.values() for row in s["discovery"] if row["effect"] is not None]
    span = max([0.1, *effects])
    for ax, (target, summary) in zip(axes.flat, ready.items(), strict=False):
        _dots(ax, summary["discovery"], span)
        ax.set_title(f"{target}, {summary['persons']} persons")
    for ax in list(axes.flat)[len(ready) :]:
        ax.set_visible(False)
    bar = ScalarMappable(Normalize(-span, span), mpl.colormaps["RdBu_r"])
    drawn.colorbar(bar, ax=list(axes.flat), label="effect", shrink=0.6, aspect=30)
    return drawn


def _dots(ax: Axes, rows: Sequence[Discovered], span: float) -> None:
    features = list(dict.fromkeys(row["feature"] for row in rows))
    steps = sorted({row["steps_per_epoch"] for row in rows})
    x = np.array([steps.index(row["steps_per_epoch"]) for row in rows])
    y = np.array([features.index(row["feature"]) for row in rows])
    effect = _numbers(rows, "effect")
    ringed = _numbers(rows, "fdr") < FDR
    edge = np.where(ringed, "#1f2630", "none")
    area = 12 + 110 * np.abs(np.nan_to_num(effect)) / span
    known = np.isfinite(effect)
    ax.scatter(
        x[known], y[known], s=area[known], c=effect[known], cmap="RdBu_r", vmin=-span, vmax=span,
        edgecolors=list(edge[known]), linewidths=0.9,
    )  # fmt: skip
    if 1 in steps:
        ax.axvline(steps.index(1), color="#c9ced6", lw=8, alpha=0.4, zorder=0)
    ax.set_yticks(range(len(features)), features)
    ax.set_ylim(len(features) - 0.4, -0.6)
    ax.set_xlim(-0.6, len(steps) - 0.4)
    ax.set_xticks(range(len(steps)), [condition_name(str(f)) if f else "all" for f in steps], rotation=60, ha="right")
    ax.set_xlabel("resolution")
