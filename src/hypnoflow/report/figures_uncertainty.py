"""Figures of how far the probabilities can be trusted."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypnoflow.evaluate.said import Interval, Kept, Trusted
from hypnoflow.report.collect import ReportData
from hypnoflow.report.figures import ACCENT, COLOURS, GREY, axes_of, figure

SECTION = "Agreement"
GROUPS = {"test": "test persons", "held_out": "held-out cohorts"}


def _shown(data: ReportData) -> dict[str, Trusted]:
    """Return the figures of unseen persons by group, empty where the scores have no 30-s probabilities."""
    found = data.summary.get("uncertainty")
    return {name: found["splits"][split] for split, name in GROUPS.items() if split in found["splits"]} if found else {}


@figure(
    "reliability",
    SECTION,
    "Confidence against accuracy",
    "30-s epochs of unseen persons in 15 bins of confidence, the largest probability of an epoch; on the diagonal a "
    "stage given with 80 % is right in 80 % of epochs. The area of a point is the share of epochs in its bin. ECE is "
    "the mean distance from the diagonal over epochs, with its bootstrap interval over persons. One temperature, "
    "fitted on the validation persons, is all that lies between the two curves.",
)
def draw_reliability(data: ReportData) -> Figure | None:
    """Reliability before and after calibration."""
    groups = _shown(data)
    if not groups:
        return None
    drawn, axes = axes_of(1, len(groups), 4.2 * len(groups), 4.0)
    for ax, (name, found) in zip(axes[0], groups.items(), strict=True):
        ax.plot([0, 1], [0, 1], color="#c9ced6", lw=1)
        for way, colour in (("before", GREY), ("after", COLOURS["N3"])):
            rows = found["reliability"][way]
            x, y, n = (np.array([row[key] for row in rows]) for key in ("confidence", "accuracy", "n_epochs"))
            label = f"{way} calibration, ECE {_with_interval(found['ece'][way])}"
            ax.plot(x, y, "-", color=colour, lw=1, label=label)
            ax.scatter(x, y, s=200 * n / n.sum(), color=colour, lw=0, alpha=0.8)
        ax.set(xlim=(0.2, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy")
        ax.set_title(f"{name}, {found['n_epochs']} epochs")
        ax.legend(loc="lower right", fontsize=8)
    return drawn


@figure(
    "risk",
    SECTION,
    "Error against the share of epochs kept",
    "Risk, the share of wrong stages, among the surest 30-s epochs of unseen persons after calibration, against how "
    "many are kept. AURC is the area under the curve. Crosses: thresholds that keep given shares of the validation "
    "persons' epochs, applied to unseen persons, with bootstrap intervals over persons; diamond: the threshold "
    "of the configuration, if any.",
)
def draw_risk(data: ReportData) -> Figure | None:
    """Risk-coverage curves with the chosen thresholds."""
    groups = _shown(data)
    if not groups:
        return None
    drawn, axes = axes_of(1, len(groups), 4.2 * len(groups), 3.4)
    for ax, (name, found) in zip(axes[0], groups.items(), strict=True):
        curve = found["curve"]
        ax.plot(curve["coverage"], curve["risk"], color=COLOURS["N3"])
        for row in found["kept"]:
            if row["risk"]["value"] is not None and (row["wanted"] is not None or row["threshold"] > 0):
                _threshold(ax, row)
        ax.set(xlim=(0, 1.02), ylim=(0, None), xlabel="share of epochs kept", ylabel="risk")
        ax.set_title(f"{name}, AURC {found['aurc']['after']:.3f}")
    return drawn


def _threshold(ax: Axes, row: Kept) -> None:
    x, y = _ends(row["coverage"]), _ends(row["risk"])
    marker = "D" if row["wanted"] is None else "x"
    label = f"confidence ≥ {row['threshold']:.2f}: {100 * x['value']:.0f} % kept, risk {y['value']:.3f}"
    ax.plot(x["value"], y["value"], marker, color=ACCENT, ms=6, label=label)
    if np.isfinite(y["low"]):
        ax.vlines(x["value"], y["low"], y["high"], color=ACCENT, lw=1)
        ax.hlines(y["value"], x["low"], x["high"], color=ACCENT, lw=1)
    ax.legend(loc="upper left", fontsize=8)


def _ends(figure: Interval) -> dict[str, float]:
    """Return a figure and the ends of its interval, NaN where there is none."""
    found = {"value": figure["value"], "low": figure["low"], "high": figure["high"]}
    return {name: np.nan if value is None else value for name, value in found.items()}


def _with_interval(row: Interval) -> str:
    """Return a figure with its interval, where it has one."""
    interval = "" if row["low"] is None else f" ({row['low']:.3f} to {row['high']:.3f})"
    return f"{row['value']:.3f}{interval}"
