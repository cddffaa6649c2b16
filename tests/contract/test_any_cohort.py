"""Folders and EEG-BIDS data sets that no code knows: from files of other libraries to stores with the same stages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mne
import numpy as np
import pytest
from edfio import Bdf, BdfSignal, Edf, EdfAnnotation, EdfSignal
from typer.testing import CliRunner

from hypnoflow.cli import app
from hypnoflow.cohorts.layouts.base import facts
from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.errors import CohortError, ConfigError
from hypnoflow.harmonize.job import harmonize_shard
from hypnoflow.store.manifest import read_manifest, validate
from hypnoflow.store.store import open_recording, read_stage, recordings

STAGES = ["W", "W", "N1", "N2", "N2", "N3", "N3", "R", "R", "W"]  # ten epochs, five minutes
CODES = [0, 0, 1, 2, 2, 3, 3, 4, 4, 0]
RATE_HZ = 64
REFERENTIAL = ("C3", "C4", "M1", "M2", "E1", "E2", "Chin1-Chin2", "ECG I", "Position")
DERIVED = {
    "C3-M2": "C3 - M2", "C4-M1": "C4 - M1", "E1-M2": "E1 - M2", "E2-M1": "E2 - M1", "Chin1-Chin2": "Chin1-Chin2",
    "ECG": "ECG I",
}  # fmt: skip


def noise_uv(seed, n=len(STAGES) * 30 * RATE_HZ):
    return np.random.default_rng(seed).normal(0, 40, n)


def write_edf(path, labels=REFERENTIAL, stages=None):
    """Write a night with edfio; with `stages`, they go in as EDF+ annotations."""
    path.parent.mkdir(parents=True, exist_ok=True)
    signals = [
        EdfSignal(noise_uv(i), RATE_HZ, label=label, physical_dimension="uV", physical_range=(-400, 400))
        for i, label in enumerate(labels)
    ]
    marks = [EdfAnnotation(30 * i, 30, f"Sleep stage {stage}") for i, stage in enumerate(stages or [])]
    Edf(signals, annotations=marks or None).write(path)
    return path


def harmonized(tmp_path, root, config, name="mylab"):
    """Return (manifest, QC rows by recording, store) of a cohort."""
    manifest, _ = index_cohort(name, root, 50, config)
    validate(manifest, name)
    store = tmp_path / "harmonized" / "000.zarr"
    table = harmonize_shard(manifest, config.model_copy(update={"root": str(root)}), store, Harmonize())
    return manifest.set_index("recording"), table.set_index("recording"), store


def folder(root, **options):
    return CohortConfig(kind="folder", root=str(root), **options)


def sources(data):
    """Return {channel: the signals that it was made of} of a harmonized recording."""
    return {
        str(label): str(source)
        for kind in ("eeg", "eog", "emg", "ecg", "resp")
        if kind in data
        for label, source in zip(data[f"{kind}_channel"].values, data[f"{kind}_source"].values, strict=True)
    }


LONG = {"W": "Wake|0", "N1": "Stage 1 sleep|1", "N2": "Stage 2 sleep|2", "N3": "Stage 3 sleep|3", "R": "REM sleep|5"}
PROFUSION_NUMBER = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 5}


def nsrr_xml():
    return "".join(
        f"<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>{LONG[s]}</EventConcept>"
        f"<Start>{30 * i}</Start><Duration>30</Duration></ScoredEvent>"
        for i, s in enumerate(STAGES)
    ).join(("<PSGAnnotation><ScoredEvents>", "</ScoredEvents></PSGAnnotation>"))


def profusion_xml():
    stages = "".join(f"<SleepStage>{PROFUSION_NUMBER[s]}</SleepStage>" for s in STAGES)
    return f"<CMPStudyConfig><EpochLength>30</EpochLength><SleepStages>{stages}</SleepStages></CMPStudyConfig>"


HYPNOGRAMS = {
    "n.txt": "\n".join(STAGES),
    "n_hypnogram.csv": "onset,duration,stage\n" + "".join(f"{30 * i},30,{s}\n" for i, s in enumerate(STAGES)),
    "n.ids": "".join(f"{30 * i},30,{s}\n" for i, s in enumerate(STAGES)),
    "n.annot": "".join(f"{s}\t.\t.\t{30 * i}\t{30 * i + 30}\t.\n" for i, s in enumerate(STAGES)),
    "n-nsrr.xml": nsrr_xml(),
    "n-profusion.xml": profusion_xml(),
}


@pytest.mark.parametrize("name", HYPNOGRAMS)
def test_the_stages_of_each_dialect_reach_the_store(tmp_path, name):
    root = tmp_path / "lab"
    write_edf(root / "n.edf")
    (root / name).write_text(HYPNOGRAMS[name])
    _, qc, store = harmonized(tmp_path, root, folder(root))
    assert qc["status"].to_dict() == {"n": "ok"}
    assert read_stage(store, "n").tolist() == CODES


@pytest.mark.parametrize("where", ["n.edf", "n_annotations.edf", "n Hypnogram.edf"])
def test_edf_plus_stages_in_the_file_or_beside_it_reach_the_store(tmp_path, where):
    root = tmp_path / "lab"
    write_edf(root / "n.edf", stages=STAGES if where == "n.edf" else None)
    if where != "n.edf":
        marks = [EdfAnnotation(30 * i, 30, f"Sleep stage {stage}") for i, stage in enumerate(STAGES)]
        Edf([], annotations=marks).write(root / where)
    manifest, qc, store = harmonized(tmp_path, root, folder(root))
    assert list(manifest.index) == ["n"]  # a file of annotations is no recording
    assert read_stage(store, "n").tolist() == CODES


def test_channels_are_derived_from_their_names_and_signals_are_differences(tmp_path):
    root = tmp_path / "lab"
    write_edf(root / "n.edf", stages=STAGES)
    _, _, store = harmonized(tmp_path, root, folder(root))
    data = open_recording(store, "n")
    assert sources(data) == DERIVED
    c3 = data["eeg"].sel(eeg_channel="C3-M2")
    uv = c3.values[::2] * float(c3["eeg_iqr_uv"]) + float(c3["eeg_median_uv"])
    wanted = noise_uv(0) - noise_uv(3)
    assert np.corrcoef(uv, wanted)[0, 1] > 0.99
    assert data.attrs["licence"] == "not stated"


def test_a_recording_without_a_hypnogram_is_kept_unscored_and_that_is_said(tmp_path):
    root = tmp_path / "lab"
    write_edf(root / "n.edf")
    _, qc, store = harmonized(tmp_path, root, folder(root))
    assert set(read_stage(store, "n").tolist()) == {9}
    assert "no hypnogram" in qc["warnings"]["n"]


def test_numbers_need_stages_in_the_config_and_then_mean_what_it_says(tmp_path):
    root = tmp_path / "lab"
    write_edf(root / "n.edf")
    (root / "n.txt").write_text("\n".join(str({"R": 1, "W": 0, "N1": 2, "N2": 3, "N3": 4}[s]) for s in STAGES))
    _, qc, _ = harmonized(tmp_path, root, folder(root))
    assert qc["status"]["n"] == "skipped"
    assert "which number is REM differs" in qc["reason"]["n"]
    ucd = {"0": "W", "1": "R", "2": "N1", "3": "N2", "4": "N3"}
    _, qc, store = harmonized(tmp_path / "again", root, folder(root, stages=ucd))
    assert read_stage(store, "n").tolist() == CODES


@pytest.mark.parametrize(
    ("n_epochs", "table", "status"), [(10, False, "ok"), (30, False, "skipped"), (9, False, "ok"), (3, True, "ok")]
)
def test_a_list_without_times_must_fit_the_signals_and_one_with_times_need_not(tmp_path, n_epochs, table, status):
    root = tmp_path / "lab"
    write_edf(root / "n.edf")
    rows = [f"{30 * i},30,N2" if table else "N2" for i in range(n_epochs)]
    (root / "n.csv").write_text("\n".join((["onset,duration,stage"] if table else []) + rows))
    _, qc, _ = harmonized(tmp_path, root, folder(root))
    assert qc["status"]["n"] == status


def test_a_list_that_covers_part_of_a_night_is_asked_for_its_onsets(tmp_path):
    signals = [EdfSignal(noise_uv(0, 900 * RATE_HZ), RATE_HZ, label="C3-M2", physical_dimension="uV")]
    (tmp_path / "lab").mkdir()
    Edf(signals).write(tmp_path / "lab" / "n.edf")
    (tmp_path / "lab" / "n.txt").write_text("\n".join(STAGES))
    _, qc, _ = harmonized(tmp_path, tmp_path / "lab", folder(tmp_path / "lab"))
    assert "cover 300 s of 900 s" in qc["reason"]["n"]
    assert "onset" in qc["hint"]["n"]


def test_an_unknown_stage_label_skips_the_recording_with_what_to_do(tmp_path):
    root = tmp_path / "lab"
    write_edf(root / "n.edf")
    (root / "n.txt").write_text("\n".join([*STAGES[:-1], "Drowsy"]))
    _, qc, _ = harmonized(tmp_path, root, folder(root))
    assert "unmapped stage label 'Drowsy'" in qc["reason"]["n"]
    assert "`stages`" in qc["hint"]["n"]
    _, qc, store = harmonized(tmp_path / "again", root, folder(root, stages={"Drowsy": "N1"}))
    assert read_stage(store, "n").tolist() == [*CODES[:-1], 1]


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (["EEG C3", "LOC-A2"], {"C3-M2": "C3 - M2", "E1-M2": "E1 - M2"}),
        (["C3", "E1-M2"], {"C3-M2": "C3 - M2", "E1-M2": "E1 - M2"}),
        ({"C3-M2": "C3 - M2", "Chin": "Chin1-Chin2"}, {"C3-M2": "C3 - M2", "Chin": "Chin1-Chin2"}),
        ({"C4-A1": ["no such", "C4"]}, {"C4-M1": "C4"}),
    ],
)
def test_channels_of_the_config_are_used_and_no_others(tmp_path, channels, expected):
    root = tmp_path / "lab"
    write_edf(root / "n.edf", stages=STAGES)
    config = CohortConfig.model_validate({"kind": "folder", "root": str(root), "channels": channels})
    _, _, store = harmonized(tmp_path, root, config)
    assert sources(open_recording(store, "n")) == expected


def test_a_listed_channel_whose_name_tells_nothing_is_an_error_with_a_way_out(tmp_path):
    root = tmp_path / "lab"
    write_edf(root / "n.edf", stages=STAGES)
    _, qc, _ = harmonized(tmp_path, root, folder(root, channels=("Position", "C3")))
    assert "'Position'" in qc["reason"]["n"]
    assert "{standard label: label in the file}" in qc["hint"]["n"]


def test_persons_of_the_table_reach_the_manifest(tmp_path):
    root = tmp_path / "lab"
    for name in ("P1_a", "P1_b", "P2_a"):
        write_edf(root / f"{name}.edf", stages=STAGES)
    (root / "people.csv").write_text("participant_id,age,sex,ahi\nP1,30,F,3\nP2,60,M,20\n")
    manifest, _ = index_cohort("mylab", root, 2, folder(root, participants="people.csv"))
    rows = manifest[["recording", "person", "visit", "age_y", "sex", "ahi_per_h"]].values.tolist()
    assert rows == [
        ["P1_a", "P1", "1", 30, "female", 3],
        ["P1_b", "P1", "2", 30, "female", 3],
        ["P2_a", "P2", "1", 60, "male", 20],
    ]


def test_an_empty_folder_is_an_error_that_says_what_was_expected(tmp_path):
    with pytest.raises(CohortError, match=r"mylab: no recording found .* expected files of \.edf"):
        index_cohort("mylab", tmp_path, 50, folder(tmp_path))


def test_a_cohort_without_a_row_has_facts_that_claim_nothing():
    row = facts("mylab")
    assert (row["title"], row["licence"], row["url"]) == ("mylab", "not stated", "")
    assert facts("shhs")["licence"] != "not stated"


# --- EEG-BIDS ------------------------------------------------------------------------------------------------


def write_bids(root):
    """Write two persons, one with two sessions: EDF by edfio, and FIF's cousin EEGLAB left to the unit tests."""
    (root / "participants.tsv").parent.mkdir(parents=True)
    (root / "participants.tsv").write_text("participant_id\tage\tsex\nsub-01\t34\tF\nsub-02\tn/a\tn/a\n")
    (root / "task-sleep_channels.tsv").write_text(
        "name\ttype\tunits\tstatus\n"
        "C3\tEEG\tuV\tgood\nC4\tEEG\tuV\tbad\nM1\tREF\tuV\tgood\nM2\tREF\tuV\tgood\nE1\tEOG\tuV\tgood\n"
        "E2\tEOG\tuV\tgood\nChin1-Chin2\tEMG\tuV\tgood\nECG I\tECG\tuV\tgood\nPosition\tMISC\tn/a\tgood\n"
    )
    for stem in ("sub-01/ses-1/eeg/sub-01_ses-1", "sub-01/ses-2/eeg/sub-01_ses-2", "sub-02/eeg/sub-02"):
        write_edf(root / f"{stem}_task-sleep_eeg.edf")
        rows = "".join(f"{30 * i}\t30\tsleep_stage_{s}\n" for i, s in enumerate(STAGES))
        events = root / f"{stem}_task-sleep_events.tsv"
        events.write_text(f"onset\tduration\ttrial_type\n{rows}45\t4\tarousal\n")


def test_a_bids_data_set_gives_persons_visits_channels_and_stages(tmp_path):
    root = tmp_path / "bids"
    write_bids(root)
    manifest, qc, store = harmonized(tmp_path, root, CohortConfig(kind="bids", root=str(root)))
    assert manifest[["person", "visit"]].values.tolist() == [["sub-01", "ses-1"], ["sub-01", "ses-2"], ["sub-02", "1"]]
    assert manifest["age_y"].fillna(-1).tolist() == [34, 34, -1]
    assert manifest["sex"].fillna("").tolist() == ["female", "female", ""]
    assert set(qc["status"]) == {"ok"}
    name = "sub-01_ses-1_task-sleep"
    data = open_recording(store, name)
    assert read_stage(store, name).tolist() == CODES
    assert sources(data) == {k: v for k, v in DERIVED.items() if k != "C4-M1"}  # C4 is bad
    assert "C4" in qc["warnings"][name]
    assert data["event_onset_s"].values.tolist() == [45]


def test_a_hypnogram_tsv_goes_before_the_events(tmp_path):
    root = tmp_path / "bids"
    write_bids(root)
    name = "sub-02_task-sleep"
    (root / f"sub-02/eeg/{name}_hypnogram.tsv").write_text("onset\tduration\tstage\n0\t300\tN3\n")
    _, _, store = harmonized(tmp_path, root, CohortConfig(kind="bids", root=str(root)))
    assert set(read_stage(store, name).tolist()) == {3}


def test_several_scorers_of_a_bids_table_are_kept_and_agree_on_one(tmp_path):
    root = tmp_path / "bids"
    write_bids(root)
    other = ["N1", *STAGES[1:]]
    rows = [f"{30 * i}\t30\t{s}\t{who}\n" for who, each in (("A", STAGES), ("B", STAGES), ("C", other)) for i, s in
            enumerate(each)]  # fmt: skip
    events = root / "sub-02/eeg/sub-02_task-sleep_events.tsv"
    events.write_text("onset\tduration\tstage\tscorer\n" + "".join(rows))
    _, _, store = harmonized(tmp_path, root, CohortConfig(kind="bids", root=str(root)))
    data = open_recording(store, "sub-02_task-sleep")
    assert data["scorer"].values.tolist() == ["A", "B", "C"]
    assert data["stage_scorer"].values[2, 0] == 1
    assert read_stage(store, "sub-02_task-sleep").tolist() == CODES


def test_channels_tsv_gives_kinds_and_units_that_the_file_lacks(tmp_path):
    root = tmp_path / "bids"
    path = root / "sub-01/eeg/sub-01_task-sleep_eeg.vhdr"
    path.parent.mkdir(parents=True)
    x = noise_uv(0)
    path.with_suffix(".eeg").write_bytes((x / 1000).astype("<f4").tobytes())
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.with_suffix('.eeg').name}\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels=1\nSamplingInterval={1e6 / RATE_HZ:g}\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n"
        "[Channel Infos]\nCh1=Ch 7,,1,arb\n"
    )
    (path.parent / "sub-01_task-sleep_channels.tsv").write_text("name\ttype\tunits\nCh 7\tEEG\tmV\n")
    _, qc, store = harmonized(tmp_path, root, CohortConfig(kind="bids", root=str(root)))
    assert qc["status"].tolist() == ["ok"]
    data = open_recording(store, "sub-01_task-sleep")
    assert sources(data) == {"Ch 7": "Ch 7"}
    iqr = np.subtract(*np.percentile(x, (75, 25)))
    assert float(data["eeg_iqr_uv"][0]) == pytest.approx(iqr, rel=0.05)


# --- the other formats, and the command line -----------------------------------------------------------------


def test_a_fif_recording_with_its_own_marks_goes_the_same_way(tmp_path):
    root = tmp_path / "lab"
    root.mkdir()
    x = np.stack([noise_uv(i) for i in range(3)]) * 1e-6
    raw = mne.io.RawArray(x, mne.create_info(["C3", "M2", "E1"], RATE_HZ, ["eeg", "eeg", "eog"]), verbose="error")
    texts = [f"Sleep stage {stage}" for stage in STAGES]
    raw.set_annotations(mne.Annotations(np.arange(len(STAGES)) * 30.0, 30.0, texts))
    raw.save(root / "n_raw.fif", verbose="error")
    _, _, store = harmonized(tmp_path, root, folder(root))
    assert read_stage(store, "n_raw").tolist() == CODES
    assert sources(open_recording(store, "n_raw")) == {"C3-M2": "C3 - M2", "E1-M2": "E1 - M2"}


def test_a_bdf_recording_goes_the_same_way(tmp_path):
    root = tmp_path / "lab"
    root.mkdir()
    signals = [
        BdfSignal(noise_uv(i), RATE_HZ, label=label, physical_dimension="uV", physical_range=(-400, 400))
        for i, label in enumerate(REFERENTIAL)
    ]
    marks = [EdfAnnotation(30 * i, 30, f"Sleep stage {stage}") for i, stage in enumerate(STAGES)]
    Bdf(signals, annotations=marks).write(root / "n.bdf")
    _, _, store = harmonized(tmp_path, root, folder(root))
    assert read_stage(store, "n").tolist() == CODES
    assert sources(open_recording(store, "n")) == DERIVED


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def lab(tmp_path):
    """A folder with a good night, one with a wrong hypnogram, and a file that is none."""
    root = tmp_path / "lab"
    write_edf(root / "good.edf", stages=STAGES)
    write_edf(root / "bad.edf")
    (root / "bad.txt").write_text("\n".join(["Drowsy", *STAGES[1:]]))
    (root / "page.edf").write_text("<html>404</html>")
    return root


def test_index_and_harmonize_take_the_cohort_from_the_science_options(lab, tmp_path):
    section = {"kind": "folder", "root": str(lab), "stages": {"Drowsy": "W"}}
    science = json.dumps({"cohorts": {"mylab": section}, "index": {"shard_size": 50}})
    manifest, store = tmp_path / "mylab.parquet", tmp_path / "000.zarr"
    assert run("index", "mylab", "--root", lab, "--out", manifest, "--science", science).exit_code == 0
    assert sorted(read_manifest(manifest)["recording"]) == ["bad", "good", "page"]
    done = run("harmonize", "--manifest", manifest, "--shard", "000", "--root", lab, "--out", store,
               "--science", science, "--threads", 2)  # fmt: skip
    assert done.exit_code == 0
    assert recordings(store) == ["bad", "good"]
    assert read_stage(store, "bad").tolist() == CODES


def test_plain_files_are_harmonized_without_a_workflow(lab, tmp_path):
    store = tmp_path / "out.zarr"
    done = run("harmonize", lab / "good.edf", lab / "bad.edf", "--out", store)
    assert done.exit_code == 1  # one of them failed
    assert recordings(store) == ["good"]
    assert read_stage(store, "good").tolist() == CODES
    assert store.with_suffix(".qc.parquet").exists()
    assert run("harmonize", lab / "good.edf", "--out", store).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "x.zarr"], "either paths"),
        (["a.edf", "--out", "x"], "must end in .zarr"),
    ],
)
def test_harmonize_without_sense_is_refused(arguments, said):
    error = run("harmonize", *arguments).exception
    assert isinstance(error, ConfigError)
    assert said in str(error)


def test_a_missing_file_fails_and_the_others_are_written(lab, tmp_path):
    store = tmp_path / "out.zarr"
    assert run("harmonize", lab / "good.edf", lab / "gone.edf", "--out", store).exit_code == 1
    assert recordings(store) == ["good"]


# --- inspect -------------------------------------------------------------------------------------------------


def inspected(*arguments):
    done = run("inspect", *arguments, "--json")
    return done.exit_code, {report["recording"]: report for report in json.loads(done.stdout)}


def test_inspect_says_all_about_a_good_recording(lab):
    code, reports = inspected(lab / "good.edf")
    report = reports["good"]
    assert code == 0
    assert (report["ok"], report["error"], report["format"]) == (True, None, "Edf")
    assert (report["duration_s"], report["n_epochs"]) == (300, 10)
    assert {c["label"]: c["source"] for c in report["channels"]} == DERIVED
    assert {(c["rate_hz"], c["unit"]) for c in report["channels"]} == {(RATE_HZ, "uV")}
    assert report["hypnogram"]["epochs"] == {"W": 3, "N1": 1, "N2": 2, "N3": 2, "R": 2, "unscored": 0}
    assert (report["hypnogram"]["begins_s"], report["hypnogram"]["ends_s"]) == (0, 300)
    assert report["hypnogram"]["excess_s"] == 0
    uses = {s["label"]: s["use"] for s in report["signals"]}
    assert uses["Position"].startswith("not used")
    assert uses["M2"] == "in C3-M2, E1-M2"


def test_inspect_gives_the_workflows_own_reason_and_goes_on(lab, tmp_path):
    code, reports = inspected(lab)
    assert code == 1
    assert {name: report["ok"] for name, report in reports.items()} == {"bad": False, "good": True, "page": False}
    _, qc, _ = harmonized(tmp_path, lab, folder(lab))
    for name in ("bad", "page"):
        assert (reports[name]["error"]["what"], reports[name]["error"]["hint"]) == (
            qc["reason"][name],
            qc["hint"][name],
        )
        assert Path(reports[name]["error"]["path"]).name == Path(qc["path"][name]).name
    assert reports["bad"]["hypnogram"]["dialect"] == "one stage per line"
    assert reports["bad"]["channels"]  # what can be said behind the failure is said


def test_inspect_names_a_flat_channel_that_would_be_left_out(tmp_path):
    signals = [
        EdfSignal(noise_uv(1), RATE_HZ, label="C3-M2", physical_dimension="uV"),
        EdfSignal(np.zeros(len(noise_uv(0))), RATE_HZ, label="C4-M1", physical_dimension="uV", physical_range=(-1, 1)),
    ]
    Edf(signals).write(tmp_path / "n.edf")
    _, reports = inspected(tmp_path / "n.edf")
    assert {c["label"]: c["left_out"] for c in reports["n"]["channels"]} == {
        "C3-M2": None,
        "C4-M1": "flat: one value throughout",
    }


@pytest.mark.parametrize("name", ["gone.edf", "notes.txt"])
def test_inspect_names_a_path_that_is_no_recording_and_goes_on(lab, name):
    (lab / "notes.txt").write_text("x")
    code, reports = inspected(lab / name, lab / "good.edf")
    assert code == 1
    assert {n: r["ok"] for n, r in reports.items()} == {name: False, "good": True}


@pytest.mark.parametrize("cohort", ["sedf-sc", "shhs", "phys", "dodh"])
def test_inspect_reads_a_named_cohort_by_its_own_rules(simulated, cohort):
    root = simulated(cohort)
    code, reports = inspected(root, "--cohort", cohort)
    assert code == 0
    assert len(reports) == 2
    assert all(sum(r["hypnogram"]["epochs"].values()) == r["n_epochs"] for r in reports.values())
    manifest, _ = index_cohort(cohort, root, 50)
    one = root / manifest["signal_path"].iloc[0]
    if cohort == "dodh":  # its files and its scorers lie in one folder
        assert list(inspected(one, "--cohort", cohort)[1]) == [manifest["recording"].iloc[0]]


def test_inspect_on_a_terminal_shows_channels_stages_and_the_reason(lab):
    done = subprocess.run(
        [sys.executable, "-m", "hypnoflow.cli", "inspect", str(lab)],
        capture_output=True, text=True, env={**os.environ, "COLUMNS": "160"}, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    for text in ("usable", "skipped", "C3 - M2", "W 3, N1 1, N2 2, N3 2, R 2", "unmapped stage label 'Drowsy'"):
        assert text in done.stdout


def test_a_hypnogram_in_another_folder_is_found_from_the_folder_and_by_the_cohorts_root(tmp_path):
    root = tmp_path / "lab"
    night = write_edf(root / "edfs" / "n.edf")
    (root / "scores").mkdir()
    (root / "scores" / "n.txt").write_text("\n".join(STAGES))
    config = tmp_path / "config.yaml"
    config.write_text(f"science: {{cohorts: {{mylab: {{kind: folder, root: {json.dumps(str(root))}}}}}}}\n")
    for arguments in ((root,), (night, "--cohort", "mylab", "--config", config)):
        _, reports = inspected(*arguments)
        assert reports["n"]["hypnogram"]["epochs"]["R"] == 2
    _, alone = inspected(night)
    assert alone["n"]["hypnogram"]["dialect"] == "none"


def test_inspect_with_a_config_uses_the_cohorts_stages(lab, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"science: {{cohorts: {{mylab: {{kind: folder, root: {json.dumps(str(lab))}, stages: {{Drowsy: W}}}}}}}}\n"
    )
    _, reports = inspected(lab / "bad.edf", "--cohort", "mylab", "--config", config)
    assert reports["bad"]["ok"]
    assert reports["bad"]["hypnogram"]["epochs"]["W"] == 3
