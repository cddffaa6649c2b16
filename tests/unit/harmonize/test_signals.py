"""From a file's signals to scaled channels: what is kept, at which rate, and why the rest is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypnoflow.channels.derive import Pick
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.signals import harmonize_signals
from hypnoflow.night.gaps import in_gaps
from hypnoflow.types import Samples

SECONDS = 90
CLIP = 20.0


class Signals:
    """An open file in memory: label → (samples, rate_hz, unit)."""

    path = Path("night.edf")
    warnings: list[str] = []
    start = None

    def __init__(self, signals, duration_s=SECONDS, gaps_s=()):
        self._signals, self.duration_s, self.gaps_s = signals, duration_s, gaps_s

    @property
    def labels(self):
        return list(self._signals)

    def rate_hz(self, label):
        return self._signals[label][1]

    def unit(self, label):
        return self._signals[label][2]

    def read(self, label):
        return self._signals[label][0].astype(np.float32)

    def samples(self, label):
        return Samples(self.read(label))


def noise(rate_hz=100, seed=0, seconds=SECONDS):
    return np.random.default_rng(seed).normal(0, 20, int(seconds * rate_hz))


def signals(**channels):
    """Return a file; each channel is an array at 100 Hz, or (array, rate_hz)."""
    full = {k: v if isinstance(v, tuple) else (v, 100.0) for k, v in channels.items()}
    return Signals({k: (x, rate, "uV") for k, (x, rate) in full.items()})


def harmonized(file, **kinds):
    picks = [Pick(label, kind, label) for label, kind in kinds.items()]
    return harmonize_signals(file, picks, Harmonize(clip_iqr=CLIP))


def with_good(x, kind="eeg"):
    """Harmonize a good EEG `A` beside `B` = `x`."""
    return harmonized(signals(A=noise(), B=x), A="eeg", B=kind)


# --- what is dropped, and why --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (np.full(9000, 3.0), "flat: one value"),
        (np.full(9000, np.nan), "100% of the samples are missing"),
        (np.where(np.arange(9000) < 900, np.nan, noise()), "10% of the samples are missing"),
        (np.where(np.arange(9000) < 8700, 3.0, noise()), "flat for 97%"),
        (np.where(np.arange(9000) < 6000, 3.0, noise()), "half of the samples or more hold one value"),
    ],
    ids=["flat", "all-nan", "many-nan", "mostly-flat", "half-constant"],
)
def test_a_channel_that_cannot_be_used_is_dropped_with_its_reason(x, reason):
    result = with_good(x)
    assert [c.label for c in result.kinds["eeg"].channels] == ["A"]
    assert list(result.dropped) == ["B"]
    assert reason in result.dropped["B"]


def test_a_few_missing_samples_are_set_to_the_median_and_the_channel_is_kept():
    x = noise(seed=1)
    x[4000:4200] = np.nan
    eeg = with_good(x).kinds["eeg"]
    assert [c.label for c in eeg.channels] == ["A", "B"]
    inside = eeg.x[1, int(41 * 128) : int(41.9 * 128)] * CLIP / 32767
    assert np.abs(inside).max() < 0.1  # the median is zero in scaled units
    assert abs(eeg.median[1] - np.nanmedian(x)) < 1


def test_infinite_samples_are_missing_ones():
    x = noise(seed=1)
    x[10] = np.inf
    assert np.isfinite(with_good(x).kinds["eeg"].median).all()
    assert "100%" in with_good(np.full(9000, -np.inf)).dropped["B"]


def test_an_oximeter_may_hold_one_value_for_most_of_the_night():
    x = np.where(np.arange(9000) < 8700, 97.0, 93.0)
    result = with_good(x, "resp")
    assert result.dropped == {}
    assert result.kinds["resp"].iqr[0] == pytest.approx(1.349 * x.std(), rel=0.2)
    assert "flat" in with_good(np.full(9000, 97.0), "resp").dropped["B"]


def test_a_file_without_eeg_and_eog_is_refused_with_its_labels():
    with pytest.raises(RecordingError, match="no EEG and no EOG.*Chin, Pulse") as caught:
        harmonized(signals(Chin=noise(), Pulse=noise()), Chin="emg")
    assert caught.value.path == Path("night.edf")
    assert "aliases.csv" in caught.value.hint


def test_a_file_whose_eeg_and_eog_are_all_unusable_is_refused_with_the_reasons():
    file = signals(A=np.zeros(9000), B=np.full(9000, np.nan), Chin=noise())
    with pytest.raises(RecordingError, match="A: flat.*B: 100%"):
        harmonized(file, A="eeg", B="eog", Chin="emg")


def test_an_eog_alone_is_enough():
    assert list(harmonized(signals(A=noise()), A="eog").kinds) == ["eog"]


@pytest.mark.parametrize("duration_s", [0, 10, 29.4])
def test_less_than_one_epoch_is_refused(duration_s):
    file = Signals({"A": (noise(), 100.0, "uV")}, duration_s)
    with pytest.raises(RecordingError, match="less than one epoch"):
        harmonized(file, A="eeg")


# --- rates and lengths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [50, 100, 125, 199.2, 200, 250, 256])
@pytest.mark.parametrize("kind", ["eeg", "eog"])
def test_eeg_and_eog_are_always_at_128_hz(kind, rate_hz):
    found = harmonized(signals(A=(noise(rate_hz), rate_hz)), A=kind).kinds[kind]
    assert found.rate_hz == 128
    assert found.x.shape == (1, SECONDS * 128)
    assert found.channels[0].source_rate_hz == rate_hz


def test_slow_muscle_and_breath_keep_their_own_rate_and_fast_ones_are_brought_down():
    file = signals(A=noise(), Slow=(noise(1), 1.0), Flow=(noise(10), 10.0), Chin=(noise(1), 1.0))
    kinds = harmonized(file, A="eeg", Slow="resp", Flow="resp", Chin="emg").kinds
    assert (kinds["resp"].rate_hz, kinds["emg"].rate_hz) == (10, 1)
    assert kinds["resp"].x.shape == (2, SECONDS * 10)
    fast = harmonized(signals(A=noise(), B=(noise(200), 200.0), C=(noise(256), 256.0)), A="eeg", B="resp", C="ecg")
    assert (fast.kinds["resp"].rate_hz, fast.kinds["ecg"].rate_hz) == (16, 128)


@pytest.mark.parametrize(("duration_s", "n_epochs"), [(90, 3), (89.6, 3), (89, 2), (119, 3)])
def test_signals_are_cut_to_whole_epochs(duration_s, n_epochs):
    file = Signals({"A": (noise(seconds=duration_s), 100.0, "uV")}, duration_s)
    result = harmonized(file, A="eeg")
    assert result.n_epochs == n_epochs
    assert result.kinds["eeg"].x.shape == (1, n_epochs * 3840)


# --- values --------------------------------------------------------------------------------------------------


def test_median_and_iqr_bring_the_signal_back_in_microvolts():
    t = np.arange(SECONDS * 100) / 100
    eeg = harmonized(signals(A=700 + 50 * np.sin(2 * np.pi * 8 * t)), A="eeg").kinds["eeg"]
    back = eeg.x[0] * (CLIP / 32767) * eeg.iqr[0] + eeg.median[0]
    expected = 700 + 50 * np.sin(2 * np.pi * 8 * np.arange(SECONDS * 128) / 128)
    assert np.abs(back - expected)[128:-128].max() < 1


def test_a_derivation_is_the_difference_at_the_faster_electrodes_rate():
    t, slow = np.arange(SECONDS * 200) / 200, np.arange(SECONDS * 100) / 100
    hum = 300 * np.sin(2 * np.pi * 3 * t)
    file = signals(C3=(hum + 20 * np.sin(2 * np.pi * 11 * t), 200.0), A2=(300 * np.sin(2 * np.pi * 3 * slow), 100.0))
    eeg = harmonize_signals(file, [Pick("C3-M2", "eeg", "C3", "A2")], Harmonize()).kinds["eeg"]
    back = eeg.x[0] * (CLIP / 32767) * eeg.iqr[0] + eeg.median[0]
    expected = 20 * np.sin(2 * np.pi * 11 * np.arange(SECONDS * 128) / 128)
    assert np.abs(back - expected)[256:-256].max() < 3
    assert (eeg.channels[0].source, eeg.channels[0].source_rate_hz) == ("C3 - A2", 200)


def test_channels_keep_the_order_of_the_picks():
    eeg = harmonized(signals(B=noise(), A=noise(seed=1)), B="eeg", A="eeg").kinds["eeg"]
    assert [c.label for c in eeg.channels] == ["B", "A"]


def test_the_share_of_clipped_samples_is_told():
    x = noise()
    x[:90] = 1e5
    assert 0.005 < with_good(x).kinds["eeg"].clipped_share[1] < 0.015


# --- gaps ----------------------------------------------------------------------------------------------------


def with_gap(start_s, end_s, **channels):
    """Return a file of noise whose samples from `start_s` to `end_s` are missing and declared so."""
    for name, (x, rate_hz) in channels.items():
        x[int(start_s * rate_hz) : int(end_s * rate_hz)] = np.nan
        channels[name] = (x, rate_hz, "uV")
    return Signals(channels, gaps_s=[(start_s, end_s)])


def test_a_declared_gap_costs_no_channel_and_does_not_change_its_scale():
    whole = harmonized(signals(A=(300 + noise(128), 128.0)), A="eeg").kinds["eeg"]
    result = harmonized(with_gap(20, 85, A=(300 + noise(128), 128.0)), A="eeg")
    eeg = result.kinds["eeg"]
    assert result.dropped == {}
    assert (eeg.x[0, 20 * 128 : 85 * 128] == 0).all()
    assert eeg.iqr[0] == pytest.approx(whole.iqr[0], rel=0.1)
    assert eeg.median[0] == pytest.approx(whole.median[0], abs=3)


def test_samples_missing_outside_the_declared_gap_still_count():
    x = noise()
    x[:900] = np.nan
    assert "36% of the samples are missing" in harmonized_pair(x).dropped["B"]


def harmonized_pair(x):
    file = with_gap(20, 85, A=(noise(), 100.0), B=(x, 100.0))
    return harmonized(file, A="eeg", B="eeg")


def test_a_derivation_of_two_rates_keeps_what_lies_outside_the_gap():
    file = with_gap(30, 40, C3=(noise(200), 200.0), A2=(noise(100, 1), 100.0))
    eeg = harmonize_signals(file, [Pick("C3-M2", "eeg", "C3", "A2")], Harmonize()).kinds["eeg"]
    assert (eeg.x[0, 30 * 128 : 40 * 128] == 0).all()
    assert np.count_nonzero(eeg.x[0, : 30 * 128]) > 3700


stretches = st.lists(st.integers(0, 6 * 300), min_size=2, max_size=8, unique=True).map(sorted)


@given(edges=stretches, steps=st.sampled_from([1, 2, 10, 30]))
def test_a_step_is_in_gaps_where_half_of_its_tenths_are_or_its_epoch_s(edges, steps):
    gaps_s = [(a / 10, b / 10) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    tenths = np.zeros(6 * 300, bool)
    for a, b in zip(edges[::2], edges[1::2], strict=False):
        tenths[a:b] = True
    epochs = tenths.reshape(6, -1).mean(1) >= 0.5
    fine = tenths.reshape(6 * steps, -1).mean(1) >= 0.5
    np.testing.assert_array_equal(in_gaps(gaps_s, 6, steps), fine | np.repeat(epochs, steps))
