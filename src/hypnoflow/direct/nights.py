"""Score recordings one after the other and write them in every wanted format."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypnoflow.direct.inputs import Input, find_inputs
from hypnoflow.direct.night import INTRUSION_STEPS, make_night, statistics
from hypnoflow.direct.outputs import FORMATS, Wishes, room_for
from hypnoflow.direct.score import ScoredFile, score_file
from hypnoflow.errors import CohortError, HypnoflowError, RecordingError
from hypnoflow.export.night import ScoredNight
from hypnoflow.facts.progress import track
from hypnoflow.facts.provenance import write_facts
from hypnoflow.score.infer import Scorer

log = logging.getLogger(__name__)

# What may go wrong with one file beyond what is foreseen; the next file has its own chance.
UNFORESEEN = (OSError, MemoryError, RuntimeError, ValueError, ArithmeticError, LookupError, TypeError, AssertionError)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # the next file has none


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recording, or of a path that gave none: `facts`, or why there are none."""

    source: str
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def score_inputs(patterns: Sequence[str], scorer: Scorer, out: Path, wishes: Wishes) -> Iterator[Outcome]:
    """Score all recordings among files, folders and patterns, and yield what became of each.

    One that fails does not stop the others, unless there is no room for any more outputs.

    Raises
    ------
    CohortError
        If there is no recording at all.
    """
    inputs, problems = find_inputs(patterns)
    for source, problem in problems.items():
        log.error("%s: %s", source, problem)
        yield Outcome(source, error=problem)
    if not inputs:
        raise CohortError("no recording to score")
    full = ""
    for given in track(inputs, len(inputs), "score"):
        if full:
            yield Outcome(str(given.path), error=f"not tried: {full}")
            continue
        try:
            yield Outcome(str(given.path), facts=score_input(given, scorer, out, wishes))
        except HypnoflowError as error:
            yield _failed(given, error)
        except UNFORESEEN as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                full = f"nothing more can be written to {out} ({error.strerror})"
            yield _failed(given, error)


def _failed(given: Input, error: Exception) -> Outcome:
    """Say what is wrong with a recording, in one message."""
    if isinstance(error, RecordingError):
        located = error.located("", given.path.name)
        log.error("%s", located)
        return Outcome(str(given.path), error=located.what)
    what = str(error) if isinstance(error, HypnoflowError) else _unforeseen(error)
    log.error("%s: %s", given.path, what)
    log.debug("where it happened", exc_info=error)
    return Outcome(str(given.path), error=what)


def _unforeseen(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    return f"unforeseen {type(error).__name__}: {error}"


def score_input(given: Input, scorer: Scorer, out: Path, wishes: Wishes) -> dict[str, Any]:
    """Score one recording, write its files, and return its facts: those of ``{name}.statistics.json``.

    Raises
    ------
    RecordingError
        If it cannot be scored.
    OutputError
        If something else has one of its outputs' names, see `room_for`.
    """
    base = out / given.name
    with room_for(given, base, wishes, scorer.hashes) as (mine, known):
        done = score_file(
            given.path,
            scorer,
            channels=wishes.channels,
            stages=sorted({1, *wishes.resolutions, *((INTRUSION_STEPS,) if scorer.fine else ())}),
            densities=sorted({1, *wishes.resolutions, wishes.score.hypnodensity_steps}, key=_first(wishes)),
            options=wishes.harmonize,
        )
        night = make_night(done, given, wishes.resolutions, wishes.features)
        written = [path for name in wishes.formats for path in FORMATS[name](night, base)]
        facts = known | _facts(night, done, scorer)
        write_facts(mine.record, None, facts, written)
    log.info("%s: %d epochs from %s; wrote %s.*", given.path.name, facts["epochs"], ", ".join(night.channels), base)
    for remark in facts["remarks"]:
        log.warning("%s: %s", given.path.name, remark)
    return facts | {"files": [path.name for path in written]}


def _first(wishes: Wishes) -> Callable[[int], bool]:
    """Return a key that sorts the displayed hypnodensity before the others."""
    return lambda steps: steps != wishes.score.hypnodensity_steps


def _facts(night: ScoredNight, done: ScoredFile, scorer: Scorer) -> dict[str, Any]:
    return {
        "recording": night.name,
        "start": night.start.isoformat() if night.start else None,
        "simulated": night.simulated,
        **statistics(night),
        "channels": {pick.label: pick.source for pick in done.channels},
        "gaps_s": [list(gap) for gap in done.gaps_s],
        "remarks": [*done.warnings, *(f"dropped {label}: {why}" for label, why in done.dropped.items())],
        "networks": [str(facts.get("model")) for facts in scorer.facts],
    }
