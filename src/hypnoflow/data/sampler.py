"""Which window to train on next: stage, cohort, person, recording, epoch, each drawn in turn.

Source: AnySleep, arXiv 2512.14461, section on training. The cohort is drawn with p = alpha / N + (1 - alpha) n / sum n;
the number of channels of a batch with p(n) proportional to 1/n, which favours few channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hypnoflow.data.recordings import StoredRecording
from hypnoflow.errors import CohortError
from hypnoflow.types import STAGES

MAX_TRIES = 100  # redraws of a cohort that lacks the wanted stage


@dataclass(frozen=True, slots=True)
class Window:
    """A window to read: `channels` index the recording's EEG and EOG channels."""

    recording: StoredRecording
    first_epoch: int
    channels: tuple[int, ...]


class WindowSampler:
    """Draws windows whose stages, cohorts and persons are balanced.

    Parameters
    ----------
    recordings : sequence of StoredRecording
        Training recordings.
    window_epochs : int
        Length of a window.
    dataset_mix : float
        Alpha: 1 draws cohorts equally, 0 by their number of recordings.
    rng : numpy.random.Generator
        Source of every draw.

    Raises
    ------
    CohortError
        If there is no recording with a scored epoch.
    """

    def __init__(
        self,
        recordings: Sequence[StoredRecording],
        window_epochs: int,
        dataset_mix: float,
        rng: np.random.Generator,
    ):
        self._window, self._rng = window_epochs, rng
        self._epochs = {id(r): [np.flatnonzero(r.stage == c) for c in range(len(STAGES))] for r in recordings}
        cohorts = sorted({r.cohort for r in recordings})
        if not cohorts or not any(len(e) for each in self._epochs.values() for e in each):
            raise CohortError("no training recording has a scored epoch")
        self._persons: list[list[list[StoredRecording]]] = []  # cohort → person → recordings
        for cohort in cohorts:
            people: dict[str, list[StoredRecording]] = {}
            for r in (r for r in recordings if r.cohort == cohort):
                people.setdefault(r.person, []).append(r)
            self._persons.append([people[name] for name in sorted(people)])
        sizes = np.array([sum(map(len, people)) for people in self._persons], float)
        self.cohorts = cohorts
        self.cohort_p = dataset_mix / len(cohorts) + (1 - dataset_mix) * sizes / sizes.sum()
        self._stages = [c for c in range(len(STAGES)) if any(len(e[c]) for e in self._epochs.values())]
        most = max(r.n_channels for r in recordings)
        weights = 1 / np.arange(1, most + 1)
        self.channel_p = weights / weights.sum()

    def batch(self, size: int) -> list[Window]:
        """Draw `size` windows that all have the same number of channels."""
        n_channels = 1 + int(self._rng.choice(len(self.channel_p), p=self.channel_p))
        return [self._draw(n_channels) for _ in range(size)]

    def batches(self, size: int) -> Iterator[list[Window]]:
        """Draw batches for ever."""
        while True:
            yield self.batch(size)

    def _draw(self, n_channels: int) -> Window:
        stage = self._stages[self._rng.integers(len(self._stages))]
        recording, epochs = self._recording_with(stage)
        epoch = int(self._rng.choice(epochs))
        low = max(0, epoch - self._window + 1)
        high = min(epoch, max(0, recording.n_epochs - self._window))
        start = int(self._rng.integers(min(low, high), high + 1))
        few = recording.n_channels < n_channels
        channels = self._rng.choice(recording.n_channels, size=n_channels, replace=few)
        return Window(recording, start, tuple(int(c) for c in channels))

    def _recording_with(self, stage: int) -> tuple[StoredRecording, np.ndarray]:
        for _ in range(MAX_TRIES):
            people = self._persons[self._rng.choice(len(self._persons), p=self.cohort_p)]
            nights = people[self._rng.integers(len(people))]
            recording = nights[self._rng.integers(len(nights))]
            epochs = self._epochs[id(recording)][stage]
            if len(epochs):
                return recording, epochs
        raise CohortError(f"stage {STAGES[stage]} is too rare: {MAX_TRIES} draws found no recording with it")
