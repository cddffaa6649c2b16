"""Dreem Open Data: one HDF5 per night with derivations, and five scorers' JSON lists."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hypnoflow.simulate.dialects._hdf5 import pack
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

ELECTRODES = {"FP1": "Fp1", "FP2": "Fp2"}  # names that the head model spells otherwise


class Dod:
    """Adults in one laboratory; nothing is published about a person.

    Parameters
    ----------
    part : str
        Name of the part: the folder of its scorers' lists.
    population : Population
        Who takes part.
    eeg : tuple of str
        Derivations, as the files spell them.
    unscored_share : tuple of float
        For each scorer the share of epochs that he or she gives up.
    """

    rate_hz = 250.0
    mains_hz = 50.0

    def __init__(
        self, part: str, population: Population, eeg: tuple[str, ...], unscored_share: tuple[float, ...]
    ) -> None:
        self.part, self.population, self.eeg, self.unscored_share = part, population, eeg, unscored_share

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return str(uuid.UUID(bytes=rng.bytes(16), version=4))

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        name, rate = recorder.visit.recording, int(self.rate_hz)
        scorers = [self._scorer(recorder, k) for k in range(len(self.unscored_share))]
        description = []
        root.mkdir(parents=True, exist_ok=True)
        with h5py.File(root / f"{name}.h5", "w") as file:
            for path, x in self._signals(recorder):
                pack(file, path, x)
                description.append({"path": path, "fs": rate, "unit": "uV"})
            file.create_dataset("hypnogram", data=_majority(scorers).astype(np.int64))
            file.attrs["description"] = json.dumps(description)
            file.attrs["start_time"] = 1_600_000_000
        for k, stages in enumerate(scorers, start=1):
            listed = root / "scorers" / self.part / f"scorer_{k}" / f"{name}.json"
            listed.parent.mkdir(parents=True, exist_ok=True)
            listed.write_text(json.dumps(stages.tolist()), encoding="utf-8")
        return {}

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        """No table of persons is published."""

    def _signals(self, recorder: Recorder) -> Iterator[tuple[str, np.ndarray]]:
        for label in self.eeg:
            plus, minus = (ELECTRODES.get(e, e) for e in label.split("_"))
            yield f"signals/eeg/{label}", recorder.derivation(plus, minus)
        yield "signals/eog/EOG1", recorder.derivation("E1", "M2")
        yield "signals/eog/EOG2", recorder.derivation("E2", "M2")
        yield "signals/emg/EMG", recorder.chin()
        yield "signals/emg/ECG", recorder.ecg(recorder.rate_hz)

    def _scorer(self, recorder: Recorder, k: int) -> np.ndarray:
        stages = recorder.scored(f"scorer {k + 1}").astype(int)
        gave_up = recorder.rng("unscored", str(k)).random(len(stages)) < self.unscored_share[k]
        return np.where(gave_up, -1, stages)


def _majority(scorers: list[np.ndarray]) -> np.ndarray:
    votes = np.stack([(np.stack(scorers) == code).sum(0) for code in range(5)])
    return np.where(votes.sum(0) > 0, votes.argmax(0), -1)
