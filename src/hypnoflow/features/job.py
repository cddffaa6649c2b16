"""A split table and stores of scores → one table of biomarkers, their dictionary, and tables of blocks."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from hypnoflow.config.features import Features
from hypnoflow.config.run_options import Run
from hypnoflow.dask import dask_scheduler
from hypnoflow.facts.claim import claim, others_list
from hypnoflow.facts.files import write_table
from hypnoflow.facts.provenance import write_facts
from hypnoflow.features import dictionary
from hypnoflow.features.rows import write_features
from hypnoflow.split.usable import usable

log = logging.getLogger(__name__)


def features_files(split: Path, harmonized: Path, scores: Path, out: Path, options: Features, run: Run) -> None:
    """Write biomarkers of every recording at every resolution to `out`, and ``.blocks.parquet`` beside it.

    Parameters
    ----------
    split : Path
        The table of splits.
    harmonized, scores : Path
        Folders of the stores.
    """
    table = usable(pd.read_parquet(split), harmonized).drop(columns="fold", errors="ignore")
    written, text = [out, out.with_suffix(".blocks.parquet")], out.with_name("features.csv")
    with claim(out.with_suffix(".json"), written, [split], remember=True) as mine:
        mine.take([text], also=others_list(text))  # another model's features have the same dictionary
        write_table(dictionary(), text)
        with dask_scheduler(run), mine.scratch(out) as folder:
            rows = write_features(table, scores, options, out, folder)
        write_facts(mine.record, "features", {"rows": rows}, written, [text])
    log.info("%d rows of %d features", rows, len(dictionary()))
