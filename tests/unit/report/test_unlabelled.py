"""Recordings without a scored epoch in the report: counted and said, in no figure of agreement."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hypnoflow.config.evaluate import Evaluate
from hypnoflow.evaluate.nights import summarise
from hypnoflow.report.figures import draw_confusion, draw_recordings, draw_truth, figure_text
from hypnoflow.report.page import headline, summary_json
from hypnoflow.stats.confusion import COUNTS
from hypnoflow.types import STAGES

pytestmark = pytest.mark.filterwarnings("error")


def row(recording, n_epochs, macro_f1=np.nan):
    counts = dict.fromkeys(COUNTS, 0) | {"n_W_W": n_epochs // 2, "n_N2_N2": n_epochs // 2}
    names = {"cohort": "real", "recording": recording, "person": recording, "split": "test"}
    return {**names, "n_epochs": n_epochs, "macro_f1": macro_f1, "kappa": macro_f1, **counts}


def report_data(*rows):
    table = pd.DataFrame(list(rows))
    fine = pd.DataFrame(
        {
            "split": "test", "steps_per_epoch": [1, 16], "step_s": [30.0, 1.875], "accuracy": [0.8, 0.9],
            "kappa": [0.7, 0.8], "repeated_30_s_accuracy": 0.8, "repeated_30_s_kappa": 0.7,
            "expert_30_s_accuracy": np.nan, "expert_30_s_kappa": np.nan,
        }
    )  # fmt: skip
    return SimpleNamespace(
        at_30_s=table,
        fine=fine,
        split=table,
        summary=summarise(table, STAGES, Evaluate()),
        qc=pd.DataFrame({"status": ["ok"], "cohort": ["real"], "recording": ["a"], "reason": [""]}),
        simulated=False,
        networks={},
        predictions={},
    )


def test_they_are_counted_at_the_top_and_leave_the_measures_as_they_are():
    data = report_data(row("a", 10, 1.0), row("b", 0))
    cards = {what: value for value, what in headline(data)}
    assert cards["without labels, in no measure of agreement"] == "1"
    assert cards["macro-F1 at 30 s, unseen persons"] == "1.00"
    assert "without" not in str(headline(report_data(row("a", 10, 1.0))))


def test_the_mean_over_recordings_and_the_points_are_those_of_the_others():
    ax = draw_recordings(report_data(row("a", 10, 0.6), row("b", 0), row("c", 10, 0.8))).axes[0]
    points = np.concatenate([line.get_ydata() for line in ax.lines])
    np.testing.assert_allclose(np.sort(points), [0.6, 0.8])
    (bar,) = ax.collections
    assert bar.get_segments()[0][0][1] == pytest.approx(0.7)


def test_without_any_label_there_is_no_figure_of_agreement_and_no_nan_in_the_summary():
    data = report_data(row("a", 0), row("b", 0))
    assert draw_recordings(data) is None
    assert draw_confusion(data) is None
    assert draw_truth(data) is not None
    assert not any("F1" in what for _, what in headline(data))
    json.loads(summary_json(data), parse_constant=pytest.fail)  # NaN is such a constant


def test_an_undefined_measure_is_a_dash():
    assert figure_text(None) == "–"
    assert figure_text(0.8765) == "0.88"
    assert figure_text(0.8764, 3) == "0.876"
