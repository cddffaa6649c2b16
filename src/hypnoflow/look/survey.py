"""Tables of whole cohorts from their quality tables and signals, a piece of work per recording, on dask."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.config.run_options import Run
from hypnoflow.dask import dask_scheduler, in_pieces
from hypnoflow.data.cohort import open_cohort
from hypnoflow.errors import CohortError, RecordingError
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import replacing, write_table
from hypnoflow.facts.provenance import write_facts
from hypnoflow.look.survey_signals import COLUMNS, FLAGS, POWERS, ChannelRows, recording_rows
from hypnoflow.types import EPOCH_S

log = logging.getLogger(__name__)

CHANNEL = ["cohort", "kind", "channel", "unit"]
SHARES = ["clipped_samples_share", *FLAGS, "flagged_epochs_share"]


@dataclass(frozen=True, slots=True)
class Survey:
    """Tables of some cohorts.

    recordings : one row per recording and channel, columns `COLUMNS`
    channels : one row per cohort and channel, see `by_channel`
    cohorts : one row per cohort, see `_quality`
    problems : why a cohort or recording is in none of them, by name
    """

    recordings: pd.DataFrame
    channels: pd.DataFrame
    cohorts: pd.DataFrame
    problems: dict[str, str]


def survey(paths: Sequence[Path], epochs: int = 20) -> Survey:
    """Look through harmonized cohorts, where `hypnoflow.dask.dask_scheduler` says.

    Parameters
    ----------
    paths : sequence of Path
        Folders of cohorts, ``results/harmonized/COHORT``, or folders of these.
    epochs : int
        Most epochs of a stage and channel of a recording that powers are taken from.

    Raises
    ------
    CohortError
        If there is nothing to look at.
    """
    folders = [folder for path in paths for folder in _cohorts_in(Path(path))]
    problems: dict[str, str] = {}
    cohorts, places = [], []
    for folder, (found, stores) in zip(folders, in_pieces(_quality, [(one,) for one in folders]), strict=True):
        if isinstance(found, str):
            problems[folder.name] = found
            continue
        cohorts.append(found)
        places += [(folder.name, Path(store), recording) for recording, store in stores.items()]
    if not places:
        raise CohortError("no harmonized recording to look at\n  " + "\n  ".join(problems.values()))
    done = in_pieces(_rows, [(store, name, epochs) for _, store, name in places])
    kept = []
    for (cohort, _, name), rows in zip(places, done, strict=True):
        if isinstance(rows, str):
            problems[f"{cohort}/{name}"] = rows
        else:
            kept.append((cohort, name, rows))
    recordings = _table(kept)
    return Survey(recordings, by_channel(recordings), pd.DataFrame(cohorts), problems)


def _cohorts_in(path: Path) -> list[Path]:
    return sorted({store.parent for store in path.glob("*/*.zarr")}) or [path]


def _quality(folder: Path) -> tuple[dict[str, Any] | str, dict[str, str]]:
    """Return a cohort's summary of its quality tables, or why there is none, and the store of each recording."""
    try:
        cohort = open_cohort(folder)
    except CohortError as error:
        return str(error), {}
    table, skipped = cohort.table, cohort.skipped
    reasons = skipped["reason"].value_counts()
    row = {
        "cohort": folder.name,
        "recordings": len(table),
        "persons": table["person"].nunique(),
        "skipped": len(skipped),
        "main_reason": str(reasons.index[0]) if len(reasons) else "",
        "hours": float(table["n_epochs"].sum() * EPOCH_S / 3600),
        "scored_share": float(np.average(table["scored_share"], weights=table["n_epochs"])),
        "median_qc_score": float(table["qc_score"].median()),
        "with_dropped_channels": int((table["dropped"] != "").sum()),
        "with_remarks": int((table["remarks"] != "").sum()),
        "with_warnings": int((table["warnings"] != "").sum()),
    }
    return row, {str(name): str(folder / f"{shard}.zarr") for name, shard in table["shard"].items()}


def _rows(store: Path, recording: str, epochs: int) -> ChannelRows | str:
    """Return the statistics of a recording, or why there are none: one bad recording does not stop the rest."""
    try:
        return recording_rows(store, recording, epochs)
    except RecordingError as error:
        return str(error)


def _table(kept: Sequence[tuple[str, str, ChannelRows]]) -> pd.DataFrame:
    about = [(cohort, name, *channel) for cohort, name, (channels, _) in kept for channel in channels]
    table = pd.DataFrame(about, columns=["cohort", "recording", *CHANNEL[1:]])
    values = [values for _, _, (_, values) in kept] or [np.zeros((0, len(COLUMNS)))]
    return pd.concat([table, pd.DataFrame(np.concatenate(values), columns=list(COLUMNS))], axis=1)


def by_channel(recordings: pd.DataFrame) -> pd.DataFrame:
    """Return one row per cohort and channel.

    Hours are sums, shares are of all epochs or samples, powers are medians over recordings; of the interquartile
    range there are also the 10th and the 90th percentile, since a wrong unit shows there.
    """
    weighted = recordings.assign(**{name: recordings[name] * recordings["hours"] for name in SHARES})
    groups = weighted.groupby(CHANNEL, sort=True, observed=True)
    table = groups.agg(recordings=("recording", "nunique"), hours=("hours", "sum"))
    for name, share in (("iqr_p10", 0.1), ("iqr_median", 0.5), ("iqr_p90", 0.9)):
        table[name] = groups["iqr"].quantile(share)
    sums = groups[SHARES].sum().div(table["hours"], axis=0)
    return table.join(sums).join(groups[list(POWERS)].median()).reset_index()


def survey_files(paths: Sequence[Path], out: Path, epochs: int, run: Run) -> bool:
    """Write the survey of harmonized cohorts to `out` and beside it; return whether all could be read."""
    recordings, texts = out.with_suffix(".recordings.parquet"), [out.with_suffix(".cohorts.csv"), out]
    with claim(out.with_suffix(".json"), [recordings, *texts]) as mine:
        with dask_scheduler(run):
            found = survey(paths, epochs)
        with replacing(recordings) as path:
            found.recordings.to_parquet(path, index=False)
        write_table(found.cohorts, texts[0])
        write_table(found.channels, out)
        write_facts(mine.record, "survey", {"recordings": len(found.recordings)}, [recordings], texts)
    for name, why in found.problems.items():
        log.warning("%s is left out: %s", name, why)
    log.info("%d recordings of %d cohorts in %s", found.cohorts["recordings"].sum(), len(found.cohorts), out)
    return not found.problems
