"""Arousals in the stores against wake intrusions in the scores, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import zarr

from hypnoflow.agreement.arousals import arousals_found
from hypnoflow.agreement.opened import open_nights
from hypnoflow.config.features import Features
from hypnoflow.evaluate.arousals import summarise_arousals
from hypnoflow.store.scores import StoredScores, write_scores

RULE = Features().intrusion_rule()
N_EPOCHS = 20
AROUSAL = (100.0, 8.0)


def harmonized(folder, name: str, *events: tuple[float, float, str]) -> None:
    columns = {key: [event[i] for event in events] for i, key in enumerate(("onset_s", "duration_s", "kind"))}
    zarr.open_group(folder / "abc" / "000.zarr" / name, mode="w", zarr_format=3, attributes={"events": columns})


def scored(folder, name: str, found: tuple[float, float] | None = AROUSAL, lost: slice = slice(0, 0)) -> None:
    """Write scores at 30, 1 and 0.5 s in which one stretch is W."""
    stage = {}
    for f in (1, 30, 60):
        stage[f] = np.full(N_EPOCHS * f, 2, np.uint8)
        if found and f > 1:
            stage[f][int(found[0] * f / 30) : int((found[0] + found[1]) * f / 30)] = 0
        stage[f][lost.start * f : lost.stop * f] = 9
    scores = StoredScores(stage, np.zeros((N_EPOCHS, 5), np.float32), 1)
    write_scores(folder / "abc" / "000.zarr", name, scores, {}, {})


def table(*names: str, split: str = "test") -> pd.DataFrame:
    return pd.DataFrame(
        [{"cohort": "abc", "shard": "000", "recording": n, "person": n[0], "group": "", "split": split} for n in names]
    )


def agreement(tmp_path, split: pd.DataFrame) -> pd.DataFrame:
    stores = (tmp_path / each / "abc" / "000.zarr" for each in "hs")
    return pd.concat([arousals_found(night, RULE) for night in open_nights(split, *stores)], ignore_index=True)


def test_found_arousal_agrees_at_the_resolutions_that_show_it(tmp_path):
    harmonized(tmp_path / "h", "a1", (*AROUSAL, "arousal"), (50.0, 10.0, "apnea"))
    scored(tmp_path / "s", "a1")
    found = agreement(tmp_path, table("a1"))
    assert found["steps_per_epoch"].unique().tolist() == [1, 30, 60]
    at = found.set_index(["steps_per_epoch", "iou"])
    assert (at["n_true"] == 1).all()
    assert at.loc[(1, 0.2), "f1"] == 0
    assert at.loc[(1, 0.2), "wake_share"] == 0
    assert at.loc[(60, 1.0), "f1"] == at.loc[(60, 1.0), "wake_share"] == 1
    assert at.loc[(60, 1.0), "published_f1"] == 0  # its strict bound
    assert at.loc[(60, 0.9), "published_f1"] == 1


def test_recordings_without_a_marked_arousal_or_of_known_persons_take_no_part(tmp_path):
    harmonized(tmp_path / "h", "a1", (50.0, 10.0, "apnea"))
    harmonized(tmp_path / "h", "b1", (*AROUSAL, "arousal"))
    for name in ("a1", "b1"):
        scored(tmp_path / "s", name)
    split = pd.concat([table("a1"), table("b1", split="train")])
    found = agreement(tmp_path, split)
    assert found.empty
    assert {"cohort", "steps_per_epoch", "iou", "f1", "wake_share", "published_f1"} <= set(found.columns)
    assert summarise_arousals(found) == []


def test_arousals_in_unscored_epochs_are_left_out(tmp_path):
    harmonized(tmp_path / "h", "a1", (*AROUSAL, "arousal"), (295.0, 10.0, "arousal"), (596.0, 10.0, "arousal"))
    scored(tmp_path / "s", "a1", lost=slice(10, 12))  # from 300 s on; the recording ends at 600 s
    assert agreement(tmp_path, table("a1"))["n_true"].unique().tolist() == [1]


def test_marks_without_a_length_are_no_arousals(tmp_path):
    harmonized(tmp_path / "h", "a1", (*AROUSAL, "arousal"), (10.0, 0.0, "arousal"), (20.0, float("nan"), "arousal"))
    (night,) = open_nights(table("a1"), tmp_path / "h" / "abc" / "000.zarr", tmp_path)
    assert night.arousals["onset_s"].tolist() == [100]


def test_summary_counts_all_events_and_averages_persons(tmp_path):
    for name, there in (("a1", AROUSAL), ("a2", AROUSAL), ("b1", None)):
        harmonized(tmp_path / "h", name, (*AROUSAL, "arousal"))
        scored(tmp_path / "s", name, there)
    rows = summarise_arousals(agreement(tmp_path, table("a1", "a2", "b1")))
    finest = rows[-1]
    assert (finest["steps_per_epoch"], finest["persons"], finest["iou"]) == (60, 2, 0.2)
    assert (finest["precision"], finest["recall"], finest["f1"]) == (1, pytest.approx(2 / 3), pytest.approx(0.8))
    # Of a, whose two nights count once, all is W, and of b nothing.
    assert finest["wake_share"] == finest["published_f1"] == pytest.approx(0.5)
    assert rows[0]["precision"] is None
