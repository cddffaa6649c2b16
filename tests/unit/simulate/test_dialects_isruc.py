"""Simulated ISRUC-Sleep, opened with edfio and openpyxl."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import edfio
import numpy as np
import openpyxl
import pytest
from tests.conftest import SEED

from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.simulate import Simulate
from hypnoflow.simulate.dialects import _isruc
from hypnoflow.simulate.job import simulate_cohort
from hypnoflow.simulate.persons import Population, draw_person
from hypnoflow.simulate.recorder import Recorder, Visit

NIGHT = Simulate(night_h=0.25)

OLD = ["LOC-A2", "ROC-A1", "F3-A2", "C3-A2", "O1-A2", "F4-A1", "C4-A1", "O2-A1"]
TAIL = ["DC3", "X7", "X8", "SaO2", "DC8"]
ISRUC_LABELS = {
    "A1 A2": [*OLD, "X1", "X2", "X3", "X4", "X5", "X6", *TAIL],
    "M1 M2": ["E1-M2", "E2-M1", "F3-M2", "C3-M2", "O1-M2", "F4-M1", "C4-M1", "O2-M1", "X1", "X2", "X3", "X4",
              "X5", "X6", "DC4", "X7", "X8", "SpO2", "DC8", "DC7"],
    "numbered boxes": [*OLD, "24", "X2", "26", "27", "X5", "X6", *TAIL],
    "referential": ["ROC", "A1", "LOC", "A2", "C4", "O2", "C3", "O1", "F4", "F3", "X1", "X2", "X3", "X4", "X5",
                    "X6", "X7", "X8", "DC8", "DC3", "SaO2"],
    "no frontal": ["LOC-A2", "ROC-A1", "C3-A2", "O1-A2", "C4-A1", "O2-A1", "X1", "X2", "X3", "X4", "X5", "X6", *TAIL],
}  # fmt: skip


def rates(path: Path) -> dict[str, float]:
    return {s.label: s.sampling_frequency for s in edfio.read_edf(path).signals}


def one_isruc(folder: Path, variant: str) -> tuple[Path, Recorder]:
    """Write one recording of subgroup I with a given set of labels."""
    dialect = _isruc.Isruc("I", Population((20, 85), 0.5, 40.0, 0.1), {variant: 1.0} if variant != "A1 A2" else {})
    person = draw_person(dialect.population, 0, np.random.default_rng(4))
    recorder = Recorder(Visit("isruc-sg1", "1", person, 1), NIGHT, SEED, dialect.rate_hz, dialect.mains_hz)
    dialect.write_tables(folder, [dialect.write(folder, recorder)])
    return folder / "1" / "1.rec", recorder


@pytest.mark.parametrize("variant", ISRUC_LABELS)
def test_isruc_labels_are_one_of_the_five_known_sets_all_at_200_hz(tmp_path, variant):
    path, recorder = one_isruc(tmp_path, variant)
    assert list(rates(path)) == ISRUC_LABELS[variant]
    assert set(rates(path).values()) == {200}
    assert edfio.read_edf(path).duration == recorder.duration_s


def test_isruc_referential_signals_subtract_to_the_derivations(tmp_path):
    path, recorder = one_isruc(tmp_path, "referential")
    edf = edfio.read_edf(path)
    for plus, minus, names in (("C3", "A2", ("C3", "M2")), ("O2", "A1", ("O2", "M1")), ("LOC", "A2", ("E1", "M2"))):
        x = edf.get_signal(plus).data - edf.get_signal(minus).data
        assert np.quantile(np.abs(x - recorder.derivation(*names)), 0.999) < 0.1


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("isruc-sg1", ["1/1", "2/2"]),
        ("isruc-sg2", ["1/1/1", "2/1/1"]),
        ("isruc-sg3", ["1/1", "2/2"]),
    ],
)
def test_isruc_texts_and_spreadsheets_hold_both_experts_stages(made, name, files):
    root, recorders = made(name)
    for stem, recorder in zip(files, recorders, strict=True):
        assert list(rates(root / f"{stem}.rec")) in ISRUC_LABELS.values()
        for k, stages in enumerate((recorder.scored(), recorder.scored("expert 2")), start=1):
            codes = [int(line) for line in (root / f"{stem}_{k}.txt").read_text().split()]
            assert codes == [[0, 1, 2, 3, 5][stage] for stage in stages]
            rows = list(openpyxl.load_workbook(root / f"{stem}_{k}.xlsx").active.values)
            assert rows[0][0] in ("Epoch", "Epcoh", None)
            assert rows[0][1:9] == ("Stage", "SpO2", "HR", "Events", "BPOS", "Txln", "TxEx", "Technote")
            assert [row[0] for row in rows[1:]] == list(range(1, len(codes) + 1))
            wrote = ["W", "N1", "N2", "N3", "", "R"]
            assert all(row[1] in (wrote[code], "U") for row, code in zip(rows[1:], codes, strict=True))


def test_isruc_marks_each_event_in_the_epoch_where_it_begins(tmp_path):
    path, recorder = one_isruc(tmp_path, "A1 A2")
    rows = list(openpyxl.load_workbook(path.with_name("1_1.xlsx")).active.values)[1:]
    found = [(row[0] - 1, code) for row in rows for code in str(row[4] or "").split(", ")]
    kinds = {"AR": "arousal", "OH": "hypopnea", "MH": "hypopnea", "OA": "apnea_obstructive", "CA": "apnea_central",
             "MA": "apnea_mixed"}  # fmt: skip
    events = sorted((epoch, kinds[code]) for epoch, code in found if code in kinds)
    truth = [(int(e.onset_s // 30), e.kind) for e in recorder.night.events if e.kind != "desaturation"]
    assert events == sorted(truth)
    assert len(events) >= 5
    assert str(rows[0][3]).endswith("L Out")


def test_isruc_details_have_the_real_tables_header_in_the_third_row(made, real_data, tmp_path):
    real = list(openpyxl.load_workbook(real_data / "isruc_Details_subgroup_II_Submission.xlsx").active.values)
    cohort = CohortConfig(persons=1, repeat_persons=1.0)
    simulate_cohort("isruc-sg2", tmp_path / "sg2", cohort, NIGHT, seed=SEED)
    book = openpyxl.load_workbook(tmp_path / "sg2" / "Details_subgroup_II_Submission.xlsx")
    rows = list(book.active.values)
    assert rows[2] == real[2][: len(rows[2])]
    assert [row[0] for row in rows[3:5]] == ["1_Rec.1", "1_Rec.2"]
    assert isinstance(rows[3][1], int)
    assert rows[3][2] in ("M", "F")
    assert rows[4][1:5] == (None,) * 4
    assert (tmp_path / "sg2" / "1" / "2" / "2.rec").is_file()


def test_workbooks_carry_no_time_of_writing(tmp_path):
    path, _ = one_isruc(tmp_path, "A1 A2")
    for book in (path.with_name("1_1.xlsx"), tmp_path / "Details_subgroup_I_Submission.xlsx"):
        with zipfile.ZipFile(book) as archive:
            assert {info.date_time for info in archive.infolist()} == {(2015, 1, 1, 0, 0, 0)}
            dates = re.findall(rb"W3CDTF\">([^<]+)<", archive.read("docProps/core.xml"))
        assert dates == [b"2015-01-01T00:00:00Z"] * 2
