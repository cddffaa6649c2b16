"""From runs to epochs, and from several scorers to one hypnogram, by hand-made nights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypnoflow.cohorts.layouts.base import Alignment
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.stages import to_codes, to_epochs
from hypnoflow.night.consensus import consensus, soft_agreement, soft_consensus
from hypnoflow.types import StageRun

STAGES = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 4, "?": 9}
RULE = Alignment(overrun_s=30, short_s=60)


def runs(*spans):
    return [StageRun(*span) for span in spans]


def epochs(spans, duration_s=150, rule=RULE):
    return to_epochs(runs(*spans), STAGES, rule, duration_s)[0].tolist()


# --- labels --------------------------------------------------------------------------------------------------


def test_each_run_becomes_its_code():
    assert to_codes(runs((0, 30, "N3"), (30, 60, "?")), STAGES) == [(0, 30, 3), (30, 60, 9)]


def test_an_unmapped_label_is_named_with_its_count_its_first_time_and_what_is_known():
    found = runs((0, 30, "W"), (60, 30, "S5"), (90, 30, "S5"), (120, 30, "S5"))
    with pytest.raises(RecordingError) as caught:
        to_codes(found, STAGES)
    message = str(caught.value)
    assert "'S5'" in message
    assert "3 runs" in message
    assert "first at 60 s" in message
    assert "W, N1, N2, N3, R, ?" in message
    assert "hint" in message


# --- epochs --------------------------------------------------------------------------------------------------


def test_runs_fill_their_epochs():
    assert epochs([(0, 60, "W"), (60, 30, "N1"), (90, 60, "R")]) == [0, 0, 1, 4, 4]


def test_the_order_of_the_runs_does_not_matter():
    spans = [(0, 60, "W"), (60, 30, "N1"), (90, 60, "R")]
    assert epochs(spans[::-1]) == epochs(spans)


def test_gaps_are_unscored():
    assert epochs([(30, 30, "W"), (120, 30, "R")]) == [9, 0, 9, 9, 4]


def test_an_epoch_takes_the_stage_that_covers_most_of_it():
    assert epochs([(0, 40, "W"), (40, 110, "N2")]) == [0, 2, 2, 2, 2]


def test_an_epoch_covered_less_than_half_is_unscored():
    assert epochs([(16, 134, "N2")]) == [9, 2, 2, 2, 2]
    assert epochs([(14, 136, "N2")]) == [2, 2, 2, 2, 2]


def test_half_an_epoch_is_enough():
    assert epochs([(15, 135, "N2")]) == [2, 2, 2, 2, 2]


def test_equal_cover_goes_to_the_stage_that_comes_first():
    assert epochs([(0, 45, "W"), (45, 105, "N2")]) == [0, 0, 2, 2, 2]
    assert epochs([(0, 45, "N2"), (45, 105, "W")]) == [2, 2, 0, 0, 0]


def test_stages_of_twenty_seconds_go_to_the_majority():
    assert epochs([(0, 20, "W"), (20, 20, "N1"), (40, 110, "N2")]) == [0, 2, 2, 2, 2]


def test_runs_that_overlap_are_refused_with_number_and_place():
    with pytest.raises(RecordingError, match="overlap in 2 epochs, first at 60 s"):
        epochs([(0, 120, "W"), (60, 90, "N2")])


def test_an_empty_hypnogram_is_refused():
    with pytest.raises(RecordingError, match="empty"):
        epochs([])


@pytest.mark.parametrize(("duration_s", "n"), [(150, 5), (149.6, 5), (149, 4), (179, 5), (120.4, 4)])
def test_there_are_as_many_epochs_as_fit_into_the_signals(duration_s, n):
    assert epochs([(0, 150, "W")], duration_s) == [0] * n


# --- hypnogram against signals -------------------------------------------------------------------------------


@pytest.mark.parametrize(("end_s", "excess_s"), [(180, 30), (150, 0), (90, -60)])
def test_a_hypnogram_within_the_rule_is_fitted_and_its_excess_told(end_s, excess_s):
    stage, excess = to_epochs(runs((0, end_s, "N2")), STAGES, RULE, 150)
    assert excess == excess_s
    n_scored = min(end_s // 30, 5)
    assert stage.tolist() == [2] * n_scored + [9] * (5 - n_scored)


@pytest.mark.parametrize(
    ("end_s", "said"), [(181, "31 s longer.*150 s.*allows 30 s"), (89, "61 s shorter.*150 s.*allows 60 s")]
)
def test_a_hypnogram_beyond_the_rule_is_refused_with_both_lengths(end_s, said):
    with pytest.raises(RecordingError, match=said):
        epochs([(0, end_s, "N2")])


def test_the_overrun_of_an_ignored_label_does_not_count():
    rule = Alignment(overrun_s=0, short_s=0, ignored=("?",))
    stage, excess = to_epochs(runs((0, 150, "W"), (150, 6900, "?")), STAGES, rule, 150)
    assert (stage.tolist(), excess) == ([0] * 5, 0)
    with pytest.raises(RecordingError, match="longer"):
        epochs([(0, 180, "W"), (180, 6900, "?")], 150, rule)


@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 9]), min_size=1, max_size=60))
def test_any_hypnogram_written_as_runs_is_read_back(codes):
    label_of = {code: label for label, code in STAGES.items()}
    starts = [i for i in range(len(codes)) if i == 0 or codes[i] != codes[i - 1]]
    ends = [*starts[1:], len(codes)]
    spans = [(30 * a, 30 * (b - a), label_of[codes[a]]) for a, b in zip(starts, ends, strict=True)]
    assert epochs(spans, 30 * len(codes)) == codes


# --- several scorers -----------------------------------------------------------------------------------------


def test_soft_agreement_of_three_scorers_by_hand():
    scorers = np.array([[0, 1, 2, 2], [0, 1, 2, 3], [0, 2, 2, 4]])
    # First epoch: all agree, 1 each. Second: scorer 0 has 1 of {1, 2}, favourite has 1 vote: 1; likewise scorer 1;
    # scorer 2 has none of {1, 1}: 0. Third: 1 each. Fourth: nobody shares a stage: 0 each.
    np.testing.assert_allclose(soft_agreement(scorers), [3 / 4, 3 / 4, 2 / 4])


def test_soft_agreement_weighs_by_the_others_favourite():
    scorers = np.array([[0], [0], [1], [1], [1]])
    # Scorer 0 against {0, 1, 1, 1}: 1 vote of 3. Scorer 2 against {0, 0, 1, 1}: 2 of 2.
    np.testing.assert_allclose(soft_agreement(scorers), [1 / 3, 1 / 3, 1, 1, 1])


def test_epochs_that_a_scorer_or_all_others_left_unscored_do_not_count():
    scorers = np.array([[0, 9, 2], [0, 1, 9], [0, 2, 9]])
    # Scorer 0: epoch 0 only. Scorers 1 and 2: epochs 0 (agree) and 1 (the other has another stage).
    np.testing.assert_allclose(soft_agreement(scorers), [1, 1 / 2, 1 / 2])


def test_a_scorer_who_scored_nothing_agrees_with_nobody():
    scorers = np.array([[9, 9], [0, 1], [0, 1]])
    np.testing.assert_allclose(soft_agreement(scorers), [0, 1, 1])


def test_the_majority_decides():
    scorers = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 3], [1, 1, 2]])
    assert consensus(scorers).tolist() == [0, 1, 2]


def test_the_least_agreeing_of_five_scorers_has_no_vote():
    common = [0, 1, 2, 3, 4, 0, 1, 2]
    scorers = np.array([[*common, 3], [*common, 3], [*common, 4], [*common, 4], [4, 4, 4, 4, 0, 4, 4, 4, 4]])
    scorers[2, 1] = scorers[3, 2] = 0
    # Agreement times nine: scorers 0 and 1 have 8 + 1/3, scorers 2 and 3 have 7 + 1, the outlier 1.
    np.testing.assert_allclose(9 * soft_agreement(scorers), [8 + 1 / 3, 8 + 1 / 3, 8, 8, 1])
    # Of five votes the last epoch would be 4; of the best four it is a tie, which the first scorer decides.
    assert consensus(scorers).tolist() == [*common, 3]


def test_a_tie_goes_to_the_highest_ranked_scorer():
    scorers = np.array([[0, 1, 0, 1, 2], [2, 2, 0, 1, 3], [2, 2, 0, 1, 3], [0, 0, 0, 1, 2], [3, 3, 3, 3, 3]])
    # Scorers 1 and 2 agree with each other everywhere and rank before 0 and 3; the last is out of the best four.
    agreement = soft_agreement(scorers)
    assert set(np.argsort(-agreement)[:2]) == {1, 2}
    assert consensus(scorers).tolist() == [2, 2, 0, 1, 3]


def test_scorers_that_agree_equally_rank_in_file_order():
    assert consensus(np.array([[3, 0], [2, 0]])).tolist() == [3, 0]
    assert consensus(np.array([[2, 0], [3, 0]])).tolist() == [2, 0]


def test_unscored_has_no_vote_and_is_the_result_only_where_nobody_scored():
    scorers = np.array([[9, 9, 0], [9, 9, 0], [2, 9, 0], [9, 9, 9]])
    assert consensus(scorers).tolist() == [2, 9, 0]


def test_one_voice_of_many_scorers_is_itself():
    own = [0, 1, 9, 4, 3]
    assert consensus(np.array([own] * 5)).tolist() == own


def test_soft_consensus_is_the_share_of_scorers_for_each_stage():
    scorers = np.array([[0, 1, 2, 4], [0, 1, 3, 4], [0, 2, 3, 4], [0, 1, 2, 4]])
    wanted = [[1, 0, 0, 0, 0], [0, 0.75, 0.25, 0, 0], [0, 0, 0.5, 0.5, 0], [0, 0, 0, 0, 1]]
    np.testing.assert_array_equal(soft_consensus(scorers), wanted)


def test_the_least_agreeing_of_five_scorers_has_no_share():
    scorers = np.array([[0, 1, 2, 3]] * 4 + [[4, 4, 4, 3]])
    np.testing.assert_array_equal(soft_consensus(scorers), np.eye(5)[[0, 1, 2, 3]])
    np.testing.assert_allclose(soft_consensus(scorers, n_best=5)[0], [0.8, 0, 0, 0, 0.2])


def test_five_scorers_that_agree_equally_lose_the_last_in_file_order():
    scorers = np.array([[0], [1], [2], [3], [4]])
    np.testing.assert_array_equal(soft_consensus(scorers), [[0.25, 0.25, 0.25, 0.25, 0]])
    np.testing.assert_array_equal(soft_consensus(scorers[::-1]), [[0, 0.25, 0.25, 0.25, 0.25]])


def test_a_scorer_who_gave_up_has_no_share_and_epochs_of_nobody_have_none():
    scorers = np.array([[9, 9, 0], [1, 9, 0], [1, 9, 0], [2, 9, 9]])
    found = soft_consensus(scorers)
    np.testing.assert_allclose(found[[0, 2]], [[0, 2 / 3, 1 / 3, 0, 0], [1, 0, 0, 0, 0]])
    assert np.isnan(found[1]).all()


def test_one_of_five_who_stopped_early_is_out_by_agreement_not_by_length():
    # The last scorer scored one epoch, and as the others: full agreement, so the first to differ is out instead.
    scorers = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 3, 4], [0, 9, 9]])
    np.testing.assert_array_equal(soft_consensus(scorers), np.eye(5)[[0, 1, 2]])


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 3, 4, 9]), min_size=5, max_size=5), min_size=1, max_size=6))
def test_the_consensus_has_the_largest_share_and_shares_sum_to_one(each):
    scorers = np.array(each)
    hard, soft = consensus(scorers), soft_consensus(scorers)
    np.testing.assert_array_equal(hard == 9, np.isnan(soft).all(1))
    scored = np.flatnonzero(hard != 9)
    np.testing.assert_allclose(soft[scored].sum(1), 1)
    np.testing.assert_array_equal(soft[scored, hard[scored]], soft[scored].max(1))
