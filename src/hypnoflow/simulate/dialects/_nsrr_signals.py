"""Groups of signals as the recorders of sleepdata.org's cohorts hold them: electrodes against Fpz, pairs, belts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hypnoflow.simulate.dialect import Trace
from hypnoflow.simulate.recorder import Recorder

REFERENCE = "Fpz"
SPAN_UV = 1000.0  # Fpz sees every blink, and so does all that is recorded against it


def electrodes(recorder: Recorder, names: Mapping[str, str], rate_hz: float, unit: str = "uV") -> list[Trace]:
    """Return electrodes against Fpz.

    Parameters
    ----------
    names : mapping
        The file's label → electrode.
    unit : str
        "uV" or "mV".
    """
    pairs = {label: (electrode, REFERENCE) for label, electrode in names.items()}
    return derivations(recorder, pairs, rate_hz, unit)


def derivations(
    recorder: Recorder, pairs: Mapping[str, tuple[str, str]], rate_hz: float, unit: str = "uV"
) -> list[Trace]:
    """Return one trace per label, of one electrode against another."""
    per_uv = {"uV": 1.0, "mV": 1e-3}[unit]
    return [
        Trace(label, per_uv * recorder.derivation(*pair, rate_hz), rate_hz, unit, SPAN_UV * per_uv)
        for label, pair in pairs.items()
    ]


def chin(recorder: Recorder, labels: Sequence[str], rate_hz: float) -> list[Trace]:
    """Return chin EMG: one label is left minus right; two are left and right, a third the centre, against Fpz."""
    emg = recorder.chin(rate_hz)
    if len(labels) == 1:
        return [Trace(labels[0], emg, rate_hz)]
    common = recorder.derivation("M1", REFERENCE, rate_hz)
    parts = (common + emg / 2, common - emg / 2, common)
    return [Trace(label, x, rate_hz, span=SPAN_UV) for label, x in zip(labels, parts, strict=False)]


def heart(recorder: Recorder, labels: Sequence[str], rate_hz: float, unit: str = "mV") -> list[Trace]:
    """Return the ECG: one label is the lead; of two or three the first minus the second is."""
    span, per_uv = (5.0, 1e-3) if unit == "mV" else (5000.0, 1.0)
    lead = recorder.ecg(rate_hz) * per_uv
    common = 0.1 * np.roll(lead, int(0.02 * rate_hz))
    parts = (lead,) if len(labels) == 1 else (0.7 * lead + common, common - 0.3 * lead, common)
    return [Trace(label, x, rate_hz, unit, span) for label, x in zip(labels, parts, strict=False)]


def belts(recorder: Recorder, labels: Mapping[str, str], rate_hz: float) -> list[Trace]:
    """Return breathing traces; `labels` maps the file's label to airflow, thorax, abdomen or sum."""
    breath = recorder.breathing(rate_hz)
    breath["sum"] = (breath["thorax"] + breath["abdomen"]) / 2
    return [Trace(label, 0.5 * breath[what], rate_hz, "", 2) for label, what in labels.items()]


def nasal(recorder: Recorder, label: str, rate_hz: float) -> Trace:
    """Return nasal pressure, which goes with the square of the flow."""
    flow = recorder.breathing(rate_hz)["airflow"]
    return Trace(label, 0.5 * np.sign(flow) * flow**2, rate_hz, "", 2)


def oximeter(recorder: Recorder, label: str, rate_hz: float) -> Trace:
    """Return oxygen saturation, %."""
    return Trace(label, recorder.spo2(rate_hz), rate_hz, "%", limits=(0, 110))


def legs(recorder: Recorder, labels: Sequence[str], rate_hz: float) -> list[Trace]:
    """Return quiet leg EMG."""
    return [noise(recorder, label, rate_hz, 4.0, "uV") for label in labels]


def noise(recorder: Recorder, label: str, rate_hz: float, size: float, unit: str = "") -> Trace:
    """Return white noise of the given standard deviation: a signal that no one scores from."""
    n = int(recorder.duration_s * rate_hz)
    x = size * recorder.rng("dialect", "noise", label).standard_normal(n, np.float32)
    return Trace(label, x, rate_hz, unit, 50 * size)


def level(recorder: Recorder, label: str, rate_hz: float, value: float, unit: str = "") -> Trace:
    """Return a signal that stays on one value: a position, a status, a lamp."""
    n = int(recorder.duration_s * rate_hz)
    return Trace(label, np.full(n, value, np.float32), rate_hz, unit, limits=(0, 300))


def pulse(recorder: Recorder, label: str, rate_hz: float, unit: str = "BPM") -> Trace:
    """Return a heart rate that wanders between whole numbers each second."""
    seconds = int(recorder.duration_s)
    rng = recorder.rng("dialect", "pulse", label)
    per_s = 62 + np.cumsum(rng.integers(-1, 2, seconds)) % 12
    x = np.repeat(per_s, int(rate_hz)) if rate_hz >= 1 else per_s
    return Trace(label, x.astype(np.float32), rate_hz, unit, limits=(0, 300))
