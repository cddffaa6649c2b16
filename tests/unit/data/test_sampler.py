"""Which windows are drawn, against the probabilities that AnySleep's paper states (papers.md, section 1.4)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from hypnoflow.data.reader import Described
from hypnoflow.data.recordings import StoredRecording, window_labels
from hypnoflow.data.sampler import WindowSampler
from hypnoflow.errors import CohortError
from hypnoflow.models.contract import Input, Slot

N = 6000
MIN_P = 1e-3  # seeds are fixed, so a test passes always or never


PAIRS = Input(slots=(Slot("eeg"), Slot("eog")), every=True)


def of(kinds) -> tuple[Described, ...]:
    return tuple(map(Described, kinds))


def recording(cohort: str, name: str, stage, n_channels: int = 3, person: str = "") -> StoredRecording:
    stage = np.asarray(stage, np.uint8)
    return StoredRecording(cohort, name, person or name, Path("nowhere"), stage, of(("eeg",) * n_channels))


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


def test_network_of_pairs_draws_an_eeg_and_an_eog_evenly_and_only_where_there_are_both(rng):
    with_both = replace(recording("a", "both", night(1)), channels=of(("eeg",) * 3 + ("eog",) * 2))
    others = [recording("a", "eeg only", night(2)), replace(with_both, recording="eog only", channels=of(("eog",)))]
    windows = draw(WindowSampler([*others, with_both], 5, 0.5, wanted=PAIRS), rng)
    assert {w.recording.recording for w in windows} == {"both"}
    counts = Counter(w.channels for w in windows)
    assert set(counts) == {(eeg, eog) for eeg in (0, 1, 2) for eog in (3, 4)}
    assert chisquare(list(counts.values())).pvalue > MIN_P


def test_network_of_pairs_with_nothing_to_draw_is_refused():
    with pytest.raises(CohortError, match="the channels EEG and EOG"):
        WindowSampler([recording("a", "eeg only", night(1))], 5, 0.5, wanted=PAIRS)


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


@pytest.mark.parametrize("draw_by, share_of_x", [("recording", 4 / 5), ("person", 1 / 2)])
def test_recordings_are_drawn_evenly_as_published_or_persons(rng, draw_by, share_of_x):
    recordings = [recording("a", f"x{i}", night(i), person="x") for i in range(4)]
    recordings.append(recording("a", "y", night(9), person="y"))
    windows = draw(WindowSampler(recordings, 5, 0.5, draw_by), rng)
    counts = Counter(w.recording.person for w in windows)
    wanted = [N * share_of_x, N * (1 - share_of_x)]
    assert chisquare([counts["x"], counts["y"]], wanted).pvalue > MIN_P
    nights = Counter(w.recording.recording for w in windows if w.recording.person == "x")
    assert chisquare([nights[f"x{i}"] for i in range(4)]).pvalue > MIN_P


def test_recording_of_a_stage_is_drawn_as_by_redrawing_cohort_and_recording_until_it_has_the_stage(rng):
    """The published way, written out: 100 tries are never used up here."""
    with_n1, without = np.tile([0, 1, 2, 3, 4], 20), np.tile([0, 2, 3, 4], 25)
    having = {"a": [1], "b": [1, 0], "c": [0, 0, 1, 0]}
    recordings = [
        recording(c, f"{c}{i}", with_n1 if has else without) for c, each in having.items() for i, has in enumerate(each)
    ]
    cohort_p = {c: 0.5 / 3 + 0.5 * len(each) / 7 for c, each in having.items()}

    def published() -> str:
        while True:
            cohort = rng.choice(list(having), p=list(cohort_p.values()))
            i = rng.integers(len(having[cohort]))
            if having[cohort][i]:
                return f"{cohort}{i}"

    hit = {f"{c}{i}": cohort_p[c] / len(each) for c, each in having.items() for i, has in enumerate(each) if has}
    exact = np.array(list(hit.values())) / sum(hit.values())
    windows = [w for w in draw(WindowSampler(recordings, 1, 0.5), rng, 20_000) if w.recording.stage[w.first_epoch] == 1]
    ours = Counter(w.recording.recording for w in windows)
    theirs = Counter(published() for _ in range(len(windows)))
    for found in (ours, theirs):
        assert chisquare([found[name] for name in hit], exact * len(windows)).pvalue > MIN_P


def test_epochs_of_the_wanted_stage_are_drawn_evenly_within_a_recording(rng):
    stage = np.full(60, 2)
    stage[[3, 17, 18, 59]] = 1
    windows = draw(WindowSampler([recording("a", "r", stage)], 1, 0.5), rng)
    counts = Counter(w.first_epoch for w in windows if stage[w.first_epoch] == 1)
    assert set(counts) == {3, 17, 18, 59}
    assert chisquare([counts[e] for e in (3, 17, 18, 59)]).pvalue > MIN_P


def test_missing_channels_are_filled_with_even_draws_and_chosen_ones_come_in_any_order(rng):
    recordings = [recording("a", "few", night(1), 2), recording("b", "many", night(2), 3)]
    windows = draw(WindowSampler(recordings, 1, 1.0), rng, 20_000)
    triples = Counter(w.channels for w in windows if w.recording.recording == "few" and len(w.channels) == 3)
    assert chisquare([triples[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]).pvalue > MIN_P
    pairs = Counter(w.channels for w in windows if w.recording.recording == "many" and len(w.channels) == 2)
    assert chisquare([pairs[i, j] for i in range(3) for j in range(3) if i != j]).pvalue > MIN_P
    assert not any(i == j for i, j in pairs)


def test_labels_finer_than_an_epoch_are_what_stages_are_drawn_from(rng):
    fine = np.full(6 * 40, 2, np.uint8)
    fine[6 * 20 + 4] = 1  # 5 s of N1 amid an epoch of N2
    r = replace(recording("a", "r", np.full(40, 2)), task_labels=fine)
    assert r.labels_per_epoch == 6
    windows = draw(WindowSampler([r], 2, 0.5), rng, 2000)
    starts = Counter(w.first_epoch for w in windows)
    # Half of the draws ask for N1, and its epoch is in the window; of the others 2 of 39 are by chance.
    assert starts[19] + starts[20] == pytest.approx(2000 * (0.5 + 0.5 * 2 / 39), abs=100)  # SD 22
    labels = window_labels(r, 19, 2)
    assert labels.tolist() == [2] * 10 + [1, 2]
    assert window_labels(r, 39, 2).tolist() == [2] * 6 + [9] * 6


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
