"""Simulated signals against the spectra and the physiology that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, find_peaks, hilbert, sosfiltfilt, welch

from hypnoflow.night.truth import TRUTH_HZ, Truth
from hypnoflow.seeds import generator
from hypnoflow.simulate import body
from hypnoflow.simulate.eeg import EXPONENT, OFFSET, HeadModel, stage_weights
from hypnoflow.simulate.persons import Person
from hypnoflow.types import Event

RATE_HZ = 128
BLOCK_S = 900  # of each stage, in the order of the codes
W, N1, N2, N3, R = range(5)

# Aperiodic exponents of a prototype whose nights YASA recognised.
PROTOTYPE_EXPONENT = (1.25, 1.5, 1.9, 2.3, 1.65)
AVERAGE = Person(0, 40.0, True, 1.0, 25.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def night() -> Truth:
    return Truth(np.repeat(np.arange(5, dtype=np.uint8), BLOCK_S * TRUTH_HZ), ())


@pytest.fixture(scope="module")
def head(night) -> dict[str, np.ndarray]:
    """Potentials of an average person without ambiguity of stage."""
    model = HeadModel(night, AVERAGE, RATE_HZ, 0.0, generator(7, "head"))
    return {name: model.potential(name, generator(7, name)) for name in ("F4", "C3", "O2", "E1", "E2")}


def of_stage(x: np.ndarray, stage: int, rate_hz: float = RATE_HZ) -> np.ndarray:
    """Return the inside of one stage's block, without its ends."""
    start = stage * BLOCK_S
    return x[int((start + 20) * rate_hz) : int((start + BLOCK_S - 20) * rate_hz)]


def spectrum(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return welch(x, RATE_HZ, nperseg=8 * RATE_HZ, window="hann")


def power(x: np.ndarray, low: float, high: float) -> float:
    f, p = spectrum(x)
    return float(p[(f >= low) & (f < high)].sum() * (f[1] - f[0]))


def band(x: np.ndarray, low: float, high: float, rate_hz: float = RATE_HZ) -> np.ndarray:
    return sosfiltfilt(butter(4, (low, high), "bandpass", fs=rate_hz, output="sos"), x)


@pytest.mark.parametrize("stage", range(5))
def test_background_falls_with_the_stages_exponent(head, stage):
    f, p = spectrum(of_stage(head["C3"], stage))
    above = (f >= 32) & (f <= 46)  # above the rhythms
    slope = np.polyfit(np.log10(f[above]), np.log10(p[above]), 1)[0]
    assert -slope == pytest.approx(EXPONENT[stage], abs=0.2)


def test_specified_exponents_stay_near_the_prototypes_that_yasa_recognised():
    assert np.allclose(EXPONENT, PROTOTYPE_EXPONENT, atol=0.2)
    assert (np.diff(EXPONENT[: N3 + 1]) > 0).all()  # the deeper, the steeper


@pytest.mark.parametrize("stage", [W, N1, N2, N3])  # in R the edges of sawtooth waves add to it
def test_background_has_the_stages_power_in_microvolts(head, stage):
    expected = 10 ** OFFSET[stage] * 40 ** -EXPONENT[stage]
    f, p = spectrum(of_stage(head["C3"], stage))
    assert p[(f > 38) & (f < 42)].mean() == pytest.approx(expected, rel=0.15)


def test_alpha_of_wake_peaks_near_10_hz_and_is_largest_behind(head):
    f, p = spectrum(of_stage(head["O2"], W))
    around = (f > 7) & (f < 14)
    assert f[around][p[around].argmax()] == pytest.approx(9.8, abs=0.8)
    assert power(of_stage(head["O2"], W), 8.5, 11) > 2 * power(of_stage(head["F4"], W), 8.5, 11)
    assert power(of_stage(head["O2"], W), 8.5, 11) > 2 * power(of_stage(head["O2"], R), 8.5, 11)


def test_delta_is_by_far_largest_in_n3_and_larger_in_front(head):
    delta = [power(of_stage(head["C3"], stage), 0.5, 2) for stage in range(5)]
    assert delta[N3] > 4 * max(delta[W], delta[N1], delta[N2], delta[R])
    assert power(of_stage(head["F4"], N3), 0.5, 2) > 1.3 * power(of_stage(head["O2"], N3), 0.5, 2)


def test_total_power_rises_from_n1_to_n3(head):
    total = [np.std(of_stage(head["C3"], stage)) for stage in range(5)]
    assert total[N1] < total[N2] < total[N3]
    assert 25 < total[N3] < 60  # uV


def bursts_per_min(x: np.ndarray) -> float:
    """Count stretches of 0.4 to 2.5 s of 11.5-15 Hz above three times their usual size, and above 8 uV."""
    size = np.abs(hilbert(band(x, 11.5, 15)))
    above = np.r_[False, size > max(3 * np.median(size), 8), False]
    starts, ends = (np.flatnonzero(np.diff(above.astype(int)) == sign) for sign in (1, -1))
    length_s = (ends - starts) / RATE_HZ
    return np.count_nonzero((length_s > 0.4) & (length_s < 2.5)) / (len(x) / RATE_HZ / 60)


def test_spindles_burst_in_n2_and_hardly_elsewhere(head):
    rate = [bursts_per_min(of_stage(head["C3"], stage)) for stage in range(5)]
    assert 1.5 < rate[N2] < 6  # one every 10 to 40 s
    assert max(rate[W], rate[N1], rate[R]) < 0.3
    assert rate[N2] > 1.5 * rate[N3]


def test_eye_channels_move_oppositely_in_r_and_together_with_slow_waves_in_n3(head):
    slow = {name: band(head[name], 0.3, 3) for name in ("E1", "E2")}
    r = [np.corrcoef(of_stage(slow["E1"], stage), of_stage(slow["E2"], stage))[0, 1] for stage in range(5)]
    assert r[R] < -0.5
    assert r[N1] < -0.5  # slow rolling
    assert r[N3] > 0.3


def test_rapid_eye_movements_are_fast_and_frequent_in_r(head):
    speed = np.abs(np.gradient(band(head["E1"] - head["E2"], 0.5, 20), 1 / RATE_HZ))
    fast = [np.mean(of_stage(speed, stage) > 1500) for stage in range(5)]  # uV/s
    assert fast[R] > 5 * max(fast[N1], fast[N2])


def test_neighbouring_electrodes_share_more_than_distant_ones(night):
    model = HeadModel(night, AVERAGE, RATE_HZ, 0.0, generator(7, "head"))
    x = {name: band(model.potential(name, generator(7, name)), 15, 40) for name in ("O1", "O2", "F3")}
    near, far = np.corrcoef(x["O1"], x["O2"])[0, 1], np.corrcoef(x["O1"], x["F3"])[0, 1]
    assert 0.3 < far < near < 0.95


def test_traits_scale_what_they_name(night):
    def drawn(**traits) -> np.ndarray:
        person = Person(0, 40.0, True, 1.0, 25.0, **{**dict.fromkeys(("gain", "alpha", "spindle", "delta"), 1.0),
                        "aperiodic": 0.0, "arousability": 1.0, **traits})  # fmt: skip
        model = HeadModel(night, person, RATE_HZ, 0.0, generator(7, "head"))
        return model.potential("O2", generator(7, "O2"))

    plain, alpha, gain = drawn(), drawn(alpha=2.0), drawn(gain=1.5)
    assert power(of_stage(alpha, W), 8.5, 11) > 2 * power(of_stage(plain, W), 8.5, 11)
    assert power(of_stage(alpha, W), 30, 40) == pytest.approx(power(of_stage(plain, W), 30, 40), rel=0.02)
    assert power(of_stage(gain, N3), 30, 40) == pytest.approx(2.25 * power(of_stage(plain, N3), 30, 40), rel=0.02)


def test_weights_of_stages_sum_to_one_and_ambiguity_sets_the_neighbours_share_threefold_in_n3(night):
    rng = generator(7, "w")
    stage = np.tile(np.repeat(np.array([N2, N3], np.uint8), 60 * TRUTH_HZ), 300)
    weights = stage_weights(Truth(stage, ()), 0.08, rng)
    assert np.allclose(weights.sum(1), 1)
    assert weights.min() >= 0
    inside = (np.arange(len(stage)) % (60 * TRUTH_HZ)) == 30 * TRUTH_HZ
    assert np.mean(weights[inside & (stage == N3), N2]) == pytest.approx(0.24, abs=0.05)  # SD .011
    assert np.all(stage_weights(night, 0.0, rng)[BLOCK_S * 4 :, :].max(1) > 0.49)


# --- the body ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(night) -> np.ndarray:
    return stage_weights(night, 0.0, generator(7, "weights"))


def test_chin_tone_falls_from_wake_to_n2_to_r(night, weights):
    x = band(body.chin_emg(weights, night, RATE_HZ, generator(7, "emg")), 10, 60)
    tone = [np.median(np.abs(of_stage(x, stage))) for stage in range(5)]
    assert tone[W] > 2 * tone[N2] > 2 * 1.5 * tone[R]


def test_heart_beats_45_to_90_times_a_minute(night, weights):
    for seed in range(5):
        x = body.ecg(weights, night, 200, generator(seed, "ecg"))
        peaks, _ = find_peaks(x, height=500, distance=60)
        interval_s = np.diff(peaks) / 200
        assert 45 < 60 / interval_s.mean() < 90
        assert 0.01 < interval_s.std() / interval_s.mean() < 0.2  # varies, and misses no beat


@pytest.fixture(scope="module")
def apneic() -> Truth:
    """N2 with an obstructive apnea of 25 s every two minutes, each with a desaturation 8 s into it."""
    onsets = np.arange(60.0, 1700, 120)
    events = [e for o in onsets for e in (Event(o, 25.0, "apnea_obstructive"), Event(o + 8, 31.0, "desaturation"))]
    return Truth(np.full(1800 * TRUTH_HZ, N2, np.uint8), tuple(events))


def test_oxygen_dips_after_each_desaturation_began_and_recovers(apneic):
    x = body.spo2(apneic, 1, generator(7, "spo2"))
    baseline = np.median(x)
    assert 94 <= baseline <= 98
    for e in apneic.events:
        if e.kind == "desaturation":
            start = int(e.onset_s)
            assert x[start : start + 43].min() <= baseline - 2
            assert x[start - 15 : start].min() >= baseline - 2  # recovered from the one before
    assert np.array_equal(x, np.round(x))


def test_oxygen_without_events_stays_flat(night):
    x = body.spo2(night, 1, generator(7, "spo2"))
    assert x.min() >= 92
    assert x.max() <= 100


def test_airflow_stops_in_apneas_while_obstructed_effort_goes_on_out_of_phase(apneic):
    weights = stage_weights(apneic, 0.0, generator(7, "w"))
    breath = body.breathing(weights, apneic, 16, generator(7, "b"))
    inside = np.zeros(1800 * 16, bool)
    for e in apneic.events:
        if e.kind == "apnea_obstructive":
            inside[int((e.onset_s + 1) * 16) : int((e.onset_s + 24) * 16)] = True
    quiet = ~inside & (np.arange(len(inside)) < 50 * 16)
    assert breath["airflow"][inside].std() < 0.15 * breath["airflow"][quiet].std()
    assert breath["thorax"][inside].std() > 0.5 * breath["thorax"][quiet].std()
    correlation = [np.corrcoef(breath["thorax"][m], breath["abdomen"][m])[0, 1] for m in (quiet, inside)]
    assert correlation[0] > 0.8
    assert correlation[1] < -0.8


def test_breathing_takes_12_to_18_breaths_a_minute(night, weights):
    x = body.breathing(weights, night, 16, generator(7, "b"))["airflow"]
    f, p = welch(x, 16, nperseg=2048)
    assert 12 < 60 * f[p.argmax()] < 18
