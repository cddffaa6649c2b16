"""One function per figure: report data in, matplotlib figure out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypnoflow.evaluate.said import of_split
from hypnoflow.features import wake_intrusions
from hypnoflow.night.truth import TRUTH_HZ
from hypnoflow.registry import Functions
from hypnoflow.report.collect import ExampleNight, ReportData
from hypnoflow.stats.confusion import COUNTS
from hypnoflow.types import EPOCH_S, STAGES, UNSCORED, UNSEEN

COLOURS = {"W": "#e9a03b", "N1": "#9cc9e8", "N2": "#4b8bc8", "N3": "#1d3d73", "R": "#b8485f"}
GREY, ACCENT = "#5b6470", "#c2452d"
# Hypnograms are drawn with wake on top and deep sleep at the bottom, R beside N1.
LEVEL = np.array([4.0, 2.0, 1.0, 0.0, 3.0])
LEVEL_NAMES = ["N3", "N2", "N1", "R", "W"]

mpl.rcParams.update(
    {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#9aa1aa",
        "axes.labelcolor": "#333a44",
        "xtick.color": "#333a44",
        "ytick.color": "#333a44",
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "legend.frameon": False,
        "text.parse_math": False,  # a dollar sign in a name is one
    }
)

Draw = Callable[[ReportData], Figure | None]


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """A figure with its section, heading and caption; `draw` returns None where there is nothing to show."""

    draw: Draw
    section: str
    title: str
    caption: str


figures: Functions[ReportFigure] = Functions("figure")


def figure_text(value: float | None, digits: int = 2) -> str:
    """Return a number as text, a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def figure(name: str, section: str, title: str, caption: str) -> Callable[[Draw], Draw]:
    """Return a decorator that registers a figure under `name`."""

    def add(draw: Draw) -> Draw:
        figures.register(name)(ReportFigure(draw, section, title, caption))
        return draw

    return add


def axes_of(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes, shape (rows, columns); width and height in inches."""
    drawn = Figure(figsize=(width, height), layout="constrained")
    return drawn, np.atleast_2d(drawn.subplots(rows, columns, squeeze=False))


def resolution_axis(ax: Axes) -> None:
    """Log axis from 30 s to 1/128 s, coarse on the left, 30 s marked."""
    ax.set_xscale("log")
    ax.set_xlim(45, 0.006)
    ax.set_xticks([30, 10, 1, 0.1, 0.01], ["30 s", "10 s", "1 s", "0.1 s", "0.01 s"])
    ax.minorticks_off()
    ax.axvline(30, color="#c9ced6", lw=6, alpha=0.5, zorder=0)
    ax.set_xlabel("resolution of the hypnogram")


@figure(
    "night",
    "One night",
    "A night at 30 s and below",
    "The unseen night with the median agreement. From top: the hidden truth (simulated nights only), the expert's 30-s "
    "labels, the network's 30-s hypnogram, its hypnodensity at one row per second, and ten minutes enlarged. "
    "Ticks below the truth are arousals; triangles over the hypnodensity are arousal-like wake intrusions at 1.9 s.",
)
def draw_night(data: ReportData) -> Figure | None:
    """Hypnograms over the hypnodensity of the example night."""
    night = data.night
    if night is None:
        return None
    drawn, axes = axes_of(4 + (night.truth is not None), 1, 10, 8.2)
    panels = list(axes[:, 0])
    hours = len(night.labels) * EPOCH_S / 3600
    if night.truth is not None:
        ax = panels.pop(0)
        _hypnogram(ax, night.truth.stage, 1 / TRUTH_HZ, "hidden truth, 1/8 s")
        at = [e.onset_s / 3600 for e in night.truth.events if e.kind == "arousal"]
        ax.plot(at, np.full(len(at), -0.75), "|", color=ACCENT, ms=5, mew=0.8)
    _hypnogram(panels[0], night.labels, EPOCH_S, "expert, 30 s")
    _hypnogram(panels[1], night.scores.stage[1], EPOCH_S, "network, 30 s")
    _hypnodensity(panels[2], night, 0.0, hours)
    for ax in [*axes[:, 0]][:-1]:
        ax.set_xlim(0, hours)
    start = _busiest(night)
    _hypnodensity(panels[3], night, start, start + 1 / 6)
    panels[3].set_xlabel("hours from the start of the recording")
    panels[3].set_title("ten minutes, enlarged")
    return drawn


def _hypnogram(ax: Axes, stage: np.ndarray, step_s: float, title: str) -> None:
    level = np.where(stage == UNSCORED, np.nan, LEVEL[np.minimum(stage, 4)])
    hours = np.arange(len(stage) + 1) * step_s / 3600
    ax.stairs(level, hours, baseline=None, color="#333a44", lw=0.7)
    ax.set_yticks(range(5), LEVEL_NAMES)
    ax.set_ylim(-1.1, 4.5)
    ax.set_title(title)
    rem = stage == 4
    ax.fill_between(hours[:-1], 2.85, 3.15, where=rem, color=COLOURS["R"], step="post", lw=0)


def _hypnodensity(ax: Axes, night: ExampleNight, start_h: float, stop_h: float) -> None:
    step_h = EPOCH_S / night.scores.steps_per_epoch / 3600
    rows = slice(int(start_h / step_h), int(np.ceil(stop_h / step_h)))
    p = night.scores.probability[rows]
    hours = (np.arange(len(p)) + rows.start) * step_h
    order = [3, 2, 1, 4, 0]  # deep sleep at the bottom, wake on top
    labels = [STAGES[i] for i in order]
    ax.stackplot(hours, p[:, order].T, colors=[COLOURS[s] for s in labels], labels=labels, lw=0)
    found = wake_intrusions(night.scores.stage[16], 16)
    at = found["onset_s"].to_numpy() / 3600
    at = at[(at >= start_h) & (at <= stop_h)]
    if len(at):  # an empty line beside the axes has no place, and leaves the layout none
        ax.plot(at, np.full(len(at), 1.06), "v", color=ACCENT, ms=3, clip_on=False)
    ax.set(xlim=(start_h, stop_h), ylim=(0, 1), ylabel="probability", title="hypnodensity, 1 s")
    ax.title.set_position((0, 1.1))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), reverse=True)


def _busiest(night: ExampleNight) -> float:
    """Return the start, h, of the ten minutes with most wake intrusions; the first of equals."""
    onsets = wake_intrusions(night.scores.stage[16], 16)["onset_s"].to_numpy()
    last = max(0.0, len(night.labels) * EPOCH_S - 600.0)
    starts = np.arange(0, last + 1, 60.0)
    counts = [np.count_nonzero((onsets >= s) & (onsets < s + 600)) for s in starts]
    return float(starts[int(np.argmax(counts))] / 3600)


@figure(
    "confusion",
    "Agreement",
    "Confusion at 30 s",
    "Epochs of unseen persons: rows are the labels, columns the network's stages, percent of each row. "
    "Test persons come from the cohorts that were trained on; held-out cohorts were never seen.",
)
def draw_confusion(data: ReportData) -> Figure | None:
    """Confusion matrices of the test and held-out splits."""
    scored = data.at_30_s[data.at_30_s["n_epochs"] > 0]
    groups = [(str(s), rows) for s, rows in scored.groupby("split") if s in UNSEEN]
    if not groups:
        return None
    drawn, axes = axes_of(1, len(groups), 4.2 * len(groups), 3.9)
    for ax, (split, rows) in zip(axes[0], groups, strict=True):
        counts = rows[COUNTS].to_numpy(float).sum(0).reshape(5, 5)
        share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for i, j in np.ndindex(5, 5):
            ax.text(
                j,
                i,
                f"{share[i, j]:.0f}",
                ha="center",
                va="center",
                color="w" if share[i, j] > 55 else "#333a44",
            )
        pooled = of_split(data.summary, split)
        ax.set_xticks(range(5), STAGES)
        ax.set_yticks(range(5), STAGES)
        ax.set_xlabel("network")
        ax.set_ylabel("label")
        ax.spines[:].set_visible(False)
        name = "test persons" if split == "test" else "held-out cohort"
        f1, kappa = (pooled["macro_f1"], pooled["kappa"]) if pooled else (None, None)
        measures = f"macro-F1 {figure_text(f1)}, kappa {figure_text(kappa)}"
        ax.set_title(f"{name}: {measures}")
    return drawn


@figure(
    "recordings",
    "Agreement",
    "Agreement by recording",
    "Macro-F1 at 30 s of every recording, by cohort; filled: unseen persons, open: persons the network was trained or "
    "validated on. The bar is the mean over unseen recordings.",
)
def draw_recordings(data: ReportData) -> Figure | None:
    """Macro-F1 of each recording that has labels, by cohort."""
    scored = data.at_30_s[data.at_30_s["n_epochs"] > 0]
    if scored.empty:
        return None
    cohorts = sorted(scored["cohort"].unique())
    drawn, axes = axes_of(1, 1, max(7.5, 0.5 * len(cohorts)), 3.2)
    ax = axes[0, 0]
    for x, cohort in enumerate(cohorts):
        rows = scored[scored["cohort"] == cohort].sort_values("recording")
        unseen = rows["split"].isin(UNSEEN).to_numpy()
        spread = x + np.linspace(-0.28, 0.28, len(rows))
        score = rows["macro_f1"].to_numpy()
        ax.plot(spread[~unseen], score[~unseen], "o", mfc="none", mec=GREY, ms=4, alpha=0.6)
        ax.plot(spread[unseen], score[unseen], "o", color=COLOURS["N2"], ms=5)
        if unseen.any():
            ax.hlines(score[unseen].mean(), x - 0.35, x + 0.35, color=ACCENT, lw=1.5)
    ax.set_xticks(range(len(cohorts)), cohorts, rotation=45 if len(cohorts) > 8 else 0)
    ax.set_ylabel("macro-F1")
    ax.set_ylim(min(0.3, float(scored["macro_f1"].min()) - 0.05), 1)
    return drawn


@figure(
    "truth",
    "Below 30 s",
    "Agreement with the hidden truth",
    "Share of time in the true stage, mean over unseen simulated recordings, with the range of the middle half. "
    "The network was trained on 30-s labels only. Dashed: its own 30-s hypnogram repeated; dotted: the expert's.",
)
def draw_truth(data: ReportData) -> Figure | None:
    """Agreement with the fine truth against resolution."""
    if data.fine.empty:
        return None
    unseen = data.fine[data.fine["split"].isin(UNSEEN)]
    drawn, axes = axes_of(1, 2, 9.5, 3.2)
    for ax, (measure, name) in zip(axes[0], (("accuracy", "share of time"), ("kappa", "Cohen's kappa")), strict=True):
        by = unseen.groupby("step_s")[measure]
        x = np.array(sorted(unseen["step_s"].unique()))
        low, mean, high = by.quantile(0.25).loc[x], by.mean().loc[x], by.quantile(0.75).loc[x]
        ax.fill_between(x, low, high, color=COLOURS["N1"], alpha=0.5, lw=0)
        ax.plot(x, mean, "o-", color=COLOURS["N3"], ms=4, label="network at this resolution")
        ax.axhline(unseen[f"repeated_30_s_{measure}"].mean(), color=ACCENT, ls="--", label="network, 30 s repeated")
        ax.axhline(unseen[f"expert_30_s_{measure}"].mean(), color=GREY, ls=":", label="expert, 30 s repeated")
        resolution_axis(ax)
        ax.set_ylabel(name)
    axes[0, 0].legend(loc="lower left")
    return drawn


@figure(
    "training",
    "Training",
    "Training",
    "Loss on training windows and macro-F1 on validation persons after each round; the checkpoint with the "
    "best validation score is kept.",
)
def draw_training(data: ReportData) -> Figure:
    """Loss and validation score."""
    drawn, axes = axes_of(1, 2, 7.5, 2.6)
    columns = (("train_loss", "training loss"), ("valid_macro_f1", "validation macro-F1"))
    for ax, (column, name) in zip(axes[0], columns, strict=True):
        for run, rows in data.training_curve.groupby("run"):
            known = rows.dropna(subset=[column])
            ax.plot(known["round"] + 1, known[column], "o-", ms=3, color=COLOURS["N3"], label=str(run))
        ax.set_xlabel("round")
        ax.set_ylabel(name)
    return drawn
