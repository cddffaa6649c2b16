"""Everything the report shows, read from the results folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.config.schema import Config
from hypnoflow.facts.files import read_json
from hypnoflow.night.truth import Truth, read_truth
from hypnoflow.report.provenance import Provenance, collect_provenance
from hypnoflow.split.usable import usable
from hypnoflow.store.scores import StoredScores, read_scores
from hypnoflow.store.store import read_stage


@dataclass(frozen=True, slots=True)
class ExampleNight:
    """One unseen night: labels, scores and, if simulated, the truth."""

    cohort: str
    recording: str
    split: str
    labels: np.ndarray
    scores: StoredScores
    truth: Truth | None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Tables and facts by stage; see each stage for their columns."""

    config: Config
    model: str
    index: dict[str, dict[str, Any]]  # cohort → the manifest's JSON twin
    qc: pd.DataFrame
    split: pd.DataFrame
    training: list[dict[str, Any]]
    training_curve: pd.DataFrame
    at_30_s: pd.DataFrame
    fine: pd.DataFrame
    cohorts: pd.DataFrame
    summary: dict[str, Any]
    features: pd.DataFrame
    predictions: dict[str, dict[str, Any]]  # target → summary
    night: ExampleNight | None
    stores: list[dict[str, Any]]  # sibling JSON of each harmonized and scored store
    provenance: Provenance

    @property
    def simulated(self) -> bool:
        """Whether any cohort is simulated."""
        return any(facts["simulated"] for facts in self.index.values())


def collect(results: Path, config: Config) -> ReportData:
    """Read the results of all stages."""
    model = config.science.train.model
    index = {name: _json(results / "index" / f"{name}.json") for name in config.science.cohorts}
    everything = pd.read_parquet(results / "split" / "split.parquet")
    # Of these only: files of shards that are no more, of another shard_size say, may lie beside them.
    shards = sorted(set(zip(everything["cohort"], everything["shard"], strict=True)))
    qc_files = [results / "harmonized" / cohort / f"{shard}.qc.parquet" for cohort, shard in shards]
    qc = pd.concat([pd.read_parquet(path) for path in qc_files], ignore_index=True)
    qc = qc.sort_values(["cohort", "recording"], ignore_index=True)
    split = usable(everything, results / "harmonized")
    evaluate = results / "evaluate" / model
    at_30_s = pd.read_parquet(evaluate.with_suffix(".parquet"))
    seeds = config.science.train.seeds
    curves = [pd.read_csv(results / "train" / model / f"seed{seed}.csv").assign(seed=seed) for seed in seeds]
    stores = [
        {"store": f"{folder}/{cohort}/{shard}", **_json(results / folder / cohort / f"{shard}.json")}
        for folder in ("harmonized", f"score/{model}")
        for cohort, shard in shards
    ]
    return ReportData(
        config=config,
        model=model,
        index=index,
        qc=qc,
        split=split,
        training=[_json(results / "train" / model / f"seed{seed}.json") for seed in seeds],
        training_curve=pd.concat(curves, ignore_index=True),
        at_30_s=at_30_s,
        fine=pd.read_parquet(evaluate.with_name(f"{model}.truth.parquet")),
        cohorts=pd.read_parquet(evaluate.with_name(f"{model}.cohorts.parquet")),
        summary=_json(evaluate.with_suffix(".json")),
        features=pd.read_parquet(results / "features" / f"{model}.parquet"),
        predictions={t: _json(results / "predict" / model / f"{t}.json") for t in config.science.predict.targets},
        night=_example(results, config, model, at_30_s),
        stores=stores,
        provenance=collect_provenance(results),
    )


def _json(path: Path) -> Any:
    return read_json(path)


def _example(results: Path, config: Config, model: str, at_30_s: pd.DataFrame) -> ExampleNight | None:
    """Take the unseen night with the median macro-F1, so that it is neither the best nor the worst."""
    unseen = at_30_s[at_30_s["split"].isin(["test", "held_out"]) & (at_30_s["n_epochs"] > 0)]
    if unseen.empty:
        return None
    row = unseen.sort_values(["macro_f1", "recording"]).iloc[len(unseen) // 2]
    shard, name = f"{row['cohort']}/{row['shard']}.zarr", str(row["recording"])
    root = config.science.cohorts[row["cohort"]].root or results / "simulate" / row["cohort"]
    truth_path = Path(root) / "truth" / f"{name}.npz"
    return ExampleNight(
        cohort=str(row["cohort"]),
        recording=name,
        split=str(row["split"]),
        labels=read_stage(results / "harmonized" / shard, name),
        scores=read_scores(results / "score" / model / shard, name),
        truth=read_truth(truth_path) if truth_path.exists() else None,
    )
