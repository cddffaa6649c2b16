"""The example night has room for every panel, whatever happens in it."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest

from hypnoflow.report.collect import ExampleNight
from hypnoflow.report.figures import draw_night
from hypnoflow.store.scores import StoredScores
from hypnoflow.types import RESOLUTIONS

EPOCHS = 40


@pytest.mark.parametrize("intrusion", [False, True])
def test_every_panel_of_the_example_night_has_its_height(intrusion):
    stage = {f: np.full(EPOCHS * f, 2, np.uint8) for f in RESOLUTIONS}
    if intrusion:
        stage[16][100:106] = 0  # 11 s awake
    scores = StoredScores(stage, np.full((EPOCHS * 30, 5), 0.2, np.float32), 30)
    night = ExampleNight("abc", "one", "test", np.full(EPOCHS, 2, np.uint8), scores, None)
    drawn = draw_night(SimpleNamespace(night=night))
    drawn.savefig(io.BytesIO(), format="png")
    assert len(drawn.axes) == 4
    assert min(ax.get_position().height for ax in drawn.axes) > 0.1
