"""ISRUC-Sleep: EDF named ``.rec`` under several sets of labels, two experts' text lists and spreadsheets.

The montage of the boxes X1 to X8 is the plausible one (chin, ECG, legs, snore, flow, effort); codes of apneas in the
spreadsheets (OA, CA, MA) are expected by analogy with those of hypopneas, not seen. Events are marked in the epoch
in which they begin, without a time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from openpyxl import Workbook

from hypnoflow.simulate.dialect import Trace, write_edf
from hypnoflow.simulate.dialects._isruc_details import demographics, details, scoring
from hypnoflow.simulate.dialects._xlsx import save
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder, Visit
from hypnoflow.types import StageArray

CODES = np.array([0, 1, 2, 3, 5])  # in the text files
NAMES = ("W", "N1", "N2", "N3", "R")  # in the spreadsheets
EVENTS = {
    "arousal": ("AR",),
    "hypopnea": ("OH", "OH", "OH", "MH"),
    "apnea_obstructive": ("OA",),
    "apnea_central": ("CA",),
    "apnea_mixed": ("MA",),
}
HEADER = ("Epoch", "Stage", "SpO2", "HR", "Events", "BPOS", "Txln", "TxEx", "Technote")

OLD = ("LOC-A2", "ROC-A1", "F3-A2", "C3-A2", "O1-A2", "F4-A1", "C4-A1", "O2-A1")
NEW = ("E1-M2", "E2-M1", "F3-M2", "C3-M2", "O1-M2", "F4-M1", "C4-M1", "O2-M1")
BOXES = ("X1", "X2", "X3", "X4", "X5", "X6")
# Labels in file order. The boxes X1, X3 and X4 are called "24", "26" and "27" in some records.
VARIANTS: dict[str, tuple[str, ...]] = {
    "A1 A2": (*OLD, *BOXES, "DC3", "X7", "X8", "SaO2", "DC8"),
    "M1 M2": (*NEW, *BOXES, "DC4", "X7", "X8", "SpO2", "DC8", "DC7"),
    "numbered boxes": (*OLD, "24", "X2", "26", "27", "X5", "X6", "DC3", "X7", "X8", "SaO2", "DC8"),
    "referential": ("ROC", "A1", "LOC", "A2", "C4", "O2", "C3", "O1", "F4", "F3", *BOXES, "X7", "X8", "DC8", "DC3",
                    "SaO2"),
    "no frontal": (*(label for label in OLD if label not in ("F3-A2", "F4-A1")), *BOXES, "DC3", "X7", "X8", "SaO2",
                   "DC8"),
}  # fmt: skip
ELECTRODES = {"A1": "M1", "A2": "M2", "LOC": "E1", "ROC": "E2"}
REFERENCE = {"E1": "M2", "E2": "M1", "F3": "M2", "C3": "M2", "O1": "M2", "F4": "M1", "C4": "M1", "O2": "M1"}
BOX_KIND = {
    "X1": "chin", "24": "chin", "X2": "ecg", "X3": "leg", "26": "leg", "X4": "leg", "27": "leg", "X5": "snore",
    "X6": "airflow", "DC3": "nasal", "DC4": "nasal", "X7": "thorax", "X8": "abdomen", "SaO2": "spo2", "SpO2": "spo2",
    "DC7": "level", "DC8": "level",
}  # fmt: skip


class Isruc:
    """One subgroup of patients or volunteers of a hospital in Coimbra.

    Parameters
    ----------
    subgroup : str
        "I", "II" or "III".
    population : Population
        Who takes part.
    variants : dict
        Share of each of `VARIANTS`; the rest have the first.
    two_sessions : bool
        Recordings lie at ``<person>/<session>/<session>.rec``, else at ``<person>/<person>.rec``.
    """

    rate_hz = 200.0
    mains_hz = 50.0

    def __init__(
        self, subgroup: str, population: Population, variants: dict[str, float], *, two_sessions: bool = False
    ) -> None:
        self.subgroup, self.population, self.variants = subgroup, population, variants
        self.two_sessions = two_sessions

    def visits(self, person: Person) -> int:
        """Return how many visits a person makes who comes back."""
        return 2 if self.two_sessions else 1

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"{person.number + 1}_{visit}" if self.two_sessions else f"{person.number + 1}"

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        rng, visit = recorder.rng("dialect"), recorder.visit
        folder, stem = self._place(root, visit)
        start = dt.datetime(2010, 5, 4, 22, 0) + dt.timedelta(
            days=int(rng.integers(0, 900)), seconds=int(rng.integers(0, 7200))
        )
        labels = VARIANTS[self._variant(rng)]
        write_edf(folder / f"{stem}.rec", _traces(recorder, labels, self.rate_hz), start=start, record_s=1)
        experts = [recorder.scored(), recorder.scored("expert 2")]
        for k, stages in enumerate(experts, start=1):
            blank = "\n" * int(rng.choice((0, 0, 1, 2)))  # lines at the end
            text = "".join(f"{code}\n" for code in CODES[stages])
            (folder / f"{stem}_{k}.txt").write_text(text + blank, encoding="utf-8")
            save(_scored_book(recorder, stages, start, k), folder / f"{stem}_{k}.xlsx")
        return self._row(recorder, start, rng) | scoring(experts)

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        unique = {row["Subject"]: row for row in rows}
        save(details(self.subgroup, [*unique.values()]), root / f"Details_subgroup_{self.subgroup}_Submission.xlsx")

    def _row(self, recorder: Recorder, start: dt.datetime, rng: np.random.Generator) -> dict[str, Any]:
        visit = recorder.visit
        number = visit.person.number + 1
        date = start.replace(hour=0, minute=0, second=0)
        row = {
            "Subject": f"{number}_Rec.{visit.visit}" if self.two_sessions else number,
            "Date of recording": date if rng.random() < 0.3 else f"{start.day}/{start.month}/{start.year}",
        }
        if visit.visit == 1 or not self.two_sessions:  # a second session leaves the person's cells empty
            row |= demographics(visit.person, recorder.events_per_h("apnea", "hypopnea"), rng)
        if self.subgroup == "I" and rng.random() < 0.02:
            row["Age"] = "?"  # two real ages are no numbers; what they are is not known
        return row

    def _place(self, root: Path, visit: Visit) -> tuple[Path, str]:
        """Return the folder and the stem of a recording's files."""
        number = f"{visit.person.number + 1}"
        stem = f"{visit.visit}" if self.two_sessions else number
        folder = root / number / stem if self.two_sessions else root / number
        folder.mkdir(parents=True, exist_ok=True)
        return folder, stem

    def _variant(self, rng: np.random.Generator) -> str:
        names = list(VARIANTS)
        shares = [self.variants.get(name, 0.0) for name in names]
        shares[0] += 1 - sum(shares)
        return str(rng.choice(names, p=shares))


def _traces(recorder: Recorder, labels: Sequence[str], rate_hz: float) -> list[Trace]:
    boxes = _boxes(recorder, rate_hz)
    traces = []
    for label in labels:
        plus, _, minus = label.partition("-")
        if label in BOX_KIND:
            kind = BOX_KIND[label]
            unit, limits = ("%", (0.0, 100.0)) if kind == "spo2" else ("uV", None)
            traces.append(Trace(label, boxes[kind], rate_hz, unit=unit, limits=limits, span=3000))
        else:
            plus = ELECTRODES.get(plus, plus)
            x = recorder.derivation(plus, ELECTRODES.get(minus, minus)) if minus else _potential(recorder, plus)
            traces.append(Trace(label, x, rate_hz, span=1000))
    return traces


def _potential(recorder: Recorder, electrode: str) -> np.ndarray:
    """Return an electrode against the amplifier's reference; minus its mastoid it is just the derivation."""
    if electrode in ("M1", "M2"):
        return recorder.derivation(electrode, "PG1")
    mastoid = REFERENCE[electrode]
    return recorder.derivation(electrode, mastoid) + recorder.derivation(mastoid, "PG1")


def _boxes(recorder: Recorder, rate_hz: float) -> dict[str, np.ndarray]:
    """Return what is plugged into the boxes, by kind."""
    breath, rng = recorder.breathing(rate_hz), recorder.rng("dialect", "boxes")
    n = len(breath["airflow"])
    return {
        "chin": recorder.chin(),
        "ecg": recorder.ecg(rate_hz),
        "leg": 5 * rng.standard_normal(n, np.float32),
        "snore": 8 * np.abs(breath["airflow"]) * rng.standard_normal(n, np.float32),
        "airflow": 100 * breath["airflow"],
        "nasal": 80 * breath["airflow"] * np.abs(breath["airflow"]),
        "thorax": 100 * breath["thorax"],
        "abdomen": 100 * breath["abdomen"],
        "spo2": recorder.spo2(rate_hz),
        "level": np.full(n, 500.0),
    }


def _scored_book(recorder: Recorder, stages: StageArray, start: dt.datetime, expert: int) -> Workbook:
    """Return one expert's spreadsheet: a row per epoch, with oddities in some cells."""
    rng = recorder.rng("dialect", f"book {expert}")
    events = _events(recorder, len(stages), rng)
    saturation = recorder.spo2(1)[: 30 * len(stages)].reshape(-1, 30).mean(1).round()
    position = rng.choice(list("BLR"), 1 + len(stages) // 40).repeat(40)
    book = Workbook()
    sheet = book.active
    header: list[str | None] = [*HEADER]
    header[0] = rng.choice((HEADER[0], HEADER[0], "Epcoh", ""))
    sheet.append([name or None for name in header])
    for i, stage in enumerate(stages):
        name = "U" if stage == 0 and rng.random() < 0.02 else NAMES[stage]
        heart: int | str = int(rng.normal(62, 4))
        note = f"{start:%H:%M:%S} - LIGHTS OUT" if i == 0 else None
        event = ", ".join(events[i])
        if i == 0:
            heart = f"{heart} L Out"  # a technician's word spilled into the next column
        elif not event and rng.random() < 0.02:
            event = rng.choice((f"{heart} Awake", "Awake", "MChg", "Per Slp"))
        elif rng.random() < 0.005:
            note = f"{start + dt.timedelta(seconds=30 * i):%H:%M:%S} - doente virou-se"
        sheet.append([i + 1, name, int(saturation[i]), heart, str(event) or None, str(position[i]), None, None, note])
    for row, (what, value) in enumerate((("ID", recorder.visit.recording), ("DATE", f"{start:%d/%m/%Y}")), start=1):
        sheet.cell(row, 11, what)
        sheet.cell(row, 12, value)
    return book


def _events(recorder: Recorder, n_epochs: int, rng: np.random.Generator) -> list[list[str]]:
    """Return the codes of the events that begin in each epoch."""
    codes: list[list[str]] = [[] for _ in range(n_epochs)]
    for event in recorder.night.events:
        if event.kind in EVENTS:
            codes[int(event.onset_s // 30)].append(str(rng.choice(EVENTS[event.kind])))
    return codes
