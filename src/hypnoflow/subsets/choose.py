"""Which channels a recording is scored from: by number, by pair of electrodes, always the same rule.

Source of the two designs: AnySleep, arXiv 2512.14461 (ablation of channel number; channel-pair heat map).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np

from hypnoflow.config.evaluate import Subsets
from hypnoflow.store.store import open_array
from hypnoflow.types import Kind

ALL = "all channels"
PAIRED = ("EOG", "F3", "F4", "C3", "C4", "O1", "O2")  # rows and columns of the pair matrix
MASTOIDS = ("M1", "M2")


@dataclass(frozen=True, slots=True)
class Montage:
    """A recording's EEG and EOG channels in the order of its scored signals."""

    kinds: tuple[Kind, ...]
    labels: tuple[str, ...]
    electrodes: tuple[str, ...]
    references: tuple[str, ...]

    def of_kind(self, kind: Kind) -> list[int]:
        """Return the channels of one kind, in order."""
        return [i for i, each in enumerate(self.kinds) if each == kind]


@dataclass(frozen=True, slots=True)
class Subset:
    """Some channels of a recording, and the cell of the design that they belong to.

    `channels` ascend; `analysis` is count or pairs; `first` and `second` are electrodes of the pair matrix, equal
    for a single channel.
    """

    analysis: str
    cell: str
    channels: tuple[int, ...]
    n_eeg: int
    n_eog: int
    first: str = ""
    second: str = ""


def read_montage(store: Path, recording: str, kinds: Sequence[Kind]) -> Montage:
    """Return the channels of a harmonized recording, kind after kind."""
    columns: dict[str, list[str]] = {"kind": [], "channel": [], "electrode": [], "reference": []}
    for kind in kinds:
        facts: dict[str, Any] = dict(open_array(store, recording, kind).attrs)
        for name in ("channel", "electrode", "reference"):
            columns[name] += facts[name]
        columns["kind"] += [kind] * len(facts["channel"])
    parts = (tuple(columns[name]) for name in ("kind", "channel", "electrode", "reference"))
    return Montage(*parts)  # type: ignore[arg-type]


def choose_subsets(montage: Montage, options: Subsets, rng: np.random.Generator) -> list[Subset]:
    """Return every subset that the options ask for; none of an analysis that the montage cannot fill completely."""
    chosen = []
    if options.kind in ("count", "all"):
        chosen += count_subsets(montage, options, rng)
    if options.kind in ("pairs", "all"):
        chosen += pair_subsets(montage)
    return chosen


def count_subsets(montage: Montage, options: Subsets, rng: np.random.Generator) -> list[Subset]:
    """Return subsets by number of EEG channels, with one EOG and without any, and the whole montage.

    Each cell has `draws` distinct subsets, uniformly drawn without replacement, or all where there are no more. A
    recording with fewer than `most_eeg` EEG channels, or no EOG, has none at all, so that every cell of the analysis
    holds the same recordings.
    """
    eeg, eog = montage.of_kind("eeg"), montage.of_kind("eog")
    if len(eeg) < options.most_eeg or not eog:
        return []
    chosen = [Subset("count", ALL, tuple(range(len(montage.kinds))), len(eeg), len(eog))]
    for with_eog in (1, 0):
        for n in range(1 - with_eog, options.most_eeg + 1):
            cell = count_cell(n, with_eog)
            for channels in _draw(eeg, n, eog if with_eog else [], options.draws, rng):
                chosen.append(Subset("count", cell, channels, n, with_eog))
    return chosen


def count_cell(n_eeg: int, n_eog: int) -> str:
    """Return the name of a cell of the design by number of channels."""
    parts = [f"{n_eeg} EEG" if n_eeg else "", "1 EOG" if n_eog else ""]
    return " + ".join(part for part in parts if part)


def _draw(eeg: list[int], n: int, eog: list[int], draws: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Return distinct sets of `n` EEG channels, with one of `eog` where there is one, sorted."""
    if comb(len(eeg), n) * max(len(eog), 1) <= draws:
        extras = list(combinations(eog, min(len(eog), 1)))  # each EOG alone, or once nothing
        return sorted(tuple(sorted((*some, *extra))) for some in combinations(eeg, n) for extra in extras)
    found: set[tuple[int, ...]] = set()
    while len(found) < draws:
        some = [eeg[i] for i in rng.choice(len(eeg), n, replace=False)]
        extra = [eog[int(rng.integers(len(eog)))]] if eog else []
        found.add(tuple(sorted(map(int, (*some, *extra)))))
    return sorted(found)


def pair_subsets(montage: Montage) -> list[Subset]:
    """Return single channels and pairs of `PAIRED`; nothing unless the montage has them all.

    EOG is one channel, the first; EOG with itself is that channel alone, as on the rest of the diagonal.
    """
    at = {name: pair_channel(montage, name) for name in PAIRED}
    known = {name: channel for name, channel in at.items() if channel is not None}
    if len(known) < len(PAIRED):
        return []
    chosen = []
    for i, first in enumerate(PAIRED):
        for second in PAIRED[i:]:
            channels = tuple(sorted({known[first], known[second]}))
            cell = first if first == second else f"{first} + {second}"
            n_eog = int(first == "EOG")
            chosen.append(Subset("pairs", cell, channels, len(channels) - n_eog, n_eog, first, second))
    return chosen


def pair_channel(montage: Montage, electrode: str) -> int | None:
    """Return the channel that stands for an electrode: the first EOG; else the first against a mastoid or at all."""
    if electrode == "EOG":
        return next(iter(montage.of_kind("eog")), None)
    ones = [i for i in montage.of_kind("eeg") if montage.electrodes[i] == electrode]
    return next((i for i in ones if montage.references[i] in MASTOIDS), ones[0] if ones else None)
