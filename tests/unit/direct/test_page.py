"""The page on scoring says what is: its examples run, and its table names each format and file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tests.nights import write_checkpoint, write_night

from hypnoflow.direct.outputs import FORMATS, Wishes
from hypnoflow.direct.summary import score_and_report
from hypnoflow.score.infer import open_scorer

PAGE = (Path(__file__).parents[3] / "docs" / "scoring.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a recording of ten minutes, night.edf, and its outputs in scored/."""
    path = tmp_path_factory.mktemp("page")
    write_night(path / "night.edf", np.random.default_rng(3), seconds=600)
    scorer = open_scorer([write_checkpoint(path / "net.pt")], threads=1, device="cpu")
    score_and_report([str(path / "night.edf")], scorer, path / "scored", Wishes())
    return path


def test_the_examples_run_and_agree_with_each_other(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(block, "scoring.md", "exec"), names)
    assert len(names["stages"]) == len(names["hypnogram"].hypno) == len(names["events"]) == 20
    assert len(names["likeliest"]) == len(names["p_n3"]) == 600
    assert names["statistics"]["TIB"] == 10
    assert set(names["codes"]) <= {f"Sleep stage {s}" for s in ("W", "N1", "N2", "N3", "R")}


def test_every_format_and_every_file_is_named(folder):
    for name in FORMATS:
        assert f"`{name}`" in PAGE
    for path in (folder / "scored").iterdir():
        like = re.sub(r"_(30|1)s\.(csv|parquet)$", "_", path.name).removesuffix(".json")
        assert like in PAGE
