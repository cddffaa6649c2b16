"""One simulated recording: asks the head and the body for the channels that a dialect wants, at its rates."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from hypnoflow.config.simulate import Simulate
from hypnoflow.night.truth import Truth
from hypnoflow.seeds import generator
from hypnoflow.simulate import body
from hypnoflow.simulate.eeg import HeadModel
from hypnoflow.simulate.effects import site_noise
from hypnoflow.simulate.night import draw_night, expert_stages
from hypnoflow.simulate.persons import Person
from hypnoflow.types import StageArray


@dataclass(frozen=True, slots=True)
class Visit:
    """A person's visit: what identifies a recording before its signals are drawn."""

    cohort: str
    recording: str
    person: Person
    visit: int  # 1, 2, …


class Recorder:
    """A simulated recording, whose channels are drawn when asked for.

    Parameters
    ----------
    visit : Visit
        Who, and which night.
    options : Simulate
        The config's section.
    seed : int
        The config's seed.
    rate_hz : float
        Rate at which the head is drawn; the dialect's EEG rate.
    mains_hz : float
        Mains frequency of the country.
    """

    def __init__(self, visit: Visit, options: Simulate, seed: int, rate_hz: float, mains_hz: float):
        self.visit, self.options, self.rate_hz = visit, options, rate_hz
        self._seed, self._mains_hz = seed, mains_hz
        length_h = options.night_h * float(np.clip(1 + 0.05 * self.rng("length").standard_normal(), 0.85, 1.15))
        self.night: Truth = draw_night(visit.person, length_h * 3600, self.rng("night"), options.effects)
        self._noise = site_noise(options.effects, visit.cohort, seed)
        self._head: HeadModel | None = None
        self._electrodes: dict[str, np.ndarray] = {}
        self._artefacts: body.Artefacts | None = None
        rng = self.rng("site")
        self._bad_site = body.BadSite(mains_hz, rng) if rng.random() < options.bad_site_share else None

    def rng(self, *what: str) -> np.random.Generator:
        """Return this recording's generator called `what`."""
        return generator(self._seed, "simulate", self.visit.cohort, self.visit.recording, *what)

    def scored(self, scorer: str = "expert", offset_s: float = 0.0) -> StageArray:
        """Return the 30-s stages of one simulated expert, shape (epoch,), whose first epoch begins at `offset_s`."""
        noise = self.options.scorer_noise * self._noise
        return expert_stages(self.night, noise, self.rng("scorer", scorer), offset_s)

    @property
    def duration_s(self) -> float:
        return self.night.duration_s

    @property
    def head(self) -> HeadModel:
        if self._head is None:
            ambiguity = min(0.5, self.options.ambiguity * self._noise)
            self._head = HeadModel(self.night, self.visit.person, self.rate_hz, ambiguity, self.rng("head"))
            self._artefacts = body.Artefacts(
                self._head.weights,
                self.night,
                self.options.artefacts * self._noise,
                self._mains_hz,
                self.rng("artefacts"),
            )
        return self._head

    def derivation(self, plus: str, minus: str, rate_hz: float | None = None) -> np.ndarray:
        """Return the potential of `plus` against `minus` with artefacts, shape (sample,), float32, uV."""
        x = self._electrode(plus) - self._electrode(minus)
        return self._finish(x, f"{plus}-{minus}", "eog" if plus in ("E1", "E2") else "eeg", rate_hz)

    def chin(self, rate_hz: float | None = None) -> np.ndarray:
        """Return chin EMG, uV."""
        x = body.chin_emg(self.head.weights, self.night, self.rate_hz, self.rng("chin"))
        return self._finish(x, "chin", "emg", rate_hz)

    def ecg(self, rate_hz: float) -> np.ndarray:
        """Return one ECG lead, uV."""
        return body.ecg(self.head.weights, self.night, rate_hz, self.rng("ecg"))

    def breathing(self, rate_hz: float) -> dict[str, np.ndarray]:
        """Return airflow, thorax and abdomen, arbitrary units."""
        return body.breathing(self.head.weights, self.night, rate_hz, self.rng("breathing"))

    def spo2(self, rate_hz: float) -> np.ndarray:
        """Return oxygen saturation, %."""
        return body.spo2(self.night, rate_hz, self.rng("spo2"))

    def _electrode(self, name: str) -> np.ndarray:
        if name not in self._electrodes:
            self._electrodes[name] = self.head.potential(name, self.rng("electrode", name))
        return self._electrodes[name]

    @property
    def from_bad_site(self) -> bool:
        """Whether the recording is one of the config's `bad_site_share`."""
        return self._bad_site is not None

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong with each channel drawn so far, by name; empty unless the site is a bad one."""
        return self._bad_site.fault if self._bad_site else {}

    def _finish(self, x: np.ndarray, name: str, kind: str, rate_hz: float | None) -> np.ndarray:
        head = self.head  # makes the artefacts too
        if self._artefacts is not None:
            muscle_uv = 40.0 if kind == "emg" else 12.0
            self._artefacts.add(x, head.rate_hz, self.rng("channel", name), muscle_uv=muscle_uv)
        if self._bad_site is not None:
            self._bad_site.spoil(x, name, kind, head.rate_hz, rate_hz or head.rate_hz, self.rng("fault", name))
        if rate_hz is None or rate_hz == self.rate_hz:
            return x
        ratio = Fraction(rate_hz / self.rate_hz).limit_denominator(1000)
        return resample_poly(x, ratio.numerator, ratio.denominator).astype(np.float32)

    def events_per_h(self, *prefixes: str) -> float:
        """Return events whose kind begins with one of `prefixes`, per hour of true sleep."""
        asleep_h = np.count_nonzero(self.night.stage) / 8 / 3600
        return sum(e.kind.startswith(prefixes) for e in self.night.events) / max(asleep_h, 1e-9)
