"""Words for stages that mean the same wherever they are written; bare numbers do not, and are never guessed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.types import N1, N2, N3, UNSCORED, R, W

COMMON: dict[str, int] = {"W": W, "N1": N1, "N2": N2, "N3": N3, "R": R, "unscored": UNSCORED}

_WORDS = {
    "W": ("w", "wake", "awake", "waking", "wakefulness", "s0", "wake|0"),
    "N1": ("n1", "s1", "nrem1", "nrem 1", "nrem stage 1", "non rem 1", "stage 1 sleep|1"),
    "N2": ("n2", "s2", "nrem2", "nrem 2", "nrem stage 2", "non rem 2", "stage 2 sleep|2"),
    "N3": (
        *("n3", "s3", "nrem3", "nrem 3", "nrem stage 3", "non rem 3", "stage 3 sleep|3"),
        *("n4", "s4", "nrem4", "nrem 4", "nrem stage 4", "non rem 4", "stage 4 sleep|4"),
    ),
    "R": ("r", "rem", "rem sleep", "rem sleep|5"),
    "unscored": (
        *("?", "unscored", "unknown", "undefined", "n/a", "mt", "movement", "movement time", "artifact", "artefact"),
        *("movement|6", "unscored|9", "artifact|10"),
    ),
}
_NUMBERED = {"N1": ("1",), "N2": ("2",), "N3": ("3", "4")}  # plain only after the word "stage"

_KNOWN = {
    prefix + word: name
    for name, words in _WORDS.items()
    for prefix in ("", "stage ", "sleep ", "sleep stage ", "stage")
    for word in words
} | {
    prefix + word: name
    for name, words in _NUMBERED.items()
    for prefix in ("stage ", "sleep stage ", "stage")
    for word in words
}

CODINGS = (  # name, {number: stage}
    (
        "0 W, 1 N1, 2 N2, 3 N3, 4 R, -1 or 9 unscored (Dreem, YASA, AnySleep)",
        {"0", "1", "2", "3", "4", "-1", "-2", "9"},
    ),
    (
        "0 W, 1 N1, 2 N2, 3 and 4 N3, 5 R, 6 and 9 unscored (NSRR, Profusion, ISRUC)",
        {"0", "1", "2", "3", "4", "5", "6", "9"},
    ),
    (
        "0 W, 1 R, 2 N1, 3 N2, 4 and 5 N3, 6 to 8 unscored (St. Vincent's)",
        {"0", "1", "2", "3", "4", "5", "6", "7", "8"},
    ),
)


def common_label(label: str, own: Collection[str]) -> str:
    """Return the common name of a stage label: W, N1, N2, N3, R or unscored; anything else as it is.

    `own` are labels that the config maps itself; they stay as they are.
    """
    label = re.sub(r"^(-?\d+)\.0+$", r"\1", label.strip())  # numbers that went through a spreadsheet
    if label in own:
        return label
    return _KNOWN.get(re.sub(r"[\s_-]+", " ", label).lower(), label)


def is_stage(label: str, own: Collection[str]) -> bool:
    """Return whether a label among others is a stage: known, or called one."""
    known = common_label(label, own)
    return known in COMMON or known in own or re.match(r"(sleep\s)?stage\b", known.lower()) is not None


def check_numbers(labels: Iterable[str], own: Collection[str], path: Path) -> None:
    """Raise RecordingError, naming the codings that fit, if stages are bare numbers that the config does not map."""
    found = sorted({label for label in labels if re.fullmatch(r"-?\d{1,9}", label)}, key=int)
    if not found or all(label in own for label in found):
        return
    fitting = [name for name, numbers in CODINGS if set(found) <= numbers]
    raise RecordingError(
        f"the stages are numbers ({', '.join(found)}), and which number is REM differs between labs"
        + (f"; these would fit: {'; '.join(fitting)}" if fitting else ""),
        path=path,
        hint="say what each means in the cohort's `stages` in the config, e.g. {0: W, 1: N1, 2: N2, 3: N3, 5: R}",
    )
