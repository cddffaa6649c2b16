"""From the stores of two shards to tables, and from tables to figures; nights by hand."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import zarr

from hypnoflow.agreement.job import Measured, agreement_files
from hypnoflow.agreement.tables import ENDS
from hypnoflow.config.evaluate import Evaluate
from hypnoflow.config.features import Features
from hypnoflow.data.tasks import tasks
from hypnoflow.errors import CohortError, RecordingError
from hypnoflow.evaluate import said
from hypnoflow.evaluate.job import evaluate_files
from hypnoflow.store.scores import EpochProbability, StoredScores, write_scores

N2, UNSCORED = 2, 9
EVENTS = {"onset_s": [40.0, 200.0], "duration_s": [15.0, 12.0], "kind": ["apnea_obstructive", "hypopnea"]}


class Study:
    """Writes stores, and the table of splits."""

    def __init__(self, folder, task: str):
        self.folder, self.task, self.rows = folder, tasks.get(task), []
        self.measured = Measured(self.task, 10, Features())

    def add(self, shard, name, labels, predicted, split="test", events=EVENTS):
        harmonized = self.folder / "h" / "c" / f"{shard}.zarr"
        group = zarr.open_group(harmonized / name, mode="w", zarr_format=3, attributes={"events": events, "gaps_s": []})
        group.create_array("stage", data=np.array(labels, np.uint8))
        scores = self.folder / "s" / "c" / f"{shard}.zarr"
        scores.mkdir(parents=True, exist_ok=True)
        predicted = np.array(predicted, np.uint8)
        p = np.eye(len(self.task.classes), dtype=np.float32)[predicted]
        stored = StoredScores({1: predicted}, p, 1, self.task.classes)
        write_scores(scores, name, stored, {}, {}, EpochProbability(p, p, 0.5))
        self.rows.append(
            {"cohort": "c", "shard": shard, "recording": name, "person": name, "group": name, "split": split}
        )

    def write(self, **twin):
        table = pd.DataFrame(self.rows)
        table.to_parquet(self.folder / "split.parquet")
        (self.folder / "c.json").write_text(
            json.dumps({"cohort": "c", "root": "", "simulated": False, "provenance": {"hypnoflow": "0"}, **twin})
        )
        for shard, rows in table.groupby("shard"):
            sibling = {"recordings": dict.fromkeys(rows["recording"], "")}
            (self.folder / "h" / "c" / f"{shard}.json").write_text(json.dumps(sibling))

    def agreement(self, shard):
        stores = (self.folder / each / "c" / f"{shard}.zarr" for each in "hs")
        out = self.folder / "a" / "c" / f"{shard}.parquet"
        out.parent.mkdir(parents=True, exist_ok=True)
        agreement_files(*stores, self.folder / "split.parquet", self.folder / "c.json", out, self.measured)
        return {name: pd.read_parquet(out.with_suffix(end)) for name, end in ENDS.items()}

    def evaluate(self):
        out = self.folder / "e" / "m.parquet"
        out.parent.mkdir(exist_ok=True)
        evaluate_files(self.folder / "split.parquet", self.folder / "a", None, out, Evaluate(), seed=1)
        return pd.read_parquet(out), json.loads(out.with_suffix(".json").read_text())


def test_a_shard_is_read_once_and_tables_alone_are_gathered(tmp_path):
    study = Study(tmp_path, "stage")
    study.add("001", "b", [N2, N2, 0, UNSCORED], [N2, 0, 0, 0])
    study.add("000", "a", [N2, 0], [N2, 0], split="held_out")
    study.write()
    for shard in ("000", "001"):
        found = study.agreement(shard)
    assert found["table"]["recording"].tolist() == ["b"]
    assert found["epochs"]["correct_after"].tolist() == [True, False, True]
    shutil.rmtree(tmp_path / "h")  # who gathers opens no store
    shutil.rmtree(tmp_path / "s")
    at_30_s, summary = study.evaluate()
    assert at_30_s["recording"].tolist() == ["a", "b"]
    assert at_30_s["accuracy"].tolist() == pytest.approx([1, 2 / 3])
    assert summary["unseen"]["accuracy"] == pytest.approx(4 / 5)
    assert summary["uncertainty"]["splits"]["unseen"]["n_epochs"] == 5
    assert set(summary) - {"files", "texts", "provenance"} <= set(said.Evaluation.__annotations__)
    assert {"absent_class", "unseen", "test", "held_out"} <= set(summary)
    assert set(summary["unseen"]) == set(said.Pooled.__annotations__)
    assert set(summary["uncertainty"]["splits"]["unseen"]) == set(said.Trusted.__annotations__)
    cohorts = pd.read_parquet(tmp_path / "e" / "m.cohorts.parquet")
    assert cohorts["domain"].tolist() == ["in-distribution", "in-distribution", "hold-out", "hold-out"]


def test_what_detects_apneas_is_held_against_the_marked_ones(tmp_path):
    """An apnea of 15 s lies in the second epoch, 40 to 55 s; a hypopnea in the seventh, 200 to 212 s."""
    study = Study(tmp_path, "apnea")
    study.add("000", "a", [N2] * 10, [0, 1, 0, 0, 0, 0, 1, 0, 0, 0])
    study.add("000", "nobody looked", [N2] * 3, [1, 1, 1], events={"onset_s": [], "duration_s": [], "kind": []})
    study.write()
    found = study.agreement("000")
    row = found["table"].set_index("recording").loc["a"]
    assert [row[f"n_{x}_{y}"] for x in ("none", "apnea") for y in ("none", "apnea")] == [8, 1, 0, 1]
    assert found["events"].empty  # no wake intrusions in what is no hypnogram
    at_30_s, summary = study.evaluate()
    assert summary["task"] == "apnea"
    assert summary["unseen"]["f1"] == pytest.approx({"none": 16 / 17, "apnea": 2 / 3})
    assert summary["unseen"]["unscored"] == 1
    assert at_30_s.set_index("recording").loc["a", "f1_apnea"] == pytest.approx(2 / 3)
    assert pd.read_csv(tmp_path / "e" / "m.cohorts.csv")["f1_apnea"].iloc[0] == pytest.approx(2 / 3, abs=1e-4)


def test_scores_of_another_task_are_refused(tmp_path):
    study = Study(tmp_path, "apnea")
    study.add("000", "a", [N2] * 2, [0, 1])
    study.write()
    study.measured = Measured(tasks.get("stage"), 10, Features())
    with pytest.raises(RecordingError, match="scored for none, apnea, which are not the classes of the task stage"):
        study.agreement("000")
    assert not (tmp_path / "a" / "c" / "000.json").exists()


def test_a_shard_without_tables_is_named(tmp_path):
    study = Study(tmp_path, "stage")
    study.add("000", "a", [N2, 0], [N2, 0])
    study.add("001", "b", [N2, 0], [N2, 0])
    study.write()
    study.agreement("000")
    with pytest.raises(CohortError, match=r"c/001\.json is missing: run `hypnoflow agreement`"):
        study.evaluate()


def test_what_is_no_manifest_does_not_count_as_a_cohort_that_was_not_simulated(tmp_path):
    study = Study(tmp_path, "stage")
    study.add("000", "a", [N2, 0], [N2, 0])
    study.write()
    (tmp_path / "c.json").unlink()
    with pytest.raises(CohortError, match="is not the JSON that `hypnoflow index` writes"):
        study.agreement("000")
