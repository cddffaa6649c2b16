"""Simulated DCSM, DOD-O, MASS, Sleep-EDF telemetry and St Vincent's, opened with other people's readers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import defusedxml.ElementTree
import edfio
import h5py
import numpy as np
import pytest
import xlrd
from tests.conftest import SEED
from tests.contract.expected_open import EXPECTED_OPEN, first_page_s

from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.simulate import Simulate
from hypnoflow.night.truth import Truth, read_truth
from hypnoflow.simulate.dialects import dcsm, dialects
from hypnoflow.simulate.job import draw_visits, simulate_cohort
from hypnoflow.simulate.night import expert_stages
from hypnoflow.simulate.persons import draw_person
from hypnoflow.simulate.recorder import Recorder, Visit
from hypnoflow.types import Event

NIGHT = Simulate(night_h=0.25)


def rates(path: Path) -> dict[str, float]:
    return {s.label: s.sampling_frequency for s in edfio.read_edf(path).signals}


def test_every_cohort_expected_here_has_a_dialect():
    assert set(EXPECTED_OPEN) <= set(dialects.names())


# --- an expert who begins late -------------------------------------------------------------------------------


def test_expert_with_an_offset_scores_the_shifted_epochs():
    stage = np.repeat(np.array([0, 2, 3], np.uint8), [37 * 8, 30 * 8, 53 * 8])  # changes at 37 s and at 67 s of 120 s
    night = Truth(stage, ())
    rng = np.random.default_rng(0)
    assert expert_stages(night, 0.0, rng, 7).tolist() == [0, 2, 3]
    assert expert_stages(night, 0.0, rng, 37).tolist() == [2, 3]
    assert len(expert_stages(night, 0.0, rng)) == 4


# --- DCSM -----------------------------------------------------------------------------------------------------

DCSM = ["ABDOMEN", "C3-M2", "C4-M1", "CHIN", "E1-M2", "E2-M2", "ECG-II", "F3-M2", "F4-M1", "LAT", "NASAL", "O1-M2",
        "O2-M1", "RAT", "SNORE", "SPO2", "THORAX"]  # fmt: skip


def test_dcsm_has_a_folder_per_night_with_17_channels_at_256_hz(made):
    root, recorders = made("dcsm")
    for recorder in recorders:
        name = recorder.visit.recording
        assert re.fullmatch(r"tp[0-9a-f]{8}(_[0-9a-f]{4}){3}_[0-9a-f]{12}", name)
        with h5py.File(root / "dcsm_dataset" / name / "psg.h5") as file:
            assert sorted(file["channels"]) == DCSM
            assert file.attrs["sample_rate"] == 256
            assert {len(x) for x in file["channels"].values()} == {256 * recorder.duration_s}
            assert 5 < np.std(file["channels/C3-M2"]) < 60
            assert 85 < np.median(file["channels/SPO2"]) <= 100


def test_dcsm_second_eye_is_against_the_second_mastoid(made):
    root, (recorder, _) = made("dcsm")
    with h5py.File(root / "dcsm_dataset" / recorder.visit.recording / "psg.h5") as file:
        x = file["channels/E2-M2"][:]
    assert np.abs(x - recorder.derivation("E2", "M2")).max() <= 1 / 16 + 1e-3


def test_dcsm_stages_are_runs_of_whole_seconds_that_join(made):
    root, recorders = made("dcsm")
    for recorder in recorders:
        text = (root / "dcsm_dataset" / recorder.visit.recording / "hypnogram.ids").read_text()
        rows = [line.split(",") for line in text.splitlines()]
        onset, length = (np.array([int(row[i]) for row in rows]) for i in (0, 1))
        assert onset.tolist() == [0, *np.cumsum(length)[:-1]]
        assert length.sum() == recorder.duration_s
        assert set(length % 30) == {0}
        labels = [row[2] for row in rows for _ in range(int(row[1]) // 30)]
        assert set(labels) <= {"W", "N1", "N2", "N3", "REM", "UNKNOWN"}
        names = ["W", "N1", "N2", "N3", "REM"]
        assert all(label in (names[stage], "UNKNOWN") for label, stage in zip(labels, recorder.scored(), strict=True))


def test_dcsm_edf_holds_the_same_signals_as_the_hdf5(monkeypatch, tmp_path):
    monkeypatch.setattr(dcsm, "EDF_SHARE", 1.0)
    simulate_cohort("dcsm", tmp_path / "dcsm", CohortConfig(persons=1), NIGHT, seed=SEED)
    (path,) = tmp_path.rglob("psg.edf")
    assert rates(path) == dict.fromkeys(DCSM, 256)
    with h5py.File(path.with_suffix(".h5")) as file:
        x, y = edfio.read_edf(path).get_signal("O1-M2").data, file["channels/O1-M2"][:]
    assert np.abs(x - np.clip(y, -1000, 1000)).max() < 0.1


# --- DOD-O ----------------------------------------------------------------------------------------------------


def test_dodo_has_eight_derivations_and_five_scorers_of_every_epoch(made):
    root, recorders = made("dodo")
    for recorder in recorders:
        name, seconds = recorder.visit.recording, recorder.duration_s
        with h5py.File(root / f"{name}.h5") as file:
            wanted = ["C3_M2", "C4_M1", "F3_F4", "F3_M2", "F3_O1", "F4_O2", "O1_M2", "O2_M1"]
            assert sorted(file["signals/eeg"]) == wanted
            assert sorted(file["signals/eog"]) == ["EOG1", "EOG2"]
            described = json.loads(file.attrs["description"])
            assert all(len(file[d["path"]]) == d["fs"] * seconds == 250 * seconds for d in described)
            assert set(file["hypnogram"][:]) <= {-1, 0, 1, 2, 3, 4}
        lists = [json.loads((root / f"scorers/dodo/scorer_{k}/{name}.json").read_text()) for k in range(1, 6)]
        assert {len(each) for each in lists} == {seconds / 30}
        assert {code for each in lists for code in each} <= {-1, 0, 1, 2, 3, 4}


# --- MASS -----------------------------------------------------------------------------------------------------

SS1 = ["F3", "F4", "C3", "C4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "P3", "P4", "Fz", "Cz", "Pz", "A2"]
SS3 = ["Fp1", "Fp2", "F7", "F8", "F3", "F4", "T3", "T4", "C3", "C4", "T5", "T6", "P3", "P4", "O1", "O2", "Fz", "Cz",
       "Pz", "Oz", "A2"]  # fmt: skip


@pytest.mark.parametrize(("name", "part", "electrodes"), [("mass-c1", 1, SS1), ("mass-c3", 3, SS3)])
def test_mass_signals_have_one_reference_and_256_hz(made, name, part, electrodes):
    root, recorders = made(name)
    assert [r.visit.recording for r in recorders] == [f"01-0{part}-0001", f"01-0{part}-0002"]
    for recorder in recorders:
        found = rates(root / f"SS{part}_EDF" / f"{recorder.visit.recording} PSG.edf")
        assert set(found.values()) == {256}
        eeg = [label.removeprefix("EEG ").split("-") for label in found if label.startswith("EEG ")]
        assert len({reference for _, reference in eeg}) == 1
        assert eeg[0][1] in (("CLE", "LER") if part == 1 else ("LER",))
        assert [e for e, _ in eeg][: len(electrodes)] == electrodes
        assert {e for e, _ in eeg} - set(electrodes) <= {"Fp1", "Fp2"}
        others = {"EOG Left Horiz", "EOG Right Horiz", "EMG Chin1", "EMG Chin2", "EMG Chin3", "ECG ECGI",
                  "EMG Ant Tibial L", "EMG Ant Tibial R", "Resp Thermistor", "Resp Cannula", "Resp Belt Abdo",
                  "SaO2 SaO2"}  # fmt: skip
        assert {label for label in found if not label.startswith("EEG ")} - {"Resp Belt Thor"} == others


@pytest.mark.parametrize("name", ["mass-c1", "mass-c3"])
def test_mass_pages_begin_late_drift_and_are_scored_where_they_lie(made, name):
    root, recorders = made(name)
    for recorder in recorders:
        (path,) = root.rglob(f"{recorder.visit.recording} Base.edf")
        pages = sorted(edfio.read_edf(path).annotations, key=lambda a: a.onset)
        onset = np.array([a.onset for a in pages])
        cut = int(onset[0])
        assert cut == int(first_page_s(root, recorder.visit.recording))
        assert 1 <= cut <= 30
        assert np.allclose(np.diff(onset), 30.002, atol=2e-4)
        assert np.any(onset % 1 > 0)
        assert len(pages) == (recorder.duration_s - cut) // 30
        names = [f"Sleep stage {s}" for s in "W123R"]
        wrote = [names.index(a.text) if a.text in names else -1 for a in pages]
        assert {a.text for a in pages} <= {*names, "Sleep stage ?"}
        scored = recorder.scored(offset_s=cut)
        assert all(w in (s, -1) for w, s in zip(wrote, scored, strict=True))


@pytest.mark.parametrize("name", ["mass-c1", "mass-c3"])
def test_mass_events_are_xml_elements_with_the_truths_times(made, name):
    root, recorders = made(name)
    groups = {"MicroArousal": "arousal", "Hypopnea": "hypopnea", "ObstructiveApnea": "apnea_obstructive"}
    total = 0
    for recorder in recorders:
        (path,) = root.rglob(f"{recorder.visit.recording} Annotations.edf")
        found = []
        for mark in edfio.read_edf(path).annotations:
            element = defusedxml.ElementTree.fromstring(mark.text)
            assert element.tag == "Event"
            assert set(element.attrib) == {"channel", "groupName", "name", "scoringType"}
            if element.get("groupName") == "PLMS":
                assert element.get("channel") in ("EMG Ant Tibial L", "EMG Ant Tibial R")
                assert element.get("scoringType") == "automatic"
            else:
                assert element.get("name") == "CARSM expert"
                found.append((mark.onset, mark.duration, groups[element.get("groupName")]))
        first_s = int(first_page_s(root, recorder.visit.recording))
        kept = [e for e in recorder.night.events if e.kind in groups.values() and e.onset_s >= first_s]
        truth = [(e.onset_s, e.duration_s, e.kind) for e in kept]
        assert sorted(found) == sorted(truth)
        total += len(found)
    assert total > 0


# --- Sleep-EDF telemetry --------------------------------------------------------------------------------------


def test_sedf_st_signals_and_names_are_those_of_the_telemetry_part(made):
    root, recorders = made("sedf-st")
    assert [r.visit.recording for r in recorders] == ["ST7011", "ST7021"]
    wanted = {"EEG Fpz-Cz": 100, "EEG Pz-Oz": 100, "EOG horizontal": 100, "EMG submental": 100, "Marker": 1}
    for recorder in recorders:
        folder = root / "sleep-telemetry"
        assert rates(folder / f"{recorder.visit.recording}J0-PSG.edf") == wanted
        (path,) = folder.glob(f"{recorder.visit.recording}J?-Hypnogram.edf")
        assert path.name[7] in "AEJMOPRW"


def test_sedf_st_hypnogram_begins_late_and_is_the_experts_where_it_is_not_blank(made):
    root, recorders = made("sedf-st")
    codes = {"W": {0}, "1": {1}, "2": {2}, "3": {3}, "4": {3}, "R": {4}}
    for recorder in recorders:
        (path,) = root.rglob(f"{recorder.visit.recording}J?-Hypnogram.edf")
        marks = edfio.read_edf(path).annotations
        assert min(a.onset for a in marks) >= 30
        assert max(a.onset + a.duration for a in marks) <= recorder.duration_s
        scored = recorder.scored()
        for mark in marks:
            inside = scored[int(mark.onset // 30) : int((mark.onset + mark.duration) // 30)]
            allowed = {0} if mark.text == "Movement time" else codes[mark.text.removeprefix("Sleep stage ")]
            assert set(inside.tolist()) <= allowed
            assert len(inside) == mark.duration / 30


def test_sedf_st_table_has_two_header_rows_and_codes_men_as_one(tmp_path):
    cohort = CohortConfig(persons=6, repeat_persons=0.5)
    simulate_cohort("sedf-st", tmp_path / "st", cohort, NIGHT, seed=SEED)
    persons = {v.person.number: v.person for v in draw_visits("sedf-st", cohort, SEED)}
    sheet = xlrd.open_workbook(tmp_path / "st" / "ST-subjects.xls").sheet_by_index(0)
    header = ["Subject - age - sex", "", "", "Placebo night", "", "Temazepam night", ""]
    assert sheet.row_values(0) == header
    assert sheet.row_values(1) == ["Nr", "Age", "M1/F2", "night nr", "lights off", "night nr", "lights off"]
    assert sheet.col_values(0)[2:] == [1, 2, 4, 5, 6, 7]
    assert sheet.col_values(1)[2:] == [int(p.age_y) for p in persons.values()]
    assert sheet.col_values(2)[2:] == [1 if p.male else 2 for p in persons.values()]
    assert len({p.male for p in persons.values()}) == 2
    assert all({sheet.cell_value(i, 3), sheet.cell_value(i, 5)} == {1, 2} for i in range(2, 8))


# --- St Vincent's ---------------------------------------------------------------------------------------------

SVUH = {"Lefteye": 64, "RightEye": 64, "EMG": 64, "C3A2": 128, "C4A1": 128, "ECG": 128, "SpO2": 8, "Flow": 8, "Sum": 8,
        "ribcage": 8, "abdo": 8, "BodyPos": 8, "Pulse": 8}  # fmt: skip


def test_svuh_signals_are_edf_named_rec_in_records_of_a_second(made):
    root, recorders = made("svuh")
    assert [r.visit.recording for r in recorders] == ["ucddb002", "ucddb003"]
    for recorder in recorders:
        path = root / f"{recorder.visit.recording}.rec"
        found = rates(path)
        assert {label: rate for label, rate in found.items() if label != "Sound"} == SVUH
        assert edfio.read_edf(path).data_record_duration == 1
        holter = edfio.read_edf(root / f"{recorder.visit.recording}_lifecard.edf")
        assert len(holter.signals) == 3


def test_svuh_numbers_leave_out_those_of_the_real_cohort():
    visits = draw_visits("svuh", CohortConfig(persons=25), SEED)
    numbers = [int(v.recording.removeprefix("ucddb")) for v in visits]
    assert numbers == [n for n in range(2, 29) if n not in (4, 16)]


def test_svuh_stages_are_rechtschaffen_and_kales_with_rem_as_one(made):
    root, recorders = made("svuh")
    allowed = [{0, 8}, {2}, {3}, {4, 5}, {1}]
    for recorder in recorders:
        codes = [int(line) for line in (root / f"{recorder.visit.recording}_stage.txt").read_text().split()]
        assert all(code in allowed[stage] for code, stage in zip(codes, recorder.scored(), strict=True))


def test_svuh_events_lie_in_fixed_columns_at_clock_times(tmp_path):
    dialect = dialects.get("svuh")
    truth = tuple(Event(60.0 + 100 * k, 12.4, kind) for k, kind in enumerate(("hypopnea", "apnea_central") * 30))
    person = draw_person(dialect.population, 0, np.random.default_rng(1))
    recorder = Recorder(Visit("svuh", "ucddb002", person, 1), Simulate(night_h=2), 14, 128.0, 50.0)
    recorder.night = Truth(recorder.night.stage, truth)
    dialect.write(tmp_path, recorder)
    data = (tmp_path / "ucddb002_respevt.txt").read_bytes()
    assert data[-1] == 0x1A
    start = edfio.read_edf(tmp_path / "ucddb002.rec").starttime
    start_s = start.hour * 3600 + start.minute * 60 + start.second
    found = []
    for line in data.decode()[:-1].splitlines()[3:]:
        if line.strip():
            hours, minutes, seconds = map(int, line[:8].split(":"))
            onset_s = (hours * 3600 + minutes * 60 + seconds - start_s) % 86400
            found.append((onset_s, line[10:19].strip(), int(line[26:32])))
            if line[10:19].strip() != "PB":
                assert 80 < float(line[36:43]) < 100
                assert 0 < float(line[44:51]) < 20
                assert {line[52:56].strip(), line[57:62].strip()} <= {"+", "-"}
                assert 40 < float(line[63:72]) < 100
                assert -20 < float(line[72:85]) < 20
    assert {kind for _, kind, _ in found} <= {"HYP-O", "HYP-C", "HYP-M", "APNEA-C", "PB", "POSSIBLE"}
    real = [(onset_s, duration_s) for onset_s, kind, duration_s in found if kind not in ("PB", "POSSIBLE")]
    assert real == [(int(e.onset_s), 12) for e in truth]
    assert start_s + truth[-1].onset_s > 86400  # the clock wrapped at midnight


def test_svuh_table_has_the_real_ones_columns_and_the_index_of_the_events(made, real_data):
    real = xlrd.open_workbook(real_data / "ucddb_SubjectDetails.xls").sheet_by_index(0)
    root, recorders = made("svuh")
    sheet = xlrd.open_workbook(root / "SubjectDetails.xls").sheet_by_index(0)
    assert sheet.row_values(0) == real.row_values(0)
    assert [cell.ctype for cell in sheet.row(1)] == [cell.ctype for cell in real.row(1)]
    for i, recorder in enumerate(recorders, start=1):
        row = dict(zip(sheet.row_values(0), sheet.row_values(i), strict=True))
        person = recorder.visit.person
        assert row["Study Number"] == recorder.visit.recording.upper()
        assert (row["Gender"], row["Age"], row["BMI"]) == ("MF"[not person.male], int(person.age_y), person.bmi)
        start = edfio.read_edf(root / f"{recorder.visit.recording}.rec").starttime
        assert row["PSG Start Time"] == f"{start.hour}:{start:%M:%S}"
        codes = np.array((root / f"{recorder.visit.recording}_stage.txt").read_text().split(), int)
        asleep_h = np.isin(codes, [1, 2, 3, 4, 5]).sum() / 120
        breaths = [e for e in read_truth(root / "truth" / f"{recorder.visit.recording}.npz").events
                   if e.kind == "hypopnea" or e.kind.startswith("apnea")]  # fmt: skip
        assert row["PSG AHI"] == pytest.approx(len(breaths) / asleep_h, abs=0.5)
