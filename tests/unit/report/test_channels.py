"""The ablation's figures and the table by cohort, drawn from hand-made summaries."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hypnoflow.report.figures import figures
from hypnoflow.report.figures_channels import draw_attention, draw_channel_count, draw_channel_pairs
from hypnoflow.report.page import _by_cohort, _channel_tests, _image
from hypnoflow.subsets.choose import ALL, PAIRED

pytestmark = pytest.mark.filterwarnings("error")


def count_row(n_eeg, n_eog, f1, p_holm):
    name = ALL if n_eeg is None else f"{n_eeg}/{n_eog}"
    interval = {"low": f1 - 0.1, "high": f1 + 0.1, "difference": f1 - 0.9, "p": p_holm, "p_holm": p_holm}
    sizes = {"recordings": 9, "persons": 7}
    return {"condition": name, "n_eeg": n_eeg, "n_eog": n_eog, "macro_f1": f1, **interval, **sizes}


def report_data(**subsets):
    summary = {"subsets": subsets} if subsets else {}
    return SimpleNamespace(summary=summary, simulated=True)


COUNT = [
    count_row(None, None, 0.9, None), count_row(0, 1, 0.5, 0.01), count_row(1, 1, 0.6, 0.2),
    count_row(1, 0, 0.4, 0.03), count_row(2, 0, 0.45, 0.06),
]  # fmt: skip


def test_without_an_ablation_there_are_no_figures():
    for draw in (draw_channel_count, draw_channel_pairs, draw_attention):
        assert draw(report_data()) is None
        assert draw(report_data(count=[], pairs=[], attention=[])) is None
    assert _channel_tests(report_data()) == []


def test_every_number_of_channels_is_a_point_and_filled_where_it_differs_from_all():
    ax = draw_channel_count(report_data(count=COUNT)).axes[0]
    points = {
        (round(float(x)), round(float(y), 3)): line.get_markerfacecolor() == "w"
        for line in ax.lines
        if line.get_marker() == "o"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    assert points == {(0, 0.5): False, (1, 0.6): True, (1, 0.4): False, (2, 0.45): True}
    spans = sorted(tuple(s[:, 1].round(3)) for c in ax.collections for s in c.get_segments())
    assert spans == [(0.3, 0.5), (0.35, 0.55), (0.4, 0.6), (0.5, 0.7)]
    assert ax.get_title(loc="left") == "9 recordings of 7 persons"
    assert len(_channel_tests(report_data(count=COUNT))) == 4


def test_pair_matrix_is_symmetric_and_shows_its_numbers():
    rows = [
        {"first": a, "second": b, "macro_f1": 0.5 + 0.01 * (i + j), "recordings": 3, "persons": 2}
        for i, a in enumerate(PAIRED)
        for j, b in enumerate(PAIRED)
        if i <= j
    ]
    ax = draw_channel_pairs(report_data(pairs=rows)).axes[0]
    shown = np.array([float(t.get_text()) for t in ax.texts]).reshape(7, 7)
    assert (shown == shown.T).all()
    assert (shown[0, 0], shown[2, 5]) == (0.5, 0.57)


def test_each_seed_has_its_panel_of_weights():
    rows = [
        {"seed": seed, "level": level, "electrode": electrode, "weight": 0.1 * i, "recordings": 4}
        for seed in ("seed1", "seed2")
        for level in (1, 2, 13)
        for i, electrode in enumerate(PAIRED)
    ]
    panels = draw_attention(report_data(attention=rows)).axes
    assert [ax.get_title(loc="left") for ax in panels] == ["seed1, 4 recordings", "seed2, 4 recordings"]
    assert [t.get_text() for t in panels[0].get_xticklabels()] == ["1", "2", "13"]
    assert [t.get_text() for t in panels[0].texts[-3:]] == ["0.60"] * 3


def test_figures_of_simulated_nights_say_so():
    each = figures.get("channel_count")
    image = _image("channel_count", each, each.draw(report_data(count=COUNT)), simulated=True)
    assert image["caption"].startswith("Simulated data. ")


def test_undefined_measures_of_a_cohort_are_none():
    table = pd.DataFrame([{"cohort": "x", "macro_f1": np.nan, "stages": 0, "simulated": True}])
    assert _by_cohort(table) == [{"cohort": "x", "macro_f1": None, "stages": 0, "simulated": True}]
