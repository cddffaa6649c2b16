"""Each kind of bad input costs one recording or one channel, and is named; nothing else is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
import xlwt
from scipy.io import loadmat, savemat

from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.errors import CohortError, RecordingError
from hypnoflow.harmonize.job import harmonize_shard
from hypnoflow.store.manifest import read_manifest
from hypnoflow.store.store import open_recording, read_stage, recordings
from hypnoflow.store.store_files import content_hash

# --- ways to damage a recording; each takes the cohort's folder and the recording's name ----------------------


def only(root, pattern):
    (path,) = root.rglob(pattern)
    return path


def edf(root, name):
    return only(root, f"{name}*-PSG.edf")


def overwrite(path, at, new):
    raw = bytearray(path.read_bytes())
    raw[at : at + len(new)] = new
    path.write_bytes(raw)


def header_number(path, at, width):
    return int(path.read_bytes()[at : at + width])


def truncate_edf(root, name):
    path = edf(root, name)
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])


def say_fewer_records(root, name):
    overwrite(edf(root, name), 236, b"7".ljust(8))


def say_more_records(root, name):
    overwrite(edf(root, name), 236, b"4321".ljust(8))


def rename_eeg_and_eog(root, name):
    for i in range(3):
        overwrite(edf(root, name), 256 + 16 * i, f"Mystery {i}".encode().ljust(16))


def replace_by_text(root, name):
    edf(root, name).write_text("<html>404: the download link has expired</html>")


def set_edf_signals(path, n_flat):
    """Hold the first `n_flat` signals of an EDF file at one value."""
    n_signals = header_number(path, 252, 4)
    at = 256 + n_signals * (16 + 80 + 8 + 8 + 8 + 8 + 8 + 80)
    samples = [header_number(path, at + 8 * i, 8) for i in range(n_signals)]
    raw = path.read_bytes()
    start = 256 * (n_signals + 1)
    records = np.frombuffer(raw[start:], "<i2").reshape(-1, sum(samples)).copy()
    records[:, : sum(samples[:n_flat])] = 5
    path.write_bytes(raw[:start] + records.tobytes())


def flatten_first_eeg(root, name):
    set_edf_signals(edf(root, name), 1)


def flatten_all_eeg_and_eog(root, name):
    set_edf_signals(edf(root, name), 3)


def blank_phys_channel(root, name):
    path = only(root, f"{name}.mat")
    val = loadmat(path)["val"]
    val[0] = -32768
    savemat(path, {"val": val}, format="4")


def blank_dodh_channel(root, name):
    with h5py.File(only(root, f"{name}.h5"), "a") as file:
        file["signals/eeg/C3_M2"][:] = np.nan


def unknown_stage_edf(root, name):
    path = only(root, f"{name}*-Hypnogram.edf")
    raw = path.read_bytes()
    assert b"Sleep stage W\x14" in raw
    path.write_bytes(raw.replace(b"Sleep stage W\x14", b"Sleep stage X\x14"))


def unknown_stage_xml(root, name):
    path = only(root, f"{name}-nsrr.xml")
    tree = ET.parse(path)
    concept = next(e for e in tree.iter("EventConcept") if e.text == "Wake|0")
    concept.text = "Drowsy|11"
    tree.write(path)


def lengthen_scorer(root, name):
    path = only(root, f"scorer_3/{name}.json")
    path.write_text(json.dumps([*json.loads(path.read_text()), *[0] * 10]))


def shorten_scorer(root, name):
    path = only(root, f"scorer_3/{name}.json")
    path.write_text(json.dumps(json.loads(path.read_text())[:-10]))


def cut_xml(root, name):
    path = only(root, f"{name}-nsrr.xml")
    path.write_text(path.read_text()[:-200])


def remove_hypnogram(root, name):
    only(root, f"{name}*-Hypnogram.edf").unlink()


def remove_stage_marks(root, name):
    only(root, f"{name}.arousal").write_bytes(b"")


@dataclass(frozen=True)
class Damage:
    """A damage that skips the recording; `said` must be in the reason, `blamed` in the name of the file."""

    cohort: str
    make: Callable[[Path, str], None]
    said: tuple[str, ...]
    blamed: str


SKIPPED = {
    "truncated EDF": Damage("sedf-sc", truncate_edf, ("longer than the signals", "the file holds"), "-PSG.edf"),
    "header says fewer": Damage("sedf-sc", say_fewer_records, ("header says 7 data records", "holds"), "-PSG.edf"),
    "not an EDF": Damage("sedf-sc", replace_by_text, ("EDF",), "-PSG.edf"),
    "no EEG, no EOG": Damage("sedf-sc", rename_eeg_and_eog, ("no EEG and no EOG", "Mystery 1"), "-PSG.edf"),
    "all EEG and EOG flat": Damage(
        "sedf-sc", flatten_all_eeg_and_eog, ("no usable EEG or EOG", "Pz-Oz: flat"), "-PSG.edf"
    ),
    "unmapped label, EDF+": Damage("sedf-sc", unknown_stage_edf, ("'Sleep stage X'", "Sleep stage W"), ".edf"),
    "unmapped label, XML": Damage("shhs", unknown_stage_xml, ("'Drowsy|11'", "Wake|0"), ""),
    "hypnogram too long": Damage("dodh", lengthen_scorer, ("300 s longer", "allows 60 s"), ""),
    "hypnogram too short": Damage("dodh", shorten_scorer, ("300 s shorter", "allows 60 s"), ""),
    "XML cut off": Damage("shhs", cut_xml, ("XML",), "-nsrr.xml"),
    "no hypnogram": Damage("sedf-sc", remove_hypnogram, ("no hypnogram",), "-PSG.edf"),
    "no stage marks": Damage("phys", remove_stage_marks, (), ".arousal"),
}


@pytest.fixture
def damaged(simulated, tmp_path):
    """Return a function: cohort, damage → (root, manifest, good recording, bad recording)."""

    def make(cohort, damage):
        root = tmp_path / cohort
        shutil.copytree(simulated(cohort), root)
        good, bad = index_cohort(cohort, root, 50)[0]["recording"]
        damage(root, bad)
        return root, index_cohort(cohort, root, 50)[0], good, bad

    return make


def harmonize(root, manifest, **options):
    """Return (QC rows by recording, store)."""
    store = root.parent / "harmonized" / "000.zarr"
    table = harmonize_shard(manifest, root, store, Harmonize(), **options)
    return table.set_index("recording"), store


@pytest.mark.parametrize("what", SKIPPED)
def test_a_bad_recording_is_skipped_and_named_and_the_good_one_is_kept(damaged, what):
    damage = SKIPPED[what]
    root, manifest, good, bad = damaged(damage.cohort, damage.make)
    qc, store = harmonize(root, manifest, on_error="skip")
    assert qc["status"].to_dict() == {good: "ok", bad: "skipped"}
    assert qc["reason"][bad]
    for words in damage.said:
        assert words in qc["reason"][bad]
    assert damage.blamed in qc["path"][bad]
    assert recordings(store) == [good]
    assert len(read_stage(store, good)) == qc["n_epochs"][good]
    assert [row["recording"] for row in json.loads(store.with_suffix(".json").read_text())["skipped"]] == [bad]


@pytest.mark.parametrize("what", SKIPPED)
def test_a_bad_recording_stops_the_job_with_cohort_recording_and_file_where_it_must(damaged, what):
    damage = SKIPPED[what]
    root, manifest, _, bad = damaged(damage.cohort, damage.make)
    only_bad = manifest[manifest["recording"] == bad]
    with pytest.raises(RecordingError) as caught:
        harmonize(root, only_bad, on_error="abort")
    message = str(caught.value)
    assert f"{damage.cohort}/{bad}: " in message
    (file,) = [line for line in message.splitlines() if line.startswith(f"  file: {root}")]
    assert damage.blamed in file
    for words in damage.said:
        assert words in message
    assert not (root.parent / "harmonized" / "000.zarr").exists()


@pytest.mark.parametrize(
    ("cohort", "make", "annotation"),
    [("sedf-sc", unknown_stage_edf, "-Hypnogram.edf"), ("shhs", unknown_stage_xml, "-nsrr.xml")],
)
def test_an_unmapped_label_is_blamed_on_the_file_that_holds_it(damaged, cohort, make, annotation):
    root, manifest, _, bad = damaged(cohort, make)
    qc, _ = harmonize(root, manifest)
    assert annotation in qc["path"][bad] + qc["reason"][bad]


def test_a_hypnogram_of_the_wrong_length_is_told_with_its_scorer(damaged):
    root, manifest, _, bad = damaged("dodh", shorten_scorer)
    qc, _ = harmonize(root, manifest)
    assert "scorer_3" in qc["path"][bad] + qc["reason"][bad]


def test_a_header_that_says_too_many_records_costs_nothing_and_is_told(damaged):
    root, manifest, good, bad = damaged("sedf-sc", say_more_records)
    qc, store = harmonize(root, manifest)
    assert qc["status"].to_dict() == {good: "ok", bad: "ok"}
    assert "header says 4321 data records, the file holds" in qc["warnings"][bad]
    assert qc["warnings"][good] == ""
    assert len(read_stage(store, bad)) == qc["n_epochs"][bad]


@pytest.mark.parametrize(
    ("cohort", "make", "label", "reason"),
    [
        ("sedf-sc", flatten_first_eeg, "Fpz-Cz", "flat"),
        ("phys", blank_phys_channel, "F3-M2", "100% of the samples are missing"),
        ("dodh", blank_dodh_channel, "C3-M2", "100% of the samples are missing"),
    ],
)
def test_a_dead_channel_is_dropped_with_its_reason_and_the_recording_kept(damaged, cohort, make, label, reason):
    root, manifest, good, bad = damaged(cohort, make)
    qc, store = harmonize(root, manifest, on_error="abort")
    assert qc["status"].to_dict() == {good: "ok", bad: "ok"}
    assert f"{label}: {reason}" in qc["dropped"][bad]
    assert label not in open_recording(store, bad)["eeg_channel"].values
    assert label in open_recording(store, good)["eeg_channel"].values
    assert label not in qc["dropped"][good]


def test_a_bad_neighbour_changes_not_one_byte_of_the_good_recording(damaged, simulated, tmp_path):
    root, manifest, good, _ = damaged("sedf-sc", truncate_edf)
    _, store = harmonize(root, manifest)
    whole = index_cohort("sedf-sc", simulated("sedf-sc"), 50)[0]
    harmonize_shard(whole, simulated("sedf-sc"), tmp_path / "whole" / "000.zarr", Harmonize())
    assert content_hash(store / good) == content_hash(tmp_path / "whole" / "000.zarr" / good)


def test_a_bad_recording_is_named_alike_when_recordings_run_in_processes(damaged):
    root, manifest, _, bad = damaged("sedf-sc", truncate_edf)
    with pytest.raises(RecordingError, match=rf"sedf-sc/{bad}: .*longer than the signals(?s:.*)file: {root}"):
        harmonize(root, manifest, threads=2, on_error="abort")


def test_more_skipped_than_allowed_fails_the_job_and_names_the_recording(damaged):
    root, manifest, _, bad = damaged("sedf-sc", truncate_edf)
    with pytest.raises(CohortError, match=rf"1 of 2 recordings skipped.*max_skipped(?s:.*){bad}: "):
        harmonize(root, manifest, max_skipped=0.4)
    assert not (root.parent / "harmonized" / "000.zarr").exists()


def test_as_many_skipped_as_allowed_is_no_failure(damaged):
    root, manifest, good, _ = damaged("sedf-sc", truncate_edf)
    assert recordings(harmonize(root, manifest, max_skipped=0.5)[1]) == [good]


def test_a_mended_recording_is_taken_in_and_the_finished_one_not_done_again(damaged, simulated):
    root, manifest, good, bad = damaged("sedf-sc", truncate_edf)
    with pytest.raises(CohortError):
        harmonize(root, manifest, max_skipped=0)
    (partial,) = (root.parent / "harmonized").glob(".000.zarr.*.partial")
    before = (partial / good).stat().st_ino
    shutil.copy(edf(simulated("sedf-sc"), bad), edf(root, bad))
    qc, store = harmonize(root, manifest, max_skipped=0)
    assert recordings(store) == [good, bad]
    assert (store / good).stat().st_ino == before


def test_a_finished_recording_whose_staging_is_distrusted_since_is_done_again(damaged, simulated):
    root, manifest, good, bad = damaged("sedf-sc", truncate_edf)
    with pytest.raises(CohortError):
        harmonize(root, manifest, max_skipped=0)
    shutil.copy(edf(simulated("sedf-sc"), bad), edf(root, bad))
    manifest.loc[manifest["recording"] == good, "staged"] = False
    _, store = harmonize(root, manifest, max_skipped=0)
    assert set(open_recording(store, good)["stage"].values) == {9}
    assert set(open_recording(store, bad)["stage"].values) > {0, 2}


def test_an_excluded_recording_is_named_and_neither_stops_the_job_nor_counts_as_a_failure(damaged):
    root, manifest, good, bad = damaged("sedf-sc", lambda *_: None)
    with pytest.raises(CohortError):
        harmonize(root, manifest, max_skipped=-1)  # which no shard keeps to: all is finished, and not put in place
    manifest.loc[manifest["recording"] == bad, "excluded"] = "montage unknown"
    qc, store = harmonize(root, manifest, on_error="abort", max_skipped=0)
    assert qc["status"].to_dict() == {good: "ok", bad: "skipped"}
    assert qc["reason"][bad] == "excluded: montage unknown"
    assert recordings(store) == [good]  # not even what a killed run had finished


# --- demographics and folders --------------------------------------------------------------------------------


def leave_first_row_only(root, _):
    """Rewrite SC-subjects.xls with the row of person 0 alone."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("SC_subjects")
    for line, row in enumerate([("subject", "night", "age", "sex (F=1)", "LightsOff"), (0, 1, 33, 1, 0.9)]):
        for column, cell in enumerate(row):
            sheet.write(line, column, cell)
    book.save(str(root / "SC-subjects.xls"))


def test_a_person_missing_from_the_demographics_is_kept_without_age_and_sex_and_told(damaged):
    root, manifest, good, bad = damaged("sedf-sc", leave_first_row_only)
    _, problems = index_cohort("sedf-sc", root, 50)
    rows = manifest.set_index("recording")
    assert (rows["age_y"][good], rows["sex"][good]) == (33, "female")
    assert np.isnan(rows["age_y"][bad])
    assert rows["sex"][bad] is None
    assert [p for p in problems if p.startswith(f"{bad}: no row in SC-subjects.xls")] == problems
    assert harmonize(root, manifest)[0]["status"].to_dict() == {good: "ok", bad: "ok"}


def command(*words):
    executable = Path(sys.executable).with_name("hypnoflow")
    return subprocess.run([executable, *map(str, words)], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def empty(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_an_empty_cohort_folder_gives_an_empty_manifest_and_says_why(empty, tmp_path):
    out = tmp_path / "index" / "sedf-sc.parquet"
    done = command("index", "sedf-sc", "--root", empty, "--out", out)
    assert done.returncode == 0, done.stderr
    assert len(read_manifest(out)) == 0
    about = json.loads(out.with_suffix(".json").read_text())
    assert about["recordings"] == []
    assert f"sedf-sc: no recording found in {empty}" in about["problem"]
    assert "no recording found" in done.stderr


def test_an_empty_cohort_folder_stops_the_index_with_one_message_where_it_must(empty, tmp_path):
    out = tmp_path / "index" / "sedf-sc.parquet"
    done = command("index", "sedf-sc", "--root", empty, "--out", out, "--on-error", "abort")
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1
    assert f"sedf-sc: no recording found in {empty}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_a_bad_recording_ends_the_command_with_one_message_and_no_traceback(damaged, tmp_path):
    root, _, _, bad = damaged("sedf-sc", truncate_edf)
    index, store = tmp_path / "sedf-sc.parquet", tmp_path / "h" / "000.zarr"
    assert command("index", "sedf-sc", "--root", root, "--out", index).returncode == 0
    where = ("--manifest", index, "--shard", "000", "--root", root, "--out", store)
    done = command("harmonize", *where, "--on-error", "abort")
    assert done.returncode == 1
    assert f"error: sedf-sc/{bad}: " in done.stderr
    assert "Traceback" not in done.stderr
