"""Compumedics Profusion XML: one stage per epoch, and events with their channel, times in seconds from the start.

Stage numbers are written here as the concepts that NSRR's own converter gives them, so that one map of stages
serves both files of a night: 0 "Wake|0", 1 to 4 "Stage 1 sleep|1" and so on, 5 "REM sleep|5", 6 "Movement|6",
9 "Unscored|9", 10 "Artifact|10".
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

from hypnoflow.native.annotations._events import kind_of, possible
from hypnoflow.native.annotations._xml import number_in, root_of
from hypnoflow.types import Annotations, Event, StageRun

SHORTEST_EPOCH_S = 1.0
CONCEPTS = {
    "0": "Wake|0",
    "1": "Stage 1 sleep|1",
    "2": "Stage 2 sleep|2",
    "3": "Stage 3 sleep|3",
    "4": "Stage 4 sleep|4",
    "5": "REM sleep|5",
    "6": "Movement|6",
    "9": "Unscored|9",
    "10": "Artifact|10",
}


def read_profusion(path: Path, unsure: str = "hypopnea") -> Annotations:
    """Read a ``-profusion.xml`` file.

    Parameters
    ----------
    path : Path
        The file.
    unsure : str
        Kind of event that this cohort's "Unsure" means.

    Returns
    -------
    Annotations
        One scorer, "expert".

    Raises
    ------
    RecordingError
        If the file is not well-formed, is not Profusion XML, or holds a number that is none.
    """
    root = root_of(path, "CMPStudyConfig", "Profusion XML")
    epoch_s = number_in(root, "EpochLength", "the study", path, least=SHORTEST_EPOCH_S)
    labels = [(element.text or "").strip() for element in root.iterfind("SleepStages/SleepStage")]
    runs = [StageRun(i * epoch_s, epoch_s, CONCEPTS.get(label, label)) for i, label in enumerate(labels)]
    events = (_event(element, path, unsure) for element in root.iterfind("ScoredEvents/ScoredEvent"))
    return Annotations({"expert": runs}, *possible(events))


def _event(element: Element, path: Path, unsure: str) -> Event:
    # By tag: a desaturation has its two numbers before its name.
    name = (element.findtext("Name") or "").strip()
    onset_s, duration_s = (number_in(element, tag, name or "an event", path) for tag in ("Start", "Duration"))
    return Event(onset_s, duration_s, kind_of(name, unsure), (element.findtext("Input") or "").strip(), name)
