"""`hypnoflow score` from end to end: what is written, what is said, and that one bad file stops nothing."""

from __future__ import annotations

import json
from datetime import datetime

import edfio
import pandas as pd
import pytest
import torch
import yasa
from tests.edf_bytes import Raw, edf_bytes
from tests.nights import noise, write_checkpoint, write_gapped, write_night
from typer.testing import CliRunner

from hypnoflow.checkpoints.checkpoint import Trained, save_checkpoint
from hypnoflow.cli import app
from hypnoflow.direct import nights as run
from hypnoflow.direct.nights import FORMATS, Wishes, score_inputs
from hypnoflow.direct.summary import score_and_report
from hypnoflow.errors import CohortError, ConfigError, HypnoflowError
from hypnoflow.models import build_model
from hypnoflow.score.infer import open_scorer
from hypnoflow.types import PREPROCESSING_VERSION

TABLES = Wishes(formats=("csv",))


def scored(patterns, scorer, out, wishes):
    """Return what became of each recording."""
    return list(score_inputs(patterns, scorer, out, wishes))


ENDINGS = (
    *("hypnogram_30s.csv", "hypnogram_1s.csv", "hypnodensity_30s.csv", "hypnodensity_1s.csv", "statistics.json"),
    *("hypnogram_30s.parquet", "hypnogram_1s.parquet", "hypnodensity_30s.parquet", "hypnodensity_1s.parquet"),
    *("scored.edf", "hypnodensity.edf", "scored.annot", "yasa.json", "yasa.txt", "png"),
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("net") / "net.pt")


@pytest.fixture(scope="module")
def scorer(checkpoint):
    return open_scorer([checkpoint], threads=1, device="cpu")


def call(*words):
    return CliRunner().invoke(app, ["score", *map(str, words)])


def test_all_formats_of_a_night_with_a_gap_say_the_same(tmp_path, rng, checkpoint):
    path = write_gapped(tmp_path / "night.edf", rng)
    out = tmp_path / "out"
    done = call(path, "--model", checkpoint, "--out", out, "--threads", "1")
    assert done.exit_code == 0, done.output
    bids = ["night_desc-hypnoflow_events.json", "night_desc-hypnoflow_events.tsv"]
    wanted = [*(f"night.{ending}" for ending in ENDINGS), *bids, "summary.csv", "summary.json"]
    assert sorted(p.name for p in out.iterdir()) == sorted(wanted)
    stages = pd.read_csv(out / "night.hypnogram_30s.csv")["stage"].tolist()
    # The gap from 100 to 180 s takes 20 s of the fourth epoch, and all of the fifth and sixth.
    assert [i for i, stage in enumerate(stages) if stage == "?"] == [3, 4, 5]
    marks = edfio.read_edf(out / "night.scored.edf")
    assert [a.text for a in marks.annotations if a.duration == 30] == [f"Sleep stage {s}" for s in stages]
    assert marks.startdatetime == datetime(1989, 4, 24, 23, 5, 7)
    assert edfio.read_edf(out / "night.hypnodensity.edf").startdatetime == marks.startdatetime
    words = yasa.Hypnogram.from_json(out / "night.yasa.json").hypno.tolist()
    assert [{"WAKE": "W", "REM": "R", "UNS": "?"}.get(word, word) for word in words] == stages
    events = pd.read_csv(out / bids[1], sep="\t")
    (gap,) = events[events["trial_type"] == "unscored"].itertuples()
    assert (gap.onset, gap.duration) == (90, 90)
    facts = json.loads((out / "night.statistics.json").read_text())
    assert facts["gaps_s"] == [[100, 180]]
    assert facts["unscored_min"] == 1.5
    assert facts["epochs"] == 10
    assert facts["channels"] == {"C3-M2": "C3-M2", "E1-M2": "E1-M2"}
    assert any("dropped C4-M1" in remark for remark in facts["remarks"])
    assert sorted([*facts["files"], "night.statistics.json", "summary.csv", "summary.json"]) == sorted(wanted)
    assert "1.5 min unscored" in done.output
    assert "1 scored" in done.output


def test_statistics_are_those_that_yasa_computes_of_the_same_night(tmp_path, rng, scorer):
    path = write_night(tmp_path / "night.edf", rng, seconds=900)
    (one,) = scored([str(path)], scorer, tmp_path / "out", Wishes(formats=("yasa",)))
    by_yasa = yasa.Hypnogram.from_json(tmp_path / "out" / "night.yasa.json").sleep_statistics()
    ours = {"TIB": "recording_min", "TST": "tst_min", "SE": "se_percent"}
    ours |= {"WAKE": "w_min", "N1": "n1_min", "N2": "n2_min", "N3": "n3_min", "REM": "r_min"}
    assert {name: one.facts[key] for name, key in ours.items()} == pytest.approx(
        {name: by_yasa[name] for name in ours}, abs=1e-3
    )


def test_one_bad_file_stops_nothing_is_said_and_makes_the_exit_code_one(tmp_path, rng, checkpoint):
    write_night(tmp_path / "in" / "a.edf", rng)
    write_night(tmp_path / "in" / "b.edf", rng, seconds=10)
    (tmp_path / "in" / "c.edf").write_bytes(b"no EDF at all")
    write_night(tmp_path / "in" / "d.edf", rng, labels=("Chin",))
    write_night(tmp_path / "in" / "e.edf", rng)
    out = tmp_path / "out"
    done = call(tmp_path / "in", "--model", checkpoint, "--out", out, "--formats", "csv")
    assert done.exit_code == 1
    assert {p.name.split(".")[0] for p in out.iterdir()} == {"a", "e", "summary"}
    assert "2 scored, 3 failed" in done.output
    table = pd.read_csv(out / "summary.csv", keep_default_na=False)
    errors = {source.rpartition("/")[2]: error for source, error in zip(table["source"], table["error"], strict=True)}
    assert [name for name, error in errors.items() if not error] == ["a.edf", "e.edf"]
    assert "less than one epoch" in errors["b.edf"]
    assert "no EEG and no EOG" in errors["d.edf"]


def test_what_nobody_foresaw_stops_that_file_alone(tmp_path, rng, scorer, monkeypatch):
    for name in ("a", "b"):
        write_night(tmp_path / f"{name}.edf", rng)
    draw = FORMATS["png"]

    def breaks(night, base):
        if night.name == "a":
            raise ZeroDivisionError("no such thing")
        return draw(night, base)

    monkeypatch.setitem(run.FORMATS, "png", breaks)
    bad, good = scored([str(tmp_path)], scorer, tmp_path / "out", Wishes(formats=("png",)))
    assert bad.error == "unforeseen ZeroDivisionError: no such thing"
    assert good.facts["files"] == ["b.png"]


def test_the_same_name_in_two_folders_gives_two_sets_of_files(tmp_path, rng, scorer):
    for folder in ("a", "b"):
        write_night(tmp_path / folder / "night.edf", rng)
    done = scored([f"{tmp_path}/*/night.edf"], scorer, tmp_path / "out", TABLES)
    assert not any(one.error for one in done)
    a, b = (pd.read_csv(tmp_path / "out" / folder / "night.hypnodensity_1s.csv") for folder in ("a", "b"))
    assert not a.equals(b)


def test_outputs_of_another_recording_of_that_name_are_never_overwritten(tmp_path, rng, scorer):
    paths = [write_night(tmp_path / folder / "night.edf", rng) for folder in ("a", "b")]
    out = tmp_path / "out"
    assert not scored([str(paths[0])], scorer, out, TABLES)[0].error
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    (second,) = scored([str(paths[1])], scorer, out, TABLES)
    assert "is of another recording of that name" in second.error
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_scoring_again_gives_the_same_files_in_the_same_place(tmp_path, rng, scorer):
    path = write_night(tmp_path / "night.edf", rng)
    wishes = Wishes(formats=tuple(name for name in FORMATS if name != "png"))
    scored([str(path)], scorer, tmp_path / "out", wishes)
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    scored([str(path)], scorer, tmp_path / "out", wishes)
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_outputs_beside_the_recordings_are_not_scored_as_recordings(tmp_path, rng, scorer):
    path = write_night(tmp_path / "night.edf", rng)
    for _ in range(2):
        (one,) = scored([str(tmp_path)], scorer, tmp_path, Wishes())
        assert one.source == str(path)
        assert not one.error


def test_a_channel_that_is_not_there_is_answered_with_those_that_are(tmp_path, rng, checkpoint):
    path = write_night(tmp_path / "night.edf", rng)
    done = call(path, "--model", checkpoint, "--out", tmp_path / "out", "--channels", "C4-M1")
    assert done.exit_code == 1
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert "no channel 'C4-M1'" in summary["error"][0]
    assert "the file has C3-M2, E1-M2" in summary["error"][0]


def test_resolutions_and_channels_are_those_wished_for(tmp_path, rng, checkpoint):
    path = write_night(tmp_path / "night.edf", rng)
    words = ("--channels", "E1-M2", "--resolution", "1/128s,15", "--formats", "parquet")
    done = call(path, "--model", checkpoint, "--out", tmp_path / "out", *words)
    assert done.exit_code == 0, done.output
    fine = pd.read_parquet(tmp_path / "out" / "night.hypnodensity_0.0078125s.parquet")
    assert len(fine) == 5 * 3840
    assert len(pd.read_parquet(tmp_path / "out" / "night.hypnogram_15s.parquet")) == 10
    facts = json.loads((tmp_path / "out" / "night.statistics.json").read_text())
    assert list(facts["channels"]) == ["E1-M2"]


@pytest.mark.parametrize("words", [("--resolution", "7s"), ("--formats", "doc"), ("--channels", ",")])
def test_a_wish_that_cannot_be_is_refused_before_anything_is_read(tmp_path, checkpoint, words):
    done = call(tmp_path / "gone.edf", "--model", checkpoint, "--out", tmp_path / "out", *words)
    assert isinstance(done.exception, ConfigError)
    assert words[0] in str(done.exception)


def test_a_wish_that_a_store_cannot_grant_is_refused_not_overheard(tmp_path, checkpoint):
    done = call(tmp_path / "000.zarr", "--model", checkpoint, "--out", tmp_path / "out", "--resolution", "1s")
    assert isinstance(done.exception, ConfigError)
    assert "a store is scored whole" in str(done.exception)


def test_no_recording_at_all_is_an_error(tmp_path, scorer):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(CohortError):
        scored([str(tmp_path / "gone.edf")], scorer, tmp_path / "out", TABLES)
    with pytest.raises(HypnoflowError):
        scored([str(tmp_path / "notes.txt")], scorer, tmp_path / "out", TABLES)


def test_a_folder_of_outputs_that_is_a_file_is_refused(tmp_path, rng, scorer):
    path = write_night(tmp_path / "night.edf", rng)
    with pytest.raises(ConfigError, match="--out names a folder"):
        score_and_report([str(path)], scorer, path, TABLES)


def test_simulated_nights_are_marked_as_such(tmp_path, rng, checkpoint):
    write_night(tmp_path / "cohort" / "night.edf", rng)
    (tmp_path / "cohort" / "SIMULATED.json").write_text("{}")
    done = call(tmp_path / "cohort", "--model", checkpoint, "--out", tmp_path / "out")
    assert "simulated" in done.output
    for name in ("scored", "hypnodensity"):
        about = edfio.read_edf(tmp_path / "out" / f"night.{name}.edf").recording
        assert (about.equipment_code, about.additional) == ("hypnoflow", ("simulated",))
    assert pd.read_csv(tmp_path / "out" / "summary.csv")["simulated"].tolist() == [True]
    assert json.loads((tmp_path / "out" / "night_desc-hypnoflow_events.json").read_text())["Simulated"] is True


def test_an_unknown_start_is_unknown_in_every_output(tmp_path, rng, scorer):
    signals = [Raw(noise(rng, 60), "C3-M2")]
    (tmp_path / "night.edf").write_bytes(edf_bytes(signals, date="99.99.99"))
    (one,) = scored([str(tmp_path / "night.edf")], scorer, tmp_path / "out", Wishes())
    assert one.error == ""
    assert one.facts["start"] is None
    assert yasa.Hypnogram.from_json(tmp_path / "out" / "night.yasa.json").start is None
    with pytest.raises(edfio.AnonymizedDateError):
        _ = edfio.read_edf(tmp_path / "out" / "night.scored.edf").recording.startdate


def test_an_intrusion_is_where_the_fine_stages_have_it(tmp_path, rng, scorer, monkeypatch):
    def staged(*args, **kwargs):
        done = original(*args, **kwargs)
        for codes in done.scores.stage.values():
            codes[:] = 2
        done.scores.stage[1][0] = 0
        done.scores.stage[16][:16] = 0
        done.scores.stage[16][40:43] = 0  # 5.6 s from 75 s on
        return done

    original = run.score_file
    monkeypatch.setattr(run, "score_file", staged)
    path = write_night(tmp_path / "night.edf", rng)
    (one,) = scored([str(path)], scorer, tmp_path / "out", Wishes(formats=("annot", "edf+")))
    assert one.facts["intrusions"] == 1
    assert one.facts["intrusions_per_h"] == pytest.approx(1 / (4 * 30 / 3600))
    assert "arousal_like_intrusion\t.\t.\t75\t80.625\t." in (tmp_path / "out" / "night.scored.annot").read_text()
    marks = edfio.read_edf(tmp_path / "out" / "night.scored.edf").annotations
    assert [(a.onset, a.duration) for a in marks if a.text == "arousal-like intrusion"] == [(75, 5.625)]


def test_a_network_of_30_s_writes_30_s_and_says_so_where_more_is_asked_of_it(tmp_path, rng):
    torch.manual_seed(2)
    model = build_model("ulw-sleepnet", channels=["eeg", "eog"])
    about = {"version": PREPROCESSING_VERSION, "clip_iqr": 20.0}
    trained = Trained("ulw", "ulw-sleepnet", model.options)
    save_checkpoint(tmp_path / "ulw.ckpt", trained, model.state_dict(), preprocessing=about, training={})
    write_night(tmp_path / "lab" / "night.edf", rng)
    words = ["score", str(tmp_path / "lab"), "--model", str(tmp_path / "ulw.ckpt"), "--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, [*words, "--resolution", "1s"])
    assert "scores 30-s epochs only" in str(refused.exception)
    assert not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"night.hypnogram_30s.csv", "night.hypnodensity_30s.csv", "night.scored.edf", "night.png"} <= made
    assert not any("_1s" in name for name in made)
    facts = json.loads((tmp_path / "out" / "night.statistics.json").read_text())
    assert (facts["epochs"], facts["intrusions"], facts["networks"]) == (5, None, ["ulw"])
    write_night(tmp_path / "other" / "eeg.edf", rng, labels=("C3-M2",))
    lacking = CliRunner().invoke(app, [words[0], str(tmp_path / "other"), *words[2:-1], str(tmp_path / "out2")])
    assert lacking.exit_code == 1
    assert (
        "no EOG channel is left"
        in lacking.output + str(lacking.exception) + (tmp_path / "out2/summary.csv").read_text()
    )


def test_what_the_config_says_of_quality_holds_for_plain_files_too(tmp_path, rng):
    write_night(tmp_path / "lab" / "night.edf", rng, labels=("C3-M2", "C4-M1"))
    checkpoint = write_checkpoint(tmp_path / "net.ckpt", PREPROCESSING_VERSION)
    words = ["score", str(tmp_path / "lab"), "--model", str(checkpoint), "--formats", "csv"]
    assert CliRunner().invoke(app, [*words, "--out", str(tmp_path / "a")]).exit_code == 0
    strict = json.dumps({"harmonize": {"quality": {"eeg_uv": [400.0, 500.0]}}})  # the noise is of 20 uV
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "b"), "--science", strict])
    assert done.exit_code == 1
    assert "no usable EEG or EOG" in (tmp_path / "b" / "summary.csv").read_text()


def test_a_table_of_splits_has_no_say_over_plain_files(tmp_path, rng, checkpoint):
    write_night(tmp_path / "lab" / "night.edf", rng)
    words = ["score", str(tmp_path / "lab"), "--model", str(checkpoint), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*words, "--split", str(tmp_path / "split.parquet")])
    assert done.exit_code == 1
    assert "--split says which recordings of a store" in str(done.exception)
    assert not (tmp_path / "out").exists()
