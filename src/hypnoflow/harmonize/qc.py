"""What the table of a shard says of each of its recordings."""

from __future__ import annotations

from typing import Any

import numpy as np

from hypnoflow.harmonize.signals import Harmonized
from hypnoflow.types import UNSCORED


def qc_row(
    row: dict[str, Any], signals: Harmonized, stage: np.ndarray, excess_s: float, warnings: list[str]
) -> dict[str, Any]:
    """Return what the table of a shard says of a recording that was harmonized; `stage` has shape (epoch,)."""
    scored = stage != UNSCORED
    clipped = {
        channel.label: float(share)
        for kind in signals.kinds.values()
        for channel, share in zip(kind.channels, kind.clipped_share, strict=True)
    }
    bad = {
        channel.label: float(np.mean(flags != 0))
        for kind in signals.kinds.values()
        for channel, flags in zip(kind.channels, kind.flags, strict=True)
    }
    return {
        "cohort": row["cohort"],
        "recording": row["recording"],
        "status": "ok",
        "reason": "",
        "hint": "",
        "path": row["signal_path"],
        "n_epochs": signals.n_epochs,
        "scored_share": float(scored.mean()),
        "hypnogram_excess_s": float(excess_s),
        "channels": " ".join(c.label for kind in signals.kinds.values() for c in kind.channels),
        "dropped": "; ".join(f"{label}: {why}" for label, why in signals.dropped.items()),
        "warnings": "; ".join(warnings),
        "worst_clipped_channel": max(clipped, key=lambda label: clipped[label]),
        "worst_clipped_share": max(clipped.values()),
        "qc_score": signals.score,
        "worst_channel": max(bad, key=lambda label: bad[label]),
        "bad_epoch_share": max(bad.values()),
        "remarks": "; ".join(map(str, signals.remarks)),
    }
