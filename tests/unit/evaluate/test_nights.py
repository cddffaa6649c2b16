"""Agreement tables of a hand-made model over hand-made nights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from hypnoflow.agreement.job import Measured, agreement_tables
from hypnoflow.config.evaluate import Evaluate
from hypnoflow.config.features import Features
from hypnoflow.data.tasks import tasks
from hypnoflow.evaluate.nights import measured, summarise
from hypnoflow.store.scores import StoredScores, write_scores
from hypnoflow.types import RESOLUTIONS, STAGES

W, N1, N2, N3, R = range(5)
UNSCORED = 9


def at(f: int, truth_8_hz: np.ndarray) -> np.ndarray:
    """Return the truth's stage in the middle of each step: what a perfect network says."""
    n = len(truth_8_hz) // 240 * f
    return truth_8_hz[((np.arange(n) + 0.5) * 240 / f).astype(int)].astype(np.uint8)


class Corpus:
    """Writes recordings of one cohort: labels, scores and, where given, the truth."""

    def __init__(self, folder: Path):
        self.folder, self.rows = folder, []

    def add(self, name: str, labels, stage_30_s, truth=None, cohort: str = "sim", split: str = "test") -> None:
        labels = np.array(labels, np.uint8)
        group = zarr.open_group(self.folder / "h" / cohort / "000.zarr" / name, mode="w", zarr_format=3)
        group.attrs["events"] = {"onset_s": [], "duration_s": [], "kind": []}
        group.create_array("stage", data=labels)
        stage = {f: np.repeat(np.array(stage_30_s, np.uint8), f) for f in RESOLUTIONS}
        if truth is not None:
            stage |= {f: at(f, truth) for f in RESOLUTIONS if f > 1}
            (self.folder / "root" / "truth").mkdir(parents=True, exist_ok=True)
            nothing = np.array([])
            path = self.folder / "root" / "truth" / f"{name}.npz"
            np.savez(path, stage=truth, onset_s=nothing, duration_s=nothing, kind=nothing.astype("U1"))
        p = np.full((30 * len(labels), 5), 0.2, np.float32)
        store = self.folder / "s" / cohort / "000.zarr"
        store.mkdir(parents=True, exist_ok=True)
        write_scores(store, name, StoredScores(stage, p, 30), {"entropy_bit": p[:, 0]}, {})
        self.rows.append({"cohort": cohort, "shard": "000", "recording": name, "person": name, "split": split})

    def evaluate(self, absent: str = "skip"):
        options, how = Evaluate(absent_class=absent), Measured(tasks.get("stage"), 10, Features())
        parts = []
        for cohort, rows in pd.DataFrame(self.rows).groupby("cohort", sort=False):
            stores = (self.folder / each / cohort / "000.zarr" for each in "hs")
            truth = self.folder / "root" / "truth" if cohort == "sim" else None
            parts.append(agreement_tables(rows, *stores, how, truth))
        at_30_s, fine = (pd.concat([p[name] for p in parts], ignore_index=True) for name in ("table", "truth"))
        at_30_s = measured(at_30_s, STAGES, options)
        return at_30_s, fine, summarise(at_30_s, STAGES, options)


def truth_of(*parts: tuple[int, float]) -> np.ndarray:
    return np.concatenate([np.full(int(seconds * 8), stage, np.uint8) for stage, seconds in parts])


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    corpus = Corpus(tmp_path)
    # Two epochs; the second is half wake. A perfect network, an expert and a 30-s hypnogram that call both N2.
    corpus.add("a", [N2, N2], [N2, N2], truth_of((N2, 30), (N2, 15), (W, 15)))
    return corpus


def test_fine_prediction_equal_to_the_truth_agrees_fully_and_30_s_only_as_far_as_30_s_can(corpus):
    _, fine, _ = corpus.evaluate()
    fine = fine.set_index("steps_per_epoch")
    assert fine.index.tolist() == list(RESOLUTIONS)
    assert fine.loc[1, "accuracy"] == 0.75
    assert (fine.loc[2:, "accuracy"] == 1).all()
    assert (fine.loc[2:, "kappa"] == 1).all()
    assert (fine["repeated_30_s_accuracy"] == 0.75).all()
    assert (fine["expert_30_s_accuracy"] == 0.75).all()
    assert fine["step_s"].tolist() == [30 / f for f in RESOLUTIONS]


def test_agreement_with_the_truth_is_weighted_by_time(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [N2], [N2], truth_of((W, 2), (N2, 28)))  # 2 s of wake inside a 3.75-s step
    _, fine, _ = corpus.evaluate()
    fine = fine.set_index("steps_per_epoch")
    assert fine.loc[1, "accuracy"] == pytest.approx(28 / 30)
    assert fine.loc[8, "accuracy"] == pytest.approx(28.25 / 30)  # that step is called W, 1.75 s too long
    assert fine.loc[960, "accuracy"] == 1


def test_epochs_that_the_expert_left_unscored_count_only_against_the_model(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [N2, UNSCORED], [N2, R], truth_of((N2, 30), (W, 30)))
    at_30_s, fine, _ = corpus.evaluate()
    assert at_30_s.loc[0, ["n_epochs", "accuracy"]].tolist() == [1, 1]
    assert (fine["expert_30_s_accuracy"] == 1).all()
    assert (fine["repeated_30_s_accuracy"] == 0.5).all()


def test_row_of_a_recording_holds_its_counts_and_measures(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [W, W, N2, N2, UNSCORED], [W, N2, N2, N2, R], cohort="real")
    at_30_s, fine, _ = corpus.evaluate()
    row = at_30_s.iloc[0]
    assert fine.empty
    assert (row["n_W_W"], row["n_W_N2"], row["n_N2_N2"], row["n_epochs"]) == (1, 1, 2, 4)
    assert row["accuracy"] == 0.75
    assert row["kappa"] == pytest.approx(0.5)
    assert row["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert np.isnan(row["f1_R"])


def test_pooled_measures_add_counts_and_recording_wise_ones_average(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [W, N2], [W, N2], cohort="real")
    corpus.add("b", [W, N2, N2, N2, N2, N2], [W, W, W, W, W, W], cohort="real", split="held_out")
    _, _, summary = corpus.evaluate()
    unseen = summary["unseen"]
    assert unseen["confusion"][W][W] == 2
    assert unseen["confusion"][N2] == [5, 0, 1, 0, 0]
    assert unseen["accuracy"] == pytest.approx(3 / 8)
    assert unseen["macro_f1"] == pytest.approx((4 / 9 + 2 / 7) / 2)
    assert unseen["macro_f1_by_recording"] == pytest.approx((1 + (2 / 7) / 2) / 2)
    assert (unseen["recordings"], unseen["persons"], unseen["epochs"]) == (2, 2, 8)
    assert summary["test"]["accuracy"] == 1
    assert summary["held_out"]["cohorts"]["real"]["accuracy"] == pytest.approx(1 / 6)


def test_the_summary_says_how_many_stages_and_recordings_its_means_are_of(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [W, N1, N2, N3, R], [W, N1, N2, N3, R], cohort="real")
    corpus.add("b", [W, N2], [W, N1], cohort="real")
    corpus.add("c", [UNSCORED, UNSCORED], [W, R], cohort="real")
    at_30_s, _, summary = corpus.evaluate()
    assert at_30_s["n_stages"].tolist() == [5, 3, 0]
    unseen = summary["unseen"]
    assert (unseen["recordings"], unseen["unscored"], unseen["stages"], unseen["with_all_stages"]) == (3, 1, 5, 1)


def test_training_persons_are_not_among_the_unseen(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [W, N2], [W, N2], cohort="real", split="train")
    assert corpus.evaluate()[2]["unseen"] is None
    corpus.add("b", [W, N2], [N2, W], cohort="real", split="test")
    assert corpus.evaluate()[2]["unseen"]["accuracy"] == 0


def test_absent_stages_are_counted_as_the_config_says(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a", [W, N2], [W, N2], cohort="real")
    by = {way: corpus.evaluate(way)[0].loc[0, "macro_f1"] for way in ("skip", "one", "zero")}
    assert by == pytest.approx({"skip": 1.0, "one": 1.0, "zero": 0.4})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("absent", ["skip", "one", "zero"])
def test_a_recording_without_a_scored_epoch_has_no_agreement_and_is_in_no_mean(tmp_path, absent):
    corpus = Corpus(tmp_path)
    corpus.add("a", [W, W, N2, N2], [W, N2, N2, N2], truth_of((W, 60), (N2, 60)))
    alone = corpus.evaluate(absent)[2]["unseen"]
    corpus.add("b", [UNSCORED] * 4, [W, N1, N2, R], truth_of((W, 30), (N1, 30), (N2, 30), (R, 30)))
    at_30_s, fine, summary = corpus.evaluate(absent)
    row = at_30_s.set_index("recording").loc["b"]
    assert row["n_epochs"] == 0
    assert row[["macro_f1", "kappa", "accuracy", *(f"f1_{s}" for s in ("W", "N1", "N2", "N3", "R"))]].isna().all()
    unseen = summary["unseen"]
    assert (alone["recordings"], alone["unscored"]) == (1, 0)
    assert (unseen["recordings"], unseen["unscored"]) == (2, 1)
    changed = ("recordings", "unscored", "persons")
    assert {k: v for k, v in unseen.items() if k not in changed} == {k: v for k, v in alone.items() if k not in changed}
    known = fine[fine["recording"] == "b"]
    assert (known.loc[known["steps_per_epoch"] > 1, "accuracy"] == 1).all()  # against the truth it can be held
    assert known["expert_30_s_accuracy"].isna().all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("absent", ["skip", "one", "zero"])
def test_a_cohort_without_any_label_has_a_summary_without_figures_and_no_nan(tmp_path, absent):
    corpus = Corpus(tmp_path)
    corpus.add("a", [UNSCORED] * 3, [W, N2, R], cohort="real")
    corpus.add("b", [W, N2], [W, N2], cohort="other", split="train")
    summary = corpus.evaluate(absent)[2]
    text = json.dumps(summary, allow_nan=False)  # raises on NaN
    assert json.loads(text) == summary
    pooled = summary["test"]["cohorts"]["real"]
    assert (pooled["recordings"], pooled["unscored"], pooled["epochs"]) == (1, 1, 0)
    measures = ("macro_f1", "kappa", "accuracy", "macro_f1_by_recording", "kappa_by_recording")
    assert [pooled[name] for name in measures] == [None] * 5
    assert set(pooled["f1"].values()) == {None}
    assert summary["train"]["accuracy"] == 1
