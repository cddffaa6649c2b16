"""What the two parts of Sleep-EDF Expanded share: file pairs, EDF+ hypnograms by Rechtschaffen and Kales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hypnoflow.cohorts.layouts.base import Found
from hypnoflow.cohorts.layouts.tables import files_below, number
from hypnoflow.errors import RecordingError
from hypnoflow.native.edf import EdfFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W

STAGES = {
    "Sleep stage W": W, "Sleep stage 1": N1, "Sleep stage 2": N2, "Sleep stage 3": N3, "Sleep stage 4": N3,
    "Sleep stage R": R, "Sleep stage ?": UNSCORED, "Movement time": UNSCORED,
}  # fmt: skip
Person = tuple[float | None, str | None, Mapping[str, object]]  # age, sex, source columns


def pairs(
    root: Path, prefix: str, people: Mapping[tuple[float | None, float | None], Person], table: str
) -> list[Found]:
    """Pair each PSG with its hypnogram by the first six characters; `people` is keyed by person and night."""
    hypnograms = {path.name[:6]: path for path in files_below(root, f"{prefix}*-Hypnogram.edf")}
    found = []
    for psg in files_below(root, f"{prefix}*-PSG.edf"):
        name = psg.name[:6]
        hypnogram = hypnograms.get(name)
        age_y, sex, columns = people.get((number(name[3:5]), number(name[5])), (None, None, {}))
        found.append(
            Found(
                recording=name,
                person=name[:5],
                visit=name[5],
                signal_path=str(psg.relative_to(root)),
                annotation_paths=(str(hypnogram.relative_to(root)),) if hypnogram else (),
                age_y=age_y,
                sex=sex,
                source_columns=columns,
                problems=() if columns else (f"no row in {table}: kept for staging, absent from predict",),
            )
        )
    return found


def read_annotations(paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read the EDF+ hypnogram."""
    if not paths:
        raise RecordingError("no hypnogram of the same name", path=signals.path)
    return Annotations({"expert": EdfFile(paths[0]).annotations()})
