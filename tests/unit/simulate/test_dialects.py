"""Simulated cohorts on disk: byte-identical by seed, and readable by other people's readers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import defusedxml.ElementTree
import edfio
import h5py
import mne
import numpy as np
import pytest
import wfdb
import xlrd
from tests.conftest import SEED

from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.simulate import Simulate
from hypnoflow.errors import OutputError
from hypnoflow.night.truth import read_truth
from hypnoflow.simulate.dialects import dialects
from hypnoflow.simulate.job import draw_visits, simulate_cohort

NIGHT = Simulate(night_h=0.25)
PHYS = ["F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1", "E1-M2", "Chin1-Chin2", "ABD", "CHEST", "AIRFLOW",
        "SaO2", "ECG"]  # fmt: skip
SEDF = {"EEG Fpz-Cz": 100, "EEG Pz-Oz": 100, "EOG horizontal": 100, "Resp oro-nasal": 1, "EMG submental": 1,
        "Temp rectal": 1, "Event marker": 1}  # fmt: skip
DODH = ["C3_M2", "F4_M1", "F3_F4", "F3_M2", "F4_O2", "F3_O1", "FP1_F3", "FP1_M2", "FP1_O1", "FP2_F4", "FP2_M1",
        "FP2_O2"]  # fmt: skip


def hashes(root: Path) -> dict[str, str]:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def simulate(name: str, root: Path, seed: int, threads: int = 1) -> dict[str, str]:
    simulate_cohort(name, root, CohortConfig(persons=1, repeat_persons=1.0), NIGHT, seed=seed, threads=threads)
    return hashes(root)


@pytest.mark.parametrize("name", dialects.names())
def test_same_seed_gives_the_same_bytes_and_another_seed_others(name, tmp_path):
    first = simulate(name, tmp_path / "a", 1)
    assert simulate(name, tmp_path / "b", 1) == first
    other = simulate(name, tmp_path / "c", 2)
    kept = {path for path in first if other.get(path) == first[path]}
    assert not any(path.startswith("truth") for path in kept)
    assert len(kept) < len(first) / 4


# Cohorts in which the same persons were recorded again, with the most nights of one person.
RETURNING = {"abc": 3, "chat": 2, "isruc-sg2": 2, "mros": 2, "sedf-sc": 2, "sedf-st": 2, "shhs": 2}


@pytest.mark.parametrize("name", dialects.names())
def test_who_comes_back_has_another_recording_and_only_where_the_cohort_has_later_visits(name):
    visits = draw_visits(name, CohortConfig(persons=40, repeat_persons=1.0), SEED)
    names = [visit.recording for visit in visits]
    assert len(set(names)) == len(names)
    assert max(visit.visit for visit in visits) == RETURNING.get(name, 1)
    assert len({visit.person.number for visit in visits}) == 40


def test_two_visits_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(type(dialects.get("svuh")), "visits", lambda self, person: 2, raising=False)
    with pytest.raises(ValueError, match=r"'svuh' calls several visits 'ucddb002'"):
        draw_visits("svuh", CohortConfig(persons=1, repeat_persons=1.0), SEED)


def test_bytes_do_not_depend_on_the_number_of_processes(tmp_path):
    assert simulate("shhs", tmp_path / "one", 1, threads=1) == simulate("shhs", tmp_path / "two", 1, threads=2)


def test_adding_persons_leaves_the_others_files_as_they_were(tmp_path):
    for n in (1, 2):
        simulate_cohort("sedf-sc", tmp_path / str(n), CohortConfig(persons=n), NIGHT, seed=1)
    few, many = (hashes(tmp_path / str(n)) for n in (1, 2))
    signals = [path for path in few if path.endswith(".edf")]
    assert len(signals) == 2
    assert all(many[path] == few[path] for path in signals)


def test_second_run_replaces_the_folder_whole_unless_something_else_is_in_it(tmp_path):
    first = simulate("sedf-sc", tmp_path / "a", 1)
    assert simulate("sedf-sc", tmp_path / "a", 1) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.json"]
    (tmp_path / "a" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds notes\.txt"):
        simulate("sedf-sc", tmp_path / "a", 1)
    assert (tmp_path / "a" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", dialects.names())
def test_truth_lies_only_in_the_truth_folder_and_the_mark_names_the_seed(simulated, name):
    root = simulated(name)
    truths = sorted((root / "truth").iterdir())
    assert len(truths) == 2
    assert sorted(root.rglob("*.npz")) == truths
    others = [p for p in root.rglob("*") if p.is_file() and p.parent.name != "truth" and p.name != "SIMULATED.json"]
    secret = [read_truth(path).stage.tobytes() for path in truths]
    assert not any(stage in p.read_bytes() for p in others for stage in secret)
    assert json.loads((root / "SIMULATED.json").read_text())["seed"] == SEED


def duration_s(root: Path, recording: str) -> float:
    return read_truth(root / "truth" / f"{recording}.npz").duration_s


def test_sedf_signals_open_in_edfio_and_mne_with_their_labels_and_rates(simulated):
    root = simulated("sedf-sc")
    paths = sorted((root / "sleep-cassette").glob("*-PSG.edf"))
    assert len(paths) == 2
    for path in paths:
        edf = edfio.read_edf(path)
        assert {s.label: s.sampling_frequency for s in edf.signals} == SEDF
        assert edf.data_record_duration == 30
        assert edf.duration == duration_s(root, path.name[:6])
        assert (edf.signals[0].digital_min, edf.signals[0].digital_max) == (-2048, 2047)
        raw = mne.io.read_raw_edf(path, verbose="error")
        assert list(SEDF) == raw.ch_names


def test_sedf_hypnogram_opens_in_mne_and_outlasts_the_signals(simulated):
    root = simulated("sedf-sc")
    paths = sorted((root / "sleep-cassette").glob("*-Hypnogram.edf"))
    assert len(paths) == 2
    for path in paths:
        marks = mne.read_annotations(path)
        stages = {f"Sleep stage {s}" for s in "W1234R?"} | {"Movement time"}
        assert set(marks.description) <= stages
        assert marks.onset[0] == 0
        assert np.allclose(np.diff(marks.onset), marks.duration[:-1])
        assert marks.description[-1] == "Sleep stage ?"
        assert marks.onset[-1] == duration_s(root, path.name[:6])
        assert marks.duration[-1] >= 600


def test_sedf_table_opens_in_xlrd_with_a_row_per_night(simulated):
    sheet = xlrd.open_workbook(simulated("sedf-sc") / "SC-subjects.xls").sheet_by_index(0)
    assert sheet.row_values(0) == ["subject", "night", "age", "sex (F=1)", "LightsOff"]
    assert sheet.col_values(0)[1:] == [0, 1]
    assert set(sheet.col_values(3)[1:]) <= {1, 2}


def test_shhs_signals_open_in_edfio_and_mne_with_rates_of_their_own(simulated):
    root = simulated("shhs")
    paths = sorted(root.glob("polysomnography/edfs/shhs1/*.edf"))
    assert len(paths) == 2
    for path in paths:
        edf = edfio.read_edf(path)
        rates = {s.label: s.sampling_frequency for s in edf.signals}
        wanted = {"SaO2": 1, "EEG": 125, "ECG": 125, "EMG": 125, "EOG(L)": 50, "EOG(R)": 50, "THOR RES": 10,
                  "ABDO RES": 10, "POSITION": 1}  # fmt: skip
        assert wanted.items() <= rates.items()
        assert len(rates) == 13
        assert edf.duration == duration_s(root, path.stem)
        assert mne.io.read_raw_edf(path, verbose="error").info["sfreq"] == 125


def test_shhs_xml_opens_in_defusedxml_with_stages_that_join(simulated):
    root = simulated("shhs")
    paths = sorted(root.rglob("*-nsrr.xml"))
    assert len(paths) == 2
    for path in paths:
        tree = defusedxml.ElementTree.parse(path).getroot()
        stages = [e for e in tree.iter("ScoredEvent") if e.findtext("EventType") == "Stages|Stages"]
        onset, length = (np.array([float(e.findtext(tag)) for e in stages]) for tag in ("Start", "Duration"))
        assert onset[0] == 0
        assert np.array_equal(onset[1:], (onset + length)[:-1])
        assert 0 <= duration_s(root, path.name.removesuffix("-nsrr.xml")) - (onset + length)[-1] <= 90


def test_phys_record_and_annotations_open_in_wfdb(simulated):
    root = simulated("phys")
    headers = sorted(root.rglob("*.hea"))
    assert len(headers) == 2
    for header in headers:
        record = wfdb.rdrecord(str(header.with_suffix("")))
        assert record.sig_name == PHYS
        assert record.fs == 200
        assert record.units == ["uV"] * 11 + ["%", "mV"]
        assert record.sig_len == 200 * duration_s(root, header.stem)
        assert 5 < np.std(record.p_signal[:, 2]) < 60  # C3-M2, uV
        assert 85 < np.median(record.p_signal[:, 11]) <= 100
        notes = wfdb.rdann(str(header.with_suffix("")), "arousal").aux_note
        assert {note.strip("\x00") for note in notes} & {"W", "N1", "N2", "N3", "R"}
        opened, closed = ([n for n in notes if mark in n] for mark in "()")
        assert len(opened) == len(closed)


def test_phys_checksums_of_the_header_are_right(simulated):
    for header in simulated("phys").rglob("*.hea"):
        record = wfdb.rdrecord(str(header.with_suffix("")), physical=False)
        wanted = [int(line.split()[6]) for line in header.read_text().splitlines()[1:]]
        assert [(c + 32768) % 65536 - 32768 for c in record.d_signal.astype(np.int64).sum(0)] == wanted


def test_dodh_signals_open_in_h5py_with_their_description(simulated):
    root = simulated("dodh")
    paths = sorted(root.glob("*.h5"))
    assert len(paths) == 2
    for path in paths:
        with h5py.File(path) as file:
            assert sorted(file["signals/eeg"]) == sorted(DODH)
            described = json.loads(file.attrs["description"])
            assert [d["path"] for d in described][:12] == [f"signals/eeg/{label}" for label in DODH]
            assert {d["fs"] for d in described} == {250}
            seconds = duration_s(root, path.stem)
            assert all(len(file[d["path"]]) == 250 * seconds for d in described)
            assert len(file["hypnogram"]) == seconds / 30


def test_dodh_has_five_scorers_of_every_epoch(simulated):
    root = simulated("dodh")
    for path in root.glob("*.h5"):
        lists = [json.loads(p.read_text()) for p in sorted(root.glob(f"scorers/dodh/scorer_*/{path.stem}.json"))]
        assert len(lists) == 5
        assert {len(each) for each in lists} == {int(duration_s(root, path.stem) / 30)}
        assert {code for each in lists for code in each} <= {-1, 0, 1, 2, 3, 4}
