"""Hypnograms for YASA: its JSON with probabilities and start, and whole numbers, one to a line.

Format: `yasa.Hypnogram.from_json` of YASA 0.8, https://yasa-sleep.org; whole numbers for `from_integers`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hypnoflow.export.night import ScoredNight
from hypnoflow.facts.files import replacing
from hypnoflow.types import EPOCH_S, STAGES

WORDS = {"W": "WAKE", "N1": "N1", "N2": "N2", "N3": "N3", "R": "REM", "?": "UNS"}
NUMBERS = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 4, "?": -2}


def write_yasa(night: ScoredNight, base: Path) -> list[Path]:
    """Write ``{base}.yasa.json`` and ``{base}.yasa.txt``, 30-s epochs; gaps are UNS, -2."""
    epochs = night.epochs
    whole = base.with_name(f"{base.name}.yasa.json")
    numbers = base.with_name(f"{base.name}.yasa.txt")
    content = {
        "values": [WORDS[name] for name in epochs],
        "n_stages": 5,
        "freq": f"{EPOCH_S}s",
        "start": night.start.isoformat() if night.start else None,
        "scorer": "hypnoflow",
        "proba": _probability(night),
    }
    with replacing(whole) as partial:
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")
    with replacing(numbers) as partial:
        partial.write_text("".join(f"{NUMBERS[name]}\n" for name in epochs), encoding="utf-8")
    return [whole, numbers]


def _probability(night: ScoredNight) -> dict[str, list[float]]:
    """Return a column per stage; rows have to sum to 1, so that gaps are surely unscored."""
    p = night.probability[1].astype(np.float64)
    lost = np.isnan(p).any(1)
    columns = {WORDS[name]: np.where(lost, 0.0, p[:, i]).tolist() for i, name in enumerate(STAGES)}
    if lost.any():
        columns[WORDS["?"]] = lost.astype(np.float64).tolist()
    return {name: [round(x, 6) for x in column] for name, column in columns.items()}
