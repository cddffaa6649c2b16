"""What is written of one recording: in which formats, under which names, and whether it may be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256 as hasher
from pathlib import Path
from typing import Any

from hypnoflow import __version__
from hypnoflow.config.features import Features
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.config.score import Score
from hypnoflow.direct.inputs import Input
from hypnoflow.errors import OutputError, shown
from hypnoflow.export.bids import events_path, write_events
from hypnoflow.export.edf import write_annotations, write_posteriors
from hypnoflow.export.luna import write_annot
from hypnoflow.export.night import ScoredNight, step_name
from hypnoflow.export.tables import write_csv, write_parquet
from hypnoflow.export.yasa import write_yasa
from hypnoflow.facts.claim import Claim, claim
from hypnoflow.facts.files import fingerprint, remove_claimed, sha256
from hypnoflow.facts.ours import listed, lstat, remove_file
from hypnoflow.native.signals import files_of
from hypnoflow.report.night import write_png

Write = Callable[[ScoredNight, Path], list[Path]]
FORMATS: dict[str, Write] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "edf+": write_annotations,
    "pops": write_posteriors,
    "annot": write_annot,
    "yasa": write_yasa,
    "bids": write_events,
    "png": write_png,
}
# What each adds to the recording's name; a table has one of each for every resolution.
ENDS: Mapping[str, Sequence[str]] = {
    "csv": ("hypnogram_{step}.csv", "hypnodensity_{step}.csv"),
    "parquet": ("hypnogram_{step}.parquet", "hypnodensity_{step}.parquet"),
    "edf+": ("scored.edf",),
    "pops": ("hypnodensity.edf",),
    "annot": ("scored.annot",),
    "yasa": ("yasa.json", "yasa.txt"),
    "png": ("png",),
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted of every recording; without `channels`, all that the network reads and are found by name."""

    channels: tuple[str, ...] = ()
    resolutions: tuple[int, ...] = (1, 30)
    formats: tuple[str, ...] = tuple(FORMATS)
    score: Score = field(default_factory=Score)
    features: Features = field(default_factory=Features)
    harmonize: Harmonize = field(default_factory=Harmonize)
    force: bool = False

    def recipe(self, weights: Sequence[str]) -> dict[str, Any]:
        """Return all that decides what is written, but for the recording itself."""
        sections = (self.score, self.features, self.harmonize)
        return {
            "hypnoflow": __version__,
            "weights": list(weights),
            "channels": list(self.channels),
            "resolutions": list(self.resolutions),
            "formats": list(self.formats),
            "options": fingerprint([each.model_dump(mode="json") for each in sections]),
        }

    def fitting(self, *, fine: bool) -> Wishes:
        """Return the wishes with what was left open filled in, as a network that is or is not `fine` can meet it."""
        wanted = self.resolutions or ((1, 30) if fine else (1,))
        score = self.score if fine else self.score.model_copy(update={"hypnodensity_steps": 1})
        return replace(self, resolutions=wanted, score=score)


def names(base: Path, wishes: Wishes) -> list[Path]:
    """Return the files that will be written of the recording `base`."""
    found: list[Path] = []
    for name in wishes.formats:
        if name == "bids":
            found += [events_path(base), events_path(base).with_suffix(".json")]
        for end in ENDS.get(name, ()):
            steps = wishes.resolutions if "{" in end else wishes.resolutions[:1]
            found += [base.with_name(f"{base.name}.{end.format(step=step_name(f))}") for f in steps]
    return found


@contextmanager
def room_for(
    given: Input, base: Path, wishes: Wishes, weights: Sequence[str]
) -> Iterator[tuple[Claim, dict[str, Any]]]:
    """Yield the right to write a recording's outputs, and what its JSON has to say so that they are known again.

    What an earlier run wrote of the same recording in the same way is replaced; if it did so in another way, all that
    it wrote is removed with ``--force``.

    Raises
    ------
    OutputError
        If something else stands under one of the names, or what an earlier run made otherwise, without ``--force``.
    """
    about = base.with_name(f"{base.name}.statistics.json")
    facts = {"source": str(given.path.absolute()), "inputs": _hash(given.path), "recipe": wishes.recipe(weights)}
    with claim(about, inputs=[given.path]) as mine:
        if mine.facts is not None:
            other = _difference(mine.facts, json.loads(json.dumps(facts)))
            if other and not wishes.force:
                raise OutputError(about, other, "name another folder with --out, or remove what it lists with --force")
            if other:
                for name in listed(mine.facts):
                    remove_file(about.with_name(name), about)
        wanted = names(base, wishes)
        mine.take(wanted)
        try:
            yield mine, facts
        except BaseException:
            for path in wanted:
                if path.name not in listed(mine.facts) and lstat(path) is not None:
                    remove_claimed(path)
            raise


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in what an earlier run's outputs are others, empty if they are of the same."""
    if before.get("source") != now["source"]:
        return f"is of another recording of that name, {shown(before.get('source'))}"
    if before.get("inputs") != now["inputs"]:
        return "is of the recording as it was before it changed"
    was, wanted = before.get("recipe"), now["recipe"]
    if not isinstance(was, dict):
        return "is of an unknown way of scoring"
    other = sorted(name for name in {*was, *wanted} if was.get(name) != wanted.get(name))
    return f"is of a run with other {', '.join(map(shown, other))}" if other else ""


def _hash(path: Path) -> str:
    """Return one hash of all files that hold a recording's signals."""
    digest = hasher()
    for file in files_of(path):
        digest.update(sha256(file).encode())
    return digest.hexdigest()
