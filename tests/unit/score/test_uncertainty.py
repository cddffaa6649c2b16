"""Entropy, margin and disagreement against closed forms; temperatures and averages by hand."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nights import as_night
from tests.numerics import UNIT, assert_stages

from hypnoflow.checkpoints.checkpoint import Trained, save_checkpoint
from hypnoflow.errors import CheckpointError, RecordingError
from hypnoflow.models import build_model
from hypnoflow.models.parts.size import UNetSize
from hypnoflow.score.combine import Scores, Wanted, combine
from hypnoflow.score.infer import Scorer, temperature
from hypnoflow.score.uncertainty import disagreement_bit, entropy_bit, margin
from hypnoflow.store.scores import (
    EpochProbability,
    StoredScores,
    read_epoch_probability,
    read_measures,
    read_scores,
    write_scores,
)
from hypnoflow.types import RESOLUTIONS, UNSCORED

SURE, EVEN = [0, 0, 1, 0, 0], [0.2] * 5


def softmax(z):
    z = np.asarray(z, float)
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def bound(z):
    """Return the share by which a softmax of `z` in single precision may be off.

    A logit, divided by its temperature and less the largest, is rounded twice; its exponential is as much off as the
    logit absolutely, and the library's exponential, the sum, the quotient and a mean are some units more.
    """
    return (4 * np.abs(np.asarray(z)).max() + 16) * UNIT


# --- measures ------------------------------------------------------------------------------------------------


def test_entropy_is_0_where_sure_and_log2_5_where_all_are_equal():
    np.testing.assert_allclose(
        entropy_bit(np.array([SURE, EVEN, [0.5, 0, 0.5, 0, 0]])), [0, np.log2(5), 1], rtol=2 * UNIT
    )


def test_entropy_is_scipys(rng):
    p = rng.dirichlet(np.ones(5), 100)
    np.testing.assert_allclose(entropy_bit(p), scipy.stats.entropy(p, base=2, axis=1), rtol=2 * UNIT)


def test_margin_is_the_lead_of_the_first_over_the_second():
    p = np.array([SURE, EVEN, [0.1, 0.5, 0.05, 0.3, 0.05]])
    np.testing.assert_allclose(margin(p), [1, 0, 0.2], rtol=0, atol=2 * UNIT)


def test_networks_that_say_the_same_do_not_disagree_however_unsure():
    p = np.array([SURE, EVEN, [0.1, 0.5, 0.05, 0.3, 0.05]])
    np.testing.assert_allclose(disagreement_bit([p, p, p]), 0, atol=16 * UNIT)  # of entropies up to 2.3


def test_two_networks_sure_of_different_stages_disagree_by_one_bit_and_five_by_log2_5():
    one = np.eye(5)[[0]]
    np.testing.assert_allclose(disagreement_bit([one, np.eye(5)[[3]]]), 1, rtol=8 * UNIT)
    np.testing.assert_allclose(disagreement_bit([np.eye(5)[[k]] for k in range(5)]), np.log2(5), rtol=8 * UNIT)


def test_what_was_not_recorded_has_no_measure():
    lost = np.full((2, 5), np.nan)
    for found in (entropy_bit(lost), margin(lost), disagreement_bit([lost, lost])):
        assert np.isnan(found).all()


# --- temperatures and averages -------------------------------------------------------------------------------


def logits_of(rng, n_epochs=6, scale=3.0):
    return {f: torch.from_numpy(scale * rng.standard_normal((n_epochs * f, 5))).float() for f in RESOLUTIONS}


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 20), st.integers(0, 1000))
def test_no_temperature_changes_a_stage_of_a_single_network_at_any_resolution(t, seed):
    logits = logits_of(np.random.default_rng(seed), 1)
    found = combine([logits], [t], Wanted(RESOLUTIONS, 32))
    for f in RESOLUTIONS:
        np.testing.assert_array_equal(found.stage[f], logits[f].argmax(-1).numpy())


def test_near_ties_keep_their_stage_at_a_high_temperature():
    # At temperature 20 these probabilities are equal in float32, and the first of equals would win.
    logits = {f: torch.tensor([[0.0, 1e-7, 0.0, 0.0, 0.0]]).repeat(f, 1) for f in RESOLUTIONS}
    found = combine([logits], [20.0], Wanted(RESOLUTIONS, 1))
    assert all((codes == 1).all() for codes in found.stage.values())


def test_one_network_gives_the_softmax_of_its_logits_over_the_temperature(rng):
    logits = logits_of(rng)
    found = combine([logits], [2.5], Wanted(RESOLUTIONS, 32))
    for p, z in (
        (found.probability, logits[32].double() / 2.5),
        (found.at_30_s.calibrated, logits[1].double() / 2.5),
        (found.at_30_s.uncalibrated, logits[1].double()),
    ):
        np.testing.assert_allclose(p, softmax(z), rtol=bound(z))
    assert found.disagreement_bit is None
    assert set(found.measures) == {"entropy_bit", "margin"}


def test_several_networks_are_averaged_each_at_its_own_temperature(rng):
    one, two = logits_of(rng), logits_of(rng)
    found = combine([one, two], [0.5, 3.0], Wanted(RESOLUTIONS, 16))
    cold, warm = ({f: z.double().numpy() / t for f, z in each.items()} for each, t in ((one, 0.5), (two, 3)))
    off = max(bound(z[f]) for z in (cold, warm) for f in RESOLUTIONS)
    for f in RESOLUTIONS:
        assert_stages(found.stage[f], (softmax(cold[f]) + softmax(warm[f])) / 2, off)
    fine = [softmax(cold[16]), softmax(warm[16])]
    np.testing.assert_allclose(found.probability, np.mean(fine, axis=0), rtol=off)
    raw = (softmax(0.5 * cold[1]) + softmax(3 * warm[1])) / 2
    np.testing.assert_allclose(found.at_30_s.uncalibrated, raw, rtol=off)
    wanted = scipy.stats.entropy(np.mean(fine, axis=0), base=2, axis=1)
    wanted -= np.mean([scipy.stats.entropy(p, base=2, axis=1) for p in fine], axis=0)
    # Probabilities off by a share change an entropy by that share of itself and of log2(e), at most; there are two.
    np.testing.assert_allclose(found.disagreement_bit, wanted, rtol=0, atol=2 * (np.log2(5) + np.log2(np.e)) * off)


def test_further_densities_are_averaged_as_the_first(rng):
    one, two = logits_of(rng), logits_of(rng)
    found = combine([one, two], [0.5, 3.0], Wanted((1,), 16, (1, 8, 16)))
    assert set(found.stage) == {1}
    assert set(found.densities) == {1, 8, 16}
    np.testing.assert_array_equal(found.densities[16], found.probability)
    np.testing.assert_array_equal(found.densities[1], found.at_30_s.calibrated)
    cold, warm = one[8].double() / 0.5, two[8].double() / 3
    np.testing.assert_allclose(found.densities[8], (softmax(cold) + softmax(warm)) / 2, rtol=bound(cold))
    left = found.without_gaps([(0, 30)], 6)
    assert [np.isnan(left.densities[f]).all(1).sum() for f in (1, 8, 16)] == [1, 8, 16]


def test_voters_decide_by_majority_whatever_the_mean_says():
    def sure_of(stage, by):
        return {1: torch.eye(5)[[stage]] * by}

    members = [sure_of(0, 1.0), sure_of(0, 1.0), sure_of(3, 9.0)]
    mean, most = (combine(members, [1.0] * 3, Wanted((1,), 1), vote=vote) for vote in (False, True))
    assert (mean.stage[1].item(), most.stage[1].item()) == (3, 0)
    np.testing.assert_array_equal(mean.probability, most.probability)


def test_nothing_is_unscored_everywhere_and_unmarked():
    found = Scores.nothing(2, 16)
    assert found.stage[4].tolist() == [UNSCORED] * 8
    assert np.isnan(found.entropy_bit).tolist() == [True] * 32
    assert found.at_30_s.abstain.tolist() == [False, False]


def test_a_higher_temperature_is_less_sure_of_the_same(rng):
    logits = logits_of(rng)
    cold, warm = (combine([logits], [t], Wanted(RESOLUTIONS, 16)) for t in (1.0, 2.0))
    assert (warm.entropy_bit > cold.entropy_bit).all()
    assert (warm.at_30_s.confidence < cold.at_30_s.confidence).all()


# --- marks and stores ----------------------------------------------------------------------------------------


def test_epochs_below_the_threshold_are_marked_and_keep_their_stage():
    p = np.array([[0.5, 0.5, 0, 0, 0], [0.1, 0.7, 0.2, 0, 0], [np.nan] * 5, SURE], np.float32)
    assert EpochProbability(p, p).abstain.tolist() == [False] * 4
    assert EpochProbability(p, p, 0.6).abstain.tolist() == [True, False, False, False]
    assert EpochProbability(p, p, 1.0).abstain.tolist() == [True, True, False, False]  # 1 is not below 1


def test_lost_epochs_are_blank_everywhere_and_never_marked(rng):
    found = combine([logits_of(rng), logits_of(rng)], [1.0, 1.0], Wanted(RESOLUTIONS, 16, abstain_below=1.0))
    lost = np.array([False, True, False, False, True, False])
    left = found.without_gaps([(30, 60), (120, 150)], 6)
    for name, values in left.measures.items():
        np.testing.assert_array_equal(np.isnan(values), np.repeat(lost, 16), err_msg=name)
    for p in (left.at_30_s.calibrated, left.at_30_s.uncalibrated):
        np.testing.assert_array_equal(np.isnan(p).all(1), lost)
    assert left.at_30_s.abstain.tolist() == (~lost).tolist()
    assert (left.stage[1] == UNSCORED).tolist() == lost.tolist()


def test_a_store_gives_back_what_was_written(tmp_path, rng):
    found = combine([logits_of(rng), logits_of(rng)], [1.5, 2.0], Wanted(RESOLUTIONS, 16, abstain_below=0.7))
    stored = StoredScores(found.stage, found.probability, 16)
    write_scores(tmp_path, "a", stored, found.measures, {"temperature": [1.5, 2.0]}, found.at_30_s)
    back = read_epoch_probability(tmp_path, "a")
    np.testing.assert_array_equal(back.calibrated, found.at_30_s.calibrated)
    np.testing.assert_array_equal(back.uncalibrated, found.at_30_s.uncalibrated)
    assert back.abstain_below == 0.7
    np.testing.assert_array_equal(back.abstain, found.at_30_s.abstain)
    whole, some = read_scores(tmp_path, "a"), read_scores(tmp_path, "a", [1, 128])
    assert list(whole.stage) == list(RESOLUTIONS)
    for f in RESOLUTIONS:
        assert whole.stage[f].dtype == np.uint8
        np.testing.assert_array_equal(whole.stage[f], found.stage[f])
    assert list(some.stage) == [1, 128]
    for f in (1, 128):
        np.testing.assert_array_equal(some.stage[f], found.stage[f])
    np.testing.assert_array_equal(whole.probability, found.probability)
    assert (whole.steps_per_epoch, whole.classes) == (16, ("W", "N1", "N2", "N3", "R"))
    measures = read_measures(tmp_path, "a")
    assert list(measures) == ["entropy_bit", "margin", "disagreement_bit"]
    for name, values in found.measures.items():
        np.testing.assert_array_equal(measures[name], values)


def test_a_night_of_scores_costs_at_most_twelve_files_and_30_s_are_read_by_themselves(tmp_path, rng):
    epochs = 960  # 8 h
    stage = {f: rng.integers(0, 5, epochs * f).astype(np.uint8) for f in RESOLUTIONS}
    p = rng.dirichlet(np.ones(5), 30 * epochs).astype(np.float32)
    at_30_s = EpochProbability(p[:epochs], p[:epochs])
    write_scores(tmp_path, "a", StoredScores(stage, p, 30), {"entropy_bit": p[:, 0], "margin": p[:, 1]}, {}, at_30_s)
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(files) == 9
    for only in (None, [1], [3840, 2]):
        for f, found in read_scores(tmp_path, "a", only).stage.items():
            np.testing.assert_array_equal(found, stage[f])
    opened = xr.open_zarr(tmp_path, group="a", consolidated=False)
    assert opened["stage"].sizes == {"stage_step": sum(RESOLUTIONS) * epochs}
    assert opened["epoch_probability"].shape == (epochs, 2, 5)


def test_scores_of_an_earlier_version_are_not_misread(tmp_path):
    group = zarr.open_group(tmp_path / "a", mode="w", zarr_format=3)
    group.create_array("stage_1", data=np.zeros(3, np.uint8))
    with pytest.raises(RecordingError, match="earlier version") as caught:
        read_scores(tmp_path, "a")
    assert "score again" in caught.value.hint


def test_a_store_without_30_s_probabilities_says_so(tmp_path, rng):
    found = combine([logits_of(rng)], [1.0], Wanted(RESOLUTIONS, 16))
    write_scores(tmp_path, "a", StoredScores(found.stage, found.probability, 16), {}, {})
    assert read_epoch_probability(tmp_path, "a") is None


# --- checkpoints ---------------------------------------------------------------------------------------------

NETWORK = UNetSize(depth=6, complexity=0.1, attention_hidden=4)


def checkpoint(path: Path, seed: int, training: dict) -> Path:
    torch.manual_seed(seed)
    model = build_model("anysleep", **NETWORK.model_dump())
    about = {"version": 1, "clip_iqr": 20.0}
    save_checkpoint(
        path, Trained("anysleep", "anysleep", NETWORK), model.state_dict(), preprocessing=about, training=training
    )
    return path


@pytest.fixture
def night(rng):
    return as_night(rng.standard_normal((2, 4 * 3840)))


def test_scorer_takes_the_checkpoints_temperature_unless_told_otherwise(tmp_path, night):
    path = checkpoint(tmp_path / "a.pt", 1, {"calibration": {"temperature": 0.25}})
    calibrated, plain = (Scorer([path], calibrate=way).score(night, 30) for way in (True, False))
    np.testing.assert_array_equal(calibrated.at_30_s.uncalibrated, plain.at_30_s.calibrated)
    # With one network, a power and a sum undo the temperature.
    p = calibrated.at_30_s.calibrated.astype(float)
    undone, off = p**0.25, bound(np.log(p))  # the logarithms are the logits but for a constant
    np.testing.assert_allclose(undone / undone.sum(1, keepdims=True), plain.at_30_s.calibrated, rtol=off)
    assert not np.allclose(calibrated.probability, plain.probability, atol=1e-4)
    for f in RESOLUTIONS:
        np.testing.assert_array_equal(calibrated.stage[f], plain.stage[f])


def test_networks_of_an_ensemble_have_each_their_own_temperature(tmp_path, night):
    one = checkpoint(tmp_path / "a.pt", 1, {"calibration": {"temperature": 0.5}})
    two = checkpoint(tmp_path / "b.pt", 2, {"calibration": {"temperature": 2.0}})
    scorer = Scorer([one, two])
    assert scorer.temperatures == [0.5, 2.0]
    both = scorer.score(night, 30)
    each = [Scorer([path]).score(night, 30) for path in (one, two)]
    np.testing.assert_allclose(both.probability, (each[0].probability + each[1].probability) / 2, rtol=4 * UNIT)
    assert (both.disagreement_bit >= 0).all()
    assert both.disagreement_bit.max() > 0


@pytest.mark.parametrize("facts", [{}, {"training": {}}, {"training": None}, {"training": {"seed": 4}}])
def test_a_checkpoint_from_before_calibration_has_temperature_1_and_it_is_said(facts, caplog):
    with caplog.at_level(logging.INFO):
        assert temperature(Path("old.pt"), facts) == 1.0
    assert "old.pt carries no calibration" in caplog.text


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), "warm", None])
def test_an_impossible_temperature_is_refused(value):
    with pytest.raises(CheckpointError, match="positive number"):
        temperature(Path("bad.pt"), {"training": {"calibration": {"temperature": value}}})
