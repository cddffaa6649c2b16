"""BIDS: stages and intrusions as ``events.tsv`` with a JSON sidecar (https://bids-specification.readthedocs.io)."""

from __future__ import annotations

import re
from pathlib import Path

from hypnoflow.export.night import INTRUSION, ScoredNight
from hypnoflow.facts.files import replacing, write_json

UNKNOWN = "unscored"
SIDECAR = {
    "onset": {"Description": "Start, from the first sample of the recording", "Units": "s"},
    "duration": {"Description": "Length", "Units": "s"},
    "trial_type": {
        "LongName": "Sleep stage or event",
        "Description": "AASM sleep stage in 30-s epochs, equal neighbours merged; intrusions overlap them",
        "Levels": {
            "W": "wake",
            "N1": "NREM stage 1",
            "N2": "NREM stage 2",
            "N3": "NREM stage 3",
            "R": "REM sleep",
            UNKNOWN: "nothing was recorded",
            INTRUSION: "short stretch of wake within sleep at the fine resolution of the network",
        },
    },
}


def events_path(base: Path) -> Path:
    """Return where the events of the recording `base` go; the ``_eeg`` of a BIDS name gives way."""
    return base.with_name(re.sub(r"^(sub-.*)_i?eeg$", r"\1", base.name) + "_desc-hypnoflow_events.tsv")


def write_events(night: ScoredNight, base: Path) -> list[Path]:
    """Write ``{base}_desc-hypnoflow_events.tsv`` and its ``.json``."""
    path = events_path(base)
    rows = [(onset_s, duration_s, UNKNOWN if name == "?" else name) for onset_s, duration_s, name in night.runs()]
    rows += [(onset_s, duration_s, INTRUSION) for onset_s, duration_s in night.intrusions]
    lines = ["onset\tduration\ttrial_type", *(f"{a:.10g}\t{b:.10g}\t{name}" for a, b, name in sorted(rows))]
    with replacing(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sidecar = path.with_suffix(".json")
    about = {
        "GeneratedBy": [{"Name": "hypnoflow"}],
        "StartTime": night.start.isoformat() if night.start else "n/a",
        "Channels": list(night.channels),
        "Simulated": night.simulated,
    }
    write_json(sidecar, SIDECAR | about)
    return [path, sidecar]
