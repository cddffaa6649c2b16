"""The stores of one shard, harmonized and scored → tables of how they agree; one job of the workflow.

Each night is opened once here; `evaluate` reads these tables only.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.agreement.arousals import arousals_found
from hypnoflow.agreement.confidence import labelled_night
from hypnoflow.agreement.consensus import consensus_agreement
from hypnoflow.agreement.nights import against_truth, counts_at_30_s
from hypnoflow.agreement.opened import OpenNight, open_nights
from hypnoflow.agreement.tables import ENDS
from hypnoflow.config.features import Features
from hypnoflow.data.tasks import Labelling, Task
from hypnoflow.errors import CohortError, RecordingError
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import replacing
from hypnoflow.facts.ours import record_of
from hypnoflow.facts.progress import track
from hypnoflow.facts.provenance import write_facts
from hypnoflow.night.truth import read_truth
from hypnoflow.split.usable import usable
from hypnoflow.store.scores import EpochProbability
from hypnoflow.types import EPOCH_S, STAGES

log = logging.getLogger(__name__)

TRUSTED = ("valid", "test", "held_out")  # splits of persons whose epochs say how far probabilities can be trusted


@dataclass(frozen=True, slots=True)
class Measured:
    """What is held against what.

    task : Task
        What was learnt, and so what the labels are.
    min_overlap_s : float
        How much of an epoch an event covers that marks it, where labels are made of events.
    features : Features
        Says what a wake intrusion is; these are compared with arousals.
    """

    task: Task
    min_overlap_s: float
    features: Features

    @property
    def stages(self) -> bool:
        """Whether the classes are sleep stages, which arousals, several scorers and the truth are told in."""
        return self.task.classes == STAGES

    def labels(self, store: Path, recording: str) -> Any:
        """Return the labels of 30 s, shape (epoch,)."""
        return self.task.labels(store, recording, Labelling(EPOCH_S, self.min_overlap_s))


def agreement_files(harmonized: Path, scores: Path, split: Path, manifest: Path, out: Path, measured: Measured) -> None:
    """Write ``{out}`` (a row per recording, with its confusion counts), and beside it what `ENDS` names, and a JSON.

    Parameters
    ----------
    harmonized, scores : Path
        Stores of the same shard, ``{cohort}/{shard}.zarr``.
    split : Path
        The table of splits.
    manifest : Path
        The JSON of the cohort's manifest, which says whether and where its nights were simulated.

    Raises
    ------
    RecordingError
        If a recording was scored for another task.
    CohortError
        If the harmonized shard is not whole, or `manifest` is no such JSON.
    """
    paths = {name: out.with_suffix(end) for name, end in ENDS.items()}
    with claim(out.with_suffix(".json"), [*paths.values()], [split, manifest]) as mine:
        rows = pd.read_parquet(split)
        rows = rows[(rows["cohort"] == harmonized.parent.name) & (rows["shard"] == harmonized.stem)]
        rows = usable(rows, harmonized.parents[1])
        twin = record_of(manifest)
        if twin is None:
            raise CohortError(f"{manifest} is not the JSON that `hypnoflow index` writes beside a cohort's manifest")
        truth = Path(twin["root"]) / "truth" if twin["simulated"] else None
        tables = agreement_tables(rows, harmonized, scores, measured, truth)
        for name, path in paths.items():
            with replacing(path) as partial:
                tables[name].to_parquet(partial, index=False)
        facts = {
            "task": measured.task.name,
            "classes": list(measured.task.classes),
            "simulated": truth is not None,
            "recordings": len(rows),
        }
        write_facts(mine.record, "agreement", facts, paths.values())
    log.info("%s: %d recordings", out, len(rows))


def agreement_tables(
    rows: pd.DataFrame, harmonized: Path, scores: Path, measured: Measured, truth: Path | None = None
) -> dict[str, pd.DataFrame]:
    """Return the tables of a shard by name, in one pass over its nights.

    Parameters
    ----------
    rows : DataFrame
        The shard's usable rows of the table of splits: cohort, shard, recording, person, group, split.
    truth : Path, optional
        Folder of the simulated truth.

    Returns
    -------
    dict of str to DataFrame
        ``table``, a row per recording: those of `rows`, n_epochs, confusion counts, abstain_below (NaN where the store
        has no 30-s probabilities, or nobody asks for them); ``epochs``, a row per labelled epoch of persons that were
        not trained on, as `LabelledNight.table`; ``consensus``, a row per recording with several scorers; ``events``,
        `arousals_found`; ``truth``, a row per simulated recording and resolution. Of tasks that do not stage sleep the
        last three are empty.
    """
    found: dict[str, list[Any]] = {name: [] for name in ENDS}
    for night in track(open_nights(rows, harmonized, scores, measured.labels), len(rows), "agreement"):
        classes = night.scores.classes
        if classes != measured.task.classes:
            raise RecordingError(
                f"{scores}/{night.name}: scored for {', '.join(classes)}, which are not the classes of the task "
                f"{measured.task.name} ({', '.join(measured.task.classes)})",
                hint="name the task of the network that scored it",
            )
        counts = counts_at_30_s(night.labels, night.scores)
        row = {**night.record, "n_epochs": sum(counts.values()), **counts, "abstain_below": np.nan}
        at_30_s = night.at_30_s if night.record["split"] in TRUSTED else None
        if at_30_s is not None:
            row["abstain_below"] = at_30_s.abstain_below
            found["epochs"].append(_epochs(night, at_30_s))
        found["table"].append(row)
        if measured.stages:
            _add_of_stages(found, night, measured, truth)
    events = [each for each in found.pop("events") if len(each)]
    epochs = found.pop("epochs")
    return {
        **{name: pd.DataFrame(each) for name, each in found.items()},
        "epochs": pd.concat(epochs, ignore_index=True) if epochs else pd.DataFrame(),
        "events": pd.concat(events, ignore_index=True) if events else pd.DataFrame(),
    }


def _epochs(night: OpenNight, at_30_s: EpochProbability) -> pd.DataFrame:
    row = night.record
    table = labelled_night(row["split"], row["person"], night.labels, at_30_s).table()
    return table.assign(cohort=row["cohort"], recording=row["recording"])


def _add_of_stages(found: dict[str, list[Any]], night: OpenNight, measured: Measured, truth: Path | None) -> None:
    """Add what only hypnograms have: several scorers, arousals, and the stages of a simulated night."""
    record = night.record
    if record["split"] in TRUSTED and night.at_30_s is not None and night.scorers is not None:
        about = {key: record[key] for key in ("cohort", "recording", "split")}
        found["consensus"].append({**about, **consensus_agreement(night.at_30_s.calibrated, night.scorers)})
    found["events"].append(arousals_found(night, measured.features.intrusion_rule()))
    if truth is not None:
        stage = read_truth(truth / f"{night.name}.npz").stage
        found["truth"] += [{**record, **row} for row in against_truth(stage, night.labels, night.scores)]
