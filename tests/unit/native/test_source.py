"""Files of somebody else: what is read is what was opened; names and links in them lead nowhere else."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat
from tests import faults
from tests.formats.signals import FORMATS, through_mne
from tests.nights import write_night

from hypnoflow.errors import RecordingError
from hypnoflow.native import _edf_columns
from hypnoflow.native._hdf5 import check_whole
from hypnoflow.native.annotations.hypnogram import read_hypnogram
from hypnoflow.native.annotations.ids import read_ids
from hypnoflow.native.annotations.isruc import read_epochs
from hypnoflow.native.annotations.nsrr_xml import read_nsrr_xml
from hypnoflow.native.dcsm import DcsmFile
from hypnoflow.native.dod import DodFile
from hypnoflow.native.edf import EdfFile
from hypnoflow.native.mne import MneFile
from hypnoflow.native.signals import files_of, snapshot
from hypnoflow.native.wfdb import WfdbFile

# What is opened, by which reader, and the file that holds the samples.
READERS = {
    "EDF": (EdfFile, "a.edf", "a.edf"),
    "EDF+D": (EdfFile, "a.edf", "a.edf"),
    "BDF": (EdfFile, "a.bdf", "a.bdf"),
    "WFDB signals": (WfdbFile, "a.hea", "a.mat"),
    "DOD HDF5": (DodFile, "a.h5", "a.h5"),
    "DCSM HDF5": (DcsmFile, "psg.h5", "psg.h5"),
    "BrainVision vhdr": (MneFile, "night.vhdr", "night.eeg"),
    "EEGLAB set": (MneFile, "night.set", "night.set"),
    "FIF fif": (MneFile, "night_raw.fif", "night_raw.fif"),
    "GDF gdf": (MneFile, "night.gdf", "night.gdf"),
}


def write(kind, folder):
    for name, raw in FORMATS[kind].make().items():
        (folder / name).write_bytes(raw)


def cut(path):
    os.truncate(path, path.stat().st_size * 2 // 3)


def touch(path):
    os.utime(path, ns=(0, 0))


# --- what changes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    ("harm", "said"),
    [(cut, "was cut off while it was read"), (touch, "was changed while"), (Path.unlink, "vanished while")],
)
def test_a_file_that_is_not_what_was_opened_is_not_read(tmp_path, kind, harm, said):
    reader, name, samples = READERS[kind]
    write(kind, tmp_path)
    file = reader(tmp_path / name)
    harm(tmp_path / samples)
    for read in (file.read, file.samples):
        with pytest.raises(RecordingError, match=said) as caught:
            read(file.labels[0])
        assert caught.value.path == tmp_path / samples
        assert "run again" in caught.value.hint


def test_annotations_of_a_file_that_was_cut_off_are_not_read(tmp_path):
    write("EDF+D", tmp_path)
    file = EdfFile(tmp_path / "a.edf")
    cut(tmp_path / "a.edf")
    with pytest.raises(RecordingError, match="was cut off while it was read"):
        file.annotations()


TRUNCATED = """
import sys
from pathlib import Path
from hypnoflow.errors import RecordingError
from hypnoflow.native.edf import EdfFile
file = EdfFile(Path(sys.argv[1]))
print("open", flush=True)
try:
    while True:
        for label in file.labels:
            file.samples(label)
except RecordingError as error:
    sys.exit(str(error))
"""


def test_a_process_that_reads_a_file_which_another_cuts_off_says_so_and_lives(tmp_path, rng):
    path = write_night(tmp_path / "a.edf", rng, seconds=3000)
    size = path.stat().st_size
    words = [sys.executable, "-c", TRUNCATED, str(path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    os.truncate(path, size // 2)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"was cut off while it was read: {size} bytes were there when it was opened, {size // 2} now" in said
    assert str(path) in said


def test_a_snapshot_tells_which_file_changed(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name, encoding="utf-8")
    before = snapshot([tmp_path / name for name in "abc"])
    before.check()
    (tmp_path / "b").write_text("longer", encoding="utf-8")
    with pytest.raises(RecordingError, match="1 bytes were there when it was opened, 6 now") as caught:
        before.check()
    assert caught.value.path == tmp_path / "b"


def test_a_pipe_or_a_folder_is_no_recording(tmp_path):
    os.mkfifo(tmp_path / "pipe.edf")  # whoever opens it waits for ever
    (tmp_path / "folder.edf").mkdir()
    for name in ("pipe.edf", "folder.edf"):
        with pytest.raises(RecordingError, match="it is no file"):
            EdfFile(tmp_path / name)


# --- what fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", range(4))
def test_a_disk_that_fails_at_any_block_is_named_with_its_number(tmp_path, rng, block):
    path = write_night(tmp_path / "a.edf", rng)
    file = EdfFile(path)
    _, remove = faults.install("a.edf", "EIO", block)
    try:
        with pytest.raises(RecordingError, match=r"cannot be read: Input/output error \(errno 5\)") as caught:
            file.samples("C3-M2")
    finally:
        remove()
    assert caught.value.path == path
    assert "disk" in caught.value.hint
    assert len(file.samples("C3-M2").values) == 150 * 100  # and once the disk is sound again, it is read


def test_annotation_files_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("0,30,W\n", encoding="utf-8")

    def fail(*args, **kwargs):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for name in ("open", "read_text", "read_bytes"):
        monkeypatch.setattr(Path, name, fail)
    for read in (read_hypnogram, read_ids, read_epochs):
        with pytest.raises(RecordingError, match=r"cannot be read: Input/output error \(errno 5\)") as caught:
            read(path)
        assert caught.value.path == path


# --- several signals in one pass -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["EDF", "EDF+D", "BDF"])
@pytest.mark.parametrize("held", [1, 700, 2**20])
@pytest.mark.parametrize("skip", [1, 2**15])
def test_what_is_read_does_not_depend_on_what_was_expected(tmp_path, monkeypatch, kind, held, skip):
    write(kind, tmp_path)
    path = tmp_path / READERS[kind][1]
    alone = {label: EdfFile(path).read(label) for label in EdfFile(path).labels}
    monkeypatch.setattr(_edf_columns, "HELD_BYTES", held)
    monkeypatch.setattr(_edf_columns, "WORTH_SKIPPING", skip)
    monkeypatch.setattr(_edf_columns, "BLOCK_BYTES", 300)
    monkeypatch.setattr(_edf_columns, "PART_BYTES", 400)
    file = EdfFile(path)
    file.expect([*alone, file.labels[-1], "no such signal"])
    for label in (*reversed(alone), file.labels[-1], file.labels[0]):
        np.testing.assert_array_equal(file.read(label), alone[label])


def test_a_signal_that_is_wanted_twice_is_two_arrays(tmp_path):
    write("EDF", tmp_path)
    file = EdfFile(tmp_path / "a.edf")
    file.expect(["EEG C3", "EEG C3"])
    one, two = file.samples("EEG C3").values, file.samples("EEG C3").values
    assert not np.shares_memory(one, two)
    np.testing.assert_array_equal(one, two)


def test_signals_that_are_expected_are_read_in_one_pass(tmp_path, rng):
    path = write_night(tmp_path / "a.edf", rng, labels=("C3-M2", "C4-M1", "E1-M2", "E2-M1"))
    file = EdfFile(path)
    count, remove = faults.install("a.edf", "none", 0)
    try:
        file.expect(file.labels)
        first = count()
        for label in file.labels:
            file.samples(label)
    finally:
        remove()
    assert count() == first == 8  # 120 KB in blocks of 16 KiB


# --- HDF5 that leads elsewhere -------------------------------------------------------------------------------


def external_link(folder):
    return h5py.ExternalLink(str(folder / "other.h5"), "x"), "link into another file.*'x'.*other.h5"


def soft_link(folder):
    return h5py.SoftLink("/elsewhere/x"), "soft link, to '/elsewhere/x'"


@pytest.mark.parametrize("link", [external_link, soft_link])
@pytest.mark.parametrize(("kind", "place"), [("DCSM HDF5", "channels/SPO2"), ("DOD HDF5", "signals/eog/EOG1")])
@pytest.mark.parametrize("depth", [0, 1])
def test_a_link_that_leads_out_of_a_file_is_refused_by_name(tmp_path, link, kind, place, depth):
    reader, name, _ = READERS[kind]
    write(kind, tmp_path)
    target, said = link(tmp_path)
    place = place if depth == 0 else place.rpartition("/")[0]
    with h5py.File(tmp_path / "other.h5", "w") as other:
        node = other.create_group("x") if depth else other
        node["EOG1" if depth else "x"] = np.ones(1500)
        if depth:
            node["SPO2"] = np.ones(1500)
    with h5py.File(tmp_path / name, "a") as file:
        file["elsewhere/x"] = np.ones(1500)
        del file[place]
        file[place] = target
    with pytest.raises(RecordingError, match=said) as caught:
        reader(tmp_path / name)
    assert caught.value.path == tmp_path / name


def raw_storage(file, place, folder):
    (folder / "secret.bin").write_bytes(np.ones(1500).tobytes())
    file.create_dataset(place, (1500,), "f8", external=[(str(folder / "secret.bin"), 0, h5py.h5f.UNLIMITED)])


def virtual(file, place, folder):
    with h5py.File(folder / "secret.bin", "w") as other:
        other["x"] = np.ones(1500)
    layout = h5py.VirtualLayout((1500,), "f8")
    layout[:] = h5py.VirtualSource(str(folder / "secret.bin"), "x", (1500,))
    file.create_virtual_dataset(place, layout)


@pytest.mark.parametrize("make", [raw_storage, virtual])
@pytest.mark.parametrize(("kind", "place"), [("DCSM HDF5", "channels/SPO2"), ("DOD HDF5", "signals/eog/EOG1")])
def test_samples_that_lie_in_another_file_are_refused_by_its_name(tmp_path, make, kind, place):
    reader, name, _ = READERS[kind]
    write(kind, tmp_path)
    with h5py.File(tmp_path / name, "a") as file:
        del file[place]
        make(file, place, tmp_path)
    with pytest.raises(RecordingError, match=r"other file.*secret\.bin"):
        reader(tmp_path / name)


@pytest.mark.parametrize("make", [raw_storage, virtual])
def test_everything_in_a_matlab_7_3_file_is_looked_at(tmp_path, make):
    path = tmp_path / "night.set"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["EEG/srate"] = 100.0
    check_whole(path)
    with h5py.File(path, "a") as file:
        make(file, "EEG/data", tmp_path)
    with pytest.raises(RecordingError, match=r"secret\.bin"):
        MneFile(path)


# --- names that lead elsewhere -------------------------------------------------------------------------------

AWAY = ("../other/{name}", "{folder}/other/{name}", "sub/{name}", "..", "night.txt")


def place_elsewhere(kind, tmp_path, name):
    """Write a recording into `own`, and its samples also beside and below that folder."""
    for folder in (tmp_path / "own", tmp_path / "other", tmp_path / "own" / "sub"):
        folder.mkdir(parents=True, exist_ok=True)
        write(kind, folder)
    shutil.copy(tmp_path / "own" / name, tmp_path / "own" / "night.txt")
    return tmp_path / "own"


@pytest.mark.parametrize("away", AWAY)
@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("WFDB signals", "a.mat", "{}"),
        ("BrainVision vhdr", "night.eeg", "DataFile={}"),
        ("BrainVision vhdr", "night.vmrk", "MarkerFile={}"),
    ],
)
def test_a_header_that_names_a_file_elsewhere_is_refused(tmp_path, kind, name, key, away):
    own = place_elsewhere(kind, tmp_path, name)
    reader, opened, _ = READERS[kind]
    away = away.format(name=name, folder=tmp_path)
    text = (own / opened).read_text(encoding="utf-8")
    assert key.format(name) in text
    (own / opened).write_text(text.replace(key.format(name), key.format(away)), encoding="utf-8")
    for read in (reader, files_of):
        with pytest.raises(RecordingError, match="only a file of the recording's own folder") as caught:
            read(own / opened)
        assert repr(away) in caught.value.what
        assert caught.value.path == own / opened


@pytest.mark.parametrize("away", ["../other/night.fdt", "{folder}/other/night.fdt"])
def test_an_eeglab_file_that_names_samples_elsewhere_is_refused(tmp_path, away):
    own = place_elsewhere("EEGLAB set", tmp_path, "night.set")
    away = away.format(folder=tmp_path)
    eeg = loadmat(own / "night.set", simplify_cells=True)["EEG"]
    eeg["data"].T.astype("<f4").tofile(tmp_path / "other" / "night.fdt")
    savemat(own / "night.set", {"EEG": {**eeg, "data": away}}, appendmat=False)
    with pytest.raises(RecordingError, match="only a file of the recording's own folder") as caught:
        MneFile(own / "night.set")
    assert "other/night.fdt" in caught.value.what


def test_a_fif_file_that_names_its_next_part_elsewhere_is_refused(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    write("FIF fif", own)
    path = own / "night_raw.fif"
    raw, name = path.read_bytes(), b"../other/night_raw.fif"
    # A last tag of kind "name of another file" (118), of text (10); where it lies does not matter.
    tag = np.array([118, 10, len(name), -1], ">i4").tobytes() + name
    path.write_bytes(raw[:-16] + raw[-16:-4] + np.array([0], ">i4").tobytes() + tag)
    with pytest.raises(RecordingError, match=r"names '\.\./other/night_raw\.fif'"):
        MneFile(path)


@pytest.mark.parametrize("kind", ["WFDB signals", "BrainVision vhdr", "EEGLAB set", "FIF fif", "GDF gdf", "EDF"])
def test_links_that_the_user_placed_under_plain_names_are_followed(tmp_path, kind):
    store, own = tmp_path / "store", tmp_path / "own"
    store.mkdir()
    own.mkdir()
    write(kind, store)
    for i, path in enumerate(sorted(store.iterdir())):
        path.rename(store / f"key-{i}")
        (own / path.name).symlink_to(store / f"key-{i}")
    reader, name, samples = READERS[kind]
    file = reader(own / name)
    assert len(file.read(file.labels[0])) > 0
    assert own / samples in files_of(own / name)


def test_the_parts_of_a_split_fif_file_belong_to_it(tmp_path):
    import mne

    info = mne.create_info(["C3", "M2"], 1000.0, "eeg")
    raw = mne.io.RawArray(np.random.default_rng(1).normal(size=(2, 400_000)) * 1e-6, info, verbose="error")
    raw.save(tmp_path / "night_raw.fif", split_size="2MB", verbose="error")
    parts = sorted(tmp_path.iterdir())
    assert len(parts) > 1
    assert sorted(files_of(tmp_path / "night_raw.fif")) == parts
    assert len(MneFile(tmp_path / "night_raw.fif").read("C3")) == 400_000


def test_xml_that_asks_for_another_file_is_refused(tmp_path):
    (tmp_path / "secret.txt").write_text("Stage 2 sleep|2", encoding="utf-8")
    path = tmp_path / "a.xml"
    path.write_text(
        f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file://{tmp_path}/secret.txt">]><PSGAnnotation>'
        "<ScoredEvents><ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>&x;</EventConcept>"
        "<Start>0</Start><Duration>30</Duration></ScoredEvent></ScoredEvents></PSGAnnotation>",
        encoding="utf-8",
    )
    for read in (read_nsrr_xml, read_hypnogram):
        with pytest.raises(RecordingError, match="EntitiesForbidden"):
            read(path)


def test_the_formats_through_mne_are_all_tried():
    assert {kind.split()[0] for kind, (reader, *_) in READERS.items() if reader is MneFile} == {
        "BrainVision", "EEGLAB", "FIF", "GDF",
    }  # fmt: skip
    assert "night.vmrk" in through_mne("BrainVision")
