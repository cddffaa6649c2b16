"""Annotations of single cohorts as their files hold them: empty columns, end-of-file marks, rare kinds of events."""

from __future__ import annotations

from datetime import datetime

import pytest
from edfio import Edf, EdfAnnotation

from hypnoflow.native.annotations.isruc import read_epochs
from hypnoflow.native.annotations.mass import read_mass_events
from hypnoflow.native.annotations.ucddb import read_respiratory

TEN = datetime(2002, 9, 20, 22, 0, 0)


def test_ucddb_an_event_whose_duration_column_is_blank_has_none(tmp_path):
    # Columns of the published files: type from 10, duration from 26 to 32, low SpO2 from 36.
    path = tmp_path / "ucddb002_respevt.txt"
    path.write_text(
        f"\n\nTime\n{'22:10:00  PB':<36}{'91.3':>7}\n{'23:00:05  HYP-O':<26}{'16':>6}{'':4}{'90.1':>7}\n\x1a",
        newline="",
    )
    events = [(e.onset_s, e.duration_s, e.kind) for e in read_respiratory(path, TEN)]
    assert events == [(600, 0, "other"), (3605, 16, "hypopnea")]


@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n", "\r\n\x1a", "\n \n"])
def test_an_end_of_file_mark_or_blank_lines_at_the_end_are_no_stage(end, tmp_path):
    path = tmp_path / "ucddb002_stage.txt"
    path.write_text("0\r\n1" + end, newline="")
    assert [run.label for run in read_epochs(path)] == ["0", "1"]


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ('groupName="MicroArousal" name="CARSM expert"', "arousal"),
        ('groupName="RERA"', "rera"),
        ('groupName="ObstructiveApnea"', "apnea_obstructive"),
        ('groupName="Hypopnea"', "hypopnea"),
        ('groupName="PLMS" name="CARSM detector"', "limb_movement"),
        ('groupName="Spindle"', "other"),
    ],
)
def test_mass_tells_the_kind_of_an_event_by_its_attributes(attributes, kind, tmp_path):
    path = tmp_path / "01-01-0001 Annotations.edf"
    text = f'<Event channel="EEG C4-LER" {attributes} scoringType="expert"/>'
    Edf([], annotations=[EdfAnnotation(12.5, 3, text)]).write(path)
    (event,), warnings = read_mass_events(path)
    assert (event.onset_s, event.duration_s, event.kind, event.channel) == (12.5, 3, kind, "EEG C4-LER")
    assert warnings == ()
