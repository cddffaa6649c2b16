"""Figures of arousals at each resolution."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hypnoflow.report.collect import ReportData
from hypnoflow.report.figures import ACCENT, COLOURS, GREY, axes_of, figure, resolution_axis


@figure(
    "arousals",
    "Agreement",
    "Experts' arousals in hypnograms of each resolution",
    "Left: wake intrusions of 3 to 15 s against arousals that experts marked, matched one to one at an IoU of at least "
    "0.2, and F1 as AnySleep's published matching counts it. Right: share of the experts' arousal time that is scored "
    "W. Of unseen persons whose recordings have a marked arousal: of all events together, but for the published F1 and "
    "the share, which are means over persons.",
)
def draw_arousals(data: ReportData) -> Figure | None:
    """Agreement on arousals over resolutions."""
    rows = pd.DataFrame(data.summary.get("arousals") or [])
    if rows.empty:
        return None
    rows = rows.astype(float)
    drawn, axes = axes_of(1, 2, 9.0, 3.2)
    lines = {
        "precision": ("precision", COLOURS["N2"], "-"),
        "recall": ("recall", COLOURS["W"], "-"),
        "F1": ("f1", ACCENT, "-"),
        "F1, published matching": ("published_f1", GREY, "--"),
    }
    for label, (name, colour, style) in lines.items():
        axes[0][0].plot(rows["step_s"], rows[name], style, marker="o", ms=3, color=colour, label=label)
    axes[0][0].legend(fontsize=8)
    axes[0][0].set(ylim=(0, 1), title=f"intrusions against arousals, {int(np.max(rows['persons']))} persons")
    axes[0][1].plot(rows["step_s"], rows["wake_share"], "-o", ms=3, color=COLOURS["W"])
    axes[0][1].set(ylim=(0, 1), title="arousal time scored W")
    for ax in axes[0]:
        resolution_axis(ax)
    return drawn
