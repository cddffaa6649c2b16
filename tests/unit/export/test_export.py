"""Exports, each opened by the program that it is for: times, counts and stages are those of the night."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import edfio
import mne
import numpy as np
import pandas as pd
import pytest
import yasa
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.cohorts.layouts.folder import find_hypnograms
from hypnoflow.export.bids import write_events
from hypnoflow.export.edf import write_annotations, write_posteriors
from hypnoflow.export.luna import write_annot
from hypnoflow.export.night import ScoredNight, step_name
from hypnoflow.export.tables import write_csv, write_parquet
from hypnoflow.export.yasa import write_yasa
from hypnoflow.facts.files import replaceable
from hypnoflow.native.annotations.hypnogram import read_hypnogram
from hypnoflow.native.edf import EdfFile

ALL = (write_csv, write_parquet, write_annotations, write_posteriors, write_annot, write_yasa, write_events)
WORDS = np.array(["W", "N1", "N2", "N3", "R", *"????", "?"])  # by code
START = datetime(2021, 3, 4, 23, 59, 15)


def make(stage, start=START, intrusions=(), display=30, seed=0):
    """Return a night of these 30-s stages whose probabilities favour them by 0.6 at each resolution."""
    stage = np.array(stage, np.uint8)
    rng = np.random.default_rng(seed)
    probability = {}
    for f in (1, display):
        codes = np.repeat(stage, f)
        p = 0.4 * rng.dirichlet(np.ones(5), len(codes)) + 0.6 * np.eye(10)[codes][:, :5]
        p[codes == 9] = np.nan
        probability[f] = p.astype(np.float32)
    stages = {f: np.repeat(stage, f) for f in (1, display)}
    return ScoredNight("night", start, stages, probability, (1, display), display, intrusions, ("C3-M2", "E1-M2"))


def test_table_says_how_sure_each_step_is_and_which_are_below_the_threshold(tmp_path):
    p = {1: np.array([[0.7, 0.1, 0.1, 0.1, 0], [0.3, 0.4, 0.3, 0, 0], [np.nan] * 5], np.float32)}
    night = ScoredNight("n", None, {1: np.array([0, 1, 9], np.uint8)}, p, (1,), 1, abstain_below=0.7)
    write_csv(night, tmp_path / "n")
    table = pd.read_csv(tmp_path / "n.hypnogram_30s.csv")
    assert table["confidence"].round(6).tolist()[:2] == [0.7, 0.4]
    assert np.isnan(table["confidence"][2])
    assert table["uncertain"].tolist() == [False, True, False]


starts = st.none() | st.datetimes(datetime(1985, 1, 1), datetime(2084, 12, 31, 23, 59, 59))
stages = st.lists(st.sampled_from([0, 1, 2, 3, 4, 9]), min_size=1, max_size=40)


@settings(max_examples=30)
@given(stage=stages, start=starts)
def test_every_epoch_is_at_its_time_in_every_format(tmp_path_factory, stage, start):
    base = tmp_path_factory.mktemp("out") / "night"
    night = make(stage, start)
    for write in ALL:
        write(night, base)
    names = WORDS[stage].tolist()
    onset_s = 30.0 * np.arange(len(stage))

    table = pd.read_csv(f"{base}.hypnogram_30s.csv")
    assert table["stage"].tolist() == names
    assert table["onset_s"].tolist() == onset_s.tolist()
    fine = pd.read_parquet(f"{base}.hypnogram_1s.parquet")
    assert fine["stage"].tolist() == np.repeat(names, 30).tolist()

    marks = edfio.read_edf(f"{base}.scored.edf")
    assert [a.text for a in marks.annotations] == [f"Sleep stage {name}" for name in names]
    if start is not None:
        at = [marks.startdatetime + timedelta(seconds=a.onset) for a in marks.annotations]
        wanted = [start + timedelta(seconds=s) for s in onset_s]
        assert max(abs(a - b) for a, b in zip(at, wanted, strict=True)) < timedelta(microseconds=2)
    by_mne = mne.read_annotations(f"{base}.scored.edf")
    np.testing.assert_allclose(by_mne.onset, onset_s, atol=1e-6)
    assert by_mne.duration.tolist() == [30.0] * len(stage)

    density = edfio.read_edf(f"{base}.hypnodensity.edf")
    if start is not None:
        assert density.startdatetime == start
    assert density.duration == 30 * len(stage)
    values = np.stack([s.data for s in density.signals], 1)
    np.testing.assert_array_equal(values.argmax(1)[values.any(1)], np.repeat(stage, 30)[np.repeat(stage, 30) != 9])
    np.testing.assert_array_equal(~values.any(1), np.repeat(stage, 30) == 9)

    by_yasa = yasa.Hypnogram.from_json(f"{base}.yasa.json")
    numbers = np.where(np.array(stage) == 9, -2, stage)
    assert by_yasa.as_int().tolist() == numbers.tolist()
    assert np.loadtxt(f"{base}.yasa.txt", dtype=int, ndmin=1).tolist() == numbers.tolist()
    assert by_yasa.start == (None if start is None else pd.Timestamp(start))

    events = pd.read_csv(f"{base}_desc-hypnoflow_events.tsv", sep="\t")
    assert events["onset"].iloc[0] == 0
    np.testing.assert_allclose(events["onset"][1:], (events["onset"] + events["duration"])[:-1])
    spread = np.repeat(events["trial_type"], (events["duration"] / 30).astype(int)).replace("unscored", "?")
    assert spread.tolist() == names

    for name in (f"{base}.scored.annot", f"{base}.scored.edf"):
        (runs,) = read_hypnogram(type(base)(name)).annotations.scorers.values()
        again = np.repeat([r.label for r in runs], [round(r.duration_s / 30) for r in runs])
        assert np.where(again == "unscored", "?", again).tolist() == names


@given(stage=stages, display=st.sampled_from([1, 2, 16, 30]))
@settings(max_examples=15)
def test_probabilities_come_back_to_the_precision_of_each_format(tmp_path_factory, stage, display):
    base = tmp_path_factory.mktemp("out") / "night"
    night = make(stage, display=display)
    for write in (write_csv, write_parquet, write_posteriors, write_yasa):
        write(night, base)
    p, step = night.probability[display], step_name(display)
    for table in (
        pd.read_csv(f"{base}.hypnodensity_{step}.csv"),
        pd.read_parquet(f"{base}.hypnodensity_{step}.parquet"),
    ):
        assert list(table) == ["onset_s", "p_W", "p_N1", "p_N2", "p_N3", "p_R"]
        np.testing.assert_allclose(table.iloc[:, 1:].to_numpy(), p, atol=1e-7)
        np.testing.assert_allclose(table["onset_s"], np.arange(len(p)) * 30 / display)
    found = mne.io.read_raw_edf(f"{base}.hypnodensity.edf", verbose="error")
    assert found.ch_names == ["PP_W", "PP_N1", "PP_N2", "PP_N3", "PP_R"]
    assert found.info["sfreq"] == pytest.approx(display / 30)
    np.testing.assert_allclose(found.get_data().T, np.nan_to_num(p), atol=1 / 65535)
    proba = yasa.Hypnogram.from_json(f"{base}.yasa.json").proba
    scored = np.array(stage) != 9
    assert proba.filter(["WAKE", "N1", "N2", "N3", "REM"]).to_numpy()[scored] == pytest.approx(
        night.probability[1][scored], abs=1e-6
    )


def test_mne_puts_the_marks_of_the_file_on_the_recording_they_were_made_of(tmp_path):
    samples = np.random.default_rng(0).normal(size=120 * 10)
    recording = edfio.Edf(
        [edfio.EdfSignal(samples, 10, label="C3-M2", physical_dimension="uV")],
        starttime=START.time(),
        recording=edfio.Recording(startdate=START.date()),
    )
    recording.write(tmp_path / "night.edf")
    (path,) = write_annotations(make([0, 2, 9, 4], intrusions=[(40.0, 5.0)]), tmp_path / "night")
    raw = mne.io.read_raw_edf(tmp_path / "night.edf", verbose="error")
    raw.set_annotations(mne.read_annotations(path))
    stages = [a for a in raw.annotations if a["description"].startswith("Sleep stage")]
    assert [a["description"][-2:].strip() for a in stages] == ["W", "N2", "?", "R"]
    first = raw.info["meas_date"].replace(tzinfo=None)
    assert [first + timedelta(seconds=a["onset"]) for a in stages] == [
        START + timedelta(seconds=30 * i) for i in range(4)
    ]
    (intrusion,) = (a for a in raw.annotations if a["description"] == "arousal-like intrusion")
    assert (intrusion["onset"], intrusion["duration"]) == (40.0, 5.0)
    events, _ = mne.events_from_annotations(raw, event_id={"Sleep stage W": 1, "Sleep stage R": 5}, verbose="error")
    assert events[:, 0].tolist() == [0, 900]


def test_intrusions_stand_in_luna_and_bids_beside_the_stages(tmp_path):
    night = make([2, 2, 2], intrusions=[(31.875, 3.75), (60.0, 15.0)])
    (annot,) = write_annot(night, tmp_path / "night")
    lines = [line.split("\t") for line in annot.read_text().splitlines()]
    assert lines[0] == ["class", "instance", "channel", "start", "stop", "meta"]
    assert ["arousal_like_intrusion", ".", ".", "31.875", "35.625", "."] in lines
    assert [e.onset_s for e in read_hypnogram(annot).annotations.events] == [31.875, 60.0]
    tsv, sidecar = write_events(night, tmp_path / "sub-01_task-sleep_eeg")
    assert tsv.name == "sub-01_task-sleep_desc-hypnoflow_events.tsv"
    events = pd.read_csv(tsv, sep="\t")
    assert events.values.tolist() == [
        [0, 90, "N2"],
        [31.875, 3.75, "arousal-like intrusion"],
        [60, 15, "arousal-like intrusion"],
    ]
    about = json.loads(sidecar.read_text())
    assert set(events["trial_type"]) <= set(about["trial_type"]["Levels"])
    assert about["StartTime"] == "2021-03-04T23:59:15"


@pytest.mark.parametrize("year", [1970, 2100])
def test_a_year_without_digits_in_edf_leaves_the_clock(tmp_path, year):
    start = START.replace(year=year)
    for write in (write_annotations, write_posteriors):
        (path,) = write(make([0, 1], start), tmp_path / "night")
        found = edfio.read_edf(path)
        assert found.starttime == START.time()
        with pytest.raises(edfio.AnonymizedDateError):
            _ = found.recording.startdate


def test_yasa_says_of_the_file_what_it_says_of_the_stages(tmp_path):
    stage = [0, 0, 1, 2, 2, 3, 3, 2, 4, 4, 0, 2, 2, 0]
    path, _ = write_yasa(make(stage), tmp_path / "night")
    found = yasa.Hypnogram.from_json(path).sleep_statistics()
    assert found["TST"] == 10 * 0.5
    assert found["SOL"] == 1.0
    assert found["WASO"] == 0.5
    assert found["SE"] == pytest.approx(100 * 10 / 14, abs=1e-3)


def test_no_output_is_taken_for_the_expert_or_for_another_recording(tmp_path):
    night = make([0, 1, 2])
    recordings = [tmp_path / "night.edf", tmp_path / "SC4001E0.edf", tmp_path / "sub-01_eeg.edf"]
    written = [path for one in recordings for write in ALL for path in write(night, one.with_suffix(""))]
    assert find_hypnograms(recordings, written) == {}


def test_steps_are_named_by_their_length():
    assert [step_name(f) for f in (1, 4, 16, 30, 384, 3840)] == [
        *("30s", "7.5s", "1.875s", "1s", "0.078125s", "0.0078125s"),
    ]


def test_a_half_written_file_never_takes_the_place_of_a_whole_one(tmp_path, monkeypatch):
    (path,) = write_annotations(make([0, 1]), tmp_path / "night")
    before = path.read_bytes()
    replaceable(path)

    def torn(self, target):
        target.write_bytes(b"0")
        raise OSError("no space left on device")

    monkeypatch.setattr(edfio.Edf, "write", torn)
    with pytest.raises(OSError, match="no space"):
        write_annotations(make([4, 4]), tmp_path / "night")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_own_reader_opens_the_posteriors(tmp_path):
    (path,) = write_posteriors(make([0, 9, 3]), tmp_path / "night")
    file = EdfFile(path)
    assert file.start == START
    assert file.duration_s == 90
    assert np.allclose(file.read("PP_N3")[60:].mean(), 0.68, atol=0.05)
