"""Agreement of a hypnodensity with several scorers, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hypnoflow.agreement.consensus import consensus_agreement

FOUR = np.array([[0, 2, 2], [0, 2, 2], [0, 2, 3], [0, 2, 3]], np.uint8)


def test_the_scorers_own_hypnodensity_agrees_as_far_as_they_do():
    found = consensus_agreement(np.array([[1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0.5, 0.5, 0]]), FOUR)
    assert found["cosine_similarity"] == pytest.approx(1)
    assert found["cross_entropy_bit"] == pytest.approx(1 / 3)  # one bit in the epoch that they split over
    assert found["consensus_entropy_bit"] == pytest.approx(1 / 3)
    assert (found["accuracy"], found["n_scorers"], found["n_epochs"]) == (1, 4, 3)


def test_another_hypnodensity_by_hand():
    found = consensus_agreement(np.array([[0.5, 0.5, 0, 0, 0], [0.25, 0, 0.5, 0.25, 0], [0, 0, 0.25, 0.75, 0]]), FOUR)
    cosines = [np.sqrt(0.5), 0.5 / np.sqrt(0.375), 0.5 / (np.sqrt(0.5) * np.sqrt(0.625))]
    assert found["cosine_similarity"] == pytest.approx(np.mean(cosines))
    bits = [1, 1, (2 - np.log2(0.75)) / 2]
    assert found["cross_entropy_bit"] == pytest.approx(np.mean(bits))
    assert found["accuracy"] == 1  # the tie of the last epoch takes either


def test_a_stage_that_no_scorer_gave_is_wrong_and_costs_no_infinity():
    found = consensus_agreement(np.array([[0, 0, 0, 0, 1.0]]), FOUR[:, :1])
    assert (found["accuracy"], found["cosine_similarity"]) == (0, 0)
    assert found["cross_entropy_bit"] == pytest.approx(np.log2(1e7))


def test_epochs_that_nobody_scored_or_that_were_not_recorded_do_not_count():
    scorers = np.array([[0, 9, 2], [0, 9, 2]], np.uint8)
    found = consensus_agreement(np.array([[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [np.nan] * 5]), scorers)
    assert found["n_epochs"] == 1
    assert found["cosine_similarity"] == 1


def test_without_a_common_epoch_there_is_no_measure():
    found = consensus_agreement(np.full((2, 5), 0.2), np.full((3, 2), 9, np.uint8))
    assert found["n_epochs"] == 0
    assert np.isnan(found["cosine_similarity"])
