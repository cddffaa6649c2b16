"""Tables of whole cohorts: amplitudes, flags and powers of signals made by hand, and no night lost for another's."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import hypnoflow
from hypnoflow.cli import app
from hypnoflow.config.run_options import Run
from hypnoflow.dask import dask_scheduler
from hypnoflow.errors import CohortError
from hypnoflow.facts.files import write_json
from hypnoflow.harmonize.quality import Flag
from hypnoflow.harmonize.signals import Harmonized, KindSignals
from hypnoflow.look.survey import survey
from hypnoflow.look.survey_signals import BANDS_HZ
from hypnoflow.store.store import Labels, write_recording
from hypnoflow.store.store_files import consolidate, start_store
from hypnoflow.types import STAGES, Channel

STAGE = np.array([0, 0, 0, 0, 3, 3, 9, 9], np.uint8)
RATE_HZ = 128
CLIP = 20.0
ALPHA_UV, DELTA_UV = 60.0, 100.0  # amplitudes of sines: in W, and in N3


def kind(label: str, kind: str, unit: str, x_uv: np.ndarray, flags: np.ndarray, iqr: float) -> KindSignals:
    """Return one channel of a kind, stored as it would be with this interquartile range."""
    scaled = np.clip(x_uv / iqr, -CLIP, CLIP)
    x = np.rint(scaled * 32767 / CLIP).astype(np.int16)[None]
    channel = Channel(label, kind, label, RATE_HZ, unit)
    return KindSignals((channel,), RATE_HZ, x, np.zeros(1), np.array([iqr]), np.zeros(1), flags[None])


def write_night(store, name: str, gain: float) -> dict:
    """Write a recording whose EEG holds sines of `gain` times the amplitudes above; return its row of the QC table."""
    n = 30 * RATE_HZ
    t_s = np.arange(len(STAGE) * n) / RATE_HZ
    in_n3 = np.repeat(STAGE == 3, n)
    eeg = gain * np.where(in_n3, DELTA_UV * np.sin(2 * np.pi * 2 * t_s), ALPHA_UV * np.sin(2 * np.pi * 10 * t_s))
    flags = np.zeros(len(STAGE), np.uint8)
    flags[3] = Flag.MAINS | Flag.TOO_LARGE
    eeg[3 * n : 4 * n] *= 1000  # clipped by far, but for where it crosses zero; not in the powers of W
    signals = {
        "eeg": kind("C3-M2", "eeg", "uV", eeg, flags, 40.0),
        "resp": kind("Airflow", "resp", "", np.sin(t_s), np.zeros(len(STAGE), np.uint8), 1.5),
    }
    facts = {"recording": name, "recipe": "r", "clip_iqr": CLIP, "simulated": True}
    facts |= {"person": name[0], "group": name, "visit": "1"}
    write_recording(store, Harmonized(len(STAGE), signals), Labels(STAGE), (), facts)
    done = {"cohort": "made", "recording": name, "status": "ok", "reason": "", "hint": "", "n_epochs": len(STAGE)}
    return (
        done
        | {"channels": "C3-M2 Airflow", "scored_share": 0.75, "qc_score": gain / 4}
        | dict.fromkeys(("dropped", "warnings", "remarks"), "")
    )


@pytest.fixture(scope="module")
def harmonized(tmp_path_factory):
    """A cohort of three recordings of two persons in two stores, and one that was skipped."""
    folder = tmp_path_factory.mktemp("survey") / "harmonized"
    for shard, nights in (("000", {"a1": 1.0, "a2": 2.0}), ("001", {"b1": 3.0})):
        store = folder / "made" / f"{shard}.zarr"
        start_store(store, "r")
        rows = [write_night(store, name, gain) for name, gain in nights.items()]
        if shard == "001":
            rows.append({**rows[0], "recording": "b2", "status": "skipped", "reason": "torn"})
        consolidate(store)
        pd.DataFrame(rows).to_parquet(store.with_suffix(".qc.parquet"))
        write_json(store.with_suffix(".json"), {})
    return folder


@pytest.fixture(scope="module")
def found(harmonized):
    return survey([harmonized])


def test_each_channel_has_its_hours_amplitude_and_shares_of_flagged_epochs(found):
    assert found.problems == {}
    eeg, flow = (found.channels.set_index("channel").loc[name] for name in ("C3-M2", "Airflow"))
    assert (eeg["cohort"], eeg["kind"], eeg["unit"], eeg["recordings"]) == ("made", "eeg", "uV", 3)
    assert eeg["hours"] == pytest.approx(3 * 8 / 120)
    assert [eeg["iqr_p10"], eeg["iqr_median"], eeg["iqr_p90"]] == [40, 40, 40]
    shares = {
        "mains_epochs_share": 1 / 8,
        "too_large_epochs_share": 1 / 8,
        "flat_epochs_share": 0,
        "flagged_epochs_share": 1 / 8,
    }
    assert eeg[list(shares)].to_dict() == shares
    # Of 64 samples of 10 Hz at 128 Hz, two are zero and all others far beyond 20 IQR.
    assert eeg["clipped_samples_share"] == pytest.approx(1 / 8 * 62 / 64)
    assert flow["clipped_samples_share"] == flow["flagged_epochs_share"] == 0
    assert flow.filter(like="_uv2").isna().all()


def test_power_of_a_sine_is_half_its_squared_amplitude_in_its_band_and_stage_only(found):
    eeg = found.recordings[found.recordings["channel"] == "C3-M2"].set_index("recording")
    for name, gain in (("a1", 1), ("a2", 2), ("b1", 3)):
        power = {(s, b): eeg.loc[name, f"{b}_{s}_uv2"] for s in STAGES for b in BANDS_HZ}
        assert power["W", "alpha"] == pytest.approx((gain * ALPHA_UV) ** 2 / 2, rel=0.01)
        assert power["N3", "delta"] == pytest.approx((gain * DELTA_UV) ** 2 / 2, rel=0.01)
        assert power["W", "beta"] < 1e-3 * power["W", "alpha"]
        assert np.isnan(power["N2", "alpha"])
    [channel] = found.channels.loc[found.channels["channel"] == "C3-M2", "alpha_W_uv2"]
    assert channel == eeg.loc["a2", "alpha_W_uv2"]  # the median recording


def test_a_cohort_has_one_row_of_its_quality_tables(found):
    [row] = found.cohorts.to_dict("records")
    counts = {"cohort": "made", "recordings": 3, "persons": 2, "skipped": 1, "main_reason": "torn"}
    assert {key: row[key] for key in counts} == counts
    assert row["hours"] == pytest.approx(3 * 8 / 120)
    assert (row["scored_share"], row["median_qc_score"]) == (0.75, 0.5)


@pytest.mark.parametrize(
    "kind", ["threads", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("processes", "distributed"))]
)
def test_it_is_the_same_wherever_it_is_computed(harmonized, found, kind):
    with dask_scheduler(Run(dask=kind, threads=2)):
        again = survey([harmonized / "made"])
    pd.testing.assert_frame_equal(again.recordings, found.recordings, check_exact=True)
    pd.testing.assert_frame_equal(again.channels, found.channels, check_exact=True)


def test_a_function_mapped_over_a_cohort_goes_where_dask_is_set_to_go(harmonized):
    def channels(night) -> list[str]:
        return night["eeg_channel"].values.tolist()

    with dask_scheduler(Run(dask="distributed", threads=1)):
        mapped = dict(hypnoflow.open_cohort(harmonized / "made").map(channels))
    assert mapped == dict.fromkeys(("a1", "a2", "b1"), ["C3-M2"])


def test_epochs_are_taken_evenly_so_that_few_say_nearly_the_same(harmonized, found):
    few = survey([harmonized], epochs=2).recordings
    np.testing.assert_allclose(few["alpha_W_uv2"], found.recordings["alpha_W_uv2"], rtol=0.01)


def test_a_damaged_recording_and_an_unfinished_cohort_are_named_and_the_rest_is_written(harmonized, tmp_path):
    shutil.copytree(harmonized, tmp_path / "harmonized")
    torn = tmp_path / "harmonized" / "made" / "000.zarr" / "a1" / "eeg" / "c" / "0" / "0"
    torn.write_bytes(torn.read_bytes()[:-100])
    (tmp_path / "harmonized" / "other" / "000.zarr").mkdir(parents=True)
    command = ["survey", str(tmp_path / "harmonized"), "--out", str(tmp_path / "survey.csv"), "--run", "threads=1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    again = survey([tmp_path / "harmonized"])
    assert set(again.problems) == {"other", "made/a1"}
    assert "chunks is damaged" in again.problems["made/a1"]
    table = pd.read_csv(tmp_path / "survey.csv")
    assert table["recordings"].tolist() == [2, 2]
    assert pd.read_parquet(tmp_path / "survey.recordings.parquet")["recording"].unique().tolist() == ["a2", "b1"]
    assert pd.read_csv(tmp_path / "survey.cohorts.csv")["recordings"].tolist() == [3]


def test_nothing_to_look_at_is_an_error(tmp_path):
    with pytest.raises(CohortError, match="no harmonized recording to look at\n.*no finished store"):
        survey([tmp_path / "harmonised"])


def test_hours_and_amplitudes_of_simulated_nights_are_those_that_harmonize_stored(results):
    found = survey([results / "harmonized"])
    cohort = hypnoflow.open_cohort(results / "harmonized" / "shhs")
    hours = cohort.table["n_epochs"].sum() / 120
    assert found.cohorts["hours"].tolist() == [pytest.approx(hours)]
    table = found.recordings.set_index(["recording", "channel"])
    for name in cohort:
        night = cohort[name]
        stored = dict(zip(night["eeg_channel"].values, night["eeg_iqr_uv"].values, strict=True))
        assert {channel: table.loc[(name, channel), "iqr"] for channel in stored} == stored
