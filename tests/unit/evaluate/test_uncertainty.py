"""Figures of trust over hand-made nights: who chooses, who is measured, and what the intervals rest on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from hypnoflow.agreement.confidence import labelled_night, labelled_nights
from hypnoflow.agreement.job import Measured, agreement_tables
from hypnoflow.config.compare import Resampling
from hypnoflow.config.evaluate import Evaluate
from hypnoflow.config.features import Features
from hypnoflow.data.tasks import tasks
from hypnoflow.evaluate.uncertainty import trust
from hypnoflow.store.scores import EpochProbability, StoredScores, write_scores

W, N1, N2, N3, R = range(5)
OPTIONS = Evaluate(coverages=(0.5, 0.9), resampling=Resampling(bootstrap=200))


def density(stage, confidence) -> np.ndarray:
    """Return rows with `confidence` in a stage and the rest spread evenly, shape (epoch, stage)."""
    confidence = np.asarray(confidence, float)
    p = np.repeat(((1 - confidence) / 4)[:, None], 5, axis=1)
    p[np.arange(len(p)), np.asarray(stage)] = confidence
    return p.astype(np.float32)


class Corpus:
    """Writes labels and 30-s probabilities."""

    def __init__(self, folder: Path):
        self.folder, self.rows = folder, []

    def add(self, name, labels, after, before=None, *, split="test", person=None, scorers=None, below=0.0):
        group = zarr.open_group(self.folder / "h" / "c" / "000.zarr" / name, mode="w", zarr_format=3)
        group.create_array("stage", data=np.array(labels, np.uint8))
        group.attrs["events"] = {"onset_s": [], "duration_s": [], "kind": []}
        if scorers is not None:
            group.create_array("stage_scorer", data=np.array(scorers, np.uint8))
        store = self.folder / "s" / "c" / "000.zarr"
        store.mkdir(parents=True, exist_ok=True)
        at_30_s = EpochProbability(after, after if before is None else before, below)
        stage = {1: after.argmax(1).astype(np.uint8)}
        write_scores(store, name, StoredScores(stage, after, 1), {}, {}, at_30_s)
        person = person or name
        self.rows.append({"cohort": "c", "shard": "000", "recording": name, "person": person, "split": split})

    def evaluate(self, options=OPTIONS, seed=1):
        stores = (self.folder / each / "c" / "000.zarr" for each in "hs")
        tables = agreement_tables(pd.DataFrame(self.rows), *stores, Measured(tasks.get("stage"), 10, Features()))
        nights = [*labelled_nights(tables["table"], tables["epochs"])]
        found = trust(nights, tables["consensus"], options, seed=seed)
        json.dumps(found, allow_nan=False)
        return found


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    corpus = Corpus(tmp_path)
    # Validation confidences 0.3 to 0.9: half of them are at least 0.7, nine tenths at least 0.3.
    corpus.add("v", [W] * 4, density([W] * 4, [0.3, 0.5, 0.7, 0.9]), split="valid")
    # Before calibration the sure were unsure: thresholds must take the calibrated.
    before = density([W, N1, N1, R], [0.4, 0.8, 0.9, 0.35])
    corpus.add("a", [W, N1, N2, R], density([W, N1, N1, R], [0.95, 0.65, 0.55, 0.8]), before)
    return corpus


def by_wanted(part):
    return {row["wanted"]: row for row in part["kept"]}


def test_thresholds_come_from_the_validation_persons_and_are_applied_to_the_unseen(corpus):
    kept = by_wanted(corpus.evaluate()["splits"]["test"])
    assert kept[0.5]["threshold"] == pytest.approx(0.7)
    assert kept[0.9]["threshold"] == pytest.approx(0.3)
    assert kept[0.5]["coverage"]["value"] == 0.5  # 0.95 and 0.8
    assert kept[0.5]["risk"]["value"] == 0
    assert kept[0.9]["coverage"]["value"] == 1
    assert kept[0.9]["risk"]["value"] == 0.25
    assert kept[0.5]["risk"]["difference"] == -0.25


def test_unseen_persons_have_no_say_in_the_thresholds(corpus):
    before = [row["threshold"] for row in corpus.evaluate()["splits"]["valid"]["kept"]]
    corpus.add("b", [W] * 9, density([W] * 9, [0.99] * 9))
    assert [row["threshold"] for row in corpus.evaluate()["splits"]["valid"]["kept"]] == before


def test_without_validation_persons_only_the_configs_threshold_is_left(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [W, N1, N2], density([W, W, W], [0.9, 0.5, 0.7]), below=0.6)
    (row,) = corpus.evaluate()["splits"]["test"]["kept"]
    assert (row["wanted"], row["threshold"]) == (None, 0.6)
    assert row["coverage"]["value"] == pytest.approx(2 / 3)
    assert row["risk"]["value"] == 0.5


def test_ece_and_nll_before_and_after_by_hand(tmp_path):
    corpus = Corpus(tmp_path)
    right = [W, W, W, N2]
    corpus.add("a", right, density([W] * 4, [0.75] * 4), density([W] * 4, [0.95] * 4))
    part = corpus.evaluate()["splits"]["test"]
    assert part["ece"]["before"]["value"] == pytest.approx(0.2, abs=1e-6)
    assert part["ece"]["after"]["value"] == pytest.approx(0, abs=1e-6)
    assert part["ece"]["after"]["difference"] == pytest.approx(-0.2, abs=1e-6)
    assert part["nll"]["before"] == pytest.approx(-(3 * np.log(0.95) + np.log(0.05 / 4)) / 4, rel=1e-5)
    assert part["nll"]["after"] == pytest.approx(-(3 * np.log(0.75) + np.log(0.25 / 4)) / 4, rel=1e-5)
    assert part["aurc"]["after"] == pytest.approx(0.25)
    assert [row["accuracy"] for row in part["reliability"]["after"]] == [0.75]


def test_one_person_has_no_interval_and_identical_persons_one_of_no_width(tmp_path):
    corpus = Corpus(tmp_path)
    for k in range(5):
        after, before = density([W, W, N2], [0.9, 0.6, 0.4]), density([W, W, N2], [0.99, 0.8, 0.6])
        corpus.add(f"a{k}", [W, N1, N2], after, before, person="same" if k < 2 else f"p{k}")
        part = corpus.evaluate()["splits"]["test"]
        ece, kept = part["ece"]["after"], part["kept"][0]
        if k < 2:
            assert (ece["low"], ece["high"], kept["risk"]["low"]) == (None, None, None)
    assert part["persons"] == 4
    assert ece["low"] == pytest.approx(ece["value"])
    assert ece["high"] == pytest.approx(ece["value"])
    assert (kept["risk"]["low"], kept["risk"]["high"]) == pytest.approx((1 / 3, 1 / 3))


def test_interval_of_the_risk_is_that_of_a_mean_over_persons(tmp_path, rng):
    corpus = Corpus(tmp_path)
    n, n_epochs = 60, 50
    share = rng.beta(4, 2, n)
    wrong = rng.random((n, n_epochs)) > share[:, None]
    for k in range(n):
        corpus.add(f"p{k}", np.where(wrong[k], N1, W), density([W] * n_epochs, [0.7] * n_epochs))
    options = Evaluate(coverages=(0.9,), resampling=Resampling(bootstrap=2000))
    risk = corpus.evaluate(options)["splits"]["unseen"]["kept"][0]["risk"]
    width = 2 * 1.96 * wrong.mean(1).std() / np.sqrt(n)  # normal theory: persons are the unit, not the 3000 epochs
    assert risk["value"] == pytest.approx(wrong.mean())
    assert risk["high"] - risk["low"] == pytest.approx(width, rel=0.1)


def test_the_same_seed_gives_the_same_intervals(corpus):
    corpus.add("b", [W, N1], density([W, W], [0.8, 0.6]))
    assert corpus.evaluate(seed=3) == corpus.evaluate(seed=3)


def test_unscored_and_lost_epochs_are_left_out():
    p = density([W, W, W], [0.9, 0.8, 0.7])
    p[2] = np.nan
    night = labelled_night("test", "a", np.array([W, 9, W], np.uint8), EpochProbability(p, p, 0.95))
    assert night.confidence.shape == (2, 1)
    assert night.abstain.tolist() == [True]
    np.testing.assert_allclose(night.nll, -np.log(0.9), rtol=1e-6)


def test_training_persons_and_nights_without_labels_are_not_measured(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("t", [W], density([N1], [0.9]), split="train")
    assert corpus.evaluate() is None
    corpus.add("u", [9, 9], density([N1, W], [0.9, 0.9]))
    assert corpus.evaluate()["splits"] == {}
    corpus.add("h", [W, W], density([W, W], [0.9, 0.9]), split="held_out")
    splits = corpus.evaluate()["splits"]
    assert set(splits) == {"held_out", "unseen"}
    assert splits["unseen"]["n_epochs"] == 2


@pytest.mark.filterwarnings("error")
def test_a_threshold_that_keeps_nothing_has_no_risk(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [W, N1], density([W, W], [0.8, 0.6]), below=0.9)
    (row,) = corpus.evaluate()["splits"]["test"]["kept"]
    assert (row["coverage"]["value"], row["risk"]["value"]) == (0, None)


def test_several_scorers_are_compared_with_the_hypnodensity(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [W, N2], density([W, N2], [1, 1]), scorers=[[W, N2]] * 5)
    corpus.add("b", [W, N2], density([N1, N2], [1, 1]), scorers=[[W, N2]] * 5, split="held_out")
    corpus.add("c", [W, N2], density([W, N2], [1, 1]))
    found = corpus.evaluate()["consensus"]
    assert [row["recording"] for row in found["recordings"]] == ["a", "b"]
    assert [row["cosine_similarity"] for row in found["recordings"]] == pytest.approx([1, 0.5])
    assert found["mean"]["unseen"]["cosine_similarity"] == pytest.approx(0.75)
    assert found["mean"]["held_out"]["accuracy"] == 0.5
    assert "valid" not in found["mean"]


def test_curve_ends_at_the_error_rate(corpus):
    curve = corpus.evaluate()["splits"]["test"]["curve"]
    assert (curve["coverage"][-1], curve["risk"][-1]) == (1, 0.25)
    assert curve["risk"][49] == 0  # the surer half is right
    assert curve["risk"][74] == 0  # and so are three of four
