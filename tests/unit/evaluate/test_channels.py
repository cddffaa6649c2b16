"""Summaries of the ablations from hand-made rows."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hypnoflow.config.compare import Resampling
from hypnoflow.config.evaluate import Evaluate
from hypnoflow.evaluate.channels import by_count, by_pair, mean_attention, read_subsets, summarise_subsets
from hypnoflow.stats.confusion import COUNTS
from hypnoflow.subsets.choose import ALL, PAIRED

OPTIONS = Evaluate(resampling=Resampling(bootstrap=200, permutations=1000))
N_EEG = {"1 EEG": 1, "2 EEG": 2, ALL: 3}


def row(recording, cell, right, *, person=None, seed="seed1", n_eog=0, analysis="count", **more):
    """Return a row in which `right` of ten epochs of two stages, five each, are found; the rest is called N3."""
    counts = dict.fromkeys(COUNTS, 0)
    counts |= {"n_W_W": right // 2, "n_N2_N2": right - right // 2}
    counts |= {"n_W_N3": 5 - counts["n_W_W"], "n_N2_N3": 5 - counts["n_N2_N2"]}
    who = {"cohort": "x", "shard": "000", "recording": recording, "person": person or recording}
    about = {"group": who["person"], "split": "test", "seed": seed, "analysis": analysis, "cell": cell}
    cells = {"n_eeg": N_EEG.get(cell, 1), "n_eog": n_eog, "first": "", "second": "", "channels": "", "n_epochs": 10}
    return {**who, **about, **cells, **counts, **more}


def f1(right: int) -> float:
    """Macro-F1 of `row` by hand: W, N2, and N3, which is only predicted and counts 0 unless nothing is wrong."""
    w, n2 = right // 2, right - right // 2
    each = [2 * w / (5 + w), 2 * n2 / (5 + n2)]
    return float(np.mean(each if right == 10 else [*each, 0]))


def counted(rows) -> pd.DataFrame:
    return by_count(pd.DataFrame(rows), OPTIONS, seed=1).set_index("condition")


def test_cells_are_averaged_over_draws_runs_recordings_and_persons_in_turn():
    rows = [row("a1", ALL, 10, person="a"), row("a2", ALL, 10, person="a"), row("b", ALL, 8)]
    rows += [row("a1", "1 EEG", right, person="a") for right in (2, 4)]  # two draws
    rows += [row("a2", "1 EEG", 8, person="a"), row("b", "1 EEG", 6)]
    found = counted(rows)
    a = ((f1(2) + f1(4)) / 2 + f1(8)) / 2
    assert found.loc["1 EEG", "macro_f1"] == pytest.approx((a + f1(6)) / 2)
    assert found.loc[ALL, "macro_f1"] == pytest.approx((1 + f1(8)) / 2)
    assert found.loc["1 EEG", ["persons", "groups", "recordings", "subsets"]].tolist() == [2, 2, 3, 4]
    assert found.loc["1 EEG", "difference"] == pytest.approx((a + f1(6) - 1 - f1(8)) / 2)
    assert found.loc["1 EEG", "stages"] == 3
    assert found.loc[ALL, "stages"] == pytest.approx((2 + 2 + 3) / 3)


def test_kappa_is_averaged_likewise_over_recordings_where_every_cell_defines_it():
    half = {**dict.fromkeys(COUNTS, 0), "n_W_W": 3, "n_W_N2": 2, "n_N2_W": 2, "n_N2_N2": 3}  # (0.6 - 0.5) / 0.5
    one_stage = {**dict.fromkeys(COUNTS, 0), "n_W_W": 10}
    rows = [row("a", ALL, 10), row("a", "1 EEG", 10) | half, row("b", ALL, 10), row("b", "1 EEG", 10) | one_stage]
    found = counted(rows)["kappa"]
    assert found.to_dict() == pytest.approx({ALL: 1, "1 EEG": 0.2})
    assert counted(rows[2:])["kappa"].isna().all()


def test_more_draws_or_runs_make_no_result_surer():
    """The published tests took draws and runs for persons."""
    one = [row(f"p{i}", cell, right) for i in range(6) for cell, right in ((ALL, 10), ("1 EEG", 4 + i))]
    many = [{**each, "seed": seed} for each in one for seed in ("seed1", "seed2", "seed3") for _ in range(20)]
    columns = ["macro_f1", "low", "high", "difference_low", "difference_high", "p", "p_holm"]
    a, b = counted(one)[columns], counted(many)[columns]
    np.testing.assert_allclose(a, b, rtol=1e-9)
    assert a.loc["1 EEG", "p"] == 2 / 2**6


def test_each_number_is_compared_with_all_channels_and_corrected_by_holm():
    rows = [row(f"p{i}", cell, right) for i in range(7) for cell, right in ((ALL, 10), ("1 EEG", 4), ("2 EEG", 6))]
    found = counted(rows)
    assert np.isnan(found.loc[ALL, "p"])
    assert found.loc[["1 EEG", "2 EEG"], "p"].tolist() == [2 / 2**7] * 2
    assert found.loc[["1 EEG", "2 EEG"], "p_holm"].tolist() == [4 / 2**7] * 2
    assert np.isnan(found.loc[ALL, "n_eeg"])
    assert found.loc["2 EEG", "n_eeg"] == 2


def test_a_cell_that_lacks_a_recording_is_an_error_and_never_a_smaller_mean():
    rows = [row("a", ALL, 10), row("b", ALL, 10), row("a", "1 EEG", 4)]
    with pytest.raises(ValueError, match="same recordings"):
        counted(rows)


def test_absent_stages_count_as_configured():
    rows = pd.DataFrame([row("a", ALL, 10), row("b", ALL, 10)])
    by = {way: OPTIONS.model_copy(update={"absent_class": way}) for way in ("skip", "one", "zero")}
    found = {way: float(by_count(rows, options, 1)["macro_f1"].iloc[0]) for way, options in by.items()}
    assert found == pytest.approx({"skip": 1, "one": 1, "zero": 0.4})


def pair_rows() -> list[dict]:
    rows = []
    for i, first in enumerate(PAIRED):
        for second in PAIRED[i:]:
            cell = first if first == second else f"{first} + {second}"
            right = 4 if first == second else 8
            rows += [row(p, cell, right, analysis="pairs", first=first, second=second) for p in "abc"]
    return rows


def test_pairs_have_a_cell_for_each_pair_and_single_channel_with_the_same_recordings():
    found = by_pair(pd.DataFrame(pair_rows()), OPTIONS, seed=1)
    assert len(found) == 28
    assert (found["recordings"] == 3).all()
    single = found["first"] == found["second"]
    assert single.sum() == 7
    assert found.loc[single, "macro_f1"].to_numpy() == pytest.approx(f1(4))
    assert found.loc[~single, "macro_f1"].to_numpy() == pytest.approx(f1(8))
    reference = found[found["condition"] == "EOG + C4"].iloc[0]
    assert reference["difference"] == 0


def attention_rows() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"cohort": "x", "recording": r, "seed": s, "level": level, "electrode": e, "weight": w}
            for s, shift in (("seed1", 0.0), ("seed2", 0.2))
            for r, more in (("a", 0.0), ("b", 0.1))
            for level in (1, 2)
            for e, w in (("EOG", 0.5 + shift + more), ("C3", 0.5 - shift - more))
        ]
    )


def test_attention_is_averaged_over_recordings_and_runs_stay_apart():
    found = mean_attention(attention_rows()).set_index(["seed", "level", "electrode"])
    assert found.loc[("seed1", 1, "EOG"), "weight"] == pytest.approx(0.55)
    assert found.loc[("seed2", 2, "C3"), "weight"] == pytest.approx(0.25)
    assert (found["recordings"] == 2).all()


def test_the_summary_is_json_without_nan():
    rows = pd.DataFrame([*pair_rows(), *(row(p, cell, 8) for p in "ab" for cell in (ALL, "1 EEG"))])
    summary = summarise_subsets(rows, attention_rows(), OPTIONS, seed=1)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert [len(summary[part]) for part in ("count", "pairs", "attention")] == [2, 28, 8]


def test_where_no_recording_fits_the_parts_are_empty():
    summary = summarise_subsets(pd.DataFrame(), pd.DataFrame(), OPTIONS, seed=1)
    assert [summary[part] for part in ("count", "pairs", "attention")] == [[], [], []]


def test_tables_of_the_named_shards_are_read_and_no_others(tmp_path):
    for cohort, shard in (("x", "000"), ("x", "001"), ("gone", "000")):
        (tmp_path / cohort).mkdir(exist_ok=True)
        table = pd.DataFrame([row(f"{cohort}{shard}", ALL, 10)])
        table.iloc[: int(shard == "000")].to_parquet(tmp_path / cohort / f"{shard}.parquet")
        attention_rows().iloc[:0].to_parquet(tmp_path / cohort / f"{shard}.attention.parquet")
    subsets, attention = read_subsets(tmp_path, {("x", "000"), ("x", "001")})
    assert subsets["recording"].tolist() == ["x000"]
    assert attention.empty
