"""DCSM: one folder per night with HDF5 (and EDF) of 17 signals at one rate, and run-length stages in ``.ids``.

The HDF5 follows its public writer (perslev/psg-utils, ``to_h5_file``): the rate is an attribute of the file, the
channel's place one of its data set. Both EOGs are against M2.
"""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hypnoflow.simulate.dialect import Trace, runs, write_edf
from hypnoflow.simulate.dialects._hdf5 import pack
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

STAGES = ("W", "N1", "N2", "N3", "REM")
EDF_SHARE = 0.25  # real folders all hold psg.edf beside psg.h5; most simulated ones leave the copy out


class Dcsm:
    """Patients of a sleep clinic; nothing is published about a person."""

    population = Population((18, 85), 0.6, 12.0, 0.9)
    rate_hz = 256.0
    mains_hz = 50.0

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return "tp" + str(uuid.UUID(bytes=rng.bytes(16), version=4)).replace("-", "_")

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        rng = recorder.rng("dialect")
        folder = root / "dcsm_dataset" / recorder.visit.recording
        folder.mkdir(parents=True, exist_ok=True)
        start = dt.datetime(2016, 3, 1, 21, 0) + dt.timedelta(minutes=int(rng.integers(0, 180)))
        traces = self._traces(recorder)
        with h5py.File(folder / "psg.h5", "w") as file:
            for index, trace in enumerate(traces):
                pack(file, f"channels/{trace.label}", trace.x).attrs["channel_index"] = index
            file.attrs["date"] = start.replace(tzinfo=dt.UTC).timestamp()
            file.attrs["sample_rate"] = int(self.rate_hz)
        if rng.random() < EDF_SHARE:
            write_edf(folder / "psg.edf", traces, start=start, record_s=1)
        lines = [f"{onset:.0f},{duration:.0f},{stage}\n" for onset, duration, stage in runs(self._labels(recorder))]
        (folder / "hypnogram.ids").write_text("".join(lines), encoding="utf-8")
        return {}

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        """No table of persons is published."""

    def _traces(self, recorder: Recorder) -> list[Trace]:
        rate, breath = self.rate_hz, recorder.breathing(self.rate_hz)
        rng = recorder.rng("dialect", "legs")
        legs = {side: 4 * rng.standard_normal(len(breath["airflow"]), np.float32) for side in ("LAT", "RAT")}
        snore = 6 * np.abs(breath["airflow"]) * rng.standard_normal(len(breath["airflow"]), np.float32)

        def potential(label: str) -> Trace:
            plus, minus = label.split("-")
            return Trace(label, recorder.derivation(plus, minus), rate, span=1000)

        return [
            Trace("ABDOMEN", 100 * breath["abdomen"], rate),
            potential("C3-M2"),
            potential("C4-M1"),
            Trace("CHIN", recorder.chin(), rate),
            potential("E1-M2"),
            potential("E2-M2"),
            Trace("ECG-II", recorder.ecg(rate), rate, span=5000),
            potential("F3-M2"),
            potential("F4-M1"),
            Trace("LAT", legs["LAT"], rate),
            Trace("NASAL", 100 * breath["airflow"], rate),
            potential("O1-M2"),
            potential("O2-M1"),
            Trace("RAT", legs["RAT"], rate),
            Trace("SNORE", snore, rate),
            Trace("SPO2", recorder.spo2(rate), rate, unit="%", limits=(0, 100)),
            Trace("THORAX", 100 * breath["thorax"], rate),
        ]

    @staticmethod
    def _labels(recorder: Recorder) -> list[str]:
        rng = recorder.rng("dialect", "unknown")
        return ["UNKNOWN" if rng.random() < 0.01 else STAGES[stage] for stage in recorder.scored()]


DIALECT = Dcsm()
