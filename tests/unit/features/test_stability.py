"""Stage stability around wake intrusions, by hand; steps of a second."""

from __future__ import annotations

import numpy as np
import pytest

from hypnoflow.config.features import Features
from hypnoflow.features import Hypnogram, features

SECONDS = 30
W, N1, N2, N3, R = range(5)


def compute(*parts: tuple[int, int], **options) -> dict[str, float]:
    stage = np.concatenate([np.full(n, code, np.uint8) for code, n in parts])
    period = slice(0, len(stage) // SECONDS)
    assert len(stage) % SECONDS == 0
    return features.get("stability").compute(Hypnogram(stage, SECONDS, period), Features(**options))


def test_sleep_that_goes_on_returns_at_once():
    found = compute((N2, 40), (W, 5), (N2, 45))
    assert found["event_return_share"] == 1
    assert found["event_return_s"] == 0
    assert found["event_lighter_share"] == 0
    assert found["event_changes_before_per_min"] == found["event_changes_after_per_min"] == 0


def test_sleep_that_goes_on_lighter_returns_later():
    found = compute((N3, 40), (W, 5), (N1, 8), (N2, 7), (N3, 30), (N2, 30))
    assert found["event_return_share"] == 0
    assert found["event_return_s"] == 15
    assert found["event_lighter_share"] == 1
    assert found["event_changes_before_per_min"] == 0
    assert found["event_changes_after_per_min"] == pytest.approx(2 / (29 / 60))  # in the 30 s but for the first step


def test_return_beyond_the_window_is_none():
    assert np.isnan(compute((N3, 40), (W, 5), (N2, 40), (N3, 35))["event_return_s"])
    assert compute((N3, 40), (W, 5), (N2, 40), (N3, 35), event_window_s=40)["event_return_s"] == 40


def test_several_intrusions_are_averaged():
    found = compute((R, 60), (W, 5), (R, 55), (W, 5), (N1, 55))
    assert found["event_return_share"] == 0.5
    assert found["event_lighter_share"] == 0.5


def test_windows_end_with_the_sleep_period():
    found = compute((N2, 10), (N3, 10), (W, 4), (N3, 6))
    assert found["event_changes_before_per_min"] == pytest.approx(1 / (20 / 60))


@pytest.mark.parametrize("parts", [((N2, 90),), ((N2, 40), (W, 5), (9, 45)), ((N2, 85), (W, 5)), ((9, 60),)])
def test_without_an_intrusion_between_sleep_and_sleep_all_is_nan(parts):
    assert np.isnan(list(compute(*parts).values())).all()
