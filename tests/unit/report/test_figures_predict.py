"""Figures of the prediction, drawn from the summary of a made study."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tests.comparisons import FAST, evidence

from hypnoflow.predict.summary import compare_target
from hypnoflow.report import figures_predict
from hypnoflow.report.figures import figures
from hypnoflow.report.figures_predict import condition_name, of_primary
from hypnoflow.report.page import _comparisons, _image, sentence

pytestmark = pytest.mark.filterwarnings("error")
NAMES = ("prediction", "difference", "forest", "curve", "discovery")


@pytest.fixture(scope="module")
def data():
    targets = {"age": evidence(1.5), "sex": evidence(0.3, is_class=True, with_refit=False)}
    summaries = {name: compare_target(known, FAST, seed=1)[0] for name, known in targets.items()}
    return SimpleNamespace(predictions=summaries, simulated=True)


def panels(name, data):
    return figures.get(name).draw(data).axes


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_registered_drawn_and_says_that_data_are_simulated(name, data):
    each = figures.get(name)
    image = _image(name, each, each.draw(data), simulated=True)
    assert each.section == "Prediction"
    assert image["caption"].startswith("Simulated data. ")


@pytest.mark.parametrize("name", NAMES)
def test_targets_that_were_not_predicted_have_no_figure(name):
    nothing = SimpleNamespace(predictions={"age": {"target": "age", "problem": "3 persons"}}, simulated=True)
    assert figures.get(name).draw(nothing) is None
    assert sentence(nothing.predictions["age"]) == "Not predicted: 3 persons."
    assert _comparisons(nothing) == {}


def test_error_curve_has_every_resolution_its_interval_and_the_lines_of_the_yardsticks(data):
    ax, other = panels("prediction", data)
    rows = {row["condition"]: row for row in of_primary(data.predictions["age"]) if row["family"] == "resolution"}
    curve = next(line for line in ax.lines if line.get_label() == "each resolution")
    assert curve.get_xdata().tolist() == [30, 7.5, 1.875, 30 / 128]
    assert curve.get_ydata().tolist() == [rows[f]["error"] for f in ("1", "4", "16", "128")]
    labels = [line.get_label() for line in ax.lines]
    assert {"mean of the training persons", "classic statistics, 30 s", "best resolution"} <= set(labels)
    assert (ax.get_ylabel(), other.get_ylabel()) == ("RMSE (years)", "Brier score")
    assert ax.get_title(loc="left") == "age, 123 persons"


def test_points_of_differences_are_filled_where_holm_leaves_them(data):
    ax = panels("difference", data)[0]
    rows = [r for r in of_primary(data.predictions["age"]) if r["family"] == "resolution" and r["p"] is not None]
    filled = [
        float(y)
        for line in ax.lines
        if line.get_marker() == "o" and line.get_markerfacecolor() != "w"
        for y in line.get_ydata()
    ]
    assert filled == [row["difference"] for row in rows if row["p_holm"] < 0.05]
    assert 0 < len(filled) < len(rows)


def test_forest_has_a_line_per_cohort_and_the_combination_last(data):
    ax = panels("forest", data)[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "all cohorts, 120",
        "tiny, 3",
        "mros, 40",
        "dcsm, 40",
        "abc, 40",
    ]
    diamonds = [line for line in ax.lines if line.get_marker() == "D"]
    assert len(diamonds) == 2
    spans = [c for c in ax.collections if len(c.get_segments())]
    assert len(spans) == 8  # three cohorts and the combination, of two kinds; the tiny cohort has no interval


def test_learning_curve_shows_errors_at_each_number_of_persons(data):
    ax = panels("curve", data)[0]
    best = next(line for line in ax.lines if line.get_label() == "best resolution")
    rows = [row for row in data.predictions["age"]["curve"] if row["condition"] == "best"]
    assert best.get_xdata().tolist() == [row["groups"] for row in rows]
    assert best.get_ydata().tolist() == [row["error"] for row in rows]


def test_discovery_puts_the_strongest_feature_first_and_rings_what_survives(data):
    ax = panels("discovery", data)[0]
    assert ax.get_yticklabels()[0].get_text() == "micro"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["30 s", "7.5 s", "1.88 s", "0.234 s"]
    rows = [row for row in data.predictions["age"]["discovery"] if row["effect"] is not None]
    dots = ax.collections[0]
    assert len(dots.get_offsets()) == len(rows)
    ringed = np.array([edge[3] > 0 for edge in dots.get_edgecolors()])
    assert ringed.tolist() == [row["fdr"] < 0.05 for row in rows]


def test_comparisons_of_the_page_are_in_words_and_of_the_primary_learner(data):
    rows = _comparisons(data)["age"]
    assert ("best resolution", "30 s") in {(row["name"], row["against"]) for row in rows}
    assert {row["learner"] for row in rows} == {"linear"}
    assert all(row["condition"] != row["reference"] for row in rows)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("1", "30 s"),
        ("16", "1.88 s"),
        ("3840", "0.00781 s"),
        ("demographics+classic", "age, sex, body-mass index + classic statistics, 30 s"),
        ("demographics+best", "age, sex, body-mass index + best resolution"),
    ],
)
def test_conditions_in_words(condition, words):
    assert condition_name(condition) == words


def test_module_registers_what_it_draws():
    drawn = {name for name, each in figures if each.draw.__module__ == figures_predict.__name__}
    assert drawn == set(NAMES)
