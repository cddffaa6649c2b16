"""Simulated NSRR cohorts on disk, opened with other people's readers and held against the cohorts' documentation."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import defusedxml.ElementTree
import edfio
import mne
import numpy as np
import pytest

from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.simulate import Simulate
from hypnoflow.night.truth import read_truth
from hypnoflow.simulate.dialects import chat, dialects, hpap, mros
from hypnoflow.simulate.job import draw_visits, simulate_cohort
from hypnoflow.simulate.persons import draw_person
from hypnoflow.simulate.recorder import Recorder, Visit

SEED = 5
NIGHT = Simulate(night_h=0.5, bad_site_share=0)
COHORTS = ("abc", "ccshs", "cfs", "chat", "hpap", "mesa", "mros", "sof")
TEN = ("F3", "F4", "C3", "C4", "O1", "O2", "M1", "M2", "E1", "E2")
# Labels and rates that every file of the cohort has.
ALWAYS = {
    "abc": dict.fromkeys((*TEN, "Chin1", "Chin2", "Chin3", "ECG1", "ECG2", "LLeg1", "RLeg2", "Snore"), 256)
    | {"Airflow": 32, "Abdo": 32, "Sum": 32, "Nasal Pressure": 32, "SpO2": 16, "Respiratory Rate": 512},
    "ccshs": dict.fromkeys(("C3", "C4", "A1", "A2", "LOC", "ROC"), 128)
    | {"EMG1": 256, "EMG3": 256, "ECG1": 256, "THOR EFFORT": 32, "NASAL PRES": 64, "SpO2": 1, "PlethWV": 128},
    "cfs": dict.fromkeys(("C3", "C4", "LOC", "ROC"), 128) | {"EMG2": 256, "AIRFLOW": 32, "L Leg": 64, "PULSE": 1},
    "chat": {"ABD": 32, "SUM": 32},
    "hpap": {"CHEST": 32, "ABD": 32, "L-LEG": 200},
    "mesa": dict.fromkeys(("EEG1", "EEG2", "EEG3", "EOG-L", "EOG-R", "EMG", "EKG", "Pleth"), 256)
    | {"EEG1_Off": 1, "EKG_Off": 1, "EOG-L_Off": 1, "EMG_Off": 1, "Thor": 32, "Abdo": 32, "Pos": 32, "SpO2": 1},
    "mros": {"Airflow": 32, "SUM": 32, "Position": 4, "HR": 1, "STAT": 1},
    "sof": dict.fromkeys(("C3", "C4", "A1", "A2", "LOC", "ROC"), 128)
    | {"ECG1": 256, "ECG2": 256, "Airflow": 16, "Thoracic": 16, "Abdominal": 16, "SAO2": 1, "Leg/L": 64},
}
FREE = {("hpap", "CHEST"), ("hpap", "ABD"), ("mros", "Airflow"), ("mros", "SUM")}  # the rate differs between files
HARMONIZED = {
    "abc": ("abc-baseline-harmonized-0.4.0.csv", ["nsrrid", "visitnumber"], "nsrr_ahi_hp3r_aasm15"),
    "ccshs": ("ccshs-trec-harmonized-0.8.0.csv", ["nsrrid", "visit"], "nsrr_ahi_hp3r_aasm15"),
    "cfs": ("cfs-visit5-harmonized-dataset-0.7.0.csv", ["nsrrid", "rectype"], "nsrr_ahi_hp3r_aasm15"),
    "chat": ("chat-harmonized-dataset-0.14.0.csv", ["nsrrid", "vnum"], "nsrr_ahi_hp3r_aasm07"),
    "hpap": ("homepap-baseline-harmonized-dataset-0.2.0.csv", ["nsrrid", "visit"], "nsrr_ahi_hp4u_aasm15"),
    "mesa": ("mesa-sleep-harmonized-dataset-0.7.0.csv", ["mesaid", "examnumber"], "nsrr_ahi_hp3r_aasm15"),
    "mros": ("mros-visit1-harmonized-0.6.0.csv", ["nsrrid", "visit"], "nsrr_ahi_hp3r_aasm15"),
    "sof": ("sof-visit-8-harmonized-dataset-0.8.0.csv", ["nsrrid", "visit"], "nsrr_ahi_hp3r_aasm15"),
}
NOT_IN_DICTIONARY = {
    "nsrr_phrnumar_f1": {"abc", "hpap"},
    "nsrr_flag_spsw": {"abc", "hpap"},
    "nsrr_ethnicity": {"mesa", "sof"},
    "nsrr_ttldursp_f1": {"chat", "mesa", "ccshs"},
    "nsrr_tst_f1": {"abc", "cfs", "hpap", "mros", "sof"},
    "nsrr_oahi_hp3u": set(COHORTS) - {"ccshs"},
    "nsrr_ahi_hp4u_aasm15": {"chat"},
    "nsrr_ahi_hp4u": set(COHORTS) - {"chat"},
    "nsrr_ahi_hp3u": {"hpap"},
}
FILES = {
    "abc": {f"{v}/abc-{v}-90000{i}" for v in ("baseline", "month09", "month18") for i in (1, 2, 3)},
    "ccshs": {f"ccshs-trec-180000{i}" for i in (1, 2, 3)},
    "chat": {f"{v}/chat-{v}-30000{i}" for v in ("baseline", "followup") for i in (1, 2)}
    | {"nonrandomized/chat-baseline-nonrandomized-300003"},
    "mesa": {f"mesa-sleep-000{i}" for i in (1, 2, 3)},
    "mros": {f"visit{v}/mros-visit{v}-aa000{i}" for v in (1, 2) for i in (1, 2, 3)},
    "sof": {f"sof-visit-8-0000{i}" for i in (4, 5, 6)},
}
EACH = pytest.mark.parametrize("name", COHORTS)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    made: dict[str, Path] = {}

    def root_of(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("nsrr") / name
            simulate_cohort(name, made[name], CohortConfig(persons=3, repeat_persons=1.0), NIGHT, seed=SEED)
        return made[name]

    return root_of


def recordings(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "truth").iterdir())


def the(root: Path, pattern: str) -> Path:
    (path,) = root.rglob(pattern)
    return path


def rows(root: Path, name: str) -> list[dict[str, str]]:
    with (root / "datasets" / name).open(newline="") as stream:
        return list(csv.DictReader(stream))


@EACH
def test_every_recording_has_an_edf_and_both_annotations_in_the_same_sub_folder(cohort, name):
    root = cohort(name)
    psg = root / "polysomnography"
    endings = {"edfs": ".edf", "annotations-events-nsrr": "-nsrr.xml", "annotations-events-profusion": "-profusion.xml"}
    found = []
    for folder, ending in endings.items():
        paths = [p for p in (psg / folder).rglob("*.*") if p.parent.name != "home"]
        assert all(p.name.endswith(ending) for p in paths)
        found.append({str(p.relative_to(psg / folder)).removesuffix(ending) for p in paths})
    assert found[0] == found[1] == found[2]
    assert sorted(Path(stem).name for stem in found[0]) == recordings(root)
    if name in FILES:
        assert found[0] == FILES[name]


def test_homepap_files_lie_by_kind_of_night_beside_a_home_arm_without_eeg(cohort):
    root = cohort("hpap")
    stems = recordings(root)
    for stem in stems:
        night = stem.split("-")[2]
        assert night in ("full", "split")
        assert (root / "polysomnography" / "edfs" / "lab" / night / f"{stem}.edf").is_file()
    assert [stem[-7:] for stem in sorted(stems, key=lambda s: s[-7:])] == ["1600001", "1600002", "1600003"]
    home = the(root, "homepap-home-*.edf").read_bytes()
    assert "°".encode("latin-1") in home[: 256 * 9]
    with pytest.raises(UnicodeDecodeError):
        home[: 256 * 9].decode("utf-8")


def test_cfs_relatives_share_the_family_in_their_files_names():
    names = [visit.recording for visit in draw_visits("cfs", CohortConfig(persons=10), SEED)]
    sizes = Counter(name.partition("-famID")[2] for name in names)
    assert names[0].startswith("cfs-visit5-800002-famID")
    assert set(sizes.values()) == {2, 3}


@EACH
def test_signals_open_in_edfio_with_the_cohorts_labels_and_rates(cohort, name):
    root = cohort(name)
    for recording in recordings(root):
        edf = edfio.read_edf(the(root, f"{recording}.edf"))
        rates = {s.label: s.sampling_frequency for s in edf.signals}
        wanted = {k: v for k, v in ALWAYS[name].items() if (name, k) not in FREE}
        assert wanted.items() <= rates.items()
        assert {k for c, k in FREE if c == name} <= set(rates)
        assert edf.duration == read_truth(root / "truth" / f"{recording}.npz").duration_s
        assert (edf.startdate.year, edf.startdate.month, edf.startdate.day) == (1985, 1, 1)
        for signal in edf.signals:
            if signal.label in TEN:
                per_uv = {"uV": 1.0, "mV": 1e3}[signal.physical_dimension]
                assert 2 < per_uv * np.std(signal.data) < 150


def test_mne_brings_abc_to_its_fastest_signal(cohort):
    raw = mne.io.read_raw_edf(the(cohort("abc"), "abc-baseline-900001.edf"), verbose="error")
    assert raw.info["sfreq"] == 512
    assert set(TEN) <= set(raw.ch_names)


def test_two_mros_visits_differ_in_blanks_references_and_rates(cohort):
    labels = {}
    for visit in (1, 2):
        edf = edfio.read_edf(the(cohort("mros"), f"mros-visit{visit}-aa0001.edf"))
        labels[visit] = {s.label: s.sampling_frequency for s in edf.signals}
    first = {"C3": 256, "A2": 256, "LOC": 256, "L Chin": 256, "ECG L": 512, "SaO2": 1, "Thoracic": 16}
    second = {"C3": 256, "M2": 256, "E1": 256, "LChin": 256, "ECGL": 512, "SpO2": 1, "Chest": 32}
    assert first.items() <= labels[1].items()
    assert second.items() <= labels[2].items()
    assert labels[2]["DHR"] in (512, 1024)


def stage_runs(path: Path) -> list[tuple[float, float, str]]:
    events = defusedxml.ElementTree.parse(path).getroot().iter("ScoredEvent")
    return [
        (float(e.findtext("Start")), float(e.findtext("Duration")), e.findtext("EventConcept"))
        for e in events
        if e.findtext("EventType") == "Stages|Stages"
    ]


@EACH
def test_stage_runs_join_and_expand_to_the_profusion_stages(cohort, name):
    root = cohort(name)
    for recording in recordings(root):
        stages = stage_runs(the(root, f"{recording}-nsrr.xml"))
        assert stages[0][0] == 0
        assert all(a[0] + a[1] == b[0] and a[2] != b[2] for a, b in zip(stages, stages[1:], strict=False))
        expanded = [int(c.partition("|")[2]) for _, length, c in stages for _ in range(int(length / 30))]
        profusion = defusedxml.ElementTree.parse(the(root, f"{recording}-profusion.xml")).getroot()
        assert expanded == [int(e.text) for e in profusion.iter("SleepStage")]
        duration_s = read_truth(root / "truth" / f"{recording}.npz").duration_s
        assert 0 <= duration_s - 30 * len(expanded) <= 90
        if name in ("abc", "chat", "hpap", "mesa"):
            assert set(expanded) <= {0, 1, 2, 3, 5}  # AASM


@EACH
def test_events_in_both_xml_files_are_as_many_as_in_the_truth(cohort, name):
    root, unsure = cohort(name), 0
    for recording in recordings(root):
        truth = Counter(e.kind for e in read_truth(root / "truth" / f"{recording}.npz").events)
        nsrr = defusedxml.ElementTree.parse(the(root, f"{recording}-nsrr.xml")).getroot()
        found = [(e.findtext("EventType"), e.findtext("EventConcept")) for e in nsrr.iter("ScoredEvent")]
        assert sum(kind == "Arousals|Arousals" for kind, _ in found) == truth["arousal"]
        concepts = Counter(concept for _, concept in found)
        assert concepts["Obstructive apnea|Obstructive Apnea"] == truth["apnea_obstructive"]
        assert concepts["SpO2 desaturation|SpO2 desaturation"] == truth["desaturation"]
        assert concepts["Hypopnea|Hypopnea"] + concepts["Mixed apnea|Mixed Apnea"] + concepts["Unsure|Unsure"] == (
            truth["hypopnea"] + truth["apnea_mixed"]
        )
        if name == "chat":
            assert concepts["Unsure|Unsure"] == truth["apnea_mixed"]
        elif name in ("ccshs", "hpap", "sof"):
            assert "Unsure|Unsure" not in concepts
        unsure += concepts["Unsure|Unsure"]
        profusion = defusedxml.ElementTree.parse(the(root, f"{recording}-profusion.xml")).getroot()
        names = [e.findtext("Name") for e in profusion.iter("ScoredEvent")]
        assert sum(word.startswith("Arousal (") for word in names) == truth["arousal"]
        assert names.count("SpO2 desaturation") == truth["desaturation"]
    assert name not in ("abc", "mesa", "mros") or unsure > 0


@EACH
def test_harmonized_table_has_the_cohorts_own_name_key_and_columns(cohort, name):
    root = cohort(name)
    file, key, ahi = HARMONIZED[name]
    table = rows(root, file)
    assert list(table[0])[: len(key)] == key
    assert {"nsrr_age", "nsrr_age_gt89", "nsrr_sex", "nsrr_bmi", ahi} <= set(table[0])
    for column, without in NOT_IN_DICTIONARY.items():
        assert (column in table[0]) == (name not in without)
    assert {row["nsrr_sex"] for row in table} <= {"male", "female"}
    first = recordings(root)[0] if name != "hpap" else next(r for r in recordings(root) if r.endswith("1600001"))
    with np.load(root / "truth" / f"{first}.npz") as truth:
        assert float(table[0][ahi]) == pytest.approx(float(truth["ahi_per_h"]), abs=1e-3)


def test_tables_hold_only_the_visits_that_the_real_ones_hold(cohort):
    assert [r["nsrrid"] for r in rows(cohort("abc"), HARMONIZED["abc"][0])] == ["900001", "900002", "900003"]
    assert [r["nsrrid"] for r in rows(cohort("mros"), HARMONIZED["mros"][0])] == ["AA0001", "AA0002", "AA0003"]
    assert [r["nsrrid"] for r in rows(cohort("chat"), HARMONIZED["chat"][0])] == [
        "300001",
        "300001",
        "300002",
        "300002",
    ]
    assert [r["nsrrid"] for r in rows(cohort("chat"), "chat-nonrandomized-dataset-0.14.0.csv")] == ["300003"]
    assert [r["sofid"] for r in rows(cohort("sof"), "sof-visit-8-dataset-0.8.0.csv")] == ["4", "5", "6"]
    assert {r["nsrr_sex"] for r in rows(cohort("sof"), HARMONIZED["sof"][0])} == {"female"}
    assert {r["nsrr_sex"] for r in rows(cohort("mros"), HARMONIZED["mros"][0])} == {"male"}


@pytest.mark.parametrize(
    ("name", "column", "male", "female"),
    [
        ("abc", "gender", "1", "2"),
        ("hpap", "gender", "1", "0"),
        ("mesa", "gender1", "1", "0"),
        ("cfs", "male", "1", "0"),
    ],
)
def test_raw_tables_have_their_own_codes_of_sex(cohort, name, column, male, female):
    raw = next(p.name for p in sorted((cohort(name) / "datasets").iterdir()) if "harmonized" not in p.name)
    codes = [row[column] for row in rows(cohort(name), raw)]
    words = [row["nsrr_sex"] for row in rows(cohort(name), HARMONIZED[name][0])]
    assert codes == [{"male": male, "female": female}[word] for word in words]


def recorder(name: str, number: int, visit: int = 1) -> Recorder:
    dialect = dialects.get(name)
    rng = np.random.default_rng(number)
    person = draw_person(dialect.population, number, rng)
    which = Visit(name, dialect.recording(person, visit, rng), person, visit)
    return Recorder(which, Simulate(night_h=0.25, bad_site_share=0), SEED, dialect.rate_hz, dialect.mains_hz)


def test_mros_files_that_are_referenced_already_have_no_reference_electrodes(monkeypatch):
    monkeypatch.setattr(mros, "REFERENCED_SHARE", 1.0)
    one = recorder("mros", 0)
    labels = [trace.label for trace in dialects.get("mros").traces(one, one.rng("any"))]
    assert {"C3-A2", "C4-A1", "L Chin-R Chin", "ECG L-ECG R"} <= set(labels)
    assert not {"A1", "A2", "C3"} & set(labels)


def test_chat_files_differ_in_rate_and_in_the_spelling_of_one_signal():
    seen = []
    for number in range(6):
        one = recorder("chat", number)
        seen.append({t.label: t.rate_hz for t in dialects.get("chat").traces(one, one.rng("any"))})
    assert {len(set(file) & set(chat.CANNULAS)) for file in seen} == {1}
    assert len({label for file in seen for label in file if label in chat.CANNULAS}) > 1
    assert len({rate for file in seen for label, rate in file.items() if label in ("F3", "F3-A2")}) > 1
    assert all(rate >= 200 for file in seen for label, rate in file.items() if label in ("C3", "C3-A2"))


@pytest.mark.parametrize("site", [46, 58])
def test_homepap_sites_write_some_labels_twice(monkeypatch, site):
    monkeypatch.setattr(hpap, "SITES", {site: hpap.SITES[site]})
    one = recorder("hpap", 0)
    counts = Counter(trace.label for trace in dialects.get("hpap").traces(one, one.rng("any")))
    twice = {label for label, n in counts.items() if n == 2}
    assert twice == ({"ECG", "Pulse", "TidVol"} if site == 46 else {"O1", "O2", "Snore"})


def test_difference_of_two_electrodes_is_the_derivation_apart_from_their_own_artefacts():
    """Written against Fpz; what is common must cancel when one is taken from the other."""
    quiet = Simulate(night_h=0.25, artefacts=0, bad_site_share=0)
    dialect = dialects.get("sof")
    person = draw_person(dialect.population, 0, np.random.default_rng(1))
    one = Recorder(Visit("sof", "sof-visit-8-00004", person, 1), quiet, SEED, 128.0, 60.0)
    x = {t.label: t.x for t in dialect.traces(one, one.rng("any"))}
    again = one.derivation("C3", "M2")
    assert np.corrcoef(x["C3"] - x["A2"], again)[0, 1] > 0.99
    assert np.corrcoef(x["L Chin"] - x["R Chin"] if "L Chin" in x else x["EMG/L"] - x["EMG/R"], one.chin())[0, 1] > 0.99


def test_a_study_scored_for_sleep_and_wake_only_has_one_stage_of_sleep_and_no_arousals(monkeypatch):
    dialect = dialects.get("ccshs")
    monkeypatch.setattr(type(dialect), "sleep_wake_share", 1.0)
    for number, flag in ((0, "full scoring"), (2, "sleep/wake only")):
        one = recorder("ccshs", number)
        scoring = dialect.score(one, one.rng("any"))
        (row,) = (row for file, row in dialect.tables(one).items() if "harmonized" in file)
        assert row["nsrr_flag_spsw"] == flag
        if number == 2:
            assert set(scoring.codes) <= {0, 2, 6}
            assert not any(mark.kind == "Arousals|Arousals" for mark in scoring.marks)
