"""Recordings from a badly kept site: some channels spoiled, never all EEG and all EOG, the rest untouched."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.simulate import Simulate
from hypnoflow.seeds import generator
from hypnoflow.simulate.body import BadSite
from hypnoflow.simulate.dialects import dialects
from hypnoflow.simulate.job import simulate_cohort
from hypnoflow.simulate.persons import Population, draw_person
from hypnoflow.simulate.recorder import Recorder, Visit

RATE_HZ = 128.0
EEG, EOG = ("C4-M1", "C3-M2", "F4-M1", "O2-M1"), ("E1-M2", "E2-M1")
PERSON = draw_person(Population((40, 40), 0.5, 1.5, 0.5), 0, generator(1, "person"))


def recorder(name: str, share: float) -> Recorder:
    return Recorder(Visit("site", name, PERSON, 1), Simulate(night_h=0.25, bad_site_share=share), 1, RATE_HZ, 50.0)


def draw_all(recording: Recorder) -> dict[str, np.ndarray]:
    drawn = {name: recording.derivation(*name.split("-")) for name in EEG + EOG}
    return drawn | {"chin": recording.chin()}


@pytest.fixture(scope="module")
def bad() -> list[tuple[Recorder, dict[str, np.ndarray]]]:
    return [(each, draw_all(each)) for each in (recorder(f"night{k}", 1.0) for k in range(30))]


def test_all_eeg_or_all_eog_stay_good(bad):
    for recording, _ in bad:
        faults = recording.faults
        assert not any(faults[name] for name in EEG) or not any(faults[name] for name in EOG)


def test_every_fault_happens_and_most_bad_sites_spoil_something(bad):
    faults = [fault for recording, _ in bad for fault in recording.faults.values()]
    assert set(faults) == {*BadSite.FAULTS, ""}
    assert np.mean([any(recording.faults.values()) for recording, _ in bad]) > 0.8


def test_channels_without_a_fault_are_those_of_a_good_site(bad):
    for k, (recording, drawn) in enumerate(bad[:5]):
        good = draw_all(recorder(f"night{k}", 0.0))
        for name, x in drawn.items():
            assert np.array_equal(x, good[name]) == (not recording.faults[name]), name


def spoiled(fault: str) -> np.ndarray:
    """Return 20 min of 10-uV noise with a fault, from the first generator that draws it."""
    for k in range(200):
        site = BadSite(50.0, generator(1, "site", k))
        x = 10 * generator(1, "noise").standard_normal(int(1200 * RATE_HZ), np.float32)
        site.spoil(x, "chin", "emg", RATE_HZ, RATE_HZ, generator(1, "fault", k))
        if site.fault["chin"] == fault:
            return x
    raise AssertionError(fault)


def test_dead_channel_holds_zero_to_its_end():
    x = spoiled("dead")
    died = np.flatnonzero(x)[-1] + 1 if x.any() else 0
    assert died < len(x)
    assert np.count_nonzero(x[died:]) == 0


def test_hum_stands_out_at_the_mains_frequency():
    f, p = welch(spoiled("hum"), RATE_HZ, nperseg=1024)
    assert f[p.argmax()] == pytest.approx(50, abs=0.2)
    assert p.max() > 100 * np.median(p)


def test_drift_is_slow_and_large():
    x = spoiled("drift")
    f, p = welch(x, RATE_HZ, nperseg=int(200 * RATE_HZ))
    assert np.std(x) > 100  # uV
    assert p[f < 0.2].sum() > 0.95 * p.sum()


def test_loose_electrode_multiplies_the_spread_of_its_stretches():
    x = spoiled("loose")
    size = x[: len(x) // 1280 * 1280].reshape(-1, 1280).std(1)
    assert size.max() > 5 * 10


@pytest.mark.parametrize("rate_hz, file_hz", [(100.0, 100.0), (125.0, 50.0)])
def test_no_hum_is_drawn_where_the_file_cannot_hold_it(rate_hz, file_hz):
    for k in range(60):
        site = BadSite(50.0, generator(1, "site", k))
        site.spoil(np.zeros(6000, np.float32), "chin", "emg", rate_hz, file_hz, generator(1, "fault", k))
        assert site.fault["chin"] != "hum"


def test_share_of_bad_sites_is_the_options():
    bad = [recorder(f"person{k}", 0.25).from_bad_site for k in range(400)]
    assert np.mean(bad) == pytest.approx(0.25, abs=0.09)  # SD .022


@pytest.mark.parametrize("name", dialects.names())
def test_truth_names_the_faults_and_some_eeg_or_eog_channel_without(name, tmp_path):
    options = Simulate(night_h=0.25, bad_site_share=1.0)
    simulate_cohort(name, tmp_path / name, CohortConfig(persons=4), options, seed=1)
    truths = sorted((tmp_path / name / "truth").iterdir())
    assert len(truths) == 4
    for path in truths:
        with np.load(path) as truth:
            faults = dict(zip(truth["channel"].tolist(), truth["fault"].tolist(), strict=True))
        assert len(faults) >= 3
        assert any(fault == "" for channel, fault in faults.items() if channel != "chin")
