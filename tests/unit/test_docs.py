"""The examples of the documentation run, in order, where a user would run them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def said(results) -> dict:
    """Run all blocks of reading.md in the folder that holds `results` and return the names that they bind."""
    text = (DOCS / "reading.md").read_text()
    names: dict = {"__name__": "reading"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(results.parent)
        for match in BLOCK.finditer(text):
            # Lines of nothing before, so that a traceback tells the line of the page.
            lines = "\n" * (text[: match.start()].count("\n") + 1)
            exec(compile(lines + match[1], "reading.md", "exec"), names)
    return names


def test_every_block_of_the_page_on_reading_runs_and_there_is_one_for_each_heading(said):
    text = (DOCS / "reading.md").read_text()
    sections = text.split("\n## ")[1:]
    assert all(BLOCK.search(section) for section in sections)
    assert text.count("```") == 2 * len(BLOCK.findall(text))


def test_what_the_comments_of_the_page_state_is_so(said):
    night = said["night"]
    assert night["eeg"].sizes["eeg_channel"] == 2
    assert night["eeg_channel"].values.tolist() == ["C4-M1", "C3-M2"]
    assert said["ten_s"].sizes["eeg_time"] == 1280
    assert said["uv"].attrs["units"] == "uV"
    assert said["some"].hypnoflow.microvolts("resp").attrs["units"] == "%"
    assert len(said["epochs"]) == 30
    assert set(said["found"]) == set(said["cohort"])
