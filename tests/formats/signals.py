"""Recordings of every format that is read."""

from __future__ import annotations

import io
import json
import tempfile
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import wfdb
from scipy.io import savemat

from hypnoflow.native.annotations.challenge2018 import read_challenge2018
from hypnoflow.native.bids import BidsFile
from hypnoflow.native.dcsm import DcsmFile
from hypnoflow.native.dod import DodFile
from hypnoflow.native.edf import EdfFile
from hypnoflow.native.mne import MneFile
from hypnoflow.native.wfdb import WfdbFile
from tests.edf_bytes import Raw, Tals, edf_bytes
from tests.fuzzing import Files, Format, check_events, check_runs, check_signals
from tests.mne_files import WRITERS

# --- EDF and BDF ---------------------------------------------------------------------------------------------


def waves(records: int, samples: int) -> np.ndarray:
    return np.round(9000 * np.sin(0.1 * np.arange(records * samples))).astype(int).reshape(records, samples)


SIGNALS = [Raw(waves(6, 50), "EEG C3"), Raw(waves(6, 20), "EOG", "mV"), Raw(waves(6, 1), "SaO2", "%")]
HYPNOGRAM = {0: "+0\x1530\x14Sleep stage W\x14\0", 1: "+30\x1560\x14Sleep stage 2\x14\0"}


def edf() -> Files:
    return {"a.edf": edf_bytes(SIGNALS, record_s="10")}


def edf_annotations() -> Files:
    return {"a.edf": edf_bytes([Tals(["+0", "+0"], HYPNOGRAM)], record_s="0", reserved="EDF+C")}


def edf_gaps() -> Files:
    onsets = ["+0", "+10", "+20", "+95.5", "+105.5", "+3600"]
    return {"a.edf": edf_bytes([*SIGNALS, Tals(onsets, HYPNOGRAM)], record_s="10", reserved="EDF+D")}


def bdf() -> Files:
    tals = Tals([f"+{10 * i}" for i in range(6)], HYPNOGRAM, "BDF Annotations")
    return {"a.bdf": edf_bytes([*SIGNALS, tals], record_s="10", reserved="BDF+C", bdf=True)}


def read_edf(folder: Path) -> None:
    (path,) = folder.iterdir()
    file = EdfFile(path)
    if file.labels:
        check_signals(file)
        assert not any(np.isinf(file.read(label)).any() for label in file.labels)
    check_runs(file.annotations())


# --- WFDB ----------------------------------------------------------------------------------------------------

ANNOTATION_MARKS = {0: "W", 100: "(resp_hypopnea", 150: "resp_hypopnea)", 300: "N2", 400: "(arousal_rera"}


def wfdb_record() -> Files:
    x = waves(3, 600).astype(np.int16)
    mat = io.BytesIO()
    savemat(mat, {"val": x}, format="4")
    lines = ["a 3 10 600 22:30:00 24/04/1999"]
    for row, label, scale in zip(x, ("F3-M2", "ECG", "SaO2"), ("50/uV", "8000(-120)/mV", "100/%"), strict=True):
        checksum = (int(row.astype(int).sum()) + 32768) % 65536 - 32768
        lines.append(f"a.mat 16+24 {scale} 16 0 {row[0]} {checksum} 0 {label}")
    with tempfile.TemporaryDirectory() as folder:
        samples, notes = zip(*ANNOTATION_MARKS.items(), strict=True)
        symbols = ['"'] * len(notes)
        wfdb.wrann("a", "arousal", np.array(samples), symbols, aux_note=list(notes), fs=10, write_dir=folder)
        arousal = (Path(folder) / "a.arousal").read_bytes()
    return {"a.hea": "\n".join(lines).encode() + b"\n", "a.mat": mat.getvalue(), "a.arousal": arousal}


def read_wfdb(folder: Path) -> None:
    check_signals(WfdbFile(folder / "a.hea"))


def read_arousal(folder: Path) -> None:
    marks = read_challenge2018(folder / "a.arousal", 10, 60)
    check_runs(marks.scorers["expert"])
    check_events(marks.events)


# --- HDF5 ---------------------------------------------------------------------------------------------------


def dod() -> Files:
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        file.create_dataset("signals/eeg/C3_M2", data=waves(1, 1500)[0].astype(np.float32), **packing)
        file["signals/eog/EOG1"] = waves(1, 1500)[0] / 1000
        file["hypnogram"] = np.array([-1, 0, 2, 4])
        table = [{"path": p, "fs": 25, "unit": u} for p, u in (("signals/eeg/C3_M2", "uV"), ("signals/eog/EOG1", "mV"))]
        file.attrs["description"] = json.dumps(table)
        file.attrs["start_time"] = 1_600_000_000
    return {"a.h5": target.getvalue()}


def read_dod(folder: Path) -> None:
    file = DodFile(folder / "a.h5")
    check_signals(file)
    assert all(isinstance(code, int) for code in file.hypnogram())


def dcsm() -> Files:
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        file.create_dataset("channels/C3-M2", data=waves(1, 1500)[0].astype(np.float32), **packing)
        file["channels/SPO2"] = waves(1, 1500)[0] / 100
        file.attrs["sample_rate"] = 25
    return {"psg.h5": target.getvalue()}


def read_dcsm(folder: Path) -> None:
    check_signals(DcsmFile(folder / "psg.h5"))


# --- BrainVision, EEGLAB, FIF, GDF, and EEG-BIDS -------------------------------------------------------------


def through_mne(kind: str) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        WRITERS[kind](Path(folder), waves(3, 2000) / 90)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def read_mne(name: str, folder: Path) -> None:
    file = MneFile(folder / name)
    check_signals(file)
    check_runs(file.annotations())


def bids() -> Files:
    table = "name\ttype\tunits\tstatus\nEEG C3\tEEG\tuV\tgood\nEOG\tVEOG\tmV\tn/a\nSaO2\tMISC\t%\tbad\n"
    return {"sub-1_eeg.edf": edf()["a.edf"], "sub-1_channels.tsv": table.encode()}


def read_bids(folder: Path) -> None:
    file = BidsFile(folder / "sub-1_eeg.edf")
    assert not set(file.labels) & set(file.bad)
    assert set(file.types) <= set(file.labels)
    if file.labels:
        check_signals(file)


FORMATS = {
    "EDF": Format(edf, "a.edf", read_edf),
    "EDF+ annotations": Format(edf_annotations, "a.edf", read_edf),
    "EDF+D": Format(edf_gaps, "a.edf", read_edf),
    "BDF": Format(bdf, "a.bdf", read_edf),
    "WFDB header": Format(wfdb_record, "a.hea", read_wfdb),
    "WFDB signals": Format(wfdb_record, "a.mat", read_wfdb),
    "WFDB annotations": Format(wfdb_record, "a.arousal", read_arousal),
    "DOD HDF5": Format(dod, "a.h5", read_dod),
    "DCSM HDF5": Format(dcsm, "psg.h5", read_dcsm),
    "BIDS channels.tsv": Format(bids, "sub-1_channels.tsv", read_bids),
    **{
        f"{kind} {suffix}": Format(
            partial(through_mne, kind), f"{stem}.{suffix}", partial(read_mne, f"{stem}.{opened}"), believed=True
        )
        for kind, stem, suffix, opened in (
            ("BrainVision", "night", "vhdr", "vhdr"),
            ("BrainVision", "night", "vmrk", "vhdr"),
            ("EEGLAB", "night", "set", "set"),
            ("FIF", "night_raw", "fif", "fif"),
            ("GDF", "night", "gdf", "gdf"),
        )
    },
}
