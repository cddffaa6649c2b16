"""CinC Challenge 2018 ``.arousal`` annotations: a stage holds from its mark to the next; events open and close."""

from __future__ import annotations

from pathlib import Path

from wfdb.io.annotation import load_byte_pairs, proc_ann_bytes

from hypnoflow.errors import RecordingError
from hypnoflow.native.damaged import PARSER_ERRORS, cause
from hypnoflow.types import Annotations, Event, StageRun

EVENTS = {
    "arousal_rera": "rera",
    "resp_hypopnea": "hypopnea",
    "resp_partialobstructive": "hypopnea",
    "resp_obstructiveapnea": "apnea_obstructive",
    "resp_centralapnea": "apnea_central",
    "resp_mixedapnea": "apnea_mixed",
}


def read_challenge2018(path: Path, rate_hz: float, duration_s: float) -> Annotations:
    """Read a ``.arousal`` file; marks are sample numbers from the record's start.

    Parameters
    ----------
    path : Path
        The annotation file.
    rate_hz, duration_s : float
        Of the record; the last stage holds to its end.

    Raises
    ------
    RecordingError
        If the file is unreadable, its marks are out of order or beyond the record, or an event closes that never
        opened.
    """
    try:
        # Not `rdann`: it takes every note at sample 0 for a definition and drops it, hence a first stage there.
        pairs = load_byte_pairs(str(path.with_suffix("")), path.suffix[1:], None)
        samples, _, _, _, _, notes = proc_ann_bytes(pairs, None)
        marks = list(zip(samples, notes, strict=True))
    except PARSER_ERRORS as error:
        raise RecordingError(f"not a readable WFDB annotation file ({cause(error)})", path=path) from error
    back = next((i for i in range(len(samples)) if samples[i] < (samples[i - 1] if i else 0)), None)
    if back is not None:
        raise RecordingError(f"mark {back} lies at sample {samples[back]}, before the one ahead of it", path=path)
    stages: list[tuple[float, str]] = []
    events: list[Event] = []
    open_at: dict[str, float] = {}
    warnings = []
    for sample, raw in marks:
        note, at_s = raw.strip("\x00 "), float(sample) / rate_hz
        if note.startswith("## "):
            continue  # WFDB's own: the time resolution
        if note.startswith("("):
            open_at[note[1:]] = at_s
        elif note.endswith(")"):
            name = note[:-1]
            if name not in open_at:
                raise RecordingError(f"event {name!r} ends at {at_s:g} s but never began", path=path)
            onset_s = open_at.pop(name)
            kind = EVENTS.get(name, "arousal" if name.startswith("arousal_") else "other")
            events.append(Event(onset_s, at_s - onset_s, kind, "", name))
        elif note:
            stages.append((at_s, note))
    warnings += [f"event {name!r} begins at {at:g} s and never ends; left out" for name, at in open_at.items()]
    if not stages:
        raise RecordingError("no stage is marked", path=path)
    if stages[-1][0] > duration_s:
        raise RecordingError(f"stage {stages[-1][1]!r} is marked after the record's end ({duration_s:g} s)", path=path)
    ends = [at for at, _ in stages[1:]] + [duration_s]
    runs = [StageRun(at, end - at, label) for (at, label), end in zip(stages, ends, strict=True)]
    events.sort(key=lambda event: event.onset_s)
    return Annotations({"expert": runs}, tuple(events), tuple(warnings))
