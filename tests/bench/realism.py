"""How simulated nights look to a stager and to detectors that never saw the simulator; measured, not judged, here."""

from __future__ import annotations

import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import mne
import numpy as np
import yasa
from scipy.signal import butter, sosfiltfilt, welch

from hypnoflow.config.simulate import Simulate
from hypnoflow.night.truth import TRUTH_HZ, Truth
from hypnoflow.seeds import generator
from hypnoflow.simulate.persons import Population, draw_person
from hypnoflow.simulate.recorder import Recorder, Visit

W, N1, N2, N3, R = range(5)
STAGES = ("W", "N1", "N2", "N3", "R")
CODES = {"W": W, "WAKE": W, "N1": N1, "N2": N2, "N3": N3, "R": R, "REM": R}
RATE_HZ = 100.0  # YASA resamples to this
FEATURES = ("eeg_abspow", "eeg_beta", "eeg_theta", "eeg_alpha", "eeg_sigma", "eog_abspow", "emg_nzc")


@dataclass(frozen=True, slots=True)
class Measured:
    """One night: true and found stages, YASA's features, events found per epoch, share of each epoch in slow waves."""

    age_y: float
    truth: np.ndarray
    found: np.ndarray
    features: dict[str, np.ndarray]
    spindles: np.ndarray
    slow_waves: np.ndarray
    slow_share: np.ndarray


def measured_nights(ages_y, seed: int, ahi_median_per_h: float = 3.0) -> list[Measured]:
    """Draw and measure one 8-h night of a person of each age, in two processes."""
    jobs = [(float(age_y), seed, number, ahi_median_per_h) for number, age_y in enumerate(ages_y)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(measured_night, jobs))


def recorded(age_y: float, seed: int, number: int, ahi_median_per_h: float = 3.0) -> Recorder:
    """Return a person's 8-h night from a good site; every other option is the default."""
    population = Population((age_y, age_y), 0.5, ahi_median_per_h, 0.6)
    person = draw_person(population, number, generator(seed, "person", number))
    options = Simulate(night_h=8.0, bad_site_share=0.0)
    return Recorder(Visit("realism", f"night{number}", person, 1), options, seed, RATE_HZ, 50.0)


def measured_night(job: tuple[float, int, int, float]) -> Measured:
    recorder = recorded(*job)
    eeg, eog, emg = recorder.derivation("C4", "M1"), recorder.derivation("E1", "M2"), recorder.chin()
    truth = majority(recorder.night.stage, 30)
    found, features = staged_by_yasa(eeg, eog, emg)
    return Measured(
        recorder.visit.person.age_y,
        truth,
        found,
        features,
        per_epoch(yasa.spindles_detect, eeg, len(truth)),
        per_epoch(yasa.sw_detect, eeg, len(truth)),
        slow_wave_share(recorder.derivation("F4", "M1")),
    )


def majority(stage: np.ndarray, seconds: int) -> np.ndarray:
    """Return the most frequent true stage of each stretch of `seconds`."""
    parts = stage.reshape(-1, seconds * TRUTH_HZ)
    return np.stack([(parts == code).sum(1) for code in range(5)]).argmax(0)


def staged_by_yasa(eeg, eog, emg) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    info = mne.create_info(["eeg", "eog", "emg"], RATE_HZ, ["eeg", "eog", "emg"], verbose="error")
    raw = mne.io.RawArray(np.stack([eeg, eog, emg]) * 1e-6, info, verbose="error")
    staging = yasa.SleepStaging(raw, eeg_name="eeg", eog_name="eog", emg_name="emg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its classifiers were pickled with an older scikit-learn
        predicted = staging.predict()
    table = staging.get_features()
    stages = np.array([CODES[str(stage)] for stage in getattr(predicted, "hypno", predicted)])
    return stages, {name: table[name].to_numpy() for name in FEATURES}


def per_epoch(detect, x: np.ndarray, epochs: int) -> np.ndarray:
    """Count what a YASA detector with its default settings finds in each 30-s epoch, whatever its stage."""
    hypno = np.full(len(x), N2)  # one stage throughout, so that the detector is blind to the truth
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = detect(x.astype(float), RATE_HZ, hypno=hypno, include=(N2,), verbose="error")
    starts = [] if result is None else result.summary()["Start"].to_numpy()
    return np.bincount((np.asarray(starts) // 30).astype(int), minlength=epochs)[:epochs]


def slow_wave_share(x: np.ndarray) -> np.ndarray:
    """Return the share of each epoch that lies in slow waves as the AASM manual means them.

    Band-pass 0.3-4 Hz without phase shift (Butterworth, order 2); a wave runs from one downward zero crossing to the
    next, and is slow when it lasts 0.5 to 2 s (0.5-2 Hz) and measures more than 75 uV from peak to peak.
    """
    y = sosfiltfilt(butter(2, (0.3, 4.0), "bandpass", fs=RATE_HZ, output="sos"), x)
    down = np.flatnonzero((y[:-1] >= 0) & (y[1:] < 0)) + 1
    length_s = np.diff(down) / RATE_HZ
    size = np.maximum.reduceat(y, down)[:-1] - np.minimum.reduceat(y, down)[:-1]
    slow = (length_s >= 0.5) & (length_s <= 2.0) & (size > 75)
    inside = np.zeros(len(y))
    for start, stop in zip(down[:-1][slow], down[1:][slow], strict=True):
        inside[start:stop] = 1
    return inside.reshape(-1, int(30 * RATE_HZ)).mean(1)


# --- hypnograms --------------------------------------------------------------------------------------------------


def hypnogram_measures(night: Truth) -> dict[str, float]:
    """Read a night as a sleep laboratory does: 30-s epochs, AASM definitions; transitions also at 5 s."""
    epochs, fine = majority(night.stage, 30), majority(night.stage, 5)
    asleep = epochs != W
    tst_min, onset = asleep.sum() / 2, int(asleep.argmax())
    return {
        "tst_min": tst_min,
        "efficiency_percent": 100 * asleep.mean(),
        "waso_min": (~asleep[onset:]).sum() / 2,
        "latency_min": onset / 2,
        "arousals_per_h": sum(event.kind == "arousal" for event in night.events) / tst_min * 60,
        "n1_percent": 100 * (epochs == N1).sum() / asleep.sum(),
        "transitions_30_s_per_min": np.count_nonzero(np.diff(epochs)) / (len(epochs) / 2),
        "transitions_5_s_per_min": np.count_nonzero(np.diff(fine)) / (len(fine) / 12),
    }


# --- finer than 30 s ---------------------------------------------------------------------------------------------


def fine_features(recorder: Recorder, step_s: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return log band powers of C4-M1 and E1-M2 in steps of `step_s` with both neighbours, and the true stages."""
    columns = []
    for x in (recorder.derivation("C4", "M1"), recorder.derivation("E1", "M2")):
        f, p = welch(x.reshape(-1, int(step_s * RATE_HZ)), RATE_HZ, nperseg=int(2 * RATE_HZ))
        edges = ((0.4, 2), (2, 4), (4, 8), (8, 12), (12, 16), (16, 30), (30, 45))
        columns += [np.log(p[:, (f >= low) & (f < high)].mean(1)) for low, high in edges]
    now = np.stack(columns, 1)
    return np.hstack([np.roll(now, 1, 0), now, np.roll(now, -1, 0)]), majority(recorder.night.stage, step_s)


# --- breathing ---------------------------------------------------------------------------------------------------


def apnea_signs(recorder: Recorder) -> dict[str, float]:
    """Return the shares of respiratory events that a scorer would see in the flow, the oximeter and the arousals.

    Flow: root mean square inside an apnea below 10 % (a hypopnea: 70 %) of the 60 s before, the AASM's drops;
    oximeter: a fall by 3 % or more within 45 s after the event's end; arousal: one that begins within 5 s of the end.
    """
    flow, spo2 = recorder.breathing(10)["airflow"], recorder.spo2(1)
    arousals = np.array([e.onset_s for e in recorder.night.events if e.kind == "arousal"])
    seen: dict[str, list[bool]] = {"flow": [], "oxygen": [], "arousal": []}
    for event in recorder.night.events:
        if event.kind == "hypopnea" or event.kind.startswith("apnea"):
            start, end = event.onset_s, event.onset_s + event.duration_s
            inside = flow[int(10 * start + 10) : int(10 * end - 10)]
            before = flow[int(10 * max(start - 60, 0)) : int(10 * start)]
            drop = 0.7 if event.kind == "hypopnea" else 0.1
            seen["flow"].append(bool(inside.std() < drop * before.std()))
            dip = spo2[int(start) : int(end) + 45]
            seen["oxygen"].append(bool(spo2[int(max(start - 30, 0)) : int(start) + 5].max() - dip.min() >= 3))
            seen["arousal"].append(bool((np.abs(arousals - end) < 5).any()))
    return {sign: float(np.mean(values)) for sign, values in seen.items()}
