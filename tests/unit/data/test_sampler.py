"""Which windows are drawn, against the probabilities that AnySleep's paper states (papers.md, section 1.4)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from hypnoflow.data.recordings import StoredRecording, window_labels
from hypnoflow.data.sampler import WindowSampler
from hypnoflow.errors import CohortError

N = 6000
MIN_P = 1e-3  # seeds are fixed, so a test passes always or never


def recording(cohort: str, name: str, stage, n_channels: int = 3, person: str = "") -> StoredRecording:
    stage = np.asarray(stage, np.uint8)
    return StoredRecording(cohort, name, person or name, Path("nowhere"), stage, ("eeg",), n_channels, 1.0)


def night(seed: int, n: int = 200) -> np.ndarray:
    """Return stages in which N2 is common and N1 rare."""
    rng = np.random.default_rng(seed)
    return np.r_[np.arange(5), rng.choice(5, n - 5, p=(0.2, 0.02, 0.48, 0.15, 0.15))]


def draw(sampler: WindowSampler, rng: np.random.Generator, n: int = N):
    """Return `n` windows, each of a batch of its own."""
    return [sampler.batch(1, rng)[0] for _ in range(n)]


def test_epochs_of_every_stage_are_drawn_equally_often(rng):
    recordings = [recording("a", f"r{i}", night(i)) for i in range(5)]
    windows = draw(WindowSampler(recordings, 1, 0.5), rng)
    counts = Counter(int(w.recording.stage[w.first_epoch]) for w in windows)
    assert chisquare([counts[stage] for stage in range(5)]).pvalue > MIN_P


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_cohorts_are_drawn_by_the_papers_mixture(rng, alpha):
    sizes = {"a": 1, "b": 3, "c": 12}
    recordings = [recording(c, f"{c}{i}", night(i)) for c, n in sizes.items() for i in range(n)]
    counts = Counter(w.recording.cohort for w in draw(WindowSampler(recordings, 5, alpha), rng))
    wanted = [N * (alpha / 3 + (1 - alpha) * n / 16) for n in sizes.values()]
    assert chisquare([counts[c] for c in sizes], wanted).pvalue > MIN_P


def test_number_of_channels_falls_as_one_over_n(rng):
    recordings = [recording("a", "few", night(1), 2), recording("a", "many", night(2), 6)]
    sampler = WindowSampler(recordings, 5, 0.5)
    batches = [sampler.batch(2, rng) for _ in range(N)]
    assert all(len({len(w.channels) for w in batch}) == 1 for batch in batches)
    counts = Counter(len(batch[0].channels) for batch in batches)
    share = 1 / np.arange(1, 7)
    assert chisquare([counts[n] for n in range(1, 7)], N * share / share.sum()).pvalue > MIN_P


def test_channels_are_drawn_evenly_and_repeat_only_where_there_are_too_few(rng):
    recordings = [recording("a", "few", night(1), 2), recording("a", "many", night(2), 6)]
    windows = draw(WindowSampler(recordings, 5, 0.5), rng)
    for w in windows:
        few = w.recording.n_channels < len(w.channels)
        assert few or len(set(w.channels)) == len(w.channels)
        assert 0 <= min(w.channels) <= max(w.channels) < w.recording.n_channels
    singles = Counter(w.channels[0] for w in windows if w.recording.n_channels == 6 and len(w.channels) == 1)
    assert chisquare([singles[c] for c in range(6)]).pvalue > MIN_P


def test_window_holds_the_drawn_epoch_stays_inside_and_starts_anywhere_it_can(rng):
    stage = np.full(100, 9)
    stage[40] = 2  # the only epoch that can be drawn
    starts = [w.first_epoch for w in draw(WindowSampler([recording("a", "r", stage)], 10, 0.5), rng)]
    counts = Counter(starts)
    assert set(counts) == set(range(31, 41))
    assert chisquare([counts[start] for start in range(31, 41)]).pvalue > MIN_P


@pytest.mark.parametrize("at, starts", [(0, {0}), (3, {0, 1, 2, 3}), (99, {90}), (97, {88, 89, 90})])
def test_window_is_clamped_at_the_ends_of_the_recording(rng, at, starts):
    stage = np.full(100, 9)
    stage[at] = 3
    windows = draw(WindowSampler([recording("a", "r", stage)], 10, 0.5), rng, 300)
    assert {w.first_epoch for w in windows} == starts


@pytest.mark.parametrize("n", [5, 9, 10])
def test_recording_shorter_than_the_window_starts_at_zero_and_is_padded(rng, n):
    short = recording("a", "r", np.arange(n) % 5)
    assert {w.first_epoch for w in draw(WindowSampler([short], 10, 0.5), rng, 200)} == {0}
    stages = window_labels(short, 0, 10)
    assert stages.tolist() == (np.arange(n) % 5).tolist() + [9] * (10 - n)


def test_rare_stage_is_still_a_fifth_of_the_draws(rng):
    common = np.tile([0, 2, 3, 4], 100)
    rare = common.copy()
    rare[123] = 1  # one epoch of N1 in the whole corpus
    recordings = [recording("a", f"r{i}", common) for i in range(4)] + [recording("b", "with", rare)]
    windows = draw(WindowSampler(recordings, 1, 0.5), rng, 2000)
    n1 = [w for w in windows if w.recording.stage[w.first_epoch] == 1]
    assert {(w.recording.recording, w.first_epoch) for w in n1} == {("with", 123)}
    assert len(n1) / len(windows) == pytest.approx(0.2, abs=0.04)  # SD 0.009


def test_stage_that_nobody_has_is_never_asked_for(rng):
    windows = draw(WindowSampler([recording("a", "r", np.tile([0, 2], 50))], 1, 0.5), rng, 500)
    counts = Counter(int(w.recording.stage[w.first_epoch]) for w in windows)
    assert set(counts) == {0, 2}
    assert chisquare([counts[0], counts[2]]).pvalue > MIN_P


def test_persons_with_more_nights_are_not_drawn_more_often(rng):
    recordings = [recording("a", f"x{i}", night(i), person="x") for i in range(4)]
    recordings.append(recording("a", "y", night(9), person="y"))
    counts = Counter(w.recording.person for w in draw(WindowSampler(recordings, 5, 0.5), rng))
    assert chisquare([counts["x"], counts["y"]]).pvalue > MIN_P


def test_unscored_epochs_are_never_the_reason_for_a_window(rng):
    stage = night(1)
    stage[50:150] = 9
    windows = draw(WindowSampler([recording("a", "r", stage)], 1, 0.5), rng, 1000)
    assert all(stage[w.first_epoch] != 9 for w in windows)


@pytest.mark.parametrize("recordings", [[], [recording("a", "r", [9, 9, 9])]])
def test_nothing_scored_to_learn_from_is_an_error(recordings):
    with pytest.raises(CohortError, match="no training recording has a scored epoch"):
        WindowSampler(recordings, 5, 0.5)


def test_same_generator_gives_the_same_windows():
    recordings = [recording("a", f"r{i}", night(i)) for i in range(3)]
    one, two = (draw(WindowSampler(recordings, 5, 0.5), np.random.default_rng(3), 50) for _ in range(2))
    assert [(w.recording.recording, w.first_epoch, w.channels) for w in one] == [
        (w.recording.recording, w.first_epoch, w.channels) for w in two
    ]
