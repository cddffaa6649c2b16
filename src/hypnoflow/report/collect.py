"""Everything the report shows, read from the results folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from hypnoflow.config.schema import Config
from hypnoflow.evaluate.said import Evaluation
from hypnoflow.facts.files import read_json
from hypnoflow.facts.layout import Layout
from hypnoflow.night.truth import Truth, read_truth
from hypnoflow.predict.said import TargetSummary
from hypnoflow.report.networks import NetworkRow, network_rows, runs_of
from hypnoflow.report.provenance import Provenance, collect_provenance
from hypnoflow.split.usable import usable
from hypnoflow.store.manifest import Twin
from hypnoflow.store.scores import StoredScores, read_scores
from hypnoflow.store.store import read_stage
from hypnoflow.train.said import TrainingFacts
from hypnoflow.types import UNSEEN


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
    index: dict[str, Twin]  # by cohort
    qc: pd.DataFrame
    split: pd.DataFrame
    training: list[TrainingFacts]
    training_curve: pd.DataFrame
    at_30_s: pd.DataFrame
    fine: pd.DataFrame
    cohorts: pd.DataFrame
    summary: Evaluation
    features: pd.DataFrame
    predictions: dict[str, TargetSummary]  # by target
    night: ExampleNight | None
    stores: list[dict[str, Any]]  # sibling JSON of each harmonized and scored store
    provenance: Provenance
    networks: dict[str, list[NetworkRow]]  # by task

    @property
    def simulated(self) -> bool:
        """Whether any cohort is simulated."""
        return any(facts["simulated"] for facts in self.index.values())


def collect(results: Path, config: Config) -> ReportData:
    """Read the results of all stages."""
    layout, science = Layout(results), config.science
    model = next(name for name, entry in science.models.items() if entry.task == "stage")
    index = {name: cast(Twin, read_json(layout.path("index", cohort=name))) for name in science.cohorts}
    everything = pd.read_parquet(layout.path("split", "table", model=model))
    # Of these only: files of shards that are no more, of another shard_size say, may lie beside them.
    shards = sorted(set(zip(everything["cohort"], everything["shard"], strict=True)))
    qc_files = [layout.path("harmonize", "qc", cohort=cohort, shard=shard) for cohort, shard in shards]
    qc = pd.concat([pd.read_parquet(path) for path in qc_files], ignore_index=True)
    qc = qc.sort_values(["cohort", "recording"], ignore_index=True)
    runs = runs_of(model, science)
    curves = [pd.read_csv(layout.path("train", "curve", model=model, run=run)).assign(run=run) for run in runs]
    at_30_s = pd.read_parquet(layout.path("evaluate", "table", model=model))
    stores = [
        {"store": layout.path(stage, model=model, cohort=cohort, shard=shard).with_suffix("").as_posix(), **facts}
        for stage in ("harmonize", "score")
        for cohort, shard in shards
        for facts in [read_json(layout.path(stage, model=model, cohort=cohort, shard=shard))]
    ]
    provenance = collect_provenance(results)
    return ReportData(
        config=config,
        model=model,
        index=index,
        qc=qc,
        split=usable(everything, Path(layout.folder("harmonize"))),
        training=[
            cast(TrainingFacts, read_json(layout.path("train", model=model, run=run)) | {"run": run}) for run in runs
        ],
        training_curve=pd.concat(curves, ignore_index=True),
        at_30_s=at_30_s,
        fine=pd.read_parquet(layout.path("evaluate", "truth", model=model)),
        cohorts=pd.read_parquet(layout.path("evaluate", "cohorts", model=model)),
        summary=cast(Evaluation, read_json(layout.path("evaluate", model=model))),
        features=pd.read_parquet(layout.path("features", "table", model=model)),
        predictions={
            t: cast(TargetSummary, read_json(layout.path("predict", model=model, target=t)))
            for t in science.predict.targets
        },
        night=_example(layout, config, model, at_30_s),
        stores=stores,
        provenance=provenance,
        networks=network_rows(layout, science, provenance.jobs),
    )


def _example(layout: Layout, config: Config, model: str, at_30_s: pd.DataFrame) -> ExampleNight | None:
    """Take the unseen night with the median macro-F1, so that it is neither the best nor the worst."""
    unseen = at_30_s[at_30_s["split"].isin(UNSEEN) & (at_30_s["n_epochs"] > 0)]
    if unseen.empty:
        return None
    row = unseen.sort_values(["macro_f1", "recording"]).iloc[len(unseen) // 2]
    where, name = {"cohort": str(row["cohort"]), "shard": str(row["shard"])}, str(row["recording"])
    root = config.science.cohorts[row["cohort"]].root or layout.path("simulate", "store", cohort=where["cohort"])
    truth_path = Path(root) / "truth" / f"{name}.npz"
    return ExampleNight(
        cohort=str(row["cohort"]),
        recording=name,
        split=str(row["split"]),
        labels=read_stage(layout.path("harmonize", "store", **where), name),
        scores=read_scores(layout.path("score", "store", model=model, **where), name),
        truth=read_truth(truth_path) if truth_path.exists() else None,
    )
