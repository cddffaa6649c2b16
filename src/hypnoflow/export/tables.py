"""Hypnogram and hypnodensity as CSV and Parquet, one of each per resolution."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import Table
from pyarrow.csv import WriteOptions
from pyarrow.csv import write_csv as write_rows

from hypnoflow.export.night import NAMES, ScoredNight, step_name
from hypnoflow.facts.files import replacing
from hypnoflow.types import EPOCH_S, STAGES

# Arrow writes each number by the fewest digits that give it back, and a night at 1/128 s in seconds.
ROWS = WriteOptions(include_header=False, quoting_style="none")


def write_csv(night: ScoredNight, base: Path) -> list[Path]:
    """Write ``{base}.hypnogram_{step}.csv`` and ``{base}.hypnodensity_{step}.csv``."""
    written = []
    for name, table in _tables(night):
        path = base.with_name(f"{base.name}.{name}.csv")
        with replacing(path) as partial, partial.open("wb") as file:
            file.write((",".join(map(str, table.columns)) + "\n").encode())
            write_rows(Table.from_pandas(table, preserve_index=False), file, ROWS)
        written.append(path)
    return written


def write_parquet(night: ScoredNight, base: Path) -> list[Path]:
    """Write the tables of `write_csv` as Parquet."""
    written = []
    for name, table in _tables(night):
        path = base.with_name(f"{base.name}.{name}.parquet")
        with replacing(path) as partial:
            table.to_parquet(partial, index=False)
        written.append(path)
    return written


def _tables(night: ScoredNight) -> Iterator[tuple[str, pd.DataFrame]]:
    for f in dict.fromkeys(night.wanted):
        yield f"hypnogram_{step_name(f)}", hypnogram_table(night, f)
        yield f"hypnodensity_{step_name(f)}", hypnodensity_table(night, f)


def hypnogram_table(night: ScoredNight, steps_per_epoch: int) -> pd.DataFrame:
    """Return one row per step: onset_s, duration_s, stage ("?" where nothing was recorded), confidence, uncertain.

    Confidence is the largest probability, NaN where nothing was recorded; uncertain is whether it is below the night's
    `abstain_below`.
    """
    stage = night.stage[steps_per_epoch]
    words = np.full(max(NAMES) + 1, "?", object)
    words[list(NAMES)] = list(NAMES.values())
    onset_s = np.arange(len(stage)) * (EPOCH_S / steps_per_epoch)
    confidence = night.probability[steps_per_epoch].max(1)
    return pd.DataFrame(
        {
            "onset_s": onset_s,
            "duration_s": EPOCH_S / steps_per_epoch,
            "stage": words[stage],
            "confidence": confidence,
            "uncertain": confidence < np.float32(night.abstain_below),
        }
    )


def hypnodensity_table(night: ScoredNight, steps_per_epoch: int) -> pd.DataFrame:
    """Return one row per step: onset_s, and p_W to p_R, which are NaN where nothing was recorded."""
    table = pd.DataFrame(night.probability[steps_per_epoch], columns=[f"p_{stage}" for stage in STAGES])
    table.insert(0, "onset_s", np.arange(len(table)) * (EPOCH_S / steps_per_epoch))
    return table
