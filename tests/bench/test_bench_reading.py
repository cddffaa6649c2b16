"""What it costs to open a cohort, beside opening each of its recordings."""

from __future__ import annotations

import json
import shutil
import time
import warnings

import numpy as np
import pandas as pd
import zarr

import hypnoflow

STORES, PER_STORE, EVENTS = 40, 50, 500


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def write_store(store):
    """Write recording 000-00 whole; the others of the store are in its gathered metadata only."""
    columns = {"onset_s": 30.0, "duration_s": 10.0, "kind": "arousal", "channel": "EEG", "source": "Arousal|Arousal ()"}
    attributes = {"recording": "000-00", "person": "p", "group": "g", "visit": "1", "simulated": True}
    attributes["events"] = {name: [value] * EVENTS for name, value in columns.items()}
    root = zarr.open_group(store, mode="w", zarr_format=3)
    group = root.create_group("000-00", attributes=attributes)
    facts = {"scale_factor": 0.001, "add_offset": 0.0, "rate_hz": 128, "channel": ["C3-M2"], "quality": [[]]}
    x = np.zeros((1, 30 * 128), np.int16)
    for kind in ("eeg", "eog", "emg", "ecg", "resp"):
        group.create_array(kind, data=x, dimension_names=(f"{kind}_channel", f"{kind}_time"), attributes=facts)
    group.create_array("stage", data=np.zeros(1, np.uint8), dimension_names=("epoch",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(store)
    about = json.loads((store / "zarr.json").read_text())
    first = about["consolidated_metadata"]["metadata"]
    about["consolidated_metadata"]["metadata"] = {
        key.replace("000-00", f"000-{i:02d}"): value for i in range(PER_STORE) for key, value in first.items()
    }
    (store / "zarr.json").write_text(json.dumps(about, indent=2))


def write_cohort(folder):
    """Write stores that differ in the names of their recordings."""
    row = {"cohort": "made", "status": "ok", "reason": "", "hint": "", "n_epochs": 1, "channels": "C3-M2 C4-M1 E1-M2"}
    write_store(folder / "000.zarr")
    about = (folder / "000.zarr" / "zarr.json").read_text()
    for i in range(STORES):
        store = folder / f"{i:03d}.zarr"
        if i:
            shutil.copytree(folder / "000.zarr" / "000-00", store / f"{i:03d}-00")
            (store / "zarr.json").write_text(about.replace("000-", f"{i:03d}-"))
        rows = [{**row, "recording": f"{i:03d}-{j:02d}"} for j in range(PER_STORE)]
        pd.DataFrame(rows).to_parquet(store.with_suffix(".qc.parquet"))
        store.with_suffix(".json").write_text("{}")


def test_opening_two_thousand_recordings_against_opening_each(tmp_path):
    write_cohort(tmp_path)
    hypnoflow.open_cohort(tmp_path / "000.zarr")  # warm up
    opened_s = seconds(lambda: hypnoflow.open_cohort(tmp_path))
    table_s = seconds(lambda: hypnoflow.open_cohort(tmp_path).table)
    some = [(tmp_path / f"{i:03d}.zarr", f"{i:03d}-00") for i in range(STORES)]
    each_s = seconds(lambda: [hypnoflow.open_recording(*one) for one in some]) * PER_STORE
    print(f"\n{STORES * PER_STORE} recordings in {STORES} stores, {EVENTS} events each, s:")
    print(f"opened as a cohort {opened_s:.2f}, with persons from the stores {table_s:.2f}; each of them {each_s:.1f}")
    print(f"the cohort costs {opened_s / each_s:.4f}, with persons {table_s / each_s:.4f}, of opening each")
    assert table_s < each_s
