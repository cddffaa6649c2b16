"""One scored night as one picture: hypnogram over hypnodensity over the time of night."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from hypnoflow.export.night import INTRUSION, ScoredNight, step_name
from hypnoflow.facts.files import replacing
from hypnoflow.report.figures import ACCENT, COLOURS, GREY, LEVEL, LEVEL_NAMES
from hypnoflow.types import EPOCH_S, STAGES, UNSCORED

STACK = (3, 2, 1, 4, 0)  # deep sleep at the bottom, wake on top, as the hypnogram has them
TICKS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440)  # whole steps of a clock
MOST_TICKS = 13
COLUMNS = 1500  # of the hypnodensity that are drawn at most: about one per pixel
INK, LINE, GRID = "#222831", "#aab1bb", "#eef0f3"


def write_png(night: ScoredNight, base: Path) -> list[Path]:
    """Write ``{base}.png``."""
    path = base.with_name(f"{base.name}.png")
    with replacing(path) as partial:
        draw_night(night).savefig(partial, format="png", dpi=150)
    return [path]


def draw_night(night: ScoredNight) -> Figure:
    """Return the figure of a night: stages, arousal-like intrusions, probabilities."""
    drawn = Figure(figsize=(12, 5.6), layout=ConstrainedLayoutEngine(h_pad=0.05, hspace=0.02))
    heads, upper, marks, lower = drawn.subplots(4, 1, sharex=True, gridspec_kw={"height_ratios": [0.5, 2.5, 0.25, 2.2]})
    _heading(heads, night)
    _hypnogram(upper, night)
    _intrusions(marks, night)
    _hypnodensity(lower, night)
    for ax in (upper, marks, lower):
        _gaps(ax, night)
    _time_axis(lower, night)
    if night.simulated:
        drawn.text(0.995, 0.008, "simulated data", ha="right", va="bottom", fontsize=9, color=ACCENT)
    return drawn


def _heading(ax: Axes, night: ScoredNight) -> None:
    ax.axis("off")
    ax.text(0, 1, night.name, transform=ax.transAxes, fontsize=13, fontweight="bold", va="top", color=INK)
    stage = night.stage[1]
    minutes = [np.count_nonzero(stage == code) * EPOCH_S / 60 for code in range(len(STAGES))]
    parts = [f"{name} {hours_minutes(value)}" for name, value in zip(STAGES, minutes, strict=True)]
    when = f"{night.start:%Y-%m-%d %H:%M:%S}" if night.start else "start unknown"
    says = [when, f"asleep {hours_minutes(sum(minutes[1:]))}", *parts, f"from {_shortened(night.channels)}"]
    ax.text(0, 0, "   ·   ".join(says), transform=ax.transAxes, fontsize=9, va="bottom", color=GREY)


def hours_minutes(minutes: float) -> str:
    """Return a length of time as people say it: 6 h 05, 25 min."""
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest:02d}" if hours else f"{rest} min"


def _shortened(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _hypnogram(ax: Axes, night: ScoredNight) -> None:
    """Draw each stage in its own colour, R as a thick bar, on one thin line."""
    stage = night.stage[1]
    hours = np.arange(len(stage) + 1) * EPOCH_S / 3600
    level = np.where(stage == UNSCORED, np.nan, LEVEL[np.minimum(stage, len(STAGES) - 1)])
    ax.stairs(level, hours, baseline=None, color=LINE, lw=0.6)
    for onset_s, duration_s, name in night.runs():
        if name in STAGES:
            y = LEVEL[STAGES.index(name)]
            ends = [onset_s / 3600, (onset_s + duration_s) / 3600]
            width = 6.0 if name == "R" else 3.0
            ax.plot(ends, [y, y], color=COLOURS[name], lw=width, solid_capstyle="butt")
    ax.set_yticks(range(len(LEVEL_NAMES)), LEVEL_NAMES, fontsize=10, fontweight="bold")
    for tick in ax.get_yticklabels():
        tick.set_color(COLOURS[tick.get_text()])
    ax.set_ylim(-0.5, 4.5)
    ax.grid(axis="y", color=GRID, lw=0.8)
    ax.set_axisbelow(True)
    ax.set_ylabel("stage, 30 s", color=GREY)
    if np.any(stage == UNSCORED):
        ax.text(1.008, 0.95, "hatched: not\nrecorded", transform=ax.transAxes, va="top", fontsize=8, color=GREY)
    ax.tick_params(axis="x", length=0, labelbottom=False)
    ax.spines["bottom"].set_visible(False)


def _intrusions(ax: Axes, night: ScoredNight) -> None:
    """Draw a tick for each intrusion, and say how many there are."""
    at = [onset_s / 3600 for onset_s, _ in night.intrusions]
    ax.vlines(at, 0, 1, color=ACCENT, lw=0.8)
    ax.set(ylim=(-0.1, 1.1))
    ax.set_yticks([])
    ax.tick_params(axis="x", length=0, labelbottom=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    said = f"{len(at) or 'no'} {INTRUSION}{'' if len(at) == 1 else 's'}"
    ax.text(
        1.008, 0.5, said.replace("-like ", "-like\n"), transform=ax.transAxes, va="center", fontsize=8, color=ACCENT
    )


def _hypnodensity(ax: Axes, night: ScoredNight) -> None:
    """Draw the probabilities one on the other; neighbouring steps are averaged where there are more than pixels."""
    p = night.probability[night.display]
    step_h = EPOCH_S / night.display / 3600
    fold = -(-len(p) // COLUMNS)
    starts = np.arange(0, len(p), fold)
    counts = np.minimum(fold, len(p) - starts)[:, None]
    mean = np.add.reduceat(p.astype(np.float64), starts, axis=0) / counts
    edges = np.r_[starts, len(p)] * step_h
    top = np.vstack([np.zeros(len(mean)), np.cumsum(mean[:, STACK], axis=1).T])
    for i, code in enumerate(STACK):
        name = STAGES[code]
        ax.stairs(top[i + 1], edges, baseline=top[i], fill=True, color=COLOURS[name], lw=0)
        ax.text(1.008, 0.1 + 0.2 * i, name, transform=ax.transAxes, va="center", fontweight="bold", color=COLOURS[name])
    ax.set(ylim=(0, 1), xlim=(0, edges[-1]))
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    step = step_name(night.display).replace("s", " s") if fold == 1 else f"means of {fold * step_h * 3600:.3g} s"
    ax.set_ylabel(f"probability, {step}", color=GREY)


def _gaps(ax: Axes, night: ScoredNight) -> None:
    """Shade what was not recorded."""
    for onset_s, duration_s, name in night.runs():
        if name not in STAGES:
            ends = onset_s / 3600, (onset_s + duration_s) / 3600
            ax.axvspan(*ends, facecolor=GRID, edgecolor="#c4cad2", hatch="////", lw=0, zorder=0)


def _time_axis(ax: Axes, night: ScoredNight) -> None:
    """Mark whole steps of the clock where the start is known, else of the time since the start."""
    minutes = len(night.stage[1]) * EPOCH_S / 60
    step = next((s for s in TICKS_MIN if minutes / s < MOST_TICKS), TICKS_MIN[-1])
    start = night.start
    offset = (start.hour * 60 + start.minute + (start.second + start.microsecond / 1e6) / 60) if start else 0.0
    at = np.arange(np.ceil(offset / step) * step, offset + minutes + 1e-9, step)
    ax.set_xticks((at - offset) / 60)
    if start is None:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda hours, _: f"{_rounded(hours * 60)}"))
        ax.set_xlabel("time from the start of the recording, h:min")
        return
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    ax.set_xticklabels([f"{midnight + timedelta(minutes=float(minute)):%H:%M}" for minute in at])
    ax.set_xlabel("time of day")


def _rounded(minutes: float) -> str:
    hours, rest = divmod(round(minutes), 60)
    return f"{hours}:{rest:02d}"
