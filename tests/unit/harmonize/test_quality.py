"""The quality gate: closed forms, hand-made faults, and healthy nights that must pass."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypnoflow.channels.derive import pick_by_rules
from hypnoflow.cohorts import cohorts
from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.config.harmonize import Harmonize, Quality
from hypnoflow.config.section import parse_section
from hypnoflow.errors import ConfigError
from hypnoflow.harmonize.alike import compare_channels
from hypnoflow.harmonize.quality import (
    Flag,
    Remark,
    assess_channel,
    channel_verdict,
    recording_score,
)
from hypnoflow.harmonize.signals import harmonize_signals
from hypnoflow.native.edf import EdfFile
from hypnoflow.store.runs import decode_runs, encode_runs
from hypnoflow.types import Samples

OPTIONS = Quality()
RATE_HZ = 256


def seconds(n_epochs, rate_hz=RATE_HZ):
    return np.arange(int(n_epochs * 30 * rate_hz)) / rate_hz


def sine(frequency_hz, amplitude_uv, n_epochs=4, rate_hz=RATE_HZ):
    return amplitude_uv * np.sin(2 * np.pi * frequency_hz * seconds(n_epochs, rate_hz) + 0.3)


def noise(rng, sd_uv=20.0, n_epochs=4, rate_hz=RATE_HZ):
    return sd_uv * rng.standard_normal(len(seconds(n_epochs, rate_hz)))


def assess(x, kind="eeg", rate_hz=RATE_HZ, unit="uV", **changed):
    return assess_channel(x, rate_hz=rate_hz, kind=kind, options=Quality(**changed), unit=unit).tolist()


# --- epochs --------------------------------------------------------------------------------------------------


def test_noise_of_20_microvolts_is_clean(rng):
    assert assess(noise(rng)) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("rate_hz", "n", "n_epochs"), [(256, 7679, 0), (256, 7680, 1), (256, 15359, 1), (100, 9000, 3)]
)
def test_only_whole_epochs_are_judged(rng, rate_hz, n, n_epochs):
    assert assess(20 * rng.standard_normal(n), rate_hz=rate_hz) == [0] * n_epochs


def test_epochs_of_a_fractional_number_of_samples_do_not_drift(rng):
    rate_hz = 100.01  # 3000.3 samples in an epoch: 30 samples of drift after 100
    x = np.append(noise(rng, n_epochs=101, rate_hz=rate_hz), 0.0)  # the last epoch ends within that sample
    start = int(np.ceil(100 * 30 * rate_hz))
    x[start:] = np.nan
    assert assess(x, rate_hz=rate_hz) == [0] * 100 + [Flag.MISSING]


def test_a_flat_epoch_is_flat_and_nothing_else(rng):
    x = noise(rng)
    x[7680:15360] = x.max()
    assert assess(x) == [0, Flag.FLAT, 0, 0]


@pytest.mark.parametrize(("repeats", "flag"), [(2850, Flag.FLAT), (2849, 0)])
def test_an_epoch_is_flat_from_95_percent_of_repeated_steps_on(rng, repeats, flag):
    x = noise(rng, n_epochs=1, rate_hz=100)
    x[: repeats + 1] = 1.0  # 95 % of the 2999 steps of an epoch at 100 Hz are 2849.05
    assert assess(x, rate_hz=100) == [flag]


@pytest.mark.parametrize(("n_missing", "flag"), [(150, 0), (151, Flag.MISSING)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_epoch_is_missing_from_more_than_5_percent_of_its_samples_on(rng, n_missing, flag, value):
    x = noise(rng, n_epochs=2, rate_hz=100)
    x[3000 : 3000 + n_missing] = value
    assert assess(x, rate_hz=100) == [0, flag]


def test_a_channel_without_one_finite_sample_is_missing_throughout():
    assert assess(np.full(15360, np.nan)) == [Flag.MISSING] * 2


@pytest.mark.parametrize(("share", "flag"), [(0.06, Flag.CLIPPED), (0.04, 0)])
@pytest.mark.parametrize("sides", [1, 2])
def test_a_sine_is_clipped_if_it_stays_long_enough_at_its_extremes(share, flag, sides):
    # A sine of amplitude 1 is beyond c, on one side, for this share of the time: 1/2 - arcsin(c) / pi.
    ceiling = np.sin(np.pi * (0.5 - share / sides))
    x = 50 * np.clip(sine(1.003, 1.0), -ceiling if sides == 2 else -1, ceiling)
    assert assess(x) == [flag] * 4


def test_reaching_an_extreme_again_and_again_is_not_clipping():
    assert assess(np.tile([0.0, 50.0, 10.0, -50.0], 1920)) == [0]


@pytest.mark.parametrize(
    ("mains_hz", "rate_hz", "harmonics"), [(50, 256, 2), (60, 256, 2), (60, 125, 1), (50, 128, 1), (150, 512, 5)]
)
@pytest.mark.parametrize("amplitude_uv", [15.0, 28.0, 60.0])
def test_the_share_of_the_mains_is_that_of_a_sine_in_white_noise(rng, mains_hz, rate_hz, harmonics, amplitude_uv):
    hum, white = amplitude_uv**2 / 2, 20.0**2
    # White noise spreads evenly from 0 Hz to Nyquist; five bins 0.5 Hz apart lie within 1 Hz of each harmonic.
    share = (hum + white * harmonics * 2.5 / (rate_hz / 2)) / (hum + white)
    n = 60
    x = noise(rng, n_epochs=n, rate_hz=rate_hz) + sine(mains_hz, amplitude_uv, n, rate_hz) + 300.0  # an offset is none
    assert assess(x, rate_hz=rate_hz, mains_share=share - 0.1) == [Flag.MAINS] * n
    assert assess(x, rate_hz=rate_hz, mains_share=share + 0.1) == [0] * n
    # An epoch's own share scatters, being taken from ten seconds; that of most epochs does not.
    assert assess(x, rate_hz=rate_hz, mains_share=share - 0.01).count(Flag.MAINS) > n / 2
    assert assess(x, rate_hz=rate_hz, mains_share=share + 0.01).count(Flag.MAINS) < n / 2


@pytest.mark.parametrize("frequency_hz", [10, 48, 52, 55, 75])
def test_other_lines_are_not_the_mains(rng, frequency_hz):
    assert assess(noise(rng, 5.0) + sine(frequency_hz, 60.0)) == [0] * 4


def test_the_mains_is_not_judged_where_its_band_crosses_nyquist(rng):
    alternating = 60.0 * np.tile([1.0, -1.0], 3000)  # 50 Hz at 100 Hz
    assert assess(alternating + noise(rng, 5.0, 2, 100), rate_hz=100) == [0, 0]


@pytest.mark.parametrize("kind", ["eeg", "eog", "emg", "ecg"])
def test_amplitudes_are_judged_by_the_root_mean_square_in_microvolts(kind):
    low, high = getattr(OPTIONS, f"{kind}_uv")
    for rms, flag in (
        (low * 0.999, Flag.TOO_SMALL),
        (low * 1.001, 0),
        (high * 0.999, 0),
        (high * 1.001, Flag.TOO_LARGE),
    ):
        x = sine(7.5, rms * np.sqrt(2))  # whole periods in 2 s, so that its mean square is half its amplitude's
        assert assess(x, kind) == [flag] * 4
        assert assess(x, kind, unit="mV") == [0] * 4


def test_what_is_not_defined_for_a_kind_is_not_flagged():
    square = np.tile(np.repeat([100.0, 88.0], 640), 24)
    assert assess(square) == [Flag.FLAT] * 4
    assert assess(square, "resp") == [0] * 4
    assert assess(np.full(30720, 97.0), "resp") == [Flag.FLAT] * 4
    beats = np.clip(sine(1.003, 1000), -900, 900)
    assert (assess(beats, "ecg"), assess(beats, "emg")) == ([0] * 4, [Flag.CLIPPED] * 4)


def test_an_envelope_at_1_hz_is_judged_for_flat_and_missing_samples_only():
    x = np.tile([0.01, 0.01, 0.02], 40)
    x[30:60], x[90:120] = 0.02, np.nan
    assert assess(x, "emg", rate_hz=1) == [0, Flag.FLAT, 0, Flag.MISSING]


# --- verdict and score ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "verdict"),
    [
        ([Flag.FLAT] * 19 + [0], "flat in 95% of epochs"),
        ([Flag.FLAT] * 18 + [0] * 2, None),
        ([Flag.TOO_LARGE] * 12 + [Flag.CLIPPED] * 8, "too large or clipped in 100% of epochs"),
        ([Flag.TOO_SMALL | Flag.MAINS] * 20, "too small in 100% of epochs"),
        ([Flag.MAINS] * 20, None),
        ([0] * 20, None),
        ([], "less than one epoch"),
    ],
)
def test_a_channel_fails_if_95_percent_of_its_epochs_are_unusable(flags, verdict):
    assert channel_verdict(np.array(flags, np.uint8), OPTIONS) == verdict


def test_the_score_is_the_mean_share_of_clean_epochs_and_a_dropped_channel_has_none():
    flags = {"C3-M2": np.array([0, 0, 0, 0], np.uint8), "E1-M2": np.array([0, Flag.MAINS, 0, 0], np.uint8)}
    assert recording_score(flags) == pytest.approx(0.875)
    assert recording_score(flags, ["C4-M1", "O1-M2"]) == pytest.approx(0.4375)
    assert recording_score({}, ["C4-M1"]) == 0


@given(st.lists(st.sampled_from([0, 0, 0, 1, 4, 24]), max_size=40))
def test_runs_give_the_flags_back_and_survive_json(flags):
    flags = np.array(flags, np.uint8)
    runs = json.loads(json.dumps(encode_runs(flags)))
    np.testing.assert_array_equal(decode_runs(runs, len(flags)), flags)
    assert all(n > 0 and value > 0 for _, n, value in runs)
    assert all(a[0] + a[1] < b[0] or a[2] != b[2] for a, b in zip(runs, runs[1:], strict=False))


def test_runs_by_hand():
    assert encode_runs(np.array([0, 1, 1, 8, 0, 8], np.uint8)) == [[1, 2, 1], [3, 1, 8], [5, 1, 8]]
    assert encode_runs(np.zeros(9, np.uint8)) == []


# --- between channels ----------------------------------------------------------------------------------------


def correlated(rng, r, n_epochs=10, rate_hz=32):
    """Two white signals of unit variance whose correlation is `r`."""
    a, b = rng.standard_normal((2, n_epochs * 30 * rate_hz))
    return np.stack([a, r * a + np.sqrt(1 - r**2) * b])


def compare(x, labels, kind="eeg", rate_hz=32):
    return compare_channels(x, labels, rate_hz=rate_hz, kind=kind, options=OPTIONS)


@pytest.mark.parametrize(
    ("r", "found"),
    [(1, "copy"), (-1, "copy"), (0.99995, "copy"), (0.9995, "bridge"), (0.997, "bridge"), (0.993, None), (0.9, None)],
)
def test_channels_that_are_too_much_alike_are_told(rng, r, found):
    remarks = compare(correlated(rng, r), ["F3-C3", "C3-P3"])
    assert [(m.kind, m.channel, m.other) for m in remarks] == ([(found, "C3-P3", "F3-C3")] if found else [])
    assert all(m.value == pytest.approx(r, abs=1e-3) for m in remarks)


def test_a_copy_is_found_at_any_rate_scale_and_offset_and_after_rounding(rng):
    x = noise(rng, 2000.0, 4, 200)
    other = noise(rng, 2000.0, 4, 200)
    found = compare(np.stack([x, other, 3 * x + 100]).astype(np.int16), ["A", "B", "C"], rate_hz=200)
    assert [(m.kind, m.channel, m.other) for m in found] == [("copy", "C", "A")]


def test_likeness_in_a_few_epochs_is_no_copy(rng):
    x = correlated(rng, 0.5)
    x[1, : 4 * 960] = x[0, : 4 * 960]  # 4 of 10 epochs
    assert compare(x, ["F3-C3", "C3-P3"]) == []
    x[1, : 6 * 960] = x[0, : 6 * 960]
    assert [m.kind for m in compare(x, ["F3-C3", "C3-P3"])] == ["copy"]


@pytest.mark.parametrize("rate_hz", [32, 33.35], ids=["whole", "epochs of 1000.5 samples"])
@pytest.mark.parametrize(("alike", "found"), [(320, ["copy"]), (290, [])])
def test_in_a_night_that_is_looked_at_in_parts_most_epochs_decide(rng, rate_hz, alike, found):
    x = rng.standard_normal((2, int(600 * 30 * rate_hz)))
    first, last = (int(epoch * 30 * rate_hz) for epoch in (150, 150 + alike))
    x[1, first:last] = x[0, first:last]
    assert [m.kind for m in compare(x, ["F3-C3", "C3-P3"], rate_hz=rate_hz)] == found


def test_flat_and_short_channels_are_like_nothing():
    assert compare(np.zeros((2, 960)), ["A", "B"]) == []
    assert compare(np.zeros((2, 959)), ["A", "B"]) == []


def head(rng, gains, n_epochs=6, rate_hz=128):
    """Slow waves at 1 Hz that all channels see, each with its gain, in noise of their own."""
    slow = sine(1.0, 40.0, n_epochs, rate_hz)
    return np.stack([gain * slow + noise(rng, 10.0, n_epochs, rate_hz) for gain in gains])


def test_the_flipped_one_of_several_mastoid_derivations_is_named_once(rng):
    x = head(rng, [1, 1, -1, 1])
    (remark,) = compare(x, ["F3-M2", "C3-M2", "C4-M1", "O1-M2"], rate_hz=128)
    assert (remark.kind, remark.channel) == ("polarity", "C4-M1")
    assert remark.value < -0.9
    assert str(remark).startswith("C4-M1 may be of opposite polarity to ")


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["F3-O1", "Fp1-F3"], "eeg"),
        (["F3-M2", "Fp1-F3"], "eeg"),
        (["E1-M2", "E2-M2"], "eog"),
        (["Chin1-M2", "Chin2-M2"], "emg"),
    ],
    ids=["bipolar-neighbours", "mastoid-and-bipolar", "eyes", "muscle"],
)
def test_channels_that_may_be_opposite_are_not_suspected(rng, labels, kind):
    assert compare(head(rng, [1, -1]), labels, kind, rate_hz=128) == []


def test_mildly_opposite_mastoid_derivations_are_not_suspected(rng):
    x = correlated(rng, -0.4)
    assert compare(x, ["F3-M2", "O1-M2"]) == []
    assert [m.kind for m in compare(correlated(rng, -0.6), ["F3-M2", "O1-M2"])] == ["polarity"]


def test_breathing_and_envelopes_are_not_compared(rng):
    x = correlated(rng, 1.0)
    assert compare(x, ["Thorax", "Abdomen"], "resp") == []
    assert compare(x, ["Chin1", "Chin2"], "emg", rate_hz=1) == []


# --- whole recordings ----------------------------------------------------------------------------------------


class Changed:
    """An open file of which some signals are changed: label → function of its samples."""

    def __init__(self, file, **changes):
        self._file, self._changes = file, changes

    def __getattr__(self, name):
        return getattr(self._file, name)

    def read(self, label):
        return self._changes.get(label, lambda x: x)(self._file.read(label))

    def samples(self, label):
        return Samples(self.read(label)) if label in self._changes else self._file.samples(label)


def nights(cohort, root):
    """Yield each recording's open file and its channels."""
    rules = cohorts.get(cohort)
    for row in index_cohort(cohort, root, 50)[0].to_dict("records"):
        file = rules.open_signals(root / row["signal_path"])
        yield file, pick_by_rules(rules.channels, file.labels)


@pytest.mark.parametrize("cohort", ["sedf-sc", "shhs", "phys", "dodh"])
def test_simulated_healthy_nights_pass(simulated, cohort):
    found = [harmonize_signals(file, picks, Harmonize()) for file, picks in nights(cohort, simulated(cohort))]
    assert len(found) >= 2
    for night in found:
        assert set(night.dropped) <= {"SpO2"}  # half an hour of one whole number
        assert night.remarks == []
        assert night.score > 0.9
        for kind in night.kinds.values():
            assert kind.flags.shape == (len(kind.channels), night.n_epochs)


def test_the_real_night_is_clean(real_data):
    file = EdfFile(real_data / "sedf_short_psg.edf")
    night = harmonize_signals(file, pick_by_rules(cohorts.get("sedf-sc").channels, file.labels), Harmonize())
    assert (night.dropped, night.remarks, night.score) == ({}, [], 1.0)
    assert {kind: data.flags.shape for kind, data in night.kinds.items()} == {
        "eeg": (2, 10),
        "eog": (1, 10),
        "emg": (1, 10),
        "resp": (1, 10),
    }
    assert not any(data.flags.any() for data in night.kinds.values())


def test_faults_in_a_night_are_flagged_told_and_left_out(simulated):
    file, picks = next(nights("phys", simulated("phys")))
    left, right = file.read("F3-M2"), file.read("C3-M2")
    changed = Changed(
        file,
        **{
            "O2-M1": lambda x: 1000 * x,
            "F4-M1": lambda x: -x,
            "C3-M2": lambda x: left + 0.02 * right,
            "O1-M2": lambda x: np.r_[np.zeros(60 * 200, x.dtype), x[60 * 200 :]],
        },
    )
    night = harmonize_signals(changed, picks, Harmonize())
    assert night.dropped == {"O2-M1": "too large in 100% of epochs"}
    assert {(m.kind, m.channel) for m in night.remarks} == {("bridge", "C3-M2"), ("polarity", "F4-M1")}
    eeg = night.kinds["eeg"]
    occipital = [c.label for c in eeg.channels].index("O1-M2")
    assert eeg.flags[occipital, :3].tolist() == [Flag.FLAT, Flag.FLAT, 0]
    n_scored = len(eeg.channels) + len(night.kinds["eog"].channels) + 1
    assert night.score == pytest.approx((n_scored - 1 - 2 / night.n_epochs) / n_scored, abs=0.02)


def test_a_remark_reads_as_a_sentence():
    assert str(Remark("copy", "C4-M1", "C3-M2", 1.0)) == "C4-M1 may be a copy of C3-M2 (r = 1)"


# --- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [[500, 0.5], [1, 1], [-1, 5]])
def test_amplitude_limits_must_rise(limits):
    with pytest.raises(ConfigError, match="quality.eeg_uv: .*rising"):
        parse_section(Harmonize, {"quality": {"eeg_uv": limits}}, "test")


def test_an_unknown_option_names_the_closest():
    with pytest.raises(ConfigError, match="quality.flat_shar: unknown key.*flat_share"):
        parse_section(Harmonize, {"quality": {"flat_shar": 0.9}}, "test")
