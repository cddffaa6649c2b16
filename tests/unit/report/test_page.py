"""What the report's sentences say, whichever way a comparison came out."""

from __future__ import annotations

from typing import Any

from hypnoflow.report.page import sentence


def summary(*intervals: tuple[float, float]) -> dict[str, Any]:
    """Return a comparison of 30 s with finer resolutions, given the intervals of their differences."""
    rows = [row("baseline", 1.0, 2.0), row("classic", -9.0, -8.0), row("1", 0.0, 0.0)]
    rows += [row(str(2 ** (k + 1)), low, high) for k, (low, high) in enumerate(intervals)]
    return {"error": "RMSE (years)", "persons": 44, "comparison": rows}


def row(condition: str, low: float, high: float) -> dict[str, Any]:
    return {"condition": condition, "error": 12.345, "difference_low": low, "difference_high": high}


def test_sentence_gives_the_error_at_30_s_and_the_number_of_persons():
    assert "RMSE (years) at 30 s is 12.3" in sentence(summary((-1, 1)))
    assert "(44 persons)" in sentence(summary((-1, 1)))


def test_no_interval_clear_of_zero_is_said_to_be_no_difference():
    text = sentence(summary((-1, 1), (-2, 0.1), (0.0, 1), (-1, 0.0)))
    assert "None of the 4 finer resolutions differs" in text
    assert "better" not in text
    assert "worse" not in text


def test_better_resolutions_are_counted():
    text = sentence(summary((-2, -1), (-3, -0.1), (-1, 1)))
    assert "better at 2 of the 3 finer resolutions" in text
    assert "worse" not in text
    assert "not adjusted" in text


def test_worse_resolutions_are_counted():
    text = sentence(summary((1, 2), (-1, 1)))
    assert "worse at 1 of the 2 finer resolutions" in text
    assert "better" not in text


def test_better_and_worse_are_both_said():
    text = sentence(summary((-2, -1), (1, 2), (1, 3), (-1, 1)))
    assert "better at 1" in text
    assert "worse at 2 of the 4 finer resolutions" in text


def test_baseline_and_classic_are_no_resolutions():
    assert "None of the 1 finer resolutions" in sentence(summary((-1, 1)))


def test_problem_is_told_instead():
    text = sentence({"problem": "3 persons with a known age, 10 needed for 5 folds"})
    assert text == "Not predicted: 3 persons with a known age, 10 needed for 5 folds."
