"""Signals of a simulated night that do not come from the brain: muscle, heart, breathing, oxygen, artefacts."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfilt

from hypnoflow.night.truth import TRUTH_HZ, Truth
from hypnoflow.simulate.night import poisson_onsets

# Chin EMG in W N1 N2 N3 R: tone from 10 to 50 Hz, and what is slower than about 3 Hz (electrode, breath, pulse).
# Chosen together so that 0.4-30 Hz crosses zero about as often as in real recordings, whose median is 310 in 30 s.
EMG_UV = np.array([8.0, 4.2, 3.2, 2.6, 1.4])
EMG_SLOW_UV = np.array([12.0, 10.5, 10.0, 10.0, 9.5])
HEART_PER_MIN = np.array([68.0, 64.0, 60.0, 58.0, 64.0])
BREATHS_PER_MIN = np.array([15.0, 14.5, 14.0, 13.5, 15.5])
MOVEMENTS_PER_MIN = np.array([0.5, 0.04, 0.04, 0.04, 0.04])


def chin_emg(weights: np.ndarray, night: Truth, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Return chin EMG, shape (sample,), float32, uV: tone by stage, bursts in arousals, twitches in R."""
    n = int(round(night.duration_s * rate_hz))
    tone = np.sqrt(weights @ EMG_UV**2) * np.exp(0.2 * rng.standard_normal())
    for event in night.events:
        if event.kind == "arousal":
            tone[_truth_slice(event.onset_s, event.duration_s)] *= 1.6
    fast = sosfilt(butter(2, min(10 / (rate_hz / 2), 0.8), "high", output="sos"), rng.standard_normal(n, np.float32))
    slow = sosfilt(butter(2, 3 / (rate_hz / 2), output="sos"), rng.standard_normal(n, np.float32))
    slow_uv = np.sqrt(weights @ EMG_SLOW_UV**2) * np.exp(0.25 * rng.standard_normal())
    slow = slow / slow.std() * _stretch(slow_uv, rate_hz, n)
    # The muscle's noise is as dense at any rate; a faster file holds more of it.
    density = np.sqrt(max(rate_hz / 2 - 10, 1) / 40)
    x = fast / fast.std() * density * _stretch(tone, rate_hz, n) + slow
    for at in poisson_onsets(weights[:, 4] * 1.5, rng):
        length = int(rng.uniform(0.1, 0.4) * rate_hz)
        start = int(at * rate_hz)
        piece = x[start : start + length]
        piece += 15 * rng.standard_normal(len(piece)) * np.hanning(len(piece))
    return x.astype(np.float32)


def ecg(weights: np.ndarray, night: Truth, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Return an ECG lead, shape (sample,), float32, uV; the heart slows in apneas and quickens after them."""
    per_min = weights @ HEART_PER_MIN * np.exp(0.1 * rng.standard_normal())
    for event in night.events:
        if event.kind.startswith("apnea") or event.kind == "hypopnea":
            per_min[_truth_slice(event.onset_s, event.duration_s)] *= 0.93
            per_min[_truth_slice(event.onset_s + event.duration_s, 10)] *= 1.15
    variability = gaussian_filter1d(rng.standard_normal(len(per_min)), TRUTH_HZ)
    per_min = gaussian_filter1d(per_min, 2 * TRUTH_HZ) * (1 + 0.04 * variability / variability.std())
    beats = np.interp(
        np.arange(1, int(np.sum(per_min) / 60 / TRUTH_HZ)),
        np.cumsum(per_min) / 60 / TRUTH_HZ,
        np.arange(len(per_min)),
    )
    n = int(round(night.duration_s * rate_hz))
    spikes = np.zeros(n, np.float32)
    at = (beats / TRUTH_HZ * rate_hz).astype(int)
    spikes[at[at < n]] = 1
    t = np.arange(-0.3, 0.45, 1 / rate_hz)
    waves = (
        (-0.17, 0.025, 90),
        (-0.03, 0.010, -110),
        (0, 0.012, 1000),
        (0.03, 0.011, -230),
        (0.24, 0.045, 220),
    )
    beat = sum(size * np.exp(-0.5 * ((t - centre) / width) ** 2) for centre, width, size in waves)
    drift = gaussian_filter1d(rng.standard_normal(n // int(rate_hz) + 2), 3)
    x = np.convolve(spikes, np.asarray(beat, np.float32), mode="same")
    return (x + 60 * np.interp(np.arange(n) / rate_hz, np.arange(len(drift)), drift)).astype(np.float32)


def breathing(weights: np.ndarray, night: Truth, rate_hz: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return airflow, thorax and abdomen, each of shape (sample,), in arbitrary units around 1.

    Flow stops in apneas and halves in hypopneas; effort goes on, out of phase, in obstructive ones and stops in
    central ones.
    """
    per_min = weights @ BREATHS_PER_MIN * (1 + 0.03 * gaussian_filter1d(rng.standard_normal(len(weights)), 20))
    phase = 2 * np.pi * np.cumsum(per_min) / 60 / TRUTH_HZ
    flow, thorax, abdomen, paradox = (np.ones(len(phase)) for _ in range(4))
    for event in night.events:
        inside = _truth_slice(event.onset_s, event.duration_s)
        if event.kind == "hypopnea":
            flow[inside], thorax[inside], abdomen[inside] = 0.4, 0.6, 0.6
        elif event.kind.startswith("apnea"):
            flow[inside] = 0.03
            central = event.kind == "apnea_central"
            thorax[inside] = abdomen[inside] = 0.05 if central else 0.7
            paradox[inside] = 1.0 if central else -1.0
    n = int(round(night.duration_s * rate_hz))
    shapes = {"airflow": flow * np.sin(phase), "thorax": thorax * np.sin(phase - 0.3)}
    shapes["abdomen"] = abdomen * paradox * np.sin(phase - 0.4)
    noise = {name: 0.03 * rng.standard_normal(n) for name in shapes}
    return {name: (_stretch(x, rate_hz, n) + noise[name]).astype(np.float32) for name, x in shapes.items()}


def spo2(night: Truth, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Return oxygen saturation, shape (sample,), %, whole numbers as an oximeter shows."""
    seconds = int(night.duration_s) + 1
    level = 96.0 + 0.4 * gaussian_filter1d(rng.standard_normal(seconds), 60) * np.sqrt(60)
    for event in night.events:
        if event.kind == "desaturation":
            start, length = int(event.onset_s), max(int(event.duration_s), 6)
            dip = rng.uniform(3, 4 + length / 5) * np.hanning(length + 12)
            level[start : start + len(dip)] -= dip[: max(0, seconds - start)]
    n = int(round(night.duration_s * rate_hz))
    return np.round(np.interp(np.arange(n) / rate_hz, np.arange(seconds), np.clip(level, 60, 100))).astype(np.float32)


class Artefacts:
    """Movements that hit every channel at once, and the mains; one per night, applied channel by channel."""

    def __init__(self, weights: np.ndarray, night: Truth, factor: float, mains_hz: float, rng: np.random.Generator):
        self.mains_hz, self.mains_uv = mains_hz, float(rng.gamma(1.5, 0.6) * factor)
        per_min = weights @ MOVEMENTS_PER_MIN * factor
        for event in night.events:
            if event.kind == "arousal":
                per_min[_truth_slice(event.onset_s, event.duration_s)] += 6 * factor
        self.movements = [(float(at), float(rng.uniform(2, 9))) for at in poisson_onsets(per_min, rng)]

    def add(self, x: np.ndarray, rate_hz: float, rng: np.random.Generator, *, muscle_uv: float = 12.0) -> np.ndarray:
        """Add movement, mains and now and then a popping electrode to one channel, in place; returns it."""
        for at, length_s in self.movements:
            piece = x[int(at * rate_hz) : int((at + length_s) * rate_hz)]
            if len(piece) > 2:
                drift = np.cumsum(rng.standard_normal(len(piece)))
                drift -= np.linspace(drift[0], drift[-1], len(piece))
                shape = np.hanning(len(piece))
                piece += shape * (muscle_uv * rng.standard_normal(len(piece)) + 25 * drift / max(drift.std(), 1e-9))
        if rng.random() < 0.15:  # a drying electrode pops
            for at in rng.uniform(0, len(x), rng.poisson(20)).astype(int):
                length = min(int(0.6 * rate_hz), len(x) - at)
                x[at : at + length] += 150 * np.exp(-np.arange(length) / (0.15 * rate_hz))
        if self.mains_hz < rate_hz / 2:
            x += self.mains_uv * np.sin(2 * np.pi * self.mains_hz * np.arange(len(x)) / rate_hz)
        return x


class BadSite:
    """Faults of a badly kept laboratory; one per recording.

    Either every EEG or every EOG channel is spared, so that the recording can still be staged; each of the others is
    spoiled with a probability of `SPOILED_SHARE`, in one way. Kinds, shares and sizes are chosen.

    Attributes
    ----------
    fault : dict
        Channel name → one of `FAULTS`, or an empty string where the channel is as good as anywhere.
    """

    FAULTS = ("loose", "drift", "dead", "hum")
    SPOILED_SHARE = 0.6

    def __init__(self, mains_hz: float, rng: np.random.Generator):
        self.mains_hz = mains_hz
        self.spared = str(rng.choice(("eeg", "eog")))
        self.fault: dict[str, str] = {}

    def spoil(
        self, x: np.ndarray, channel: str, kind: str, rate_hz: float, file_hz: float, rng: np.random.Generator
    ) -> np.ndarray:
        """Spoil a channel of `kind` eeg, eog or emg, in place, or leave it; returns it.

        `x` is at `rate_hz`; a file that keeps it at `file_hz` may be too slow to hold hum, and then gets none.
        """
        faults = self.FAULTS if self.mains_hz < min(rate_hz, file_hz) / 2 else self.FAULTS[:-1]
        spoiled = kind != self.spared and rng.random() < self.SPOILED_SHARE
        fault = self.fault[channel] = str(rng.choice(faults)) if spoiled else ""
        if fault == "loose":
            for start_s in rng.uniform(0, len(x) / rate_hz, 2 + rng.poisson(6)):
                piece = x[int(start_s * rate_hz) : int((start_s + rng.uniform(60, 1200)) * rate_hz)]
                piece += 40 * rng.standard_normal(len(piece), np.float32) + _wander(len(piece), rate_hz, 200, 0.3, rng)
        elif fault == "drift":
            x += _wander(len(x), rate_hz, 250, 5, rng)
        elif fault == "dead":
            x[int(len(x) * rng.random() ** 3) :] = 0  # a third of them are dead nearly all night
        elif fault == "hum":
            t = np.arange(len(x)) / rate_hz
            x += (rng.uniform(30, 90) * np.sin(2 * np.pi * self.mains_hz * t)).astype(np.float32)
        return x


def _wander(n: int, rate_hz: float, rms_uv: float, width_s: float, rng: np.random.Generator) -> np.ndarray:
    """Return noise of `rms_uv` that is smooth over about `width_s`, shape (n,)."""
    coarse_hz = 4.0
    coarse = gaussian_filter1d(rng.standard_normal(int(n / rate_hz * coarse_hz) + 2), width_s * coarse_hz)
    coarse *= rms_uv / max(coarse.std(), 1e-9)
    return np.interp(np.arange(n) * (coarse_hz / rate_hz), np.arange(len(coarse)), coarse).astype(np.float32)


def _truth_slice(onset_s: float, duration_s: float) -> slice:
    return slice(int(onset_s * TRUTH_HZ), int((onset_s + duration_s) * TRUTH_HZ))


def _stretch(track: np.ndarray, rate_hz: float, n: int) -> np.ndarray:
    """Interpolate a track on the truth grid to `n` samples at `rate_hz`."""
    return np.interp(np.arange(n) * (TRUTH_HZ / rate_hz), np.arange(len(track)), track).astype(np.float32)
