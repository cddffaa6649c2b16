"""Manifests → which person is in which split, as a table and as text."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from hypnoflow.config.split import Split
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import replacing, write_table
from hypnoflow.facts.provenance import write_facts
from hypnoflow.split.left_out import without_folds
from hypnoflow.split.seen import as_trained
from hypnoflow.split.splits import split_persons
from hypnoflow.store.manifest import read_manifest

log = logging.getLogger(__name__)


def split_files(
    manifests: Sequence[Path], seen: Sequence[Path], out: Path, options: Split, *, held_out: Collection[str], seed: int
) -> None:
    """Assign the persons of all manifests to train, valid, test and held-out; writes `out` and a ``.csv`` beside it.

    Parameters
    ----------
    seen : sequence of Path
        Tables of persons that trainings have seen, who are unseen never again.
    held_out : collection of str
        Cohorts that are kept out of training and validation.
    """
    rows = pd.concat([read_manifest(path) for path in manifests], ignore_index=True)
    table = split_persons(rows, options, held_out=set(held_out), seed=seed)
    if seen:
        table = as_trained(without_folds(table), seen)
    persons = table.groupby("split")["person"].nunique()
    text = out.with_suffix(".csv")
    with claim(out.with_suffix(".json"), [out, text], [*manifests, *seen], remember=True) as mine:
        write_table(table, text)
        with replacing(out) as path:
            table.to_parquet(path, index=False)
        write_facts(mine.record, "split", {"persons": persons.to_dict()}, [out], [text])
    log.info("%s", ", ".join(f"{name} {n} persons" for name, n in persons.items()))
