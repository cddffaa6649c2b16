"""What it costs to open a cohort, beside opening each of its recordings."""

from __future__ import annotations

import json
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


def write_store(store, names):
    """Write one recording whole; the others of the store are in its gathered metadata only."""
    row = {"cohort": "made", "status": "ok", "reason": "", "hint": "", "n_epochs": 1, "channels": "C3-M2 C4-M1 E1-M2"}
    columns = {"onset_s": 30.0, "duration_s": 10.0, "kind": "arousal", "channel": "EEG", "source": "Arousal|Arousal ()"}
    attributes = {"person": "p", "group": "g", "visit": "1", "simulated": True}
    attributes["events"] = {name: [value] * EVENTS for name, value in columns.items()}
    root = zarr.open_group(store, mode="w", zarr_format=3)
    group = root.create_group(names[0], attributes={**attributes, "recording": names[0]})
    facts = {"scale_factor": 0.001, "add_offset": 0.0, "rate_hz": 128, "channel": ["C3-M2"], "quality": [[]]}
    x = np.zeros((1, 30 * 128), np.int16)
    for kind in ("eeg", "eog", "emg", "ecg", "resp"):
        group.create_array(kind, data=x, dimension_names=(f"{kind}_channel", f"{kind}_time"), attributes=facts)
    group.create_array("stage", data=np.zeros(1, np.uint8), dimension_names=("epoch",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(store)
    about = json.loads((store / "zarr.json").read_text())
    gathered = about["consolidated_metadata"]["metadata"]
    first = {key: value for key, value in gathered.items() if key.split("/")[0] == names[0]}
    for name in names[1:]:
        gathered |= {key.replace(names[0], name, 1): value for key, value in first.items()}
    (store / "zarr.json").write_text(json.dumps(about, indent=2))
    pd.DataFrame([{**row, "recording": name} for name in names]).to_parquet(store.with_suffix(".qc.parquet"))
    store.with_suffix(".json").write_text("{}")


def test_opening_two_thousand_recordings_against_opening_each(tmp_path):
    names = [[f"r{i:02d}{j:02d}" for j in range(PER_STORE)] for i in range(STORES)]
    for i, of_store in enumerate(names):
        write_store(tmp_path / f"{i:03d}.zarr", of_store)
    hypnoflow.open_cohort(tmp_path / "000.zarr")  # warm up
    opened_s = seconds(lambda: hypnoflow.open_cohort(tmp_path))
    table_s = seconds(lambda: hypnoflow.open_cohort(tmp_path).table)
    some = [(tmp_path / f"{i:03d}.zarr", of_store[0]) for i, of_store in enumerate(names)]
    each_s = seconds(lambda: [hypnoflow.open_recording(*one) for one in some]) * PER_STORE
    print(f"\n{STORES * PER_STORE} recordings in {STORES} stores, {EVENTS} events each, s:")
    print(f"opened as a cohort {opened_s:.2f}, with persons from the stores {table_s:.2f}; each of them {each_s:.1f}")
    print(f"the cohort costs {opened_s / each_s:.4f}, with persons {table_s / each_s:.4f}, of opening each")
    assert table_s < each_s
