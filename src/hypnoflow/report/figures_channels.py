"""Figures of subsets of channels; each is there only where `science.evaluate.subsets` asked for it."""

from __future__ import annotations

from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypnoflow.report.collect import ReportData
from hypnoflow.report.figures import ACCENT, COLOURS, GREY, axes_of, figure
from hypnoflow.subsets.choose import ALL, PAIRED


def subsets_part(data: ReportData, part: Literal["count", "pairs", "attention"]) -> pd.DataFrame:
    """Return one part of the scores from subsets of channels, NaN where JSON has null; empty where not made."""
    found = data.summary.get("subsets")
    return pd.DataFrame(found[part] if found else []).replace({None: np.nan})


@figure(
    "channel_count",
    "Agreement",
    "Agreement by number of channels",
    "Recording-wise macro-F1 of unseen persons by number of EEG channels, with one EOG and without any; every point is "
    "of the same recordings, averaged over subsets, training seeds, recordings and persons, with a bootstrap interval "
    "over families. Filled: differs from the whole montage (dashed) at 0.05 by sign flips of persons, Holm-corrected.",
)
def draw_channel_count(data: ReportData) -> Figure | None:
    """Macro-F1 against the number of channels."""
    rows = subsets_part(data, "count")
    if rows.empty:
        return None
    drawn, axes = axes_of(1, 1, 6.4, 3.6)
    ax = axes[0, 0]
    whole = rows[rows["condition"] == ALL].iloc[0]
    for n_eog, colour, shift in ((1, COLOURS["N3"], 0.06), (0, ACCENT, -0.06)):
        part = rows[rows["n_eog"] == n_eog].sort_values("n_eeg")
        x, y = part["n_eeg"].to_numpy(float) + shift, part["macro_f1"].to_numpy(float)
        ax.vlines(x, part["low"].astype(float), part["high"].astype(float), color=colour, lw=1, alpha=0.7)
        ax.plot(x, y, "-", color=colour, lw=1)
        clear = part["p_holm"].to_numpy(float) < 0.05
        ax.plot(x[~clear], y[~clear], "o", mfc="w", mec=colour, ms=5, label="with one EOG" if n_eog else "without EOG")
        ax.plot(x[clear], y[clear], "o", color=colour, ms=5)
    ax.axhline(whole["macro_f1"], color=GREY, ls="--", label=ALL)
    ax.set_xlabel("EEG channels")
    ax.set_ylabel("macro-F1, by recording")
    ax.set_xticks(range(int(rows["n_eeg"].max()) + 1))
    ax.set_title(_sizes(whole))
    ax.legend(loc="lower right")
    return drawn


@figure(
    "channel_pairs",
    "Agreement",
    "Agreement by pair of channels",
    "Recording-wise macro-F1 from two channels and, on the diagonal, from one; every cell is of the same recordings. "
    "EOG is one channel, also on the diagonal. The order of two channels does not matter to this network.",
)
def draw_channel_pairs(data: ReportData) -> Figure | None:
    """Heat map of macro-F1 over pairs of electrodes."""
    rows = subsets_part(data, "pairs")
    if rows.empty:
        return None
    matrix = np.full((len(PAIRED), len(PAIRED)), np.nan)
    for row in rows.itertuples():
        i, j = PAIRED.index(row.first), PAIRED.index(row.second)
        matrix[i, j] = matrix[j, i] = row.macro_f1
    drawn, axes = axes_of(1, 1, 5.2, 4.4)
    _heat_map(axes[0, 0], matrix, PAIRED, PAIRED, "Blues")
    axes[0, 0].set_title(_sizes(rows.iloc[0]))
    return drawn


@figure(
    "attention",
    "Agreement",
    "Attention weights by channel and level",
    "Mean weight of each of seven channels in the fusion at each level, from the finest skip to the connector (last), "
    "one panel for each training seed; 0.14 is an equal share. Weights differ between seeds of one network, so they "
    "explain a checkpoint and say nothing about which channels matter.",
)
def draw_attention(data: ReportData) -> Figure | None:
    """Heat map of attention weights over levels and channels, one for each seed."""
    rows = subsets_part(data, "attention")
    if rows.empty:
        return None
    seeds = sorted(rows["seed"].unique())
    drawn, axes = axes_of(len(seeds), 1, 7.5, 2.8 * len(seeds))
    for ax, seed in zip(axes[:, 0], seeds, strict=True):
        part = rows[rows["seed"] == seed]
        table = part.pivot(index="electrode", columns="level", values="weight").loc[list(PAIRED)]
        _heat_map(ax, table.to_numpy(float), PAIRED, [str(level) for level in table.columns], "Purples")
        ax.set_xlabel("level")
        ax.set_title(f"{seed}, {int(part['recordings'].iloc[0])} recordings")
    return drawn


def _sizes(row: pd.Series) -> str:
    return f"{int(row['recordings'])} recordings of {int(row['persons'])} persons"


def _heat_map(ax: Axes, values: np.ndarray, rows: tuple[str, ...], columns: Any, colours: str) -> None:
    """Draw values with their numbers, dark where they are high."""
    low, high = np.nanmin(values), np.nanmax(values)
    span = max(high - low, 1e-9)
    ax.imshow(values, cmap=mpl.colormaps[colours], vmin=low - 0.15 * span, vmax=high, aspect="auto")
    for i, j in np.ndindex(values.shape):
        colour = "w" if values[i, j] > low + 0.55 * span else "#333a44"
        ax.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", color=colour, fontsize=8)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_xticks(range(len(columns)), columns)
    ax.spines[:].set_visible(False)
