"""Electrode potentials of a simulated night: noise whose spectrum follows the stage, and the events of sleep.

Each electrode is drawn in short overlapping frames: random phases under the spectrum that the stage asks for at
that moment, part of it shared by the whole head, part by its region, part its own. Spindles, K-complexes, vertex
and sawtooth waves and eye movements are placed one by one and reach each electrode through a gain.

The amplitudes were chosen so that an independent stager recognises the stages, that its features lie where those of
real nights lie, and that N3, hardly ever N2, meets the AASM's rule of slow waves (``tests/bench/test_realism.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft
from scipy.ndimage import gaussian_filter1d

from hypnoflow.night.truth import TRUTH_HZ, Truth
from hypnoflow.simulate.night import BORROWED, NEIGHBOUR, poisson_onsets
from hypnoflow.simulate.persons import Person

FRAME_S = 2.0  # frames overlap by half, so that an arousal of 3 s is resolved
TOP_HZ = 48.0  # nothing cerebral above; the amplifier's own noise is added when the file is written

# One-sided background spectrum 10**offset * f**-exponent, uV^2/Hz, in W N1 N2 N3 R.
# R falls off faster than N1 (Lendner et al. 2020, doi 10.7554/eLife.55092), which tells them apart in any one channel.
EXPONENT = np.array([1.25, 1.45, 1.75, 2.2, 1.75])
OFFSET = np.array([1.25, 1.42, 1.78, 2.2, 1.52])


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A spectral bump: centre and width, Hz; root-mean-square, uV, in W N1 N2 N3 R; gain by region. All chosen."""

    centre_hz: float
    width_hz: float
    rms_uv: tuple[float, float, float, float, float]
    frontal: float = 1.0
    central: float = 1.0
    posterior: float = 1.0


RHYTHMS = {
    "delta": Rhythm(0.9, 0.35, (0, 1.5, 4, 38, 0), 1.1, 1.0, 0.8),
    "theta": Rhythm(5.8, 1.2, (1.5, 4.6, 3.2, 4.5, 2.5), 1.0, 1.0, 0.9),
    "alpha": Rhythm(9.8, 0.9, (3.2, 1.6, 1.6, 1.6, 1.6), 0.7, 1.0, 1.6),
    "sigma": Rhythm(13.2, 0.9, (0.7, 0.7, 1.8, 1.4, 0.6), 0.9, 1.1, 0.7),
    "beta": Rhythm(20.0, 4.0, (1.8, 1.0, 0.8, 0.5, 1.0), 1.1, 1.0, 0.9),
}


@dataclass(frozen=True, slots=True)
class Electrode:
    """Where an electrode sits: its region, and how strongly the sources reach it."""

    region: str  # frontal, central, posterior
    background: float = 1.0
    eye_horizontal: float = 0.0
    eye_vertical: float = 0.0
    heart_uv: float = 0.0


ELECTRODES = {
    "Fpz": Electrode("frontal", 0.95, 0.0, 0.35),
    "Fp1": Electrode("frontal", 0.95, 0.12, 0.35),
    "Fp2": Electrode("frontal", 0.95, -0.12, 0.35),
    "F3": Electrode("frontal", 1.05, 0.05, 0.12),
    "F4": Electrode("frontal", 1.05, -0.05, 0.12),
    "F7": Electrode("frontal", 0.9, 0.25, 0.15),
    "F8": Electrode("frontal", 0.9, -0.25, 0.15),
    "Fz": Electrode("frontal", 1.05, 0.0, 0.12),
    "C3": Electrode("central", 1.0, 0.02, 0.04),
    "C4": Electrode("central", 1.0, -0.02, 0.04),
    "Cz": Electrode("central", 1.05, 0.0, 0.04),
    "T3": Electrode("central", 0.7, 0.06, 0.02),
    "T4": Electrode("central", 0.7, -0.06, 0.02),
    "T5": Electrode("posterior", 0.7),
    "T6": Electrode("posterior", 0.7),
    "P3": Electrode("posterior", 0.9),
    "P4": Electrode("posterior", 0.9),
    "Pz": Electrode("posterior", 0.95),
    "Oz": Electrode("posterior", 0.85),
    "O1": Electrode("posterior", 0.85),
    "O2": Electrode("posterior", 0.85),
    "M1": Electrode("posterior", 0.12, 0.0, 0.0, 2.0),
    "M2": Electrode("posterior", 0.12, 0.0, 0.0, -2.0),
    "E1": Electrode("frontal", 0.65, 1.0, 0.8),
    "E2": Electrode("frontal", 0.65, -1.0, -0.5),
    "PG1": Electrode("frontal", 0.12),
    "CLE": Electrode("posterior", 0.1),  # linked ears, computed or through resistors: the heart cancels
    "LER": Electrode("posterior", 0.1),
}
REGION_SHARE = (0.55, 0.25, 0.20)  # variance shared by the head, shared by the region, own
REGION_GAIN = {
    "spindle": {"frontal": 0.75, "central": 1.0, "posterior": 0.5},
    "k_complex": {"frontal": 1.0, "central": 0.85, "posterior": 0.45},
    "vertex": {"frontal": 0.5, "central": 1.0, "posterior": 0.4},
    "sawtooth": {"frontal": 0.7, "central": 1.0, "posterior": 0.4},
}


class HeadModel:
    """All electrodes of one night at one rate; `potential` draws them one by one.

    Parameters
    ----------
    night, person
        Truth and traits.
    rate_hz : float
        Sampling rate of everything drawn.
    ambiguity : float
        Mean share of the neighbouring stage mixed into each stretch of one stage.
    rng : numpy.random.Generator
        Source of everything shared between electrodes; `potential` takes its own.
    """

    def __init__(self, night: Truth, person: Person, rate_hz: float, ambiguity: float, rng: np.random.Generator):
        self.rate_hz, self.person = rate_hz, person
        self.samples = int(round(night.duration_s * rate_hz))
        self.weights = stage_weights(night, ambiguity, rng)  # (truth sample, stage)
        self._frame = 2 * int(round(FRAME_S * rate_hz / 2))
        hop = self._frame // 2
        self._frames = self.samples // hop + 2
        self.frequency_hz = np.fft.rfftfreq(self._frame, 1 / rate_hz)
        self.frequency_hz = self.frequency_hz[self.frequency_hz <= TOP_HZ]
        centre = np.clip((np.arange(self._frames) * hop / rate_hz * TRUTH_HZ).astype(int), 0, len(self.weights) - 1)
        self._spectra = self._spectra_by_region(self.weights[centre], rng)
        self._shared = {name: self._phases(rng) for name in ("head", "frontal", "central", "posterior")}
        self._tracks = event_tracks(night, self.weights, person, rate_hz, self.samples, rng)

    def potential(self, name: str, rng: np.random.Generator) -> np.ndarray:
        """Return one electrode's potential, shape (sample,), float32, uV."""
        electrode = ELECTRODES[name]
        head, region, own = np.sqrt(np.array(REGION_SHARE, np.float32))
        phases = self._phases(rng)
        phases *= own
        phases += head * self._shared["head"]
        phases += region * self._shared[electrode.region]
        phases *= self._spectra[electrode.region]
        x = self._overlap_add(phases)
        x *= np.float32(electrode.background * self.person.gain)
        for kind, gains in REGION_GAIN.items():
            x += np.float32(gains[electrode.region] * electrode.background) * self._tracks[kind]
        if electrode.eye_horizontal:
            x += np.float32(electrode.eye_horizontal) * self._tracks["eye_horizontal"]
        if electrode.eye_vertical:
            x += np.float32(electrode.eye_vertical) * self._tracks["eye_vertical"]
        return x

    def _phases(self, rng: np.random.Generator) -> np.ndarray:
        """Return complex white noise, shape (frame, frequency)."""
        shape = (self._frames, len(self.frequency_hz), 2)
        return rng.standard_normal(shape, np.float32).view(np.complex64)[..., 0]

    def _spectra_by_region(self, weights: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return amplitude spectra, shape (frame, frequency), for each region."""
        f = np.maximum(self.frequency_hz, 0.25)
        high_pass = self.frequency_hz**4 / (self.frequency_hz**4 + 0.3**4)
        exponent = EXPONENT + self.person.aperiodic
        background = 10 ** OFFSET[:, None] * f ** -exponent[:, None] * high_pass
        alpha = self.person.alpha ** np.array([1.0, 0.4, 0.4, 0.4, 0.4])  # persons differ most in the alpha of wake
        same = np.ones(5)  # in every stage
        traits = {"delta": self.person.delta * same, "alpha": alpha, "sigma": self.person.spindle * same}
        power, bumps = [], []
        for name, rhythm in RHYTHMS.items():
            bump = np.exp(-0.5 * ((self.frequency_hz - rhythm.centre_hz) / rhythm.width_hz) ** 2)
            bumps.append(bump / (bump.sum() * (self.frequency_hz[1] - self.frequency_hz[0])))
            track = weights @ np.square(rhythm.rms_uv * traits.get(name, same))
            power.append(track * _waxing_and_waning(len(weights), rng))
        powers, shapes = np.stack(power, 1), np.stack(bumps)  # (frame, rhythm), (rhythm, frequency)
        aperiodic = weights @ background
        # A frame's inverse FFT divides by its length; this factor makes the one-sided density come out in uV^2/Hz.
        scale = np.sqrt(self._frame * self.rate_hz / 4)
        spectra = {}
        for region in ("frontal", "central", "posterior"):
            gain = np.array([getattr(rhythm, region) ** 2 for rhythm in RHYTHMS.values()])
            spectra[region] = (np.sqrt(aperiodic + powers * gain @ shapes) * scale).astype(np.float32)
        return spectra

    def _overlap_add(self, spectrum: np.ndarray) -> np.ndarray:
        """Turn frames of spectra into one signal, with sine windows whose squares add up to one."""
        n, hop = self._frame, self._frame // 2
        window = np.sin(np.pi * (np.arange(n) + 0.5) / n).astype(np.float32)
        full = np.zeros((self._frames, n // 2 + 1), np.complex64)
        full[:, : spectrum.shape[1]] = spectrum

        frames = irfft(full, n, axis=1)
        frames *= window
        signal = np.zeros((self._frames + 1) * hop, np.float32)
        signal[:-hop] += frames[:, :hop].ravel()
        signal[hop:] += frames[:, hop:].ravel()
        return signal[hop : hop + self.samples]


def _waxing_and_waning(n_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return a power factor per frame: log-SD .30 over 8 s and .25 over 5 min (chosen): rhythms swell and fade."""
    fast = gaussian_filter1d(rng.standard_normal(n_frames), 8 / FRAME_S)
    slow = gaussian_filter1d(rng.standard_normal(n_frames), 300 / FRAME_S)
    log_amplitude = 0.30 * fast / max(fast.std(), 1e-9) + 0.25 * slow / max(slow.std(), 1e-9)
    return np.exp(2 * log_amplitude)


def stage_weights(night: Truth, ambiguity: float, rng: np.random.Generator) -> np.ndarray:
    """Return how much of each stage the signals show, shape (truth sample, stage), rows summing to 1.

    Each stretch of one stage borrows a share (Beta, mean `BORROWED` times `ambiguity`) from its neighbour, and changes
    take about a second, three between quiet stages.
    """
    stage = night.stage
    weights = np.zeros((len(stage), 5))
    weights[np.arange(len(stage)), stage] = 1
    edges = np.flatnonzero(np.diff(stage)) + 1
    for start, stop in zip(np.r_[0, edges], np.r_[edges, len(stage)], strict=True):
        code = int(stage[start])
        mean = min(BORROWED[code] * ambiguity, 0.5)
        share = rng.beta(1.0, 1.0 / mean - 1.0) if mean > 0 else 0.0
        weights[start:stop, code] -= share
        weights[start:stop, NEIGHBOUR[code]] += share
    smooth = gaussian_filter1d(weights, 0.6 * TRUTH_HZ, axis=0)
    return smooth / smooth.sum(1, keepdims=True)


# --- single events -------------------------------------------------------------------------------------------

PER_MIN = {  # in W N1 N2 N3 R
    "spindle": (0, 0.1, 4.5, 1.8, 0),
    "k_complex": (0, 0.1, 1.8, 0.3, 0),
    "vertex": (0, 4.0, 0.3, 0, 0),
    "sawtooth": (0, 0, 0, 0, 3.0),
    "rem": (0, 0, 0, 0, 14.0),
    "blink": (9.0, 0, 0, 0, 0),
    "saccade": (13.0, 0, 0, 0, 0),
}


def event_tracks(
    night: Truth, weights: np.ndarray, person: Person, rate_hz: float, n: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the unit-gain track of each kind of event, each of shape (sample,), float32, uV."""
    tracks = {k: np.zeros(n, np.float32) for k in (*REGION_GAIN, "eye_horizontal", "eye_vertical")}
    density = dict.fromkeys(PER_MIN, 1.0) | {"spindle": person.spindle}
    pulses = {"spindle": _spindle, "k_complex": _k_complex, "vertex": _vertex, "sawtooth": _sawtooth}
    for kind, per_min in PER_MIN.items():
        for start in poisson_onsets(weights @ np.array(per_min) * density[kind], rng):
            at = int(start * rate_hz)
            if kind in pulses:
                _place(
                    tracks[kind],
                    at,
                    pulses[kind](rate_hz, rng) * (person.spindle if kind == "spindle" else 1),
                )
            elif kind == "blink":
                _place(
                    tracks["eye_vertical"],
                    at,
                    130 * _bell(0.35, rate_hz) * np.exp(0.3 * rng.standard_normal()),
                )
            else:
                size = (75 if kind == "rem" else 60) * np.exp(0.45 * rng.standard_normal())
                jump = size * rng.choice((-1, 1)) * _eye_jump(rng.uniform(0.25, 0.6), rate_hz)
                _place(tracks["eye_horizontal"], at, jump)
                _place(tracks["eye_vertical"], at, 0.3 * jump)
    tracks["eye_horizontal"] += _slow_eye_movements(weights, rate_hz, n, rng)
    return tracks


def _place(track: np.ndarray, at: int, pulse: np.ndarray) -> None:
    end = min(at + len(pulse), len(track))
    if 0 <= at < end:
        track[at:end] += pulse[: end - at]


def _bell(length_s: float, rate_hz: float) -> np.ndarray:
    return np.hanning(max(int(length_s * rate_hz), 3))


def _spindle(rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    length = float(np.clip(0.85 * np.exp(0.3 * rng.standard_normal()), 0.5, 2.0))
    t = np.arange(int(length * rate_hz)) / rate_hz
    carrier = np.sin(2 * np.pi * rng.normal(13.1, 0.5) * t + rng.uniform(0, 2 * np.pi))
    return 25 * np.exp(0.3 * rng.standard_normal()) * carrier * np.hanning(len(t))


def _k_complex(rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    size = np.exp(0.25 * rng.standard_normal())
    return size * np.concatenate([-80 * _bell(0.45, rate_hz), 50 * _bell(0.65, rate_hz)])


def _vertex(rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    return -60 * np.exp(0.25 * rng.standard_normal()) * _bell(0.22, rate_hz)


def _sawtooth(rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(int(rng.uniform(1.5, 3.5) * rate_hz)) / rate_hz
    return 25 * (2 * ((rng.uniform(2.2, 4.0) * t) % 1) - 1) * np.hanning(len(t))


def _eye_jump(decay_s: float, rate_hz: float) -> np.ndarray:
    t = np.arange(int(3 * decay_s * rate_hz)) / rate_hz
    return np.exp(-t / decay_s) * np.minimum(t / 0.04, 1)


def _slow_eye_movements(weights: np.ndarray, rate_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Rolling eyes of drowsy wake and N1: 0.3 Hz, 80 uV, on and off; chosen."""
    m = len(weights)
    strength = weights @ np.array([0.2, 0.75, 0.02, 0, 0])
    on_off = gaussian_filter1d((gaussian_filter1d(rng.standard_normal(m), 6 * TRUTH_HZ) > 0).astype(float), TRUTH_HZ)
    phase = 2 * np.pi * np.cumsum(0.3 + 0.05 * gaussian_filter1d(rng.standard_normal(m), 40) * np.sqrt(40)) / TRUTH_HZ
    slow = 80 * strength * on_off * np.sin(phase)
    return np.interp(np.arange(n) / rate_hz, np.arange(m) / TRUTH_HZ, slow).astype(np.float32)
