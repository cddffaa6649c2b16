"""A table of features and the manifests → one target predicted at every resolution, and compared with 30 s."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from hypnoflow.config.predict import Predict
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import replacing
from hypnoflow.facts.provenance import write_facts
from hypnoflow.predict.discover import write_discovery
from hypnoflow.predict.target import predict_forests, predict_target
from hypnoflow.store.manifest import read_manifest

log = logging.getLogger(__name__)


def predict_files(
    features: Path, index: Path, target: str, out: Path, options: Predict, *, seed: int, threads: int
) -> None:
    """Write the comparison for one target to `out`, and its forests, discovery and summary beside it.

    Parameters
    ----------
    features : Path
        Table of the stage `features`; its blocks lie beside it.
    index : Path
        Folder of the manifests.
    """
    tables = [out, *(out.with_suffix(f".{name}.parquet") for name in ("forests", "discovery"))]
    text, kept = out.with_suffix(".discovery.csv"), out.with_suffix(".forests.kept.parquet")
    with claim(out.with_suffix(".json"), [*tables, text, kept], [features], remember=True) as mine:
        manifest = pd.concat([read_manifest(path) for path in sorted(index.glob("*.parquet"))], ignore_index=True)
        found = pd.read_parquet(features)
        simulated = bool(manifest.loc[manifest["cohort"].isin(found["cohort"]), "simulated"].any())
        done = predict_target(found, manifest, target, options, seed=seed, threads=threads, simulated=simulated)
        summary = done.summary
        blocks = pd.read_parquet(features.with_suffix(".blocks.parquet"))
        forests, summary["forests"] = predict_forests(
            done.people, blocks, options, seed=seed, threads=threads, kept=kept
        )
        # Always written: a rule whose outputs come and go with an option would not see the option change.
        with replacing(tables[1]) as path:
            forests.to_parquet(path, index=False)
        with replacing(out) as path:
            done.predictions.to_parquet(path, index=False)
        write_discovery(done.discovery, out.with_suffix(".discovery"))
        write_facts(mine.record, "predict", summary, tables, [text])
    log.info("%s: %s", target, summary.get("problem") or f"{summary['persons']} persons")
