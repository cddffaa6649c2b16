"""Dreem Open Data, healthy: one HDF5 per night with twelve derivations, and five scorers' JSON lists."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

EEG = (
    "C3_M2", "F4_M1", "F3_F4", "F3_M2", "F4_O2", "F3_O1", "FP1_F3", "FP1_M2", "FP1_O1", "FP2_F4", "FP2_M1", "FP2_O2"
)  # fmt: skip
UNSCORED_SHARE = (0.012, 0.006, 0.004, 0.0, 0.004)  # scorers differ in how often they give up


class DodH:
    """Healthy adults in one laboratory; nothing is published about a person."""

    population = Population((18, 65), 0.75, 1.0, 0.5)
    rate_hz = 250.0
    mains_hz = 50.0

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return str(uuid.UUID(bytes=rng.bytes(16), version=4))

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        name, rate = recorder.visit.recording, int(self.rate_hz)
        scorers = [self._scorer(recorder, k) for k in range(5)]
        description = []
        root.mkdir(parents=True, exist_ok=True)
        with h5py.File(root / f"{name}.h5", "w") as file:
            for path, x in self._signals(recorder):
                rounded = np.round(x * 8) / 8  # an eighth of a microvolt, so that the file packs well
                # Not LZF: its output depends on memory it never set, and the same seed must give the same bytes.
                packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
                file.create_dataset(path, data=rounded.astype(np.float32), **packing)
                description.append({"path": path, "fs": rate, "unit": "uV"})
            file.create_dataset("hypnogram", data=self._majority(scorers).astype(np.int64))
            file.attrs["description"] = json.dumps(description)
            file.attrs["start_time"] = 1_600_000_000
        for k, stages in enumerate(scorers, start=1):
            path = root / "scorers" / "dodh" / f"scorer_{k}" / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(stages.tolist()))
        return {}

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        """No table of persons is published."""

    @staticmethod
    def _signals(recorder: Recorder) -> Any:
        fix = {"FP1": "Fp1", "FP2": "Fp2"}
        for label in EEG:
            plus, minus = (fix.get(e, e) for e in label.split("_"))
            yield f"signals/eeg/{label}", recorder.derivation(plus, minus)
        yield "signals/eog/EOG1", recorder.derivation("E1", "M2")
        yield "signals/eog/EOG2", recorder.derivation("E2", "M2")
        yield "signals/emg/EMG", recorder.chin()
        yield "signals/emg/ECG", recorder.ecg(recorder.rate_hz)

    @staticmethod
    def _scorer(recorder: Recorder, k: int) -> np.ndarray:
        stages = recorder.scored(f"scorer {k + 1}").astype(int)
        gave_up = recorder.rng("unscored", str(k)).random(len(stages)) < UNSCORED_SHARE[k]
        return np.where(gave_up, -1, stages)

    @staticmethod
    def _majority(scorers: list[np.ndarray]) -> np.ndarray:
        votes = np.stack([(np.stack(scorers) == code).sum(0) for code in range(5)])
        return np.where(votes.sum(0) > 0, votes.argmax(0), -1)


DIALECT = DodH()
