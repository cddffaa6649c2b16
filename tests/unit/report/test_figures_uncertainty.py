"""What the figures of confidence show, and when there is nothing to show."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hypnoflow.report.figures import figures
from hypnoflow.report.figures_uncertainty import draw_reliability, draw_risk


def value(middle, width=0.02):
    ends = {"low": None, "high": None} if width is None else {"low": middle - width, "high": middle + width}
    return {"value": middle, **ends}


def part(below=0.0, width=0.02):
    bins = [{"n_epochs": 30, "confidence": 0.5, "accuracy": 0.4}, {"n_epochs": 70, "confidence": 0.9, "accuracy": 0.8}]
    kept = [
        {"wanted": None, "threshold": below, "coverage": value(0.6, width), "risk": value(0.1, width)},
        {"wanted": 0.9, "threshold": 0.45, "coverage": value(0.88, width), "risk": value(0.15, width)},
    ]
    return {
        "n_epochs": 100,
        "ece": {"before": value(0.123, width), "after": value(0.045, width)},
        "reliability": {"before": bins, "after": bins},
        "aurc": {"before": 0.2, "after": 0.0987},
        "curve": {"coverage": [0.5, 1.0], "risk": [0.1, 0.3]},
        "kept": kept,
    }


def report_data(uncertainty):
    return SimpleNamespace(summary={"uncertainty": uncertainty})


def texts(drawn):
    ax = drawn.axes[0]
    legend = ax.get_legend()
    shown = [*ax.texts, *(legend.get_texts() if legend else [])]
    return " ".join([ax.get_title("left"), *(text.get_text() for text in shown)])


@pytest.mark.parametrize("draw", [draw_reliability, draw_risk])
@pytest.mark.parametrize("uncertainty", [None, {"splits": {}}, {"splits": {"valid": part()}}])
def test_without_unseen_persons_there_is_no_figure(draw, uncertainty):
    assert draw(report_data(uncertainty)) is None


def test_a_summary_from_before_has_no_figure():
    assert draw_risk(SimpleNamespace(summary={})) is None


def test_each_group_of_unseen_persons_has_its_own_axes():
    both = {"splits": {"test": part(), "held_out": part(), "unseen": part(), "valid": part()}}
    assert [ax.get_title("left").split(",")[0] for ax in draw_risk(report_data(both)).axes] == [
        "test persons",
        "held-out cohorts",
    ]


def test_reliability_shows_accuracy_over_confidence_and_the_error_with_its_interval():
    drawn = draw_reliability(report_data({"splits": {"test": part()}}))
    assert "before calibration, ECE 0.123 (0.103 to 0.143)" in texts(drawn)
    assert "after calibration, ECE 0.045 (0.025 to 0.065)" in texts(drawn)
    before, after = drawn.axes[0].collections
    np.testing.assert_allclose(after.get_offsets(), [[0.5, 0.4], [0.9, 0.8]])
    np.testing.assert_allclose(before.get_sizes(), [60, 140])


def test_one_person_has_an_error_without_interval():
    drawn = draw_reliability(report_data({"splits": {"test": part(width=None)}}))
    assert "ECE 0.045" in texts(drawn)
    assert "(" not in texts(drawn)


def test_risk_marks_the_thresholds_in_use():
    drawn = draw_risk(report_data({"splits": {"test": part()}}))
    assert "AURC 0.099" in texts(drawn)
    assert "confidence ≥ 0.45" in texts(drawn)
    assert "confidence ≥ 0.00" not in texts(drawn)  # never abstaining is no threshold
    assert "confidence ≥ 0.70" in texts(draw_risk(report_data({"splits": {"test": part(below=0.7)}})))


def test_both_are_registered():
    assert {"reliability", "risk"} <= set(figures.names())
