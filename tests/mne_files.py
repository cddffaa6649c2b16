"""Small files of the formats that are read through MNE, written by hand, by scipy and by MNE."""

from __future__ import annotations

import struct
from datetime import datetime

import mne
import numpy as np
from scipy.io import savemat

RATE_HZ = 100
LABELS = ["C3", "M2", "E1"]


def write_brainvision(folder, x_uv, unit="µV"):
    """Write the three files of BrainVision Core Data Format 1.0 with a resolution of 0.5."""
    (folder / "night.eeg").write_bytes((x_uv / 0.5).T.astype("<i2").tobytes())
    channels = "\n".join(f"Ch{i + 1}={label},,0.5,{unit}" for i, label in enumerate(LABELS))
    (folder / "night.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=night.eeg\n"
        "MarkerFile=night.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=3\n"
        f"SamplingInterval={1e6 / RATE_HZ:g}\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n{channels}\n"
    )
    (folder / "night.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=night.eeg\n"
        "[Marker Infos]\nMk1=New Segment,,1,1,0,20200102233000000000\nMk2=Comment,Sleep stage N2,501,100,0\n"
    )
    return folder / "night.vhdr"


def write_eeglab(folder, x_uv):
    """Write an EEGLAB data set with its samples inside."""
    chanlocs = np.array([(label,) for label in LABELS], dtype=[("labels", object)])
    events = np.array(
        [("Sleep stage N2", 501.0, 100.0)], dtype=[("type", object), ("latency", "f8"), ("duration", "f8")]
    )
    eeg = {
        "setname": "night", "data": x_uv.astype(np.float32), "srate": float(RATE_HZ), "nbchan": 3.0, "trials": 1.0,
        "pnts": float(x_uv.shape[1]), "xmin": 0.0, "xmax": x_uv.shape[1] / RATE_HZ, "chanlocs": chanlocs,
        "event": events, "epoch": np.array([]), "icawinv": np.array([]), "icasphere": np.array([]),
        "icaweights": np.array([]),
    }  # fmt: skip
    savemat(folder / "night.set", {"EEG": eeg}, appendmat=False)
    return folder / "night.set"


def write_fif(folder, x_uv):
    """Write FIF with MNE."""
    raw = mne.io.RawArray(x_uv * 1e-6, mne.create_info(LABELS, RATE_HZ, ["eeg", "eeg", "eog"]), verbose="error")
    raw.set_meas_date(datetime.fromisoformat("2020-01-02T23:30:00+00:00"))
    raw.set_annotations(mne.Annotations([5.0], [1.0], ["Sleep stage N2"], orig_time=raw.info["meas_date"]))
    raw.save(folder / "night_raw.fif", verbose="error")
    return folder / "night_raw.fif"


def write_gdf(folder, x_uv):
    """Write GDF 1.25 (Schloegl 1998): EDF's layout with binary numbers; one record per second of int16."""
    n, seconds = len(LABELS), x_uv.shape[1] // RATE_HZ
    head = b"GDF 1.25" + b"someone".ljust(80) + b"a night".ljust(80) + b"2020010223300000".ljust(16)
    head += struct.pack("<q", 256 * (n + 1)) + b"\0" * 8 + b"\0" * 8 + b"\0" * 8 + b" " * 20
    head += struct.pack("<qII", seconds, 1, 1) + struct.pack("<I", n)
    each = [
        b"".join(label.encode().ljust(16) for label in LABELS),
        b" " * 80 * n,
        b"uV      " * n,
        struct.pack("<3d", *[-1000.0] * n),
        struct.pack("<3d", *[1000.0] * n),
        struct.pack("<3q", *[-1000] * n),
        struct.pack("<3q", *[1000] * n),
        b" " * 80 * n,
        struct.pack("<3i", *[RATE_HZ] * n),
        struct.pack("<3i", *[3] * n),
        b" " * 32 * n,
    ]
    records = x_uv.reshape(n, seconds, RATE_HZ).transpose(1, 0, 2).astype("<i2").tobytes()
    path = folder / "night.gdf"
    no_events = struct.pack("<BBBBI", 1, RATE_HZ, 0, 0, 0)
    path.write_bytes(head + b"".join(each) + records + no_events)
    return path


WRITERS = {"BrainVision": write_brainvision, "EEGLAB": write_eeglab, "FIF": write_fif, "GDF": write_gdf}
