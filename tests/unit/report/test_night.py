"""The picture of a night: R on its own colour and level, gaps hatched, clock time where the start is known."""

from __future__ import annotations

from datetime import datetime

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_hex

from hypnoflow.export.night import ScoredNight
from hypnoflow.report.night import draw_night, hours_minutes, write_png


def make(start=None, stage=None, **more):
    stage = np.array([0, 2, 4, 9, 3, 2] * 40 if stage is None else stage, np.uint8)
    p = np.eye(10, dtype=np.float32)[np.repeat(stage, 30)][:, :5]
    p[np.repeat(stage, 30) == 9] = np.nan
    return ScoredNight("night", start, {1: stage}, {30: p}, (1,), 30, **more)


def panels(night):
    drawn = draw_night(night)
    drawn.canvas.draw()
    return drawn, drawn.axes


def labels(ax):
    return [tick.get_text() for tick in ax.get_xticklabels()]


def test_the_axis_says_the_time_of_day_past_midnight():
    _, (_, _, _, lower) = panels(make(datetime(2020, 1, 1, 23, 10)))  # two hours
    assert labels(lower) == [f"{h:02d}:{m:02d}" for h in (23, 0, 1) for m in range(0, 60, 10)][1:14]
    assert lower.get_xticks()[0] == pytest.approx(0)
    assert lower.get_xticks()[5] == pytest.approx(50 / 60)


def test_without_a_start_the_axis_says_the_time_since():
    _, (_, _, _, lower) = panels(make())
    assert labels(lower)[:3] == ["0:00", "0:10", "0:20"]
    assert "start of the recording" in lower.get_xlabel()


def test_rem_has_its_own_colour_and_level_and_gaps_are_empty():
    _, (_, upper, _, lower) = panels(make())
    ticks = {
        tick.get_text(): (y, to_hex(tick.get_color()))
        for y, tick in zip(upper.get_yticks(), upper.get_yticklabels(), strict=True)
    }
    y, colour = ticks["R"]
    bars = [line for line in upper.lines if to_hex(line.get_color()) == colour]
    assert len(bars) == 40
    assert all(line.get_ydata().tolist() == [y, y] for line in bars)
    assert bars[0].get_xdata() == pytest.approx([60 / 3600, 90 / 3600])
    assert len({colour for _, colour in ticks.values()}) == 5
    assert sum(patch.get_hatch() is not None for patch in lower.patches) == 40


def test_the_axis_owns_up_to_means_of_several_steps():
    assert [panels(make(stage=[2] * n))[1][3].get_ylabel() for n in (50, 960)] == [
        "probability, 1 s",
        "probability, means of 20 s",
    ]


def test_intrusions_are_marked_where_they_are_and_counted():
    _, (_, _, marks, _) = panels(make(intrusions=[(720.0, 5.0), (3600.0, 4.0)]))
    (lines,) = marks.collections
    assert [path.vertices[0, 0] for path in lines.get_paths()] == [0.2, 1.0]
    assert marks.texts[0].get_text().startswith("2 arousal-like")


def test_simulated_nights_say_so_and_others_do_not():
    assert [text.get_text() for text in panels(make(simulated=True))[0].texts] == ["simulated data"]
    assert not panels(make())[0].texts


@pytest.mark.parametrize("stage", [[9], [0], [4] * 3000])
def test_any_length_and_a_night_of_nothing_are_drawn(tmp_path, stage):
    (path,) = write_png(make(datetime(2020, 2, 28, 23, 59, 59, 5), stage), tmp_path / "night")
    assert matplotlib.image.imread(path).shape[:2] == (840, 1800)


def test_lengths_are_said_as_people_do():
    assert [hours_minutes(m) for m in (0, 59.4, 59.6, 125)] == ["0 min", "59 min", "1 h 00", "2 h 05"]
