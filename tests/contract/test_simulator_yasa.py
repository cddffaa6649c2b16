"""An independent stager recognises the simulated stages: YASA 0.8.1 (Vallat & Walker 2021, doi 10.7554/eLife.70092)."""

from __future__ import annotations

import warnings

import mne
import numpy as np
import pytest
import yasa
from sklearn.metrics import cohen_kappa_score, f1_score

from hypnoflow.config.simulate import Simulate
from hypnoflow.seeds import generator
from hypnoflow.simulate.persons import Population, draw_person
from hypnoflow.simulate.recorder import Recorder, Visit

CODES = {"W": 0, "WAKE": 0, "N1": 1, "N2": 2, "N3": 3, "R": 4, "REM": 4}


def staged_by_yasa(eeg, eog, emg, rate_hz):
    info = mne.create_info(["eeg", "eog", "emg"], rate_hz, ["eeg", "eog", "emg"], verbose="error")
    raw = mne.io.RawArray(np.stack([eeg, eog, emg]) * 1e-6, info, verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its classifiers were pickled with an older scikit-learn
        predicted = yasa.SleepStaging(raw, eeg_name="eeg", eog_name="eog", emg_name="emg").predict()
    stages = getattr(predicted, "hypno", predicted)
    return np.array([CODES[str(stage)] for stage in stages])


@pytest.fixture(scope="module")
def nights():
    """Labels without scorer noise, YASA's stages of them, and of a night whose signals belong to another."""
    population = Population((22, 70), 0.5, 3.0, 0.6)
    result = []
    for number in range(3):
        person = draw_person(population, number, generator(3, "person", number))
        options = Simulate(night_h=6.0, scorer_noise=0.0, bad_site_share=0.0)
        recorder = Recorder(Visit("yasa", f"night{number}", person, 1), options, 3, 100.0, 50.0)
        signals = recorder.derivation("C4", "M1"), recorder.derivation("E1", "M2"), recorder.chin()
        result.append((recorder.scored(), staged_by_yasa(*signals, 100.0)))
    return result


def test_agreement_is_that_of_yasa_on_real_nights(nights):
    # Real nights lie near .75 to .85; the target for 12 nights, in tests/bench/test_realism.py, is .75 to .90.
    kappa = [cohen_kappa_score(truth, found) for truth, found in nights]
    assert 0.65 < np.median(kappa) < 0.93


def test_every_stage_is_recognised(nights):
    truth, found = (np.concatenate(each) for each in zip(*nights, strict=True))
    f1 = f1_score(truth, found, average=None, labels=range(5))
    assert (f1 > [0.7, 0.3, 0.75, 0.5, 0.7]).all(), f1


def test_agreement_comes_from_the_signals_not_from_the_shape_of_a_night(nights):
    n = min(len(truth) for truth, _ in nights)
    crossed = [cohen_kappa_score(nights[i][0][:n], nights[(i + 1) % 3][1][:n]) for i in range(3)]
    assert max(crossed) < 0.35
