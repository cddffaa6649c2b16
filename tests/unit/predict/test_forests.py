"""The published forest protocol and its out-of-bag variant."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from hypnoflow.config.predict import Forests
from hypnoflow.facts.claim import claim
from hypnoflow.predict import forests
from hypnoflow.predict.forests import Blocks, draw_settings, forest_errors, out_of_bag, published, trees_needed
from hypnoflow.stats.trees import bootstrap_of_groups, grow

FEW = Forests(protocol="published", forests=2, trees=15)


def nights(n: int = 24, blocks: int = 3, is_class: bool = False, seed: int = 1) -> Blocks:
    """Persons with some blocks each, the first two of one family, and features that know the target."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n), blocks)
    latent = np.linspace(-2, 2, n)[rng.permutation(n)]
    x = rng.poisson(np.exp(np.c_[np.ones(n), 1 + 0.6 * latent, 1 - 0.6 * latent])[who]).astype(float)
    y = (latent > 0).astype(float) if is_class else 50 + 10 * latent
    names = np.array([f"p{k:02d}" for k in range(n)])
    return Blocks(x, y[who], names[who], names[np.maximum(who, 1)], is_class)


def truth(blocks: Blocks) -> pd.Series:
    return pd.Series(blocks.y, blocks.person).groupby(level=0).first()


@pytest.mark.parametrize("is_class", [False, True])
@pytest.mark.parametrize("protocol", [published, out_of_bag])
def test_every_person_has_one_prediction_per_forest_that_beats_the_mean(protocol, is_class):
    blocks = nights(is_class=is_class)
    table = protocol(blocks, FEW, seed=1)
    assert len(table) == 24 * 2
    assert not table.duplicated(["person", "forest"]).any()
    y = truth(blocks)
    assert (forest_errors(table, y, is_class) < (0.35 if is_class else 0.7 * y.std())).all()
    if is_class:
        assert set(table["prediction"]) <= {0, 1}


@pytest.mark.parametrize("protocol", [published, out_of_bag])
def test_family_that_a_feature_names_is_not_known(protocol):
    """A sibling in training, or a tree that saw the person, would give the age away."""
    rng = np.random.default_rng(3)
    family = np.repeat(np.arange(12), 6)
    y = rng.uniform(20, 80, 12)[family]
    person = np.array([f"p{k // 2:02d}" for k in range(72)])
    x = (family[:, None] == np.arange(12)).astype(float)
    blocks = Blocks(x, y, person, np.array([f"f{k}" for k in family]), False)
    error = forest_errors(protocol(blocks, FEW, seed=1), truth(blocks), False)
    assert (error > 0.9 * y.std()).all()


def test_settings_are_drawn_once_within_the_published_ranges():
    drawn = draw_settings(50, 1)
    assert drawn == draw_settings(50, 1) != draw_settings(50, 2)
    for name in ("max_depth", "min_samples_leaf", "min_samples_split"):
        assert {each[name] for each in drawn} == {2, 3, 4, 5, 6, 7}
    assert {each["max_features"] for each in drawn} == {"sqrt", "log2"}
    assert draw_settings(3, 1) == drawn[:3]


def test_as_many_trees_are_grown_as_leave_the_wanted_number_out_of_bag():
    trees = trees_needed(200, 118)
    assert 540 < trees < 550  # 200 e = 544, a little more with few groups
    drawn = bootstrap_of_groups(np.arange(118), trees, np.random.default_rng(1))
    assert (drawn == 0).sum(0).mean() == pytest.approx(200, abs=3)
    assert (drawn.sum(1) == 118).all()


def test_family_is_drawn_as_one():
    group = np.array([4, 4, 7, 9, 7])
    drawn = bootstrap_of_groups(group, 50, np.random.default_rng(1))
    assert np.array_equal(drawn[:, 0], drawn[:, 1])
    assert np.array_equal(drawn[:, 2], drawn[:, 4])
    assert (drawn[:, [0, 2, 3]].sum(1) == 3).all()


def test_tree_does_not_see_rows_of_weight_zero():
    x = np.arange(6, dtype=np.float32)[:, None]
    y = np.array([0, 0, 0, 10, 10, 99.0])
    weight = np.array([[1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1]])
    forest = grow(x, y, weight, 1, {})
    inner, new = forest.predict(x, weight == 0, x)
    assert inner.tolist() == [99, 99, 99, 99, 99, 10]
    assert new.tolist() == [49.5, 49.5, 49.5, 54.5, 54.5, 54.5]


def test_row_that_every_tree_saw_has_no_prediction():
    x = np.zeros((2, 1), np.float32)
    weight = np.array([[1, 0], [1, 1]])
    inner, _ = grow(x, np.array([1.0, 2.0]), weight, 1, {}).predict(x, weight == 0, x)
    assert np.isnan(inner[0])
    assert inner[1] == 1


def test_blocks_of_a_person_are_averaged_or_vote_and_ties_go_by_lot():
    person = np.array(["a", "a", "a", "b", "b"])
    mean = forests._by_person(np.array([1.0, 2, 6, 4, np.nan]), person, False, np.random.default_rng(1))
    assert mean["prediction"].tolist()[0] == 3
    assert np.isnan(mean["prediction"][1])
    lots = [
        forests._by_person(np.array([0.9, 0.1, 0.2, 0.9, 0.4]), person, True, np.random.default_rng(k))
        for k in range(20)
    ]
    assert {each["prediction"][0] for each in lots} == {0}
    assert {each["prediction"][1] for each in lots} == {0, 1}


def test_errors_are_rmse_and_one_minus_macro_f1_of_each_forest():
    y = pd.Series({"a": 1.0, "b": 0.0, "c": 1.0})
    table = pd.DataFrame({"person": list("abcabc"), "forest": [0] * 3 + [1] * 3, "prediction": [1.0, 0, 0, 1, 1, 1]})
    found = forest_errors(table, y, True)
    assert found[0] == pytest.approx(1 - f1_score([1, 0, 1], [1, 0, 0], average="macro"))
    assert forest_errors(table, y, False)[0] == pytest.approx(np.sqrt(1 / 3))


@pytest.mark.parametrize("protocol", [published, out_of_bag])
def test_processes_do_not_change_the_predictions(protocol):
    blocks = nights(10)
    one, two = (protocol(blocks, FEW, seed=1, threads=threads) for threads in (1, 2))
    assert one.equals(two)


def test_interrupted_protocol_goes_on_where_it_was(tmp_path, monkeypatch):
    blocks, kept = nights(8), tmp_path / "kept.parquet"
    whole = published(blocks, FEW, seed=1)
    fitted: list[str] = []
    without = forests._without

    def stops_at_the_fourth(blocks, family, *rest):
        if len(fitted) == 4:
            raise KeyboardInterrupt
        fitted.append(family)
        return without(blocks, family, *rest)

    monkeypatch.setattr(forests, "_without", stops_at_the_fourth)
    with pytest.raises(KeyboardInterrupt), claim(tmp_path / "kept.json", [kept]):
        published(blocks, FEW, seed=1, kept=kept)
    assert len(fitted) == 4
    again: list[str] = []
    monkeypatch.setattr(forests, "_without", lambda b, family, *rest: again.append(family) or without(b, family, *rest))
    with claim(tmp_path / "kept.json", [kept]):
        assert published(blocks, FEW, seed=1, kept=kept).equals(whole)
    assert not set(again) & set(fitted)
    assert len(again) == 3  # eight persons, two of one family: seven are left out in turn
    again.clear()
    assert published(blocks, FEW, seed=1, kept=kept).equals(whole)
    assert not again


def test_what_was_kept_of_other_rows_is_neither_used_nor_lost(tmp_path):
    kept = tmp_path / "kept.parquet"
    first, second = nights(6), nights(6, seed=2)
    for _ in range(2):  # the second time, as a run that was started again
        with claim(tmp_path / "kept.json", [kept]):
            published(first, FEW, seed=1, kept=kept)
            assert published(second, FEW, seed=1, kept=kept).equals(published(second, FEW, seed=1))
        assert pd.read_parquet(kept)["key"].nunique() == 2
    with claim(tmp_path / "kept.json", [kept]):
        assert published(second, Forests(forests=1, trees=15), seed=1, kept=kept)["forest"].max() == 0


def test_class_that_all_others_lack_is_predicted_as_the_other():
    blocks = nights(6, is_class=True)
    y = (blocks.person == "p05").astype(float)
    table = published(Blocks(blocks.x, y, blocks.person, blocks.group, True), FEW, seed=1)
    assert (table.loc[table["person"] == "p05", "prediction"] == 0).all()


def test_night_without_sleep_is_refused_not_filled_in():
    with pytest.raises(ValueError, match="nights without sleep"):
        Blocks(np.array([[np.nan]]), np.ones(1), np.array(["a"]), np.array(["a"]), False)
