"""Which windows to train on next: stage, cohort, recording, epoch, start and channels, each drawn in turn.

Source: AnySleep, arXiv 2512.14461, section on training. The cohort is drawn with p = alpha / N + (1 - alpha) n / sum n;
the number of channels of a batch with p(n) proportional to 1/n, which favours few channels; a network with slots has
one channel for each. A cohort or recording that lacks the wanted stage is drawn again; here the
outcome of these redraws is drawn at once, from its probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hypnoflow.data.reader import named
from hypnoflow.data.recordings import StoredRecording
from hypnoflow.errors import CohortError, RecordingError
from hypnoflow.models.contract import Input, View
from hypnoflow.types import UNSCORED

ANY = Input()


@dataclass(frozen=True, slots=True)
class Window:
    """A window to read: `channels` index the recording's."""

    recording: StoredRecording
    first_epoch: int
    channels: View


class WindowSampler:
    """Draws windows whose stages and cohorts are balanced.

    Parameters
    ----------
    recordings : sequence of StoredRecording
        Training recordings.
    window_epochs : int
        Length of a window.
    dataset_mix : float
        Alpha: 1 draws cohorts equally, 0 by their number of recordings.
    draw_by : {"recording", "person"}
        What is drawn evenly within a cohort.
    wanted : Input
        What the network reads: any channels, whose number is drawn; or a channel for each of its slots, drawn evenly
        from those that fit where it sees every way to fill them. Recordings without are left out.

    Attributes
    ----------
    recording_p : ndarray, shape (recording,)
        Probability of each recording before any stage is asked for.
    channel_p : ndarray, shape (channels,)
        Probability of 1, 2, … channels.

    Raises
    ------
    CohortError
        If no recording that the network can read has a scored epoch.
    """

    def __init__(
        self,
        recordings: Sequence[StoredRecording],
        window_epochs: int,
        dataset_mix: float,
        draw_by: Literal["recording", "person"] = "recording",
        wanted: Input = ANY,
    ):
        self.recordings, self._window, self._wanted = list(recordings), window_epochs, wanted
        if wanted.slots:
            self.recordings = [r for r in self.recordings if is_usable(r, wanted)]
            self._fitting = [wanted.fitting(named(r.channels)) for r in self.recordings]
        self._order, self._first, self._count = _labels_by_stage(self.recordings)
        if not self._count.any():
            slots = " and ".join(slot.kind.upper() for slot in wanted.slots)
            raise CohortError(f"no training recording has a scored epoch{slots and f' and the channels {slots}'}")
        self.recording_p = _recording_p(self.recordings, dataset_mix, draw_by)
        self._stages = np.flatnonzero(self._count.any(1))
        share = self.recording_p * (self._count > 0)  # (stage, recording)
        self._cumulative = share.cumsum(1) / np.maximum(share.sum(1, keepdims=True), 1e-300)
        self._n_epochs = np.array([r.n_epochs for r in self.recordings])
        self._per_epoch = np.array([r.labels_per_epoch for r in self.recordings])
        weights = 1 / np.arange(1, max(r.n_channels for r in self.recordings) + 1)
        self.channel_p = np.array([*[0.0] * (len(wanted.slots) - 1), 1.0]) if wanted.slots else weights / weights.sum()

    def batch(self, size: int, rng: np.random.Generator) -> list[Window]:
        """Draw `size` windows that all have the same number of channels."""
        n_channels = 1 + _pick(self.channel_p.cumsum(), rng.random())
        stage = self._stages[rng.integers(len(self._stages), size=size)]
        where, which, start = rng.random((3, size))
        recording = np.array([_pick(self._cumulative[c], u) for c, u in zip(stage, where, strict=True)])
        count = self._count[stage, recording]
        label = self._order[self._first[stage, recording] + (which * count).astype(np.int64)]
        epoch = label // self._per_epoch[recording]
        latest = np.maximum(self._n_epochs[recording] - self._window, 0)
        high = np.minimum(epoch, latest)
        low = np.minimum(np.maximum(epoch - self._window + 1, 0), high)
        first = low + (start * (high - low + 1)).astype(np.int64)
        keys = rng.random((size, max(len(self.channel_p), n_channels)))
        return [
            Window(self.recordings[r], int(f), self._channels(r, n_channels, row))
            for r, f, row in zip(recording, first, keys, strict=True)
        ]

    def _channels(self, which: int, n_wanted: int, keys: NDArray[np.float64]) -> View:
        if not self._wanted.slots:
            return _channels(self.recordings[which].n_channels, n_wanted, keys)
        if self._wanted.every:
            return _filled(self._fitting[which], keys)
        return self._wanted.views(named(self.recordings[which].channels))[0]


def _pick(cumulative: NDArray[np.float64], u: float) -> int:
    """Return the index that `u`, from 0 to 1, falls on; never one of probability zero."""
    return int(np.searchsorted(cumulative, u * cumulative[-1], side="right"))


def _channels(n_there: int, n_wanted: int, keys: NDArray[np.float64]) -> tuple[int, ...]:
    """Return channels drawn evenly; one twice only where there are too few."""
    if n_there < n_wanted:
        return tuple((keys[:n_wanted] * n_there).astype(int).tolist())
    return tuple(keys[:n_there].argsort(kind="stable")[:n_wanted].tolist())


def _filled(fitting: Sequence[Sequence[int | None]], keys: NDArray[np.float64]) -> View:
    """Return a channel for each slot, drawn evenly from those that fit it and no slot before has."""
    view: list[int | None] = []
    for candidates, key in zip(fitting, keys, strict=False):
        free = [i for i in candidates if i is None or i not in view]
        view.append(free[int(key * len(free))])
    return tuple(view)


def is_usable(recording: StoredRecording, wanted: Input) -> bool:
    """Return whether a recording has the channels that a network reads."""
    try:
        wanted.views(named(recording.channels))
    except RecordingError:
        return False
    return True


def _labels_by_stage(
    recordings: Sequence[StoredRecording],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels of all recordings by stage, and where each recording's labels of a stage begin.

    Returns
    -------
    order : ndarray of int32, shape (label of any recording,)
        Positions of labels within their recording, sorted by stage.
    first, count : ndarray of int64, shape (class, recording)
        Where in `order` a recording's labels of a stage begin, and their number.
    """
    orders = [r.labels.argsort(kind="stable").astype(np.int32) for r in recordings]
    tallies = [np.bincount(r.labels, minlength=256)[:UNSCORED] for r in recordings]
    count = np.array(tallies, np.int64).reshape(len(recordings), UNSCORED).T
    begins = np.cumsum([0, *map(len, orders)])[:-1]
    first = begins + np.cumsum(count, axis=0) - count
    return np.concatenate(orders) if orders else np.zeros(0, np.int32), first, count


def _recording_p(recordings: Sequence[StoredRecording], dataset_mix: float, draw_by: str) -> NDArray[np.float64]:
    """Return the probability of each recording: its cohort's, spread evenly over recordings or persons."""
    cohorts: dict[str, int] = {}
    persons: dict[str, set[str]] = {}
    nights: dict[tuple[str, str], int] = {}
    for r in recordings:
        cohorts[r.cohort] = cohorts.get(r.cohort, 0) + 1
        persons.setdefault(r.cohort, set()).add(r.person)
        nights[r.cohort, r.person] = nights.get((r.cohort, r.person), 0) + 1
    p = np.empty(len(recordings))
    for i, r in enumerate(recordings):
        cohort_p = dataset_mix / len(cohorts) + (1 - dataset_mix) * cohorts[r.cohort] / len(recordings)
        by_person = len(persons[r.cohort]) * nights[r.cohort, r.person]
        p[i] = cohort_p / (by_person if draw_by == "person" else cohorts[r.cohort])
    return p
