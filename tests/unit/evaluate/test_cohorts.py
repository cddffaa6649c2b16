"""The table by cohort and the comparison of networks, from hand-made confusion counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from hypnoflow.cli import app
from hypnoflow.compare.networks import compare_files, compare_models
from hypnoflow.config.compare import Resampling
from hypnoflow.config.evaluate import Evaluate
from hypnoflow.errors import CohortError, ConfigError
from hypnoflow.evaluate.cohorts import MEAN, cohort_table
from hypnoflow.stats.confusion import COUNTS, cohen_kappa, f1_per_class, macro_f1, n_occurring
from hypnoflow.types import STAGES

W, N1, N2, N3, R = range(5)


def row(cohort, recording, counts, *, split="test", person=None, options=None, **more):
    """Return a row as `Agreement` makes it of {(truth, prediction): epochs}."""
    matrix = np.zeros((5, 5), np.int64)
    for pair, n in counts.items():
        matrix[pair] = n
    absent = (options or Evaluate()).absent_class if matrix.any() else "skip"
    return {
        "cohort": cohort, "shard": "000", "recording": recording, "person": person or recording,
        "group": person or recording, "split": split,
        "n_epochs": int(matrix.sum()), "n_stages": int(n_occurring(matrix)),
        "macro_f1": float(macro_f1(matrix, absent)), "kappa": float(cohen_kappa(matrix)),
        **{f"f1_{s}": float(v) for s, v in zip(STAGES, f1_per_class(matrix, absent), strict=True)},
        **dict(zip(COUNTS, matrix.ravel().tolist(), strict=True)), **more,
    }  # fmt: skip


def as_table(*rows) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


GOOD, HALF, BAD = {(W, W): 4, (N2, N2): 4}, {(W, W): 2, (W, N2): 2, (N2, N2): 4}, {(W, N2): 4, (N2, W): 4}


def test_counts_are_pooled_over_a_cohort_before_f1_is_taken():
    found = cohort_table(
        as_table(row("x", "a", {(W, W): 9, (W, N2): 1}), row("x", "b", {(N2, N2): 2, (N2, W): 8})), Evaluate()
    )
    pooled = found.set_index("cohort").loc["x"]
    truth, predicted = [W] * 10 + [N2] * 10, [W] * 9 + [N2] + [N2] * 2 + [W] * 8
    each = f1_score(truth, predicted, average=None)
    assert pooled[["f1_W", "f1_N2"]].tolist() == pytest.approx(each.tolist())
    assert pooled["macro_f1"] == pytest.approx(each.mean())
    assert pooled["accuracy"] == pytest.approx(11 / 20)
    assert (pooled["recordings"], pooled["persons"], pooled["epochs"], pooled["stages"]) == (2, 2, 20, 2)
    # by recording: a has W 18/19 and N2 0; b has N2 4/12 and W 0
    assert pooled["macro_f1_by_recording"] == pytest.approx((18 / 19 / 2 + 4 / 12 / 2) / 2)


@pytest.mark.parametrize(("absent", "wanted"), [("skip", 1.0), ("one", 1.0), ("zero", 0.4)])
def test_absent_stages_count_as_the_config_says_and_how_many_occur_is_told(absent, wanted):
    options = Evaluate(absent_class=absent)
    pooled = cohort_table(as_table(row("x", "a", GOOD, options=options)), options).iloc[0]
    assert pooled["macro_f1"] == pytest.approx(wanted)
    assert pooled["stages"] == 2


def test_mean_is_weighted_by_recordings_and_apart_for_each_domain():
    rows = [row("x", f"x{i}", GOOD) for i in range(3)] + [row("y", "y0", BAD)]
    rows += [row("z", "z0", HALF, split="held_out"), row("x", "t", BAD, split="train")]
    found = cohort_table(as_table(*rows), Evaluate()).set_index(["domain", "cohort"])
    assert found.index.tolist() == [
        ("in-distribution", "x"), ("in-distribution", "y"), ("in-distribution", MEAN),
        ("hold-out", "z"), ("hold-out", MEAN),
    ]  # fmt: skip
    mean = found.loc[("in-distribution", MEAN)]
    assert mean["macro_f1"] == pytest.approx(3 / 4)
    assert (mean["recordings"], mean["persons"], mean["epochs"]) == (4, 4, 32)
    assert found.loc[("hold-out", MEAN), "macro_f1"] == found.loc[("hold-out", "z"), "macro_f1"]


def test_runs_are_averaged_with_their_spread_and_recordings_counted_once():
    rows = [row("x", "a", GOOD, seed=1), row("x", "a", BAD, seed=2), row("x", "a", GOOD, seed=3)]
    pooled = cohort_table(as_table(*rows), Evaluate()).iloc[0]
    assert pooled["macro_f1"] == pytest.approx(2 / 3)
    assert pooled["macro_f1_sd"] == pytest.approx(np.std([1, 0, 1], ddof=1))
    assert (pooled["recordings"], pooled["epochs"], pooled["runs"]) == (1, 8, 3)
    assert np.isnan(cohort_table(as_table(row("x", "a", GOOD)), Evaluate()).iloc[0]["macro_f1_sd"])


@pytest.mark.filterwarnings("error")
def test_recordings_without_labels_are_counted_apart_and_a_cohort_of_them_has_no_weight():
    rows = [row("x", "a", GOOD), row("x", "b", {}), row("y", "c", {})]
    found = cohort_table(as_table(*rows), Evaluate(absent_class="one")).set_index("cohort")
    assert found.loc["x", ["recordings", "unscored"]].tolist() == [1, 1]
    assert found.loc["y", ["recordings", "unscored"]].tolist() == [0, 1]
    assert np.isnan(found.loc["y", "macro_f1"])
    assert found.loc[MEAN, "macro_f1"] == 1


def test_simulated_cohorts_are_named_and_mark_the_mean_that_they_are_in():
    rows = [row("x", "a", GOOD), row("y", "b", GOOD), row("z", "c", GOOD, split="held_out")]
    found = cohort_table(as_table(*rows), Evaluate(), simulated={"y"})
    assert found["simulated"].tolist() == [False, True, True, False, False]


def test_nobody_unseen_gives_an_empty_table_with_its_columns():
    found = cohort_table(as_table(row("x", "a", GOOD, split="train")), Evaluate())
    assert found.empty
    assert {"domain", "cohort", "macro_f1", "macro_f1_sd"} <= set(found.columns)


OPTIONS = Evaluate(resampling=Resampling(bootstrap=500, permutations=2000))


def model(*recordings, cohort="x", **more) -> pd.DataFrame:
    return as_table(*(row(cohort, f"{cohort}{i}", counts, **more) for i, counts in enumerate(recordings)))


def test_networks_are_compared_on_persons_in_pairs():
    better, worse = model(*[GOOD] * 8), model(*[HALF] * 8)
    found = compare_models({"worse": worse, "better": better}, OPTIONS, seed=1).set_index("scope")
    half = (2 / 3 + 4 / 5) / 2
    assert found.index.tolist() == ["all", "x"]
    one = found.loc["all"]
    assert (one["model"], one["other"], one["persons"], one["recordings"]) == ("better", "worse", 8, 8)
    assert one[["value", "other_value", "difference"]].tolist() == pytest.approx([1, half, 1 - half])
    assert one["difference_low"] == pytest.approx(1 - half)
    assert one["p"] == 2 / 2**8  # every one of eight better


def test_all_pairs_of_three_networks_are_corrected_by_holm_together_and_cohorts_apart():
    a, b, c = (model(*[each] * 6) for each in (GOOD, HALF, BAD))
    found = compare_models({"a": a, "b": b, "c": c}, OPTIONS, seed=1)
    whole = found[found["scope"] == "all"]
    assert list(zip(whole["model"], whole["other"], strict=True)) == [("b", "a"), ("c", "a"), ("c", "b")]
    assert whole["p"].tolist() == [2 / 64] * 3
    assert whole["p_holm"].tolist() == pytest.approx([6 / 64] * 3)
    assert found.loc[found["scope"] == "x", "p_holm"].tolist() == pytest.approx([6 / 64] * 3)


def test_two_nights_of_a_person_and_three_runs_are_one_observation():
    """What made the published comparison look sure: runs and draws counted as if they were persons."""
    rows, other = [], []
    for seed in (1, 2, 3):
        for night in "ab":
            rows.append(row("x", night, GOOD, person="p", seed=seed))
            other.append(row("x", night, HALF, person="p", seed=seed))
    one = compare_models({"m": as_table(*rows), "o": as_table(*other)}, OPTIONS, seed=1).iloc[0]
    assert (one["persons"], one["recordings"]) == (1, 2)
    assert one["p"] == 1
    assert np.isnan(one["difference_low"])


def test_networks_scored_on_other_recordings_are_refused():
    with pytest.raises(ValueError, match="same recordings"):
        compare_models({"a": model(GOOD, GOOD), "b": model(GOOD)}, OPTIONS, seed=1)


def test_training_persons_and_unlabelled_recordings_do_not_enter():
    seen, empty = row("x", "t", BAD, split="train"), row("x", "u", {})
    with_them = [pd.concat([model(each), as_table(seen, empty)]) for each in (GOOD, HALF)]
    one = compare_models(dict(zip("ab", with_them, strict=True)), OPTIONS, seed=1).iloc[0]
    assert one["recordings"] == 1


def files(folder, **tables) -> list:
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    return [folder / f"{name}.parquet" for name in tables]


def test_verb_compares_files_on_the_recordings_that_every_network_scored(tmp_path):
    """A network of pairs scores nothing where there is no EOG; these recordings say nothing about the other either."""
    pairs = pd.concat([model(*[HALF] * 6), as_table(row("x", "x6", {}))])
    paths = files(tmp_path, usleep=pairs, anysleep=model(*[GOOD] * 7))
    done = CliRunner().invoke(app, ["compare", *map(str, paths), "--out", str(tmp_path / "compared.csv")])
    assert done.exit_code == 0, done.output
    one = pd.read_csv(tmp_path / "compared.csv").set_index("scope").loc["all"]
    assert (one["model"], one["other"], one["recordings"]) == ("anysleep", "usleep", 6)
    assert one["difference"] == pytest.approx(1 - (2 / 3 + 4 / 5) / 2)
    assert one["p"] == 2 / 2**6


def test_verb_refuses_one_table_and_tables_without_a_common_recording(tmp_path):
    one, other = files(tmp_path, one=model(GOOD), other=model(GOOD, cohort="y"))
    with pytest.raises(ConfigError, match="two networks or more"):
        compare_files([one], OPTIONS, seed=1)
    with pytest.raises(CohortError, match="no recording of the test or held-out split was scored by all of one, other"):
        compare_files([one, other], OPTIONS, seed=1)
