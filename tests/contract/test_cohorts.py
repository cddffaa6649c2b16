"""Every registered cohort, from simulated native files to the harmonized store, against the hidden truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pandas as pd
import pytest
import wfdb
import xarray as xr
from scipy.signal import correlate, resample_poly
from tests.conftest import SEED
from tests.contract.expected import Expected
from tests.contract.expected_nsrr import EXPECTED_NSRR
from tests.contract.expected_open import EXPECTED_OPEN, electrodes_of, one_reference

from hypnoflow.cohorts import cohorts
from hypnoflow.cohorts.layouts.base import facts
from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.harmonize.job import harmonize_shard
from hypnoflow.simulate.dialects import dialects
from hypnoflow.simulate.job import draw_visits
from hypnoflow.simulate.recorder import Recorder
from hypnoflow.store.manifest import validate
from hypnoflow.store.store import open_recording
from hypnoflow.types import EVENT_KINDS

UNSCORED = 9

RESP = {"Airflow": 16, "Thorax": 16, "Abdomen": 16, "SpO2": 16}
DODH_EEG = ["C3-M2", "F4-M1", "F3-F4", "F3-M2", "F4-O2", "F3-O1", "Fp1-F3", "Fp1-M2", "Fp1-O1", "Fp2-F4", "Fp2-M1",
            "Fp2-O2"]  # fmt: skip


EXPECTED = {
    "sedf-sc": Expected(
        {"eeg": ["Fpz-Cz", "Pz-Oz"], "eog": ["EOG"], "emg": ["Chin"], "resp": ["Airflow"]},
        {"eeg": {100}, "eog": {100}, "emg": {1}, "resp": {1}},
        {"eeg": 128, "eog": 128, "emg": 1, "resp": 1},
        None,
        demographics={"age_y", "sex"},
    ),
    "shhs": Expected(
        {"eeg": ["C4-M1", "C3-M2"], "eog": ["E1-PG1", "E2-PG1"], "emg": ["Chin"], "ecg": ["ECG"], "resp": list(RESP)},
        {"eeg": {125}, "eog": {50}, "emg": {125}, "ecg": {125}, "resp": {1, 10}},
        {"eeg": 128, "eog": 128, "emg": 125, "ecg": 125, "resp": 10},
        0.01,
        ("arousal", "hypopnea", "apnea_obstructive", "apnea_central", "apnea_mixed", "desaturation"),
        demographics={"age_y", "sex", "ahi_per_h", "bmi"},
        optional_channels={"SpO2"},
    ),
    "phys": Expected(
        {
            "eeg": ["F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1"],
            "eog": ["E1-M2"],
            "emg": ["Chin"],
            "ecg": ["ECG"],
            "resp": list(RESP),
        },
        {"eeg": {200}, "eog": {200}, "emg": {200}, "ecg": {200}, "resp": {200}},
        {"eeg": 128, "eog": 128, "emg": 128, "ecg": 128, "resp": 16},
        1 / 200,
        ("arousal", "hypopnea", "apnea_obstructive", "apnea_central", "apnea_mixed"),
        demographics={"age_y", "sex", "ahi_per_h"},
        optional_channels={"SpO2"},
    ),
    "dodh": Expected(
        {"eeg": DODH_EEG, "eog": ["E1-M2", "E2-M2"], "emg": ["Chin"], "ecg": ["ECG"]},
        {"eeg": {250}, "eog": {250}, "emg": {250}, "ecg": {250}},
        {"eeg": 128, "eog": 128, "emg": 128, "ecg": 128},
        None,
    ),
}
EXPECTED |= EXPECTED_NSRR | EXPECTED_OPEN
MASS_ORDER = EXPECTED["mass-c1"].channels["eeg"].index
COHORTS = pytest.mark.parametrize("name", cohorts.names())


@dataclass(frozen=True)
class Made:
    """A cohort's manifest, its harmonized recordings and what the simulator drew."""

    root: Path
    manifest: Any
    qc: Any
    recordings: list[tuple[Recorder, xr.Dataset]]


@pytest.fixture(scope="session")
def made(simulated, short_nights, tmp_path_factory) -> Callable[[str], Made]:
    @cache
    def make(name: str) -> Made:
        root = simulated(name)
        manifest, _ = index_cohort(name, root, 50)
        store = tmp_path_factory.mktemp("harmonized") / "000.zarr"
        qc = harmonize_shard(manifest, root, store, Harmonize())
        dialect = dialects.get(name)
        visits = draw_visits(name, CohortConfig(persons=2), SEED)
        drawn = [Recorder(visit, short_nights, SEED, dialect.rate_hz, dialect.mains_hz) for visit in visits]
        return Made(root, manifest, qc, [(r, open_recording(store, r.visit.recording)) for r in drawn])

    return make


def test_every_registered_cohort_is_covered_here_simulated_and_described():
    assert sorted(EXPECTED) == cohorts.names()
    assert dialects.names() == cohorts.names()
    for name in cohorts.names():
        row = facts(name)
        assert all(row[column] for column in ("title", "version", "licence", "access", "url", "citation", "scoring"))


@COHORTS
def test_every_simulated_recording_is_found_and_used(made, name):
    found = made(name)
    validate(found.manifest, name)
    assert sorted(found.manifest["recording"]) == sorted(r.visit.recording for r, _ in found.recordings)
    assert found.manifest["person"].nunique() == 2
    assert found.manifest["simulated"].all()
    assert (found.qc["status"] == "ok").all()


@COHORTS
def test_stages_are_those_that_the_expert_wrote(made, name):
    for recorder, data in made(name).recordings:
        cut_s = data.attrs["lead_in_cut_s"]
        n = int((recorder.duration_s - cut_s) // 30)
        stage, wrote = data["stage"].values, recorder.scored(offset_s=cut_s)[:n]
        assert len(stage) == len(wrote) == n
        if name not in ("dodh", "dodo"):
            scored = stage != UNSCORED
            assert scored.mean() > 0.75
            assert np.array_equal(stage[scored], wrote[scored])
    assert {0, 2} <= {int(code) for _, data in made(name).recordings for code in data["stage"].values}


def test_sedf_leaves_unscored_exactly_the_epochs_of_movement_time(made):
    found = made("sedf-sc")
    for recorder, data in found.recordings:
        (path,) = found.root.rglob(f"{recorder.visit.recording}*-Hypnogram.edf")
        marks = [a for a in edfio.read_edf(path).annotations if a.text == "Movement time"]
        epochs = [e for a in marks for e in range(int(a.onset / 30), int((a.onset + a.duration) / 30))]
        assert np.flatnonzero(data["stage"].values == UNSCORED).tolist() == epochs


def test_shhs_leaves_unscored_only_the_end_that_its_expert_left_out(made):
    for _, data in made("shhs").recordings:
        unscored = np.flatnonzero(data["stage"].values == UNSCORED)
        n = data.sizes["epoch"]
        assert len(unscored) <= 3
        assert unscored.tolist() == list(range(n - len(unscored), n))


def test_phys_leaves_unscored_exactly_the_epochs_before_its_first_mark(made):
    found = made("phys")
    for recorder, data in found.recordings:
        (path,) = found.root.rglob(f"{recorder.visit.recording}.arousal")
        marks = wfdb.rdann(str(path.with_suffix("")), "arousal")
        first = min(s for s, note in zip(marks.sample, marks.aux_note, strict=True) if not set(note) & set("()"))
        assert np.flatnonzero(data["stage"].values == UNSCORED).tolist() == list(range(first // 200 // 30))
        assert first >= 2 * 30 * 200


@pytest.mark.parametrize("name", ["dodh", "dodo"])
def test_dod_keeps_five_scorers_and_a_consensus_close_to_the_truth(made, name):
    found = made(name)
    for recorder, data in found.recordings:
        assert data.sizes["scorer"] == 5
        for k, stage in enumerate(data["stage_scorer"].values, start=1):
            (wrote,) = found.root.rglob(f"scorer_{k}/{recorder.visit.recording}.json")
            scored = np.array(json.loads(wrote.read_text())) != -1
            assert np.array_equal(stage, np.where(scored, recorder.scored(f"scorer {k}"), UNSCORED))
            assert scored.any()
        parts = recorder.night.stage.reshape(-1, 240)
        truth = np.stack([(parts == code).sum(1) for code in range(5)]).argmax(0)
        assert np.mean(data["stage"].values == truth) > 0.85


@COHORTS
def test_events_are_those_of_the_truth(made, name):
    expected, total = EXPECTED[name], 0
    for recorder, data in made(name).recordings:
        found = sorted(
            (float(onset) + data.attrs["lead_in_cut_s"], EVENT_KINDS[kind], float(length))
            for onset, kind, length in zip(
                data["event_onset_s"].values, data["event_kind"].values, data["event_duration_s"].values, strict=True
            )
            if EVENT_KINDS[kind] in expected.events  # files hold others too, a limb movement say
        )
        truth = sorted(
            (e.onset_s, e.kind, e.duration_s)
            for e in recorder.night.events
            if e.kind in expected.events and e.onset_s >= data.attrs["lead_in_cut_s"]
        )
        if expected.event_tolerance_s == 30:  # known to the epoch only
            truth = sorted((onset // 30 * 30, kind, 30) for onset, kind, _ in truth)
        assert [kind for _, kind, _ in found] == [kind for _, kind, _ in truth]
        if expected.event_tolerance_s is not None:
            close = {"rtol": 0, "atol": 1.01 * expected.event_tolerance_s}
            assert np.allclose([e[0] for e in found], [e[0] for e in truth], **close)
            assert np.allclose([e[2] for e in found], [e[2] for e in truth], **close)
        total += len(found)
    assert (total > 5) == bool(expected.events)


@COHORTS
def test_channels_rates_and_units_are_those_of_the_cohort(made, name):
    expected = EXPECTED[name]
    for recorder, data in made(name).recordings:
        kinds = [kind for kind in ("eeg", "eog", "emg", "ecg", "resp") if kind in data]
        for kind, labels in expected.channels.items():
            found = data[f"{kind}_channel"].values.tolist()
            assert sorted(found) == sorted(
                label for label in labels if label in found or label not in expected.optional_channels
            )
            assert set(data[f"{kind}_source_rate_hz"].values) <= expected.source_rates_hz[kind]
            rate_hz = expected.rates_hz[kind]
            assert data[kind].attrs["rate_hz"] == rate_hz
            assert (
                data.sizes[f"{kind}_time"]
                == int((recorder.duration_s - data.attrs["lead_in_cut_s"]) // 30) * 30 * rate_hz
            )
            assert kind == "resp" or set(data[f"{kind}_unit"].values) == {"uV"}
        assert kinds == list(expected.channels)


@COHORTS
def test_potentials_are_the_simulated_ones_in_time_and_in_microvolts(made, name):
    """The cross-correlation with the signal as it was drawn, resampled by scipy, must peak at lag 0."""
    source_hz = int(dialects.get(name).rate_hz)
    for recorder, data in made(name).recordings:
        for kind in ("eeg", "eog"):
            labels = data[f"{kind}_channel"].values.tolist()
            for i in sorted({0, len(labels) - 1}):
                plus, minus = electrodes_of(name, labels[i], data["eeg_channel"].values)
                formed = " - " in str(data[f"{kind}_source"].values[i])
                drawn = as_recorded(recorder, plus, minus, formed)
                drawn = resample_poly(drawn.astype(float), 128, source_hz)[int(128 * data.attrs["lead_in_cut_s"]) :]
                x = data[kind].values[i] * float(data[f"{kind}_iqr_uv"][i]) + float(data[f"{kind}_median_uv"][i])
                compare(x, drawn[: len(x)])


def test_mass_c1_has_all_its_electrodes_against_one_reference(made):
    for _, data in made("mass-c1").recordings:
        assert one_reference(sorted(data["eeg_channel"].values, key=MASS_ORDER))


def as_recorded(recorder: Recorder, plus: str, minus: str, formed: bool) -> np.ndarray:
    """Electrodes recorded against Fpz have artefacts of their own, which a difference of the two keeps."""
    if formed:
        return recorder.derivation(plus, "Fpz") - recorder.derivation(minus, "Fpz")
    return recorder.derivation(plus, minus)


def compare(x: np.ndarray, drawn: np.ndarray) -> None:
    drawn = np.clip(drawn, x.min(), x.max())  # large eye movements lie beyond the clip of 20 IQR
    assert np.corrcoef(x, drawn)[0, 1] > 0.98  # files quantise, and some EOG is slow
    assert np.polyfit(drawn, x, 1)[0] == pytest.approx(1, abs=0.05)
    middle = slice(128 * 600, 128 * 900)
    lag = correlate(x[middle], drawn[middle], mode="same", method="fft").argmax() - 128 * 150
    assert lag == 0
    # whole recording, so that a rate that is a little off cannot hide: the last five minutes still agree
    assert np.corrcoef(x[-128 * 300 :], drawn[-128 * 300 :])[0, 1] > 0.95


@COHORTS
def test_demographics_are_those_of_the_persons_drawn(made, name):
    manifest = made(name).manifest.set_index("recording")
    for recorder, _ in made(name).recordings:
        row, person = manifest.loc[recorder.visit.recording], recorder.visit.person
        if recorder.visit.visit > 1:
            continue  # tables of one visit know no more than sex about another
        known = {column for column in ("age_y", "sex", "ahi_per_h", "bmi") if pd.notna(row[column])}
        assert known == EXPECTED[name].demographics
        if "sex" in known:
            assert row["sex"] == ("male" if person.male else "female")
            assert row["age_y"] == pytest.approx(min(person.age_y, 90), abs=1)  # some tables give whole years
        if "bmi" in known:
            assert row["bmi"] == pytest.approx(person.bmi)


def test_shhs_apnea_index_is_that_of_the_truth(made):
    manifest = made("shhs").manifest.set_index("recording")
    for recorder, _ in made("shhs").recordings:
        asleep_h = np.count_nonzero(recorder.night.stage) / 8 / 3600
        events = [e for e in recorder.night.events if e.kind == "hypopnea" or e.kind.startswith("apnea")]
        assert manifest.loc[recorder.visit.recording, "ahi_per_h"] == pytest.approx(len(events) / asleep_h, abs=0.001)


def test_phys_apnea_index_counts_the_marks_per_hour_scored_as_sleep(made):
    manifest = made("phys").manifest.set_index("recording")
    for recorder, data in made("phys").recordings:
        asleep_h = np.isin(data["stage"].values, [1, 2, 3, 4]).sum() / 120
        events = [e for e in recorder.night.events if e.kind == "hypopnea" or e.kind.startswith("apnea")]
        assert manifest.loc[recorder.visit.recording, "ahi_per_h"] == pytest.approx(len(events) / asleep_h)
