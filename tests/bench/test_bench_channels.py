"""What a trained network makes of more channels, on the persons that it never saw (AnySleep's ablations).

Needs the results of a finished run, in the folder that HYPNOFLOW_RESULTS names (default ``results``).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from hypnoflow.config.evaluate import Evaluate, Subsets
from hypnoflow.evaluate.channels import by_count, by_pair
from hypnoflow.score.subsets import SubsetScorer
from hypnoflow.split.usable import usable
from hypnoflow.stats.confusion import COUNTS
from hypnoflow.subsets.choose import PAIRED
from hypnoflow.subsets.job import score_subsets
from hypnoflow.types import UNSEEN

OPTIONS = Evaluate(subsets=Subsets(kind="all", draws=6))
SEED = 1


@pytest.fixture(scope="module")
def ablated() -> pd.DataFrame:
    """Every unseen recording of a finished run from subsets of its channels."""
    results = Path(os.environ.get("HYPNOFLOW_RESULTS", "results"))
    checkpoints = sorted(results.glob("train/anysleep/seed*.ckpt"))
    split = results / "split" / "split.parquet"
    if not checkpoints or not split.exists():
        pytest.skip(f"no finished run in {results}: set HYPNOFLOW_RESULTS")
    table = usable(pd.read_parquet(split), results / "harmonized")
    parts = []
    scorers = {path.stem: SubsetScorer(path) for path in checkpoints}
    for (cohort, shard), rows in table[table["split"].isin(UNSEEN)].groupby(["cohort", "shard"]):
        store = results / "harmonized" / str(cohort) / f"{shard}.zarr"
        parts.append(score_subsets(rows, store, scorers, OPTIONS.subsets, seed=SEED)[0])
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def test_macro_f1_of_unseen_persons_rises_with_the_number_of_channels(ablated):
    table = by_count(ablated, OPTIONS, SEED)
    row = table.iloc[0]
    print(f"\nmacro-F1 by recording: {row['recordings']} recordings of {row['persons']} unseen persons, ", end="")
    print("difference to the whole montage [95 %], p by sign flips, Holm")
    for row in table.itertuples():
        print(
            f"{row.condition:>16}  {row.macro_f1:.3f} [{row.low:.3f}, {row.high:.3f}]  {row.difference:+.3f} "
            f"[{row.difference_low:+.3f}, {row.difference_high:+.3f}]  p {row.p:.4f}  Holm {row.p_holm:.4f}  "
            f"kappa {row.kappa:.3f}"
        )
    for n_eog in (1, 0):
        part = table[table["n_eog"] == n_eog].sort_values("n_eeg")
        f1, kappa = part["macro_f1"].to_numpy(float), part["kappa"].to_numpy(float)
        rise = {name: spearmanr(part["n_eeg"], part[name]).statistic for name in ("macro_f1", "kappa")}
        print(f"{'with' if n_eog else 'without'} EOG, {part['n_eeg'].iloc[0]:.0f} to 6 EEG: ", end="")
        print(f"macro-F1 {f1[-1] - f1[0]:+.3f}, kappa {kappa[-1] - kappa[0]:+.3f}; ", end="")
        print(f"rank correlations {rise['macro_f1']:.2f} and {rise['kappa']:.2f}")
        assert f1[-1] > f1[0]
        assert part["difference_high"].iloc[0] < 0  # the fewest channels against the whole montage, paired
        # Beyond a few channels the curve is flat within its scatter, and kappa, which weighs all epochs, tells more.
        assert rise["kappa"] > 0.7


def majority_macro_f1(rows: pd.DataFrame) -> float:
    """Return the mean macro-F1 over recordings of calling every epoch by the recording's most frequent stage."""
    truth = rows[COUNTS].to_numpy(float).reshape(-1, 5, 5).sum(2)
    most, total = truth.max(1), truth.sum(1)
    return float(np.mean(2 * most / (total + most) / (truth > 0).sum(1)))


def test_every_single_channel_is_staged_above_the_most_frequent_stage(ablated):
    table = by_pair(ablated, OPTIONS, SEED)
    baseline = majority_macro_f1(ablated[(ablated["analysis"] == "pairs") & (ablated["cell"] == "EOG")])
    matrix = table.pivot(index="first", columns="second", values="macro_f1").loc[list(PAIRED), list(PAIRED)]
    print(f"\nmacro-F1 by pair, single channels on the diagonal, {table['recordings'].iloc[0]} recordings:")
    print(matrix.round(3).to_string(na_rep=""))
    single = np.diag(matrix)
    pairs = matrix.to_numpy()[np.triu_indices(len(PAIRED), 1)]
    print(f"single {single.min():.3f} to {single.max():.3f}, two {pairs.min():.3f} to {pairs.max():.3f}, ", end="")
    print(f"most frequent stage throughout {baseline:.3f}")
    assert single.min() > baseline + 0.1
    assert pairs.mean() > single.mean()
